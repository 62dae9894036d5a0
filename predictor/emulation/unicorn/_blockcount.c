/* Counts the instructions that Unicorn executes, at the start of each translated block.
 *
 * Unicorn calls the hooks below by address. A block is a run of Thumb instructions without a
 * branch inside; its instructions are counted once from the image in host memory and remembered.
 * Instructions that an IT block skips count like any other, as on the core, where they take
 * their cycle. block_counter.py owns the structures and mirrors them field by field. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

#define MAX_REGIONS 16
#define UNKNOWN_FUNCTION 0xFFFFu
#define EDGE_SLOTS 16384u
#define MAX_UNWOUND 8 /* frames that one return may leave */
#define MAX_STACK_BYTES 0x3FFFC /* more is no stack frame */

enum { TRAIT_CALL = 1, TRAIT_JUMP = 2, TRAIT_FPU = 4, TRAIT_FPV5 = 8 };
enum { STOP_NONE, STOP_REQUESTED, STOP_DEADLINE, STOP_STACK, STOP_REFUSED, STOP_ADDRESS };

typedef struct {
  uint16_t bytes;
  uint16_t instructions;
  uint16_t function;
  uint16_t stack_words; /* deepest push of the block below its first stack pointer */
  uint32_t traits;
} Block;

typedef struct {
  uint32_t base;
  uint32_t bytes;
  const uint8_t* memory;
  Block* blocks; /* one a half-word; null where code may change and nothing is remembered */
} Region;

typedef struct {
  uint64_t self_instructions;
  uint64_t inclusive_instructions;
  uint64_t calls;
  uint64_t open_frames;
} Function;

typedef struct {
  uint64_t start_instructions;
  uint32_t return_address;
  uint32_t function;
  uint32_t is_tail_call;
  uint32_t padding;
} Frame;

typedef struct {
  uint64_t key; /* caller << 32 | callee, plus one: 0 marks a free slot */
  uint64_t calls;
  uint64_t inclusive_instructions;
} Edge;

typedef struct {
  uint64_t instructions; /* the current block counts whole */
  uint64_t deadline;     /* stop before a block once so many were executed */
  uint32_t block_address;
  uint32_t block_bytes;
  uint32_t previous_address;
  uint32_t previous_bytes;
  uint32_t stop;
  uint32_t stop_address; /* stop before the block there, except the very first block */
  uint32_t is_first_block;
  uint32_t refused_traits;
  uint32_t stack_limit;
  uint32_t stack_lowest;
  uint32_t last_traits;
  uint32_t last_end;
  uint32_t last_function;
  uint32_t region_count;
  uint32_t function_count;
  uint32_t depth;
  uint32_t max_depth;
  int32_t stack_register;
  uint32_t padding;
  void (*emu_stop)(void*);
  int (*reg_read)(void*, int, void*);
  const uint32_t* function_starts; /* sorted */
  Function* functions;
  Frame* frames;
  Edge* edges; /* EDGE_SLOTS of them */
  const Region* last_region;
  Block unknown_block; /* of code that is not remembered */
  uint32_t end_padding;
  Region regions[MAX_REGIONS];
} Counter;

static uint32_t popcount(uint32_t bits) {
  uint32_t count = 0;
  for (; bits; bits &= bits - 1) ++count;
  return count;
}

/* ThumbExpandImm, Armv7-M architecture reference manual A5.3.2, for the values that a compiler
 * subtracts from the stack pointer. */
static uint32_t expanded_immediate(uint32_t first, uint32_t second) {
  uint32_t value = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | (second & 0xFF);
  uint32_t byte = value & 0xFF;
  switch (value >> 8) {
    case 0: return byte;
    case 1: return byte << 16 | byte;
    case 2: return byte << 24 | byte << 8;
    case 3: return byte << 24 | byte << 16 | byte << 8 | byte;
  }
  uint32_t rotation = value >> 7;
  uint32_t unrotated = 0x80 | (value & 0x7F);
  return unrotated >> rotation | unrotated << (32 - rotation);
}

/* Bytes by which an instruction lowers the stack pointer; negative where it raises it. */
static int32_t stack_bytes_16(uint32_t first) {
  if ((first & 0xFE00) == 0xB400) return 4 * (int32_t)popcount(first & 0x1FF);
  if ((first & 0xFE00) == 0xBC00) return -4 * (int32_t)popcount(first & 0x1FF);
  if ((first & 0xFF80) == 0xB080) return 4 * (int32_t)(first & 0x7F);
  if ((first & 0xFF80) == 0xB000) return -4 * (int32_t)(first & 0x7F);
  return 0;
}

static int32_t stack_bytes_32(uint32_t first, uint32_t second) {
  uint32_t to_stack_pointer = (second & 0x0F00) == 0x0D00;
  if (first == 0xE92D) return 4 * (int32_t)popcount(second);
  if (first == 0xE8BD) return -4 * (int32_t)popcount(second);
  if (first == 0xF84D && (second & 0x0F00) == 0x0D00) return (int32_t)(second & 0xFF);
  if (first == 0xF85D && (second & 0x0F00) == 0x0B00) return -(int32_t)(second & 0xFF);
  if (first == 0xE96D) return 4 * (int32_t)(second & 0xFF);
  if ((first & 0xFFBF) == 0xED2D) return 4 * (int32_t)(second & 0xFF);
  if ((first & 0xFFBF) == 0xECBD) return -4 * (int32_t)(second & 0xFF);
  if ((first & 0xFBEF) == 0xF1AD && to_stack_pointer) {
    uint32_t bytes = expanded_immediate(first, second);
    return (int32_t)(bytes < MAX_STACK_BYTES ? bytes : MAX_STACK_BYTES);
  }
  if ((first & 0xFBFF) == 0xF2AD && to_stack_pointer) {
    return (int32_t)((first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | (second & 0xFF));
  }
  return 0;
}

static uint32_t traits_16(uint32_t first) {
  if ((first & 0xFF87) == 0x4780) return TRAIT_CALL; /* BLX register */
  if ((first & 0xFF87) == 0x4700) return TRAIT_JUMP; /* BX */
  if ((first & 0xFF00) == 0xBD00) return TRAIT_JUMP; /* POP with the program counter */
  if ((first & 0xFF87) == 0x4687) return TRAIT_JUMP; /* MOV to the program counter */
  return 0;
}

static uint32_t traits_32(uint32_t first, uint32_t second) {
  uint32_t traits = 0;
  if ((first & 0xF800) == 0xF000 && (second & 0xD000) == 0xD000) return TRAIT_CALL; /* BL */
  if ((first & 0xFE50) == 0xE810 && (second & 0x8000)) traits |= TRAIT_JUMP;        /* LDM, PC */
  if ((first & 0xFF70) == 0xF850 && (second & 0xF000) == 0xF000) traits |= TRAIT_JUMP;
  if ((first & 0xEC00) == 0xEC00 && (second & 0x0E00) == 0x0A00) {
    traits |= TRAIT_FPU;
    /* VSEL, VMAXNM, VMINNM, VRINTA and kin, VCVTA and kin; then VRINTR, VRINTZ; then VRINTX */
    if ((first & 0xFF00) == 0xFE00) traits |= TRAIT_FPV5;
    if ((first & 0xFFBF) == 0xEEB6 && (second & 0x0E50) == 0x0A40) traits |= TRAIT_FPV5;
    if ((first & 0xFFBF) == 0xEEB7 && (second & 0x0ED0) == 0x0A40) traits |= TRAIT_FPV5;
  }
  return traits;
}

static uint32_t function_at(const Counter* counter, uint32_t address) {
  uint32_t low = 0, high = counter->function_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (counter->function_starts[middle] <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 ? UNKNOWN_FUNCTION : low - 1;
}

static void decode(const Counter* counter, const Region* region, uint32_t address,
                   uint32_t bytes, Block* block) {
  const uint8_t* memory = region->memory + (address - region->base);
  const uint8_t* end = memory + bytes;
  int32_t depth = 0, deepest = 0;
  uint32_t last = 0, coprocessor = 0, instructions = 0;
  while (memory < end) {
    uint32_t first = memory[0] | (uint32_t)memory[1] << 8;
    if (first >> 11 >= 0x1D) {
      uint32_t second = memory[2] | (uint32_t)memory[3] << 8;
      depth += stack_bytes_32(first, second);
      last = traits_32(first, second);
      memory += 4;
    } else {
      depth += stack_bytes_16(first);
      last = traits_16(first);
      memory += 2;
    }
    if (depth > deepest) deepest = depth;
    coprocessor |= last & (TRAIT_FPU | TRAIT_FPV5);
    ++instructions;
  }
  block->bytes = (uint16_t)bytes;
  block->instructions = (uint16_t)instructions;
  block->traits = last | coprocessor;
  block->stack_words = (uint16_t)((deepest < MAX_STACK_BYTES ? deepest : MAX_STACK_BYTES) / 4);
  block->function = (uint16_t)function_at(counter, address);
}

static const Region* region_of(const Counter* counter, uint32_t address, uint32_t bytes) {
  for (uint32_t index = 0; index < counter->region_count; ++index) {
    const Region* region = &counter->regions[index];
    uint32_t offset = address - region->base;
    if (offset < region->bytes && region->bytes - offset >= bytes) return region;
  }
  return NULL;
}

static const Block* block_at(Counter* counter, uint32_t address, uint32_t bytes) {
  const Region* region = counter->last_region;
  if (region == NULL || address - region->base >= region->bytes) {
    region = counter->last_region = region_of(counter, address, bytes);
  }
  Block* block = &counter->unknown_block;
  if (region == NULL) {
    *block = (Block){.bytes = (uint16_t)bytes, .function = UNKNOWN_FUNCTION};
  } else if (region->blocks == NULL) {
    decode(counter, region, address, bytes, block);
  } else {
    block = &region->blocks[(address - region->base) >> 1];
    if (block->bytes != bytes) decode(counter, region, address, bytes, block);
  }
  return block;
}

static const Block* stop(Counter* counter, void* engine, uint32_t reason) {
  counter->stop = reason;
  counter->emu_stop(engine);
  return NULL;
}

/* Whether the block would leave the stack; keeps the lowest stack pointer. */
static int leaves_stack(Counter* counter, void* engine, const Block* block) {
  uint32_t stack_pointer = 0;
  counter->reg_read(engine, counter->stack_register, &stack_pointer);
  uint32_t bytes = 4u * block->stack_words;
  uint32_t lowest = stack_pointer < bytes ? 0 : stack_pointer - bytes;
  if (lowest < counter->stack_limit) return 1;
  if (lowest < counter->stack_lowest) counter->stack_lowest = lowest;
  return 0;
}

/* Counts a block; null where the emulation stops before it. */
static inline const Block* count_block(void* engine, uint32_t address, uint32_t bytes,
                                       Counter* counter) {
  if (counter->stop != STOP_NONE) return NULL;
  if (counter->instructions >= counter->deadline) return stop(counter, engine, STOP_DEADLINE);
  if (address == counter->stop_address && !counter->is_first_block) {
    return stop(counter, engine, STOP_ADDRESS);
  }
  const Block* block = block_at(counter, address, bytes);
  if (block->traits & counter->refused_traits) {
    counter->block_address = address;
    counter->block_bytes = bytes;
    return stop(counter, engine, STOP_REFUSED);
  }
  if (block->stack_words && leaves_stack(counter, engine, block)) {
    return stop(counter, engine, STOP_STACK);
  }
  counter->previous_address = counter->block_address;
  counter->previous_bytes = counter->block_bytes;
  counter->block_address = address;
  counter->block_bytes = bytes;
  counter->is_first_block = 0;
  counter->instructions += block->instructions;
  return block;
}

Py_EXPORTED_SYMBOL void blockcount_hook(void* engine, uint64_t address, uint32_t bytes,
                                        Counter* counter) {
  count_block(engine, (uint32_t)address, bytes, counter);
}

static Edge* edge_of(Counter* counter, uint32_t caller, uint32_t callee) {
  uint64_t key = ((uint64_t)caller << 32 | callee) + 1;
  uint32_t slot = (uint32_t)(key * 0x9E3779B97F4A7C15u >> 40) % EDGE_SLOTS;
  for (uint32_t tries = 0; tries < EDGE_SLOTS; ++tries, slot = (slot + 1) % EDGE_SLOTS) {
    Edge* edge = &counter->edges[slot];
    if (edge->key == 0) edge->key = key;
    if (edge->key == key) return edge;
  }
  return NULL;
}

static void push_frame(Counter* counter, uint32_t function, uint32_t return_address,
                       uint32_t is_tail_call, uint64_t now) {
  if (counter->depth >= counter->max_depth || function >= counter->function_count) return;
  counter->frames[counter->depth++] = (Frame){.start_instructions = now,
                                              .return_address = return_address,
                                              .function = function,
                                              .is_tail_call = is_tail_call};
  ++counter->functions[function].calls;
  ++counter->functions[function].open_frames;
}

static void pop_frame(Counter* counter, uint64_t now) {
  const Frame* frame = &counter->frames[--counter->depth];
  Function* function = &counter->functions[frame->function];
  uint64_t spent = now - frame->start_instructions;
  int outermost = --function->open_frames == 0; /* recursion counts once */
  if (outermost) function->inclusive_instructions += spent;
  uint32_t caller =
      counter->depth ? counter->frames[counter->depth - 1].function : UNKNOWN_FUNCTION;
  Edge* edge = edge_of(counter, caller, frame->function);
  if (edge == NULL) return;
  ++edge->calls;
  if (outermost) edge->inclusive_instructions += spent;
}

/* Frames up to the one that returns to an address, 0 if none of the innermost does. Some of libgcc's
 * arithmetic leaves an inner routine straight for the caller of the outer one. */
static uint32_t depth_of_return(const Counter* counter, uint32_t address) {
  for (uint32_t depth = counter->depth; depth && counter->depth - depth < MAX_UNWOUND; --depth) {
    if (counter->frames[depth - 1].return_address == address) return depth;
  }
  return 0;
}

/* Keeps the call stack: a call pushes, arriving at a return address by an indirect jump pops, a
 * jump to another function's first instruction is a tail call. */
static void follow_call(Counter* counter, uint32_t address, uint32_t function, uint64_t now) {
  uint32_t depth;
  int arrives = function < counter->function_count && counter->function_starts[function] == address;
  if (counter->depth == 0) {
    push_frame(counter, function, 0, 0, now);
  } else if (counter->last_traits & TRAIT_CALL && address != counter->last_end) {
    push_frame(counter, function, counter->last_end, 0, now);
  } else if (counter->last_traits & TRAIT_JUMP && (depth = depth_of_return(counter, address))) {
    while (counter->depth > depth) pop_frame(counter, now);
    while (counter->depth && counter->frames[counter->depth - 1].is_tail_call) {
      pop_frame(counter, now);
    }
    if (counter->depth) pop_frame(counter, now);
  } else if (arrives && function != counter->last_function) {
    push_frame(counter, function, counter->frames[counter->depth - 1].return_address, 1, now);
  }
}

Py_EXPORTED_SYMBOL void blockcount_profile_hook(void* engine, uint64_t address, uint32_t bytes,
                                                Counter* counter) {
  uint64_t before = counter->instructions;
  const Block* block = count_block(engine, (uint32_t)address, bytes, counter);
  if (block == NULL) return;
  follow_call(counter, (uint32_t)address, block->function, before);
  if (block->function < counter->function_count) {
    counter->functions[block->function].self_instructions += block->instructions;
  }
  counter->last_traits = block->traits;
  counter->last_end = (uint32_t)address + bytes;
  counter->last_function = block->function;
}

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_blockcount", "Block hooks for Unicorn; used through ctypes.", -1,
    NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__blockcount(void) {
  PyObject* self = PyModule_Create(&module);
  if (self && PyModule_AddIntConstant(self, "COUNTER_BYTES", sizeof(Counter)) < 0) {
    Py_CLEAR(self);
  }
  return self;
}
