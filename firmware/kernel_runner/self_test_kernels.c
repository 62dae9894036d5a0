// Two plain kernels that check the kernel runner itself.
#include "kernel_runner/kernel_table.h"

// arguments: source, destination, count
static int32_t copy_s8(const uint32_t* arguments) {
  const int8_t* source = (const int8_t*)arguments[0];
  int8_t* destination = (int8_t*)arguments[1];
  for (uint32_t i = 0; i < arguments[2]; ++i) destination[i] = source[i];
  return 0;
}
REGISTER_KERNEL(self_test_copy_s8, copy_s8);

// A parameter block that points to another buffer, as kernel contexts do.
typedef struct {
  const int8_t* weights;
  int32_t count;
} DotParameters;

// arguments: address of DotParameters, input, address of the int32 result
static int32_t dot_s8(const uint32_t* arguments) {
  const DotParameters* parameters = (const DotParameters*)arguments[0];
  const int8_t* input = (const int8_t*)arguments[1];
  int32_t sum = 0;
  if (parameters->count < 0) return -1;
  for (int32_t i = 0; i < parameters->count; ++i) sum += input[i] * parameters->weights[i];
  *(int32_t*)arguments[2] = sum;
  return 0;
}
REGISTER_KERNEL(self_test_dot_s8, dot_s8);
