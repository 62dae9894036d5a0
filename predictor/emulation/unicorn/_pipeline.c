/* Adds up the clock cycles of what Unicorn executes, apart for each operator that runs.
 *
 * Unicorn calls the hook at the start of each translated block. What a block takes follows from its
 * code alone and is kept; whether its last branch went elsewhere shows in where the next begins.
 * pipeline_counter.py owns the structures and mirrors them field by field. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#include "_pipeline.h"

#define MAX_REGIONS 16
#define SURE 3u /* of a guess's four states, two for either way, as predictors of two bits have them */

typedef struct {
  BlockTiming timing;
  uint16_t bytes;
  uint8_t guess;
  uint8_t is_unaligned; /* begins with a wide instruction that lies in two words */
} Block;

typedef struct {
  uint32_t base;
  uint32_t bytes;
  const uint8_t* memory;
  Block* blocks; /* one a half-word; null where code may change and nothing is remembered */
} Region;

typedef struct {
  uint64_t parts[PARTS];
} Cycles;

typedef struct {
  Pipeline pipeline;
  const uint32_t* stop;   /* not zero: Unicorn will not execute the block */
  const uint32_t* marker; /* in the program's memory: what runs */
  const uint32_t* first;  /* index in `cycles` of each subgraph's first operator */
  Cycles* cycles;         /* that of what is no operator, then the operators */
  Cycles* current;        /* of what ran last */
  const Region* last_region;
  Block* previous;
  uint64_t unknown; /* blocks of code in none of the regions */
  uint32_t previous_end;
  uint32_t running; /* what the marker said last */
  uint32_t subgraphs;
  uint32_t count; /* of `cycles` */
  uint32_t region_count;
  uint32_t padding;
  Block passing; /* of code that is not remembered */
  Region regions[MAX_REGIONS];
} Counter;

static const Region* region_of(const Counter* counter, uint32_t address, uint32_t bytes) {
  for (uint32_t index = 0; index < counter->region_count; ++index) {
    const Region* region = &counter->regions[index];
    uint32_t offset = address - region->base;
    if (offset < region->bytes && region->bytes - offset >= bytes) return region;
  }
  return NULL;
}

static Block* block_at(Counter* counter, uint32_t address, uint32_t bytes) {
  const Region* region = counter->last_region;
  if (region == NULL || address - region->base >= region->bytes) {
    region = counter->last_region = region_of(counter, address, bytes);
  }
  if (region == NULL) return NULL;
  uint32_t offset = address - region->base;
  Block* block = region->blocks ? &region->blocks[offset >> 1] : &counter->passing;
  if (region->blocks == NULL || block->bytes != bytes) {
    const uint8_t* code = region->memory + offset;
    block->timing = pipeline_block(&counter->pipeline, code, bytes,
                                   pipeline_repeats(code, bytes));
    block->bytes = (uint16_t)bytes;
    block->guess = 0;
    block->is_unaligned = (address & 2) && code[1] >> 3 >= 0x1D;
  }
  return block;
}

/* Where the cycles of what runs are added up, by the word that the firmware keeps: the number of a
 * subgraph, from one, and of an operator in it. */
static Cycles* cycles_of(const Counter* counter, uint32_t running) {
  uint32_t subgraph = running >> 16;
  if (subgraph == 0 || subgraph > counter->subgraphs) return counter->cycles;
  uint32_t index = counter->first[subgraph - 1] + (running & 0xFFFF);
  return &counter->cycles[index < counter->count ? index : 0];
}

/* What the last branch took, now that it is known where it went. */
static void leave(Counter* counter, int went, int to_unaligned) {
  const Pipeline* pipeline = &counter->pipeline;
  Block* block = counter->previous;
  uint64_t* lost = &counter->current->parts[PART_BRANCH];
  if (went) {
    *lost += block->timing.leaving;
    if (to_unaligned) *lost += (uint64_t)pipeline->unaligned_refill;
  }
  if (!pipeline->mispredicted || !block->timing.is_guessed) return;
  if ((block->guess > SURE / 2) != went) *lost += (uint64_t)pipeline->mispredicted;
  if (went && block->guess < SURE) ++block->guess;
  if (!went && block->guess > 0) --block->guess;
}

Py_EXPORTED_SYMBOL void pipeline_hook(void* engine, uint64_t address, uint32_t bytes,
                                      Counter* counter) {
  (void)engine;
  if (*counter->stop) return;
  uint32_t begin = (uint32_t)address;
  /* A block that is not remembered is overwritten by the next one. */
  Block kept;
  if (counter->previous == &counter->passing) {
    kept = counter->passing;
    counter->previous = &kept;
  }
  Block* block = block_at(counter, begin, bytes);
  if (counter->previous != NULL) {
    leave(counter, begin != counter->previous_end, block != NULL && block->is_unaligned);
  }
  counter->previous = block;
  if (block == NULL) {
    ++counter->unknown;
    return;
  }
  if (*counter->marker != counter->running) {
    counter->running = *counter->marker;
    counter->current = cycles_of(counter, counter->running);
  }
  uint64_t* parts = counter->current->parts;
  for (int part = 0; part < PARTS; ++part) parts[part] += block->timing.parts[part];
  counter->previous_end = begin + bytes;
}

/* Cycles of code that ends in no branch or goes on behind it, for tests of single sequences. */
Py_EXPORTED_SYMBOL uint32_t pipeline_cycles(const Pipeline* pipeline, const uint8_t* code,
                                            uint32_t bytes, int repeats, uint32_t* leaving) {
  BlockTiming timing = pipeline_block(pipeline, code, bytes, repeats);
  uint32_t cycles = 0;
  for (int part = 0; part < PARTS; ++part) cycles += timing.parts[part];
  *leaving = timing.leaving;
  return cycles;
}

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_pipeline", "A block hook for Unicorn; used through ctypes.", -1,
    NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__pipeline(void) {
  PyObject* self = PyModule_Create(&module);
  if (self && PyModule_AddIntConstant(self, "COUNTER_BYTES", sizeof(Counter)) < 0) {
    Py_CLEAR(self);
  }
  return self;
}
