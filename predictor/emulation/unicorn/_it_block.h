/* What each hook on memory does first. */
#ifndef PREDICTOR_IT_BLOCK_H
#define PREDICTOR_IT_BLOCK_H

#include <stdint.h>

/* Before it calls a hook on memory, Unicorn brings the core's registers up to date, the state of an
 * IT block among them. Its translated code does not expect that: unless the state is cleared, what
 * follows the IT block is executed under the block's condition. First member of each state below. */
typedef struct {
  int (*reg_write)(void*, int, const void*);
  int32_t epsr_register;
  uint32_t epsr; /* Thumb, no IT block */
} ItBlock;

static void leave_it_block(void* engine, const ItBlock* block) {
  block->reg_write(engine, block->epsr_register, &block->epsr);
}

#endif
