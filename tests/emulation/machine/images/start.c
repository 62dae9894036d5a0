/* Smallest program around a test: vectors, memory, UART. Options are macros:
 * UART_F7 for the STM32F7, NO_FPU and NO_UART leave things off, STACK_ON_TOP moves the stack. */
#include "start.h"

extern uint32_t __stack_end[], __data_start[], __data_end[], __data_load[];
extern uint32_t __bss_start[], __bss_end[];

int main(void);
void reset_handler(void);
__attribute__((weak)) void svc_handler(void) {}
__attribute__((weak)) void pendsv_handler(void) {}
__attribute__((weak)) void systick_handler(void) {}

typedef void (*Handler)(void);
__attribute__((section(".vectors"), used)) static const Handler vectors[16] = {
    (Handler)__stack_end, reset_handler, 0, 0, 0, 0, 0, 0, 0, 0, 0, svc_handler, 0, 0,
    pendsv_handler, systick_handler};

#ifdef UART_F7
#define UART 0x40004800u
enum { CLOCK_BIT = 18, CONTROL = 0x00, STATUS = 0x1C, DATA = 0x28, ENABLE = 1 | 1 << 3 };
#else
#define UART 0x40004400u
enum { CLOCK_BIT = 17, CONTROL = 0x0C, STATUS = 0x00, DATA = 0x04, ENABLE = 1 << 13 | 1 << 3 };
#endif

void uart_write(uint8_t byte) {
  while (!(REGISTER(UART + STATUS) & 0x80)) {
  }
  REGISTER(UART + DATA) = byte;
}

void uart_text(const char* text) {
  for (; *text; ++text) uart_write((uint8_t)*text);
}

__attribute__((naked, noinline)) void finished(void) { __asm volatile("wfi\n\tb finished"); }

void reset_handler(void) {
#ifndef NO_FPU
  REGISTER(0xE000ED88u) |= 0xFu << 20;
  __asm volatile("dsb\n\tisb");
#endif
  for (uint32_t *to = __data_start, *from = __data_load; to < __data_end;) *to++ = *from++;
  for (uint32_t* to = __bss_start; to < __bss_end;) *to++ = 0;
#ifndef NO_UART
  REGISTER(0x40023840u) |= 1u << CLOCK_BIT;
  REGISTER(UART + CONTROL) = ENABLE;
#endif
  main();
  finished();
}
