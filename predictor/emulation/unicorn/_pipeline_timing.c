/* Lets an in-order pipeline run over a block of instructions.
 *
 * Cores that begin one instruction a cycle (Cortex-M0 to M4, M33) follow Arm's tables of cycles; the
 * M7 begins two where their kinds and registers allow. Its adders stand in two places, one cycle
 * apart: results of the early one can be used in the same cycle, addresses and shifted operands must
 * be there for it. */
#include <string.h>

#include "_pipeline.h"

#define BANK_BIT 4 /* of an address: even and odd words */

typedef struct {
  int32_t cycle; /* in which the last instruction began */
  int32_t next;  /* in which the next may begin alone */
  int has_room;  /* whether another may begin in `cycle` */
  Instruction previous;
  int32_t ready[REGISTER_COUNT]; /* when an adder of the last stage may use a register */
  int32_t early[REGISTER_COUNT]; /* when address generation or shifter may */
  Kind producer[REGISTER_COUNT];
  uint32_t parts[PARTS];
} Core;

static int is_multiplication(Kind kind) {
  return kind == KIND_MULTIPLY || kind == KIND_LONG_MULTIPLY;
}

static int is_access(Kind kind) {
  return kind == KIND_LOAD || kind == KIND_STORE;
}

static int needs_address(Kind kind) {
  return is_access(kind) || kind == KIND_LOAD_MULTIPLE || kind == KIND_STORE_MULTIPLE ||
         kind == KIND_TABLE_BRANCH;
}

static int is_float(Kind kind) {
  return kind >= KIND_FLOAT;
}

/* What must begin alone. */
static int is_alone(const Instruction* instruction) {
  switch (instruction->kind) {
    case KIND_LOAD_MULTIPLE: case KIND_STORE_MULTIPLE: case KIND_DIVIDE: case KIND_TABLE_BRANCH:
    case KIND_INDIRECT_BRANCH: case KIND_IT:
      return 1;
    default:
      return 0;
  }
}

/* Two loads at one register from the same of the two banks of memory, by words. */
static int shares_bank(const Instruction* older, const Instruction* younger) {
  return older->early == younger->early &&
         !((older->traits | younger->traits) & REGISTER_OFFSET) &&
         (((older->offset ^ younger->offset) & BANK_BIT) == 0);
}

/* Whether two instructions may begin in one cycle by their kinds. */
static int may_pair(const Pipeline* pipeline, const Instruction* older,
                    const Instruction* younger) {
  Kind first = older->kind, second = younger->kind;
  if (pipeline->width < 2) {
    return pipeline->folds_branches && second == KIND_BRANCH && older->bytes == 2 &&
           younger->bytes == 2;
  }
  if (is_alone(older) || is_alone(younger)) return 0;
  if (is_multiplication(first) && is_multiplication(second)) return 0;
  if (is_multiplication(first) && second == KIND_STORE) return 0;
  if (first == KIND_STORE && (second == KIND_STORE || is_multiplication(second))) return 0;
  if (second == KIND_BITFIELD || second == KIND_SIMD) return 0;
  if (first == KIND_BITFIELD || first == KIND_SHIFTED || first == KIND_SHIFT) {
    if (second == KIND_SHIFTED) return 0;
  }
  if (first == KIND_LOAD && second == KIND_LOAD && shares_bank(older, younger)) return 0;
  if (is_float(first) && is_float(second)) return 0;
  if (first == KIND_FLOAT_ACCUMULATE && is_access(second)) return 0;
  return 1;
}

static void wait_for(int32_t when, Kind producer, int32_t* need, Kind* cause) {
  if (when <= *need) return;
  *need = when;
  *cause = producer;
}

/* When the operands of an instruction are there, and what the last of them came from. */
static int32_t operands_ready(const Pipeline* pipeline, const Core* core,
                              const Instruction* instruction, Kind* cause) {
  int32_t need = 0;
  Registers all = instruction->early | instruction->reads | instruction->accumulates |
                  instruction->stores;
  for (uint32_t index = 0; all >> index; ++index) {
    Registers bit = (Registers)1 << index;
    if (!(all & bit)) continue;
    Kind producer = core->producer[index];
    if (instruction->early & bit) {
      int is_early = needs_address(instruction->kind) || pipeline->shifts_early;
      wait_for(is_early ? core->early[index] : core->ready[index], producer, &need, cause);
    }
    if (instruction->reads & bit) {
      int32_t extra = is_multiplication(instruction->kind) && producer == KIND_LOAD
                          ? pipeline->loaded_factor_wait : 0;
      wait_for(core->ready[index] + extra, producer, &need, cause);
    }
    if (instruction->accumulates & bit) {
      wait_for(core->ready[index] - pipeline->late_sums, producer, &need, cause);
    }
    if (instruction->stores & bit) {
      wait_for(core->ready[index] - pipeline->late_stores, producer, &need, cause);
    }
  }
  return need;
}

/* Cycles until the next instruction may begin. */
static int32_t occupied(const Pipeline* pipeline, const Instruction* instruction) {
  int accumulates = instruction->accumulates != 0;
  int32_t registers = (int32_t)instruction->registers;
  switch (instruction->kind) {
    case KIND_LOAD: return pipeline->load;
    case KIND_STORE:
      return instruction->traits & REGISTER_OFFSET ? pipeline->store_register_offset
                                                   : pipeline->store;
    case KIND_LOAD_MULTIPLE: case KIND_STORE_MULTIPLE: {
      int32_t a_cycle = pipeline->registers_per_cycle;
      return pipeline->multiple + (registers + a_cycle - 1) / a_cycle;
    }
    case KIND_MULTIPLY: return accumulates ? pipeline->accumulate : pipeline->multiply;
    case KIND_LONG_MULTIPLY:
      return accumulates ? pipeline->long_accumulate : pipeline->long_multiply;
    case KIND_DIVIDE: return pipeline->divide;
    case KIND_TABLE_BRANCH: return pipeline->table_branch;
    case KIND_FLOAT: return pipeline->float_arithmetic;
    case KIND_FLOAT_ACCUMULATE: return pipeline->float_accumulate;
    case KIND_FLOAT_DIVIDE: return pipeline->float_divide;
    case KIND_FLOAT_MOVE: return registers > 1 ? registers : 1;
    default: return 1;
  }
}

/* Cycles of a load in which the access behind it begins already: its address must not hang on the
 * register that the load moves on. */
static int32_t overlap(const Pipeline* pipeline, const Instruction* load,
                       const Instruction* instruction) {
  int overlaps = load->kind == KIND_LOAD && is_access(instruction->kind) &&
                 !(load->bases & instruction->early);
  return overlaps ? pipeline->load_overlap : 0;
}

static int32_t latency(const Pipeline* pipeline, const Instruction* instruction) {
  switch (instruction->kind) {
    case KIND_SHIFTED: return pipeline->shifted_result;
    case KIND_SIMD: return pipeline->simd_result;
    case KIND_MULTIPLY: case KIND_LONG_MULTIPLY: return pipeline->multiply_result;
    case KIND_LOAD:
      return instruction->access_bytes < 4 ? pipeline->narrow_load_result : pipeline->load_result;
    case KIND_LOAD_MULTIPLE: return pipeline->load_result;
    case KIND_FLOAT: case KIND_FLOAT_MOVE: return pipeline->float_result;
    case KIND_FLOAT_ACCUMULATE: return pipeline->float_accumulate_result;
    default: return pipeline->alu_result;
  }
}

/* Whether the early adder or shifter does it, so that its result is there in the same cycle. */
static int is_early(const Pipeline* pipeline, const Core* core, const Instruction* instruction,
                    int is_younger) {
  if (pipeline->width < 2) return 0;
  if (instruction->kind != KIND_SHIFT && (instruction->kind != KIND_ALU || is_younger)) return 0;
  for (uint32_t index = 0; instruction->reads >> index; ++index) {
    if (instruction->reads >> index & 1 && core->early[index] > core->cycle) return 0;
  }
  return 1;
}

static void finish(const Pipeline* pipeline, Core* core, const Instruction* instruction,
                   int32_t cycles, int is_younger) {
  int loads = instruction->kind == KIND_LOAD || instruction->kind == KIND_LOAD_MULTIPLE;
  int32_t result = latency(pipeline, instruction);
  if (is_early(pipeline, core, instruction, is_younger)) {
    result = 0;
  } else if (cycles > 1 && result < cycles) {
    result = cycles;
  }
  int32_t address = result ? (loads ? pipeline->loaded_address_wait : pipeline->address_wait) : 1;
  Registers changed = instruction->writes | instruction->bases;
  for (uint32_t index = 0; changed >> index; ++index) {
    if (!(changed >> index & 1)) continue;
    int is_base = !(instruction->writes >> index & 1);
    core->ready[index] = core->cycle + (is_base ? 1 : result);
    core->early[index] = core->cycle + (is_base ? 1 : result + address);
    core->producer[index] = is_base ? KIND_ALU : instruction->kind;
  }
}

static uint32_t part_of(Kind kind) {
  switch (kind) {
    case KIND_LOAD: case KIND_STORE: case KIND_LOAD_MULTIPLE: case KIND_STORE_MULTIPLE:
      return PART_MEMORY;
    case KIND_MULTIPLY: case KIND_LONG_MULTIPLY: case KIND_DIVIDE: case KIND_FLOAT:
    case KIND_FLOAT_ACCUMULATE: case KIND_FLOAT_DIVIDE: case KIND_FLOAT_MOVE:
      return PART_ARITHMETIC;
    case KIND_TABLE_BRANCH: return PART_BRANCH;
    default: return PART_ISSUE;
  }
}

static void begin(const Pipeline* pipeline, Core* core, const Instruction* instruction) {
  Kind cause = KIND_ALU;
  int32_t need = operands_ready(pipeline, core, instruction, &cause);
  int32_t cycles = occupied(pipeline, instruction);
  int pairs = core->has_room && need <= core->cycle &&
              may_pair(pipeline, &core->previous, instruction);
  if (!pairs) {
    int32_t hidden = overlap(pipeline, &core->previous, instruction);
    core->parts[PART_MEMORY] -= (uint32_t)hidden;
    core->next -= hidden;
    int32_t at = need > core->next ? need : core->next;
    core->parts[part_of(cause)] += (uint32_t)(at - core->next);
    core->parts[PART_ISSUE] += 1;
    core->parts[part_of(instruction->kind)] += (uint32_t)(cycles - 1);
    core->cycle = at;
    core->next = at + cycles;
  }
  core->has_room = !pairs && (cycles == 1 || pipeline->folds_branches);
  finish(pipeline, core, instruction, cycles, pairs);
  core->previous = *instruction;
}

/* Runs over the code once; tells the instruction before the last and the last. */
static void run(const Pipeline* pipeline, Core* core, const uint8_t* code, uint32_t bytes,
                Instruction ends[2]) {
  memset(ends, 0, 2 * sizeof ends[0]);
  for (uint32_t offset = 0; offset + 2 <= bytes;) {
    uint32_t first = code[offset] | (uint32_t)code[offset + 1] << 8, second = 0;
    if (first >> 11 >= 0x1D && offset + 4 <= bytes) {
      second = code[offset + 2] | (uint32_t)code[offset + 3] << 8;
    }
    ends[0] = ends[1];
    ends[1] = pipeline_decode(first, second);
    begin(pipeline, core, &ends[1]);
    offset += ends[1].bytes;
  }
}

int pipeline_repeats(const uint8_t* code, uint32_t bytes) {
  if (bytes < 2) return 0;
  uint32_t last = code[bytes - 2] | (uint32_t)code[bytes - 1] << 8;
  int32_t distance = -(int32_t)(bytes + 2); /* from the branch's own program counter */
  if (last >> 12 == 0xD && (last >> 8 & 0xF) < 14) return (int8_t)(last & 0xFF) * 2 == distance;
  if (bytes < 4) return 0;
  uint32_t first = code[bytes - 4] | (uint32_t)code[bytes - 3] << 8;
  if ((first & 0xF800) != 0xF000 || (last & 0xD000) != 0x8000 || (first & 0x380) == 0x380) return 0;
  int32_t wide = (int32_t)((first >> 10 & 1) << 20 | (last >> 11 & 1) << 19 |
                           (last >> 13 & 1) << 18 | (first & 0x3F) << 12 | (last & 0x7FF) << 1);
  return (wide << 11) >> 11 == -(int32_t)bytes;
}

BlockTiming pipeline_block(const Pipeline* pipeline, const uint8_t* code, uint32_t bytes,
                           int repeats) {
  Core core = {.previous = {.kind = KIND_HINT}};
  Instruction ends[2];
  if (repeats) { /* once around, so that what the loop's end leaves behind is there at its start */
    run(pipeline, &core, code, bytes, ends);
    core.has_room = 0;
    memset(core.parts, 0, sizeof core.parts);
  }
  run(pipeline, &core, code, bytes, ends);
  BlockTiming timing = {0};
  for (uint32_t part = 0; part < PARTS; ++part) {
    timing.parts[part] = (uint16_t)(core.parts[part] < 0xFFFF ? core.parts[part] : 0xFFFF);
  }
  const Instruction* last = &ends[1];
  if (!(last->traits & LEAVES)) return timing;
  timing.is_guessed = last->kind == KIND_BRANCH && !(last->traits & CALLS);
  int32_t leaving = last->kind == KIND_BRANCH ? pipeline->refill : pipeline->indirect_refill;
  if (last->kind == KIND_BRANCH && ends[0].traits & WRITES_FLAGS) leaving += pipeline->flags_refill;
  timing.leaving = (uint16_t)leaving;
  return timing;
}
