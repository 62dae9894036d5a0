/* What the clock cycles of Thumb code follow from: its instructions, and the pipeline of a core.
 *
 * _pipeline_decode.c reads instructions, _pipeline_timing.c lets a core's pipeline run over a block
 * of them, _pipeline.c adds up what an emulated program takes. */
#ifndef MCU_PREDICTOR_PIPELINE_H_
#define MCU_PREDICTOR_PIPELINE_H_

#include <stdint.h>

/* A bit for each register: the core's sixteen, then the 32 of single precision. */
typedef uint64_t Registers;
#define FIRST_FLOAT_REGISTER 16
#define REGISTER_COUNT 48
#define STACK_POINTER 13
#define LINK_REGISTER 14
#define PROGRAM_COUNTER 15

typedef enum {
  KIND_ALU,      /* addition, subtraction, moves: what an early adder can do */
  KIND_LOGIC,    /* other operations of the arithmetic unit */
  KIND_SHIFT,    /* moves that shift */
  KIND_SHIFTED,  /* operations on a shifted register or a shifted constant */
  KIND_BITFIELD, /* extensions, bit fields, reversals, packing */
  KIND_SIMD,     /* parallel and saturating arithmetic */
  KIND_MULTIPLY,
  KIND_LONG_MULTIPLY,
  KIND_DIVIDE,
  KIND_LOAD,
  KIND_STORE,
  KIND_LOAD_MULTIPLE,
  KIND_STORE_MULTIPLE,
  KIND_BRANCH,          /* to an address that the instruction holds */
  KIND_INDIRECT_BRANCH, /* to one in a register */
  KIND_TABLE_BRANCH,
  KIND_IT,
  KIND_HINT,
  KIND_FLOAT,
  KIND_FLOAT_ACCUMULATE,
  KIND_FLOAT_DIVIDE,
  KIND_FLOAT_MOVE
} Kind;

enum {
  WRITES_FLAGS = 1,
  REGISTER_OFFSET = 2,
  LEAVES = 4, /* goes on elsewhere, always or on a condition */
  CALLS = 8
};

typedef struct {
  Kind kind;
  uint32_t bytes;        /* of the instruction */
  uint32_t access_bytes; /* of what it loads or stores at once */
  uint32_t registers;    /* that it loads or stores */
  uint32_t traits;
  uint32_t offset;       /* of a load from a register and a constant */
  Registers reads;       /* by the arithmetic units */
  Registers early;       /* by address generation and shifter, which come first */
  Registers accumulates; /* added to a product, which comes last */
  Registers stores;      /* written to memory */
  Registers writes;
  Registers bases; /* address registers that it updates */
} Instruction;

/* Reads an instruction of one or two half-words. */
Instruction pipeline_decode(uint32_t first, uint32_t second);

/* Where the cycles of a block go. */
enum { PART_ISSUE, PART_MEMORY, PART_ARITHMETIC, PART_BRANCH, PARTS };

/* A core's pipeline, as its file describes it; cores/pipeline.py mirrors this field by field. */
typedef struct {
  int32_t width; /* instructions that may begin in a cycle */
  /* Cycles until the next instruction may begin. */
  int32_t load, load_overlap;
  int32_t store, store_register_offset;
  int32_t multiple, registers_per_cycle; /* several registers: a constant, and so many a cycle */
  int32_t multiply, accumulate, long_multiply, long_accumulate, divide;
  int32_t table_branch;
  int32_t float_arithmetic, float_accumulate, float_divide;
  /* Cycles until a result can be used. */
  int32_t alu_result, shifted_result, simd_result, multiply_result, load_result;
  int32_t narrow_load_result, float_result, float_accumulate_result;
  /* How much earlier or later some operands must be there. */
  int32_t address_wait, loaded_address_wait;
  int32_t shifts_early; /* shifted operands must be there as early as addresses */
  int32_t loaded_factor_wait;
  int32_t late_sums, late_stores; /* what is added to a product, what is stored */
  /* Cycles lost where a branch goes elsewhere. */
  int32_t folds_branches; /* a short branch may begin with a short instruction */
  int32_t refill, flags_refill, indirect_refill, unaligned_refill;
  int32_t mispredicted; /* a wrong guess; 0: a core that does not guess */
} Pipeline;

typedef struct {
  uint16_t parts[PARTS];
  uint16_t leaving;    /* cycles more where its last instruction goes elsewhere */
  uint16_t is_guessed; /* whether that is a branch which may go either way */
} BlockTiming;

/* Whether a block's last instruction is a branch to its first, as that of a small loop. */
int pipeline_repeats(const uint8_t* code, uint32_t bytes);

/* Cycles of a block of code. `repeats` says that it follows itself, as a loop does. */
BlockTiming pipeline_block(const Pipeline* pipeline, const uint8_t* code, uint32_t bytes,
                           int repeats);

#endif
