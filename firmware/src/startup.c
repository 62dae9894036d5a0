/* SPDX-License-Identifier: Apache-2.0 */
// From reset to main(): vectors, memory, floating-point unit, stack guard, clock, UART, counter.
#include "src/startup.h"

#include <string.h>

#include "src/benchmark_protocol.h"
#include "src/fault.h"

Clocks clocks;

typedef void (*Handler)(void);
extern const Handler __init_array_start[], __init_array_end[];

void reset_handler(void);
static void unexpected_exception(void);

__attribute__((section(".vectors"), used)) static const Handler kVectors[16] = {
    (Handler)__stack_end,  reset_handler,        unexpected_exception,  // NMI
    fault_entry,           fault_entry,          fault_entry,           // hard, memory, bus
    fault_entry,           0,                    0,
    0,                     0,                    unexpected_exception,  // SVC
    unexpected_exception,  0,                    unexpected_exception,  // PendSV
    unexpected_exception,                                               // SysTick
};

static void unexpected_exception(void) {
  uint32_t number;
  __asm volatile("mrs %0, ipsr" : "=r"(number));
  fail("unexpected_exception", number);
}

static void memory_setup(void) {
  uint8_t* stack_pointer;
  __asm volatile("mov %0, sp" : "=r"(stack_pointer));
  // memset's own frame lies within these last bytes.
  memset(__stack_start, STACK_PAINT, (size_t)(stack_pointer - 64 - __stack_start));
  memcpy(__data_start, __data_load, (size_t)(__data_end - __data_start));
  memset(__bss_start, 0, (size_t)(__bss_end - __bss_start));
}

#if __ARM_ARCH == 7
// No access to the span right below RAM: a stack overflow faults at once, also in emulators that
// ignore accesses to addresses without memory. Armv7-M architecture reference manual, B3.5.
static void stack_guard_setup(void) {
  enum { kEnable = 1u << 0, kDefaultMap = 1u << 2, kNoExecute = 1u << 28, kNoAccess = 0u << 24 };
  const uint32_t size_field = 23;  // 2^(23 + 1) bytes, STACK_GUARD_BYTES
  uint32_t guard = (uint32_t)__ram_start - STACK_GUARD_BYTES;
  REGISTER(0xE000ED98u) = 0;      // MPU_RNR
  REGISTER(0xE000ED9Cu) = guard;  // MPU_RBAR
  REGISTER(0xE000EDA0u) = kNoExecute | kNoAccess | size_field << 1 | kEnable;  // MPU_RASR
  REGISTER(0xE000ED94u) = kDefaultMap | kEnable;                               // MPU_CTRL
  __asm volatile("dsb\n\tisb" ::: "memory");
}
#else
// The MPU is another one, or there is none.
static void stack_guard_setup(void) {}
#endif

__attribute__((noreturn, used)) static void start(void) {
  memory_setup();
  REGISTER(0xE000ED08u) = (uint32_t)kVectors;  // VTOR: flash is also seen at address 0
  stack_guard_setup();
  clocks = clock_setup();
  cache_setup();
  uart_setup(clocks.uart_hz);
  marker_setup();
  cycle_counter_setup();
  for (const Handler* construct = __init_array_start; construct < __init_array_end; ++construct) {
    (*construct)();
  }
  main();
  finish("ok");
}

// The floating-point unit must be on before compiled code runs that may use its registers.
__attribute__((naked)) void reset_handler(void) {
  __asm volatile(
#ifdef __ARM_FP
      "ldr r0, =0xE000ED88\n\t"  // CPACR: full access to coprocessors 10 and 11
      "ldr r1, [r0]\n\t"
      "orr r1, r1, #0xF00000\n\t"
      "str r1, [r0]\n\t"
      "dsb\n\t"
      "isb\n\t"
#endif
      FAR_JUMP " %c0\n\t"
      :
      : "i"(start));
}
