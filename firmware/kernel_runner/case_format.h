// Layout of a kernel case in flash; all little-endian words. Written by
// predictor/emulation/kernel_cases.py.
//
//   CaseHeader
//   CaseArgument   x argument_count
//   CaseBuffer     x buffer_count
//   CasePointer    x pointer_count
//   data of the buffers, each at its data_offset
#ifndef KERNEL_RUNNER_CASE_FORMAT_H_
#define KERNEL_RUNNER_CASE_FORMAT_H_

#include <stdint.h>

#define CASE_NO_BUFFER 0xFFFFFFFFu

typedef struct {
  uint32_t record_bytes;  // to the next case; a multiple of 16
  uint32_t case_id;
  uint32_t kernel;  // CRC-32 of its name
  uint32_t argument_count;
  uint32_t buffer_count;
  uint32_t pointer_count;
  int32_t expected_status;
  uint32_t send_outputs;  // not 0: the checked buffers' bytes follow the result
} CaseHeader;

// A number, or the address `value` bytes into a buffer.
typedef struct {
  uint32_t buffer;  // CASE_NO_BUFFER: a number
  uint32_t value;
} CaseArgument;

enum {
  CASE_IN_FLASH = 1u << 0,  // used where it lies: data_offset keeps the alignment
  CASE_HAS_DATA = 1u << 1,  // copied to RAM before the call; else RAM is painted
  CASE_CHECKED = 1u << 2,   // its CRC-32 after the call must be expected_crc
};

typedef struct {
  uint32_t flags;
  uint32_t bytes;
  uint32_t alignment;     // of the buffer's address, a power of two
  uint32_t misalignment;  // bytes behind that address where the buffer starts
  uint32_t data_offset;   // from the start of the case
  uint32_t expected_crc;
} CaseBuffer;

// A word of one buffer that must hold the address of another: parameter blocks with pointers.
typedef struct {
  uint32_t buffer;
  uint32_t offset;
  uint32_t target_buffer;
  uint32_t target_offset;
} CasePointer;

#endif  // KERNEL_RUNNER_CASE_FORMAT_H_
