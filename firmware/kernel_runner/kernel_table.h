// How a kernel becomes callable by test cases: one line beside a function that unpacks arguments.
#ifndef KERNEL_RUNNER_KERNEL_TABLE_H_
#define KERNEL_RUNNER_KERNEL_TABLE_H_

#include <stdint.h>

// Arguments as a case lists them: numbers as they are, buffers as addresses. Returns the kernel's
// status.
typedef int32_t (*KernelCall)(const uint32_t* arguments);

typedef struct {
  const char* name;  // a case names it by the CRC-32 of this text
  KernelCall call;
} KernelEntry;

// The linker collects the entries of all files.
#define REGISTER_KERNEL(name, call)                                                         \
  __attribute__((used, section(".kernel_table"))) static const KernelEntry kernel_entry_##name = { \
      #name, call}

#endif  // KERNEL_RUNNER_KERNEL_TABLE_H_
