/* Reads Thumb instructions, here those of one half-word: what they do, which registers they need and when, which they change.
 *
 * Encodings: Armv7-M architecture reference manual, chapters A5 and A7. */
#include "_pipeline_decode.h"

/* 010000: arithmetic on two low registers. */
static Instruction decode_register_operation(uint32_t first) {
  uint32_t operation = FIELD(first, 6, 4), target = FIELD(first, 0, 3);
  Registers source = BIT(FIELD(first, 3, 3)), both = source | BIT(target);
  Instruction instruction;
  switch (operation) {
    case 0x2: case 0x3: case 0x4: case 0x7: /* LSL, LSR, ASR, ROR */
      instruction = arithmetic(KIND_SHIFT, 2, target, both);
      break;
    case 0x8: case 0xA: case 0xB: /* TST, CMP, CMN */
      return compare(operation == 0x8 ? KIND_LOGIC : KIND_ALU, 2, both);
    case 0x9: case 0xF: /* RSB, MVN */
      instruction = arithmetic(KIND_LOGIC, 2, target, source);
      break;
    case 0xD:
      instruction = arithmetic(KIND_MULTIPLY, 2, target, both);
      break;
    default:
      instruction = arithmetic(KIND_LOGIC, 2, target, both);
  }
  instruction.traits |= WRITES_FLAGS;
  return instruction;
}

/* 010001: registers of all sixteen; BX and BLX. */
static Instruction decode_high_registers(uint32_t first) {
  uint32_t source = FIELD(first, 3, 4);
  uint32_t target = FIELD(first, 0, 3) | FIELD(first, 7, 1) << 3;
  switch (FIELD(first, 8, 2)) {
    case 0: return arithmetic(KIND_ALU, 2, target, BIT(target) | BIT(source));
    case 1: return compare(KIND_ALU, 2, BIT(target) | BIT(source));
    case 2: return arithmetic(KIND_ALU, 2, target, BIT(source));
  }
  Instruction instruction = of_kind(KIND_INDIRECT_BRANCH, 2);
  instruction.reads = BIT(source);
  instruction.traits = LEAVES;
  if (first & 0x80) {
    instruction.writes = BIT(LINK_REGISTER);
    instruction.traits |= CALLS;
  }
  return instruction;
}

/* 1011: the stack, extensions, compares with zero, IT and hints. */
static Instruction decode_miscellaneous(uint32_t first) {
  Registers low = BIT(FIELD(first, 3, 3));
  Instruction instruction;
  if ((first & 0xFF00) == 0xB000) {
    return arithmetic(KIND_ALU, 2, STACK_POINTER, BIT(STACK_POINTER));
  }
  if ((first & 0xF500) == 0xB100) { /* CBZ, CBNZ */
    instruction = branch(2);
    instruction.reads = BIT(FIELD(first, 0, 3));
    return instruction;
  }
  if ((first & 0xFF00) == 0xB200 || (first & 0xFF00) == 0xBA00) { /* SXTH and kin, REV and kin */
    instruction = arithmetic(KIND_BITFIELD, 2, FIELD(first, 0, 3), 0);
    instruction.early = low;
    return instruction;
  }
  if ((first & 0xF600) == 0xB400) {
    int loads = first >> 11 & 1;
    Registers list = first & 0xFF;
    if (first & 0x100) list |= BIT(loads ? PROGRAM_COUNTER : LINK_REGISTER);
    return access_multiple(2, loads, list, BIT(STACK_POINTER), 1);
  }
  return of_kind((first & 0xFF00) == 0xBF00 && first & 0xF ? KIND_IT : KIND_HINT, 2);
}

static Instruction decode_short_access(uint32_t first) {
  Registers base = BIT(FIELD(first, 3, 3));
  uint32_t target = FIELD(first, 0, 3), offset = FIELD(first, 6, 5);
  Instruction instruction;
  switch (first >> 12) {
    case 0x5: {
      static const uint8_t kBytes[8] = {4, 2, 1, 1, 4, 2, 1, 2};
      uint32_t operation = FIELD(first, 9, 3);
      instruction = access(2, operation >= 3, kBytes[operation], target,
                           base | BIT(FIELD(first, 6, 3)));
      instruction.traits |= REGISTER_OFFSET;
      return instruction;
    }
    case 0x6: case 0x7:
      instruction = access(2, first >> 11 & 1, first & 0x1000 ? 1 : 4, target, base);
      instruction.offset = first & 0x1000 ? offset : 4 * offset;
      return instruction;
    case 0x8:
      instruction = access(2, first >> 11 & 1, 2, target, base);
      instruction.offset = 2 * offset;
      return instruction;
  }
  instruction = access(2, first >> 11 & 1, 4, FIELD(first, 8, 3), BIT(STACK_POINTER));
  instruction.offset = 4 * (first & 0xFF);
  return instruction;
}

static Instruction decode_short(uint32_t first) {
  Registers low = BIT(FIELD(first, 3, 3));
  uint32_t middle = FIELD(first, 8, 3);
  Instruction instruction;
  switch (first >> 12) {
    case 0x0: case 0x1:
      if (first < 0x1800) {
        instruction = arithmetic(first & 0xFFC0 ? KIND_SHIFT : KIND_ALU, 2, first & 7, low);
      } else {
        Registers other = first < 0x1C00 ? BIT(FIELD(first, 6, 3)) : 0;
        instruction = arithmetic(KIND_ALU, 2, first & 7, low | other);
      }
      instruction.traits |= WRITES_FLAGS;
      return instruction;
    case 0x2: case 0x3:
      if ((first & 0xF800) == 0x2800) return compare(KIND_ALU, 2, BIT(middle));
      instruction = arithmetic(KIND_ALU, 2, middle, first < 0x2800 ? 0 : BIT(middle));
      instruction.traits |= WRITES_FLAGS;
      return instruction;
    case 0x4:
      if (first < 0x4400) return decode_register_operation(first);
      if (first < 0x4800) return decode_high_registers(first);
      return access(2, 1, 4, middle, 0);
    case 0x5: case 0x6: case 0x7: case 0x8: case 0x9:
      return decode_short_access(first);
    case 0xA:
      return arithmetic(KIND_ALU, 2, middle, first & 0x800 ? BIT(STACK_POINTER) : 0);
    case 0xB:
      return decode_miscellaneous(first);
    case 0xC: {
      int loads = first >> 11 & 1;
      int updates = !loads || !(first >> middle & 1);
      return access_multiple(2, loads, first & 0xFF, BIT(middle), updates);
    }
    case 0xD:
      return middle == 6 || FIELD(first, 9, 3) == 7 ? of_kind(KIND_HINT, 2) : branch(2);
  }
  return branch(2);
}

Instruction pipeline_decode(uint32_t first, uint32_t second) {
  return first >> 11 >= 0x1D ? pipeline_decode_long(first, second) : decode_short(first);
}
