// Prepares the buffers and arguments of a case and checks them after the call.
#ifndef KERNEL_RUNNER_CASE_READER_H_
#define KERNEL_RUNNER_CASE_READER_H_

#include <stdbool.h>

#include "kernel_runner/case_format.h"

enum { kMaxArguments = 24, kMaxBuffers = 24 };

typedef struct {
  const CaseHeader* header;
  const CaseArgument* arguments;
  const CaseBuffer* buffers;
  const CasePointer* pointers;
  uint8_t* addresses[kMaxBuffers];
  uint32_t argument_words[kMaxArguments];
} KernelCase;

typedef enum {
  CASE_READY,
  CASE_MALFORMED,
  CASE_RAM_FULL,
} CaseState;

// `room_bytes`: how much of the blob is left. Buffers come from the free RAM, anew for each case.
CaseState case_prepare(const CaseHeader* header, uint32_t room_bytes, KernelCase* kernel_case);

// CRC-32 of a buffer as it is now.
uint32_t case_buffer_crc(const KernelCase* kernel_case, uint32_t buffer);

// Index of the first buffer with a byte overwritten next to it, or -1.
int32_t case_first_overrun(const KernelCase* kernel_case);

#endif  // KERNEL_RUNNER_CASE_READER_H_
