/* Reads Thumb instructions of two half-words. */
#include "_pipeline_decode.h"

/* Kinds of the sixteen operations of data processing: AND, BIC, ORR, ORN, EOR, ., PKH, ., ADD, .,
 * ADC, SBC, ., SUB, RSB, . */
static Kind kind_of_operation(uint32_t operation) {
  return operation == 8 || operation == 13 ? KIND_ALU : KIND_LOGIC;
}

/* Whether the operation with S set and no target is a comparison. */
static int compares(uint32_t operation) {
  return operation == 0 || operation == 4 || operation == 8 || operation == 13;
}

static Instruction processed(Kind kind, uint32_t operation, uint32_t first, uint32_t second,
                             Registers reads) {
  uint32_t target = FIELD(second, 8, 4), sets = first >> 4 & 1;
  if (sets && target == PROGRAM_COUNTER && compares(operation)) return compare(kind, 4, reads);
  Instruction instruction = arithmetic(kind, 4, target, reads);
  if (sets) instruction.traits |= WRITES_FLAGS;
  return instruction;
}

static Instruction decode_shifted_register(uint32_t first, uint32_t second) {
  uint32_t operation = FIELD(first, 5, 4), base = FIELD(first, 0, 4);
  uint32_t amount = FIELD(second, 12, 3) << 2 | FIELD(second, 6, 2);
  int shifts = amount != 0 || FIELD(second, 4, 2) != 0;
  Registers other = BIT(FIELD(second, 0, 4));
  if (operation == 6) { /* PKHBT, PKHTB */
    Instruction pack = processed(KIND_BITFIELD, operation, first & ~0x10u, second, BIT(base));
    pack.early = other;
    return pack;
  }
  if (operation == 2 && base == PROGRAM_COUNTER) { /* MOV and the shifts */
    return processed(shifts ? KIND_SHIFT : KIND_ALU, operation, first, second, other);
  }
  if (!shifts) {
    Registers reads = other | (operation == 3 ? unless_pc(base) : BIT(base));
    return processed(kind_of_operation(operation), operation, first, second, reads);
  }
  Instruction instruction =
      processed(KIND_SHIFTED, operation, first, second, operation == 3 ? unless_pc(base) : BIT(base));
  instruction.early = other;
  return instruction;
}

static Instruction decode_modified_immediate(uint32_t first, uint32_t second) {
  uint32_t operation = FIELD(first, 5, 4), base = FIELD(first, 0, 4);
  int shifts = (FIELD(first, 10, 1) << 3 | FIELD(second, 12, 3)) > 3;
  Kind kind = shifts ? KIND_SHIFTED : kind_of_operation(operation);
  if (!shifts && operation == 2 && base == PROGRAM_COUNTER) kind = KIND_ALU; /* MOV */
  Registers reads = operation == 2 || operation == 3 ? unless_pc(base) : BIT(base);
  return processed(kind, operation, first, second, reads);
}

static Instruction decode_plain_immediate(uint32_t first, uint32_t second) {
  uint32_t operation = FIELD(first, 4, 5), target = FIELD(second, 8, 4);
  Registers base = unless_pc(FIELD(first, 0, 4));
  Instruction instruction;
  switch (operation) {
    case 0x00: case 0x0A: return arithmetic(KIND_ALU, 4, target, base); /* ADDW, SUBW */
    case 0x04: return arithmetic(KIND_ALU, 4, target, 0);               /* MOVW */
    case 0x0C: return arithmetic(KIND_ALU, 4, target, BIT(target));     /* MOVT */
    case 0x16:                                                          /* BFI, BFC */
      instruction = arithmetic(KIND_BITFIELD, 4, target, BIT(target));
      instruction.early = base;
      return instruction;
    case 0x14: case 0x1C: /* SBFX, UBFX */
      instruction = arithmetic(KIND_BITFIELD, 4, target, 0);
      instruction.early = base;
      return instruction;
  }
  instruction = arithmetic(KIND_SIMD, 4, target, 0); /* SSAT, USAT and their halves */
  instruction.early = base;
  return instruction;
}

static Instruction decode_long_branch(uint32_t first, uint32_t second) {
  if ((second & 0xD000) == 0xD000) {
    Instruction call = branch(4);
    call.traits |= CALLS;
    call.writes = BIT(LINK_REGISTER);
    return call;
  }
  if (second & 0x1000 || (first & 0x380) != 0x380) return branch(4);
  if ((first & 0xFFE0) == 0xF3E0) return arithmetic(KIND_HINT, 4, FIELD(second, 8, 4), 0); /* MRS */
  return of_kind(KIND_HINT, 4);
}

static Instruction decode_long_multiple(uint32_t first, uint32_t second) {
  Registers base = BIT(FIELD(first, 0, 4));
  int loads = first >> 4 & 1;
  if (!(first & 0x40)) return access_multiple(4, loads, second, base, first >> 5 & 1);
  if ((first & 0xFFF0) == 0xE8D0 && (second & 0xFFE0) == 0xF000) { /* TBB, TBH */
    Instruction table = of_kind(KIND_TABLE_BRANCH, 4);
    table.early = (base & ~BIT(PROGRAM_COUNTER)) | BIT(FIELD(second, 0, 4));
    table.traits = LEAVES;
    return table;
  }
  uint32_t target = FIELD(second, 12, 4);
  if (!(first & 0x120)) return access(4, loads, 4, target, base); /* exclusive */
  Registers pair = BIT(target) | BIT(FIELD(second, 8, 4));
  return access_multiple(4, loads, pair, base & ~BIT(PROGRAM_COUNTER), first >> 5 & 1);
}

static Instruction decode_long_access(uint32_t first, uint32_t second) {
  uint32_t base = FIELD(first, 0, 4), target = FIELD(second, 12, 4);
  uint32_t access_bytes = 1u << FIELD(first, 5, 2);
  int loads = first >> 4 & 1;
  if (loads && target == PROGRAM_COUNTER && access_bytes < 4) return of_kind(KIND_HINT, 4); /* PLD */
  Instruction instruction = access(4, loads, access_bytes, target, unless_pc(base));
  if (base == PROGRAM_COUNTER || first & 0x80) {
    instruction.offset = second & 0xFFF;
  } else if (!(second & 0x800)) {
    instruction.early |= BIT(FIELD(second, 0, 4));
    instruction.traits |= REGISTER_OFFSET;
  } else {
    if (second & 0x400) instruction.offset = second & 0xFF;
    if (second & 0x100) instruction.bases = BIT(base);
  }
  return instruction;
}

static Instruction decode_register_processing(uint32_t first, uint32_t second) {
  uint32_t operation = FIELD(first, 4, 4), target = FIELD(second, 8, 4);
  Registers base = unless_pc(FIELD(first, 0, 4)), other = BIT(FIELD(second, 0, 4));
  Instruction instruction;
  if (!(second & 0x80) && operation < 8) { /* shifts by a register */
    instruction = arithmetic(KIND_SHIFT, 4, target, base | other);
    if (first & 0x10) instruction.traits |= WRITES_FLAGS;
    return instruction;
  }
  int is_extension = operation < 6;
  int is_reversal = operation == 9 && second & 0x80;
  if (!is_extension && !is_reversal) return arithmetic(KIND_SIMD, 4, target, base | other);
  instruction = arithmetic(KIND_BITFIELD, 4, target, is_extension ? base : 0);
  instruction.early = other;
  return instruction;
}

static Instruction decode_multiply(uint32_t first, uint32_t second) {
  Registers factors = BIT(FIELD(first, 0, 4)) | BIT(FIELD(second, 0, 4));
  Instruction instruction = arithmetic(KIND_MULTIPLY, 4, FIELD(second, 8, 4), factors);
  instruction.accumulates = unless_pc(FIELD(second, 12, 4));
  return instruction;
}

static Instruction decode_long_multiply(uint32_t first, uint32_t second) {
  uint32_t operation = FIELD(first, 4, 3);
  Registers factors = BIT(FIELD(first, 0, 4)) | BIT(FIELD(second, 0, 4));
  if (FIELD(second, 4, 4) == 0xF && (operation == 1 || operation == 3)) {
    return arithmetic(KIND_DIVIDE, 4, FIELD(second, 8, 4), factors);
  }
  Instruction instruction = arithmetic(KIND_LONG_MULTIPLY, 4, FIELD(second, 8, 4), factors);
  instruction.writes |= BIT(FIELD(second, 12, 4));
  if (operation >= 4) instruction.accumulates = instruction.writes;
  return instruction;
}

/* Bits of a floating-point register: of a pair of singles where it is a double. */
static Registers float_register(uint32_t number, uint32_t extra, int is_double) {
  if (!is_double) return BIT(FIRST_FLOAT_REGISTER + (number << 1 | extra));
  uint32_t first = 2 * (extra << 4 | number);
  return first < 32 ? (Registers)3 << (FIRST_FLOAT_REGISTER + first) : 0;
}

static Instruction decode_float_access(uint32_t first, uint32_t second) {
  int loads = first >> 4 & 1, is_double = second >> 8 & 1;
  uint32_t base = FIELD(first, 0, 4), words = second & 0xFF;
  Registers start = float_register(FIELD(second, 12, 4), FIELD(first, 6, 1), is_double);
  if ((first & 0xFFE0) == 0xEC40) { /* VMOV of two core registers */
    Registers pair = BIT(FIELD(second, 12, 4)) | BIT(base);
    Registers floats = float_register(FIELD(second, 0, 4), FIELD(second, 5, 1), is_double);
    if (!is_double) floats |= floats << 1;
    Instruction move = of_kind(KIND_FLOAT_MOVE, 4);
    move.registers = 2;
    move.reads = loads ? floats : pair;
    move.writes = loads ? pair : floats;
    return move;
  }
  int is_single = (first & 0x0120) == 0x0100; /* P without W: VLDR, VSTR */
  if (is_single) words = is_double ? 2 : 1;
  Registers list = 0;
  for (uint32_t i = 0; i < words && i < 32; ++i) list |= start << i;
  list &= BIT(REGISTER_COUNT) - 1;
  Instruction instruction =
      access_multiple(4, loads, list, unless_pc(base), !is_single && (first >> 5 & 1));
  instruction.registers = words;
  if (is_single && !is_double) instruction.kind = loads ? KIND_LOAD : KIND_STORE;
  return instruction;
}

static Instruction decode_float(uint32_t first, uint32_t second) {
  int is_double = second >> 8 & 1;
  Registers target = float_register(FIELD(second, 12, 4), FIELD(first, 6, 1), is_double);
  Registers left = float_register(FIELD(first, 0, 4), FIELD(second, 7, 1), is_double);
  Registers right = float_register(FIELD(second, 0, 4), FIELD(second, 5, 1), is_double);
  Instruction instruction = of_kind(KIND_FLOAT, 4);
  if (second & 0x10) { /* between a core register and a single one */
    Registers core = unless_pc(FIELD(second, 12, 4));
    instruction.kind = KIND_FLOAT_MOVE;
    instruction.registers = 1;
    left = float_register(FIELD(first, 0, 4), FIELD(second, 7, 1), 0);
    if ((first & 0xFFE0) != 0xEE00) left = 0; /* VMRS, VMSR */
    instruction.reads = first & 0x10 ? left : core;
    instruction.writes = first & 0x10 ? core : left;
    return instruction;
  }
  instruction.writes = target;
  instruction.reads = left | right;
  switch (first & 0xFFB0) {
    case 0xEE00: case 0xEE10: case 0xEE90: case 0xEEA0: /* VMLA, VNMLA, VFNMA, VFMA */
      instruction.kind = KIND_FLOAT_ACCUMULATE;
      instruction.accumulates = target;
      break;
    case 0xEE80:
      instruction.kind = KIND_FLOAT_DIVIDE;
      break;
    case 0xEEB0: /* one operand: moves, comparisons, conversions, roots */
      instruction.reads = second & 0x40 ? right : 0;
      if ((first & 0xE) == 4) { /* VCMP */
        instruction.reads = target | (first & 1 ? 0 : right);
        instruction.writes = 0;
      }
      if ((first & 0xF) == 1 && (second & 0xC0) == 0xC0) instruction.kind = KIND_FLOAT_DIVIDE;
      break;
  }
  return instruction;
}

static int is_float(uint32_t first, uint32_t second) {
  return (first & 0xEC00) == 0xEC00 && (second & 0x0E00) == 0x0A00;
}

Instruction pipeline_decode_long(uint32_t first, uint32_t second) {
  if (is_float(first, second)) {
    return (first & 0xFE00) == 0xEC00 ? decode_float_access(first, second)
                                      : decode_float(first, second);
  }
  if ((first & 0xFE00) == 0xE800) return decode_long_multiple(first, second);
  if ((first & 0xFE00) == 0xEA00) return decode_shifted_register(first, second);
  if ((first & 0xF800) == 0xF000) {
    if (second & 0x8000) return decode_long_branch(first, second);
    return first & 0x200 ? decode_plain_immediate(first, second)
                         : decode_modified_immediate(first, second);
  }
  if ((first & 0xFE00) == 0xF800) return decode_long_access(first, second);
  if ((first & 0xFF00) == 0xFA00) return decode_register_processing(first, second);
  if ((first & 0xFF80) == 0xFB00) return decode_multiply(first, second);
  if ((first & 0xFF80) == 0xFB80) return decode_long_multiply(first, second);
  return of_kind(KIND_HINT, 4);
}
