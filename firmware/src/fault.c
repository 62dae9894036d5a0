/* SPDX-License-Identifier: Apache-2.0 */
// Fault status registers and stacked frame: Armv7-M architecture reference manual, B1.5.6, B3.2.
#include "src/fault.h"

#include "ports/port.h"
#include "src/benchmark_protocol.h"
#include "src/stack.h"

// The report needs a stack of its own: the program's may be used up.
#define FAULT_STACK_BYTES 768
__attribute__((aligned(8), used)) static uint8_t fault_stack[FAULT_STACK_BYTES];

enum { kFrameWords = 8 };
static const char* const kFrameNames[kFrameWords] = {"r0",  "r1", "r2", "r3",
                                                     "r12", "lr", "pc", "xpsr"};

static void send_status_registers(void) {
  message_hex("cfsr", REGISTER(0xE000ED28u));
  message_hex("hfsr", REGISTER(0xE000ED2Cu));
  message_hex("mmfar", REGISTER(0xE000ED34u));
  message_hex("bfar", REGISTER(0xE000ED38u));
  message_end();
}

__attribute__((noreturn, used)) static void fault_report(const uint32_t* frame) {
  enum { kMemoryAddressValid = 1u << 7, kBusAddressValid = 1u << 15 };
  const uint32_t status = REGISTER(0xE000ED28u);
  const uint32_t stack_pointer = (uint32_t)frame;
  bool overflow = !stack_holds(stack_pointer, 4 * kFrameWords);
  if (status & kMemoryAddressValid) overflow |= stack_overflow_reaches(REGISTER(0xE000ED34u));
  if (status & kBusAddressValid) overflow |= stack_overflow_reaches(REGISTER(0xE000ED38u));
  message_begin(overflow ? "stack_overflow" : "fault");
  message_hex("sp", stack_pointer);
  if (overflow) {
    message_u32("capacity_bytes", stack_capacity_bytes());
  } else {
    for (int word = 0; word < kFrameWords; ++word) message_hex(kFrameNames[word], frame[word]);
  }
  send_status_registers();
  finish("failed");
}

__attribute__((naked)) void fault_entry(void) {
  __asm volatile(
      "mrs r0, msp\n\t"
      "ldr r1, =%c0\n\t"
      "mov sp, r1\n\t"
      FAR_JUMP " %c1\n\t"
      :
      : "i"(fault_stack + FAULT_STACK_BYTES), "i"(fault_report));
}
