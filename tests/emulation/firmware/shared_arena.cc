// Interpreters of several models on one MicroAllocator, allocated and run one after the other. The
// test writes `request` and the models, runs to `done` and reads `answer`.
#include <cstdint>
#include <cstring>
#include <new>

#include "operators.h"
#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#define ONE(...) +1
constexpr unsigned int kOperators = 0 TFLM_OPERATORS(ONE, ONE, ONE, ONE);
using Resolver = tflite::MicroMutableOpResolver<kOperators>;
#define ADD(name, method, ...) resolver->method();
#define NONE(...)

constexpr int kMostModels = 4;
constexpr uint32_t kSeed = 0x811C9DC5, kPrime = 0x01000193;

extern "C" {

extern uint32_t __data_start[], __data_end[], __data_load[], __bss_start[], __bss_end[];
extern void (*__init_array_start[])(), (*__init_array_end[])();
extern uint8_t __stack_end[];

// In flash, where the test writes it before the first run.
struct Request {
  uint32_t count;
  const void* models[kMostModels];
  uint8_t* arena;
  uint32_t arena_bytes;
};
__attribute__((section(".rodata.request"), used)) extern const volatile Request request;
const volatile Request request = {};

// `allocated` counts models whose AllocateTensors succeeded; a hash is one of a model's outputs.
struct {
  uint32_t allocated, used_bytes, head_bytes, tail_bytes, tails[kMostModels];
  uint32_t ran, hashes[kMostModels];
} answer;

void* __dso_handle = nullptr;
void _exit(int) {
  for (;;) {
  }
}
[[gnu::noinline]] void done() {
  for (;;) asm volatile("");
}
[[gnu::noinline]] void fault() {
  for (;;) asm volatile("");
}

alignas(8) uint8_t places[kMostModels][sizeof(tflite::MicroInterpreter)];
alignas(8) uint8_t resolver_memory[sizeof(Resolver)];

void run_all() {
  auto* resolver = new (resolver_memory) Resolver;
  TFLM_OPERATORS(ADD, ADD, NONE, NONE)
  auto* memory =
      tflite::SingleArenaBufferAllocator::Create(request.arena, request.arena_bytes);
  void* place = memory->AllocatePersistentBuffer(sizeof(tflite::GreedyMemoryPlanner),
                                                 alignof(tflite::GreedyMemoryPlanner));
  auto* allocator =
      tflite::MicroAllocator::Create(memory, new (place) tflite::GreedyMemoryPlanner());
  tflite::MicroInterpreter* interpreters[kMostModels];
  for (uint32_t i = 0; i < request.count; ++i) {
    const uint32_t before = i == 0 ? 0 : memory->GetPersistentUsedBytes();
    interpreters[i] = new (places[i])
        tflite::MicroInterpreter(tflite::GetModel(request.models[i]), *resolver, allocator);
    if (interpreters[i]->AllocateTensors() != kTfLiteOk) return;
    answer.tails[i] = memory->GetPersistentUsedBytes() - before;
    ++answer.allocated;
  }
  answer.used_bytes = interpreters[0]->arena_used_bytes();
  answer.head_bytes = memory->GetNonPersistentUsedBytes();
  answer.tail_bytes = memory->GetPersistentUsedBytes();
  for (uint32_t i = 0; i < request.count; ++i) {
    for (size_t n = 0; n < interpreters[i]->inputs_size(); ++n) {
      std::memset(interpreters[i]->input(n)->data.raw, 1, interpreters[i]->input(n)->bytes);
    }
    if (interpreters[i]->Invoke() != kTfLiteOk) return;
    uint32_t hash = kSeed;
    for (size_t n = 0; n < interpreters[i]->outputs_size(); ++n) {
      const TfLiteTensor* output = interpreters[i]->output(n);
      for (size_t k = 0; k < output->bytes; ++k) {
        hash = (hash ^ static_cast<uint8_t>(output->data.raw[k])) * kPrime;
      }
    }
    answer.hashes[i] = hash;
    ++answer.ran;
  }
}

[[noreturn]] void reset_handler() {
  // The floating point unit, where there is one.
  *reinterpret_cast<volatile uint32_t*>(0xE000ED88) |= 0xF << 20;
  std::memcpy(__data_start, __data_load,
              reinterpret_cast<uintptr_t>(__data_end) - reinterpret_cast<uintptr_t>(__data_start));
  std::memset(__bss_start, 0,
              reinterpret_cast<uintptr_t>(__bss_end) - reinterpret_cast<uintptr_t>(__bss_start));
  for (auto* run = __init_array_start; run != __init_array_end; ++run) (*run)();
  run_all();
  for (;;) done();
}

__attribute__((section(".vectors"), used)) const void* const vectors[16] = {
    __stack_end, reinterpret_cast<const void*>(&reset_handler),
    reinterpret_cast<const void*>(&fault), reinterpret_cast<const void*>(&fault)};

}  // extern "C"

void operator delete(void*) noexcept {}
void operator delete(void*, size_t) noexcept {}
