// Reports a fault or a stack overflow over the UART.
#ifndef SRC_FAULT_H_
#define SRC_FAULT_H_

// Handler of all fault exceptions; does not return.
void fault_entry(void);

#endif  // SRC_FAULT_H_
