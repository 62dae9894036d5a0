/* What readers of short and of long instructions share. */
#ifndef MCU_PREDICTOR_PIPELINE_DECODE_H_
#define MCU_PREDICTOR_PIPELINE_DECODE_H_

#include "_pipeline.h"

#define BIT(index) ((Registers)1 << (index))
#define FIELD(word, low, bits) ((word) >> (low) & ((1u << (bits)) - 1))

static inline Instruction of_kind(Kind kind, uint32_t bytes) {
  return (Instruction){.kind = kind, .bytes = bytes};
}

static inline Registers unless_pc(uint32_t index) {
  return index == PROGRAM_COUNTER ? 0 : BIT(index);
}

static inline uint32_t register_count(Registers registers) {
  uint32_t found = 0;
  for (; registers; registers &= registers - 1) ++found;
  return found;
}

/* A write to the program counter is a branch. */
static inline void write_to(Instruction* instruction, uint32_t index) {
  if (index == PROGRAM_COUNTER) {
    if (instruction->kind < KIND_LOAD) instruction->kind = KIND_INDIRECT_BRANCH;
    instruction->traits |= LEAVES;
  } else {
    instruction->writes |= BIT(index);
  }
}

static inline Instruction branch(uint32_t bytes) {
  Instruction instruction = of_kind(KIND_BRANCH, bytes);
  instruction.traits = LEAVES;
  return instruction;
}

/* Loads and stores of one register at a register and a constant. */
static inline Instruction access(uint32_t bytes, int loads, uint32_t access_bytes, uint32_t target,
                          Registers address) {
  Instruction instruction = of_kind(loads ? KIND_LOAD : KIND_STORE, bytes);
  instruction.access_bytes = access_bytes;
  instruction.registers = 1;
  instruction.early = address;
  if (loads) {
    write_to(&instruction, target);
  } else {
    instruction.stores = BIT(target);
  }
  return instruction;
}

static inline Instruction access_multiple(uint32_t bytes, int loads, Registers list, Registers base,
                                   int updates) {
  Instruction instruction = of_kind(loads ? KIND_LOAD_MULTIPLE : KIND_STORE_MULTIPLE, bytes);
  instruction.access_bytes = 4;
  instruction.registers = register_count(list);
  instruction.early = base;
  if (updates) instruction.bases = base;
  if (loads) {
    instruction.writes = list & ~BIT(PROGRAM_COUNTER);
    if (list & BIT(PROGRAM_COUNTER)) instruction.traits |= LEAVES;
  } else {
    instruction.stores = list;
  }
  return instruction;
}

/* Arithmetic on two registers of which the second may be missing. */
static inline Instruction arithmetic(Kind kind, uint32_t bytes, uint32_t target, Registers reads) {
  Instruction instruction = of_kind(kind, bytes);
  instruction.reads = reads;
  write_to(&instruction, target);
  return instruction;
}

static inline Instruction compare(Kind kind, uint32_t bytes, Registers reads) {
  Instruction instruction = of_kind(kind, bytes);
  instruction.reads = reads;
  instruction.traits = WRITES_FLAGS;
  return instruction;
}

Instruction pipeline_decode_long(uint32_t first, uint32_t second);

#endif
