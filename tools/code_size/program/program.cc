// The least that a product links to run one model: start-up code, an interpreter, and an op resolver
// with the operators of operators.h (predictor/firmware/op_resolver.py writes it). Model and arena
// take no space here; the linker gives them addresses.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

#include "operators.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#ifdef MN_KERNELS
#include "mn_operators/mn_operators.h"
#endif

#define ONE(...) +1
constexpr unsigned int kOperators = 0 TFLM_OPERATORS(ONE, ONE, ONE, ONE);
using Resolver = tflite::MicroMutableOpResolver<(kOperators > 0 ? kOperators : 1)>;

#define ADD_BUILTIN(name, method, version) resolver->method();
#define ADD_CUSTOM(name, method) resolver->method();
#define ADD_MN(name, function) resolver->AddCustom(name, mn::function());
#define ADD_DROP_IN(name, method) resolver->method(*mn::Register_##name());

extern "C" {

extern const uint8_t model_data[];
extern uint8_t arena_start[], arena_end[];
extern uint32_t __data_start[], __data_end[], __data_load[], __bss_start[], __bss_end[];
extern void (*__init_array_start[])(), (*__init_array_end[])();

// Their sizes are read from the symbols.
alignas(8) uint8_t resolver_memory[sizeof(Resolver)];
alignas(8) uint8_t interpreter_memory[sizeof(tflite::MicroInterpreter)];

void* __dso_handle = nullptr;
void _exit(int) {
  for (;;) {
  }
}

[[noreturn]] void reset_handler() {
  std::copy(__data_load, __data_load + (__data_end - __data_start), __data_start);
  std::fill(__bss_start, __bss_end, 0);
  std::for_each(__init_array_start, __init_array_end, [](void (*run)()) { run(); });
  auto* resolver = new (resolver_memory) Resolver;
  TFLM_OPERATORS(ADD_BUILTIN, ADD_CUSTOM, ADD_MN, ADD_DROP_IN)
  auto* interpreter = new (interpreter_memory)
      tflite::MicroInterpreter(tflite::GetModel(model_data), *resolver, arena_start,
                               static_cast<size_t>(arena_end - arena_start));
  interpreter->AllocateTensors();
  for (;;) interpreter->Invoke();
}

extern uint8_t __stack_end[];

__attribute__((section(".vectors"), used)) const void* const vectors[16] = {
    __stack_end, reinterpret_cast<const void*>(&reset_handler)};

}  // extern "C"

// Nothing is ever destroyed; virtual destructors refer to these.
void operator delete(void*) noexcept {}
void operator delete(void*, size_t) noexcept {}
