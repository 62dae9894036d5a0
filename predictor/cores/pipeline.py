"""How long a core's instructions take: what the cycles of a program follow from.

``predictor/emulation/unicorn/_pipeline.h`` holds the same fields; ``_pipeline_timing.c`` says how
they work together. A core's file gives them in ``[pipeline]``, each with its source.
"""

from __future__ import annotations

from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class Pipeline:
    """An in-order pipeline without a wait of memory. All but ``width`` and the two that count
    registers and folded branches are cycles; what a core does not have keeps its default.

    Args:
        width: instructions that may begin in a cycle.
        load, store, multiply and so on: until the next instruction may begin.
        load_overlap: of a load, hidden behind it by an access whose address does not hang on it.
        store_register_offset: a store at the sum of two registers.
        multiple: what loads and stores of several registers take before the first.
        registers_per_cycle: how many of these are moved in a cycle.
        alu_result, load_result and so on: until an instruction may use the result.
        address_wait: how much earlier addresses must be there.
        loaded_address_wait: the same where they were loaded.
        shifts_early: 1 where operands that are shifted must be there as early as addresses.
        loaded_factor_wait: how much earlier a factor must be there that was loaded.
        late_sums: how much later what is added to a product may be there.
        late_stores: the same of what is stored.
        folds_branches: 1 where a short branch begins with the short instruction before it.
        refill: lost where a branch goes elsewhere.
        flags_refill: more of them right behind the instruction that sets its condition.
        indirect_refill: lost where a branch goes to an address from a register.
        unaligned_refill: more where a branch leads to a wide instruction in two words.
        mispredicted: lost by a wrong guess; 0 where a core does not guess.
    """

    width: int = 1
    load: int = 1
    load_overlap: int = 0
    store: int = 1
    store_register_offset: int = 1
    multiple: int = 0
    registers_per_cycle: int = 1
    multiply: int = 1
    accumulate: int = 1
    long_multiply: int = 1
    long_accumulate: int = 1
    divide: int = 1
    table_branch: int = 1
    float_arithmetic: int = 1
    float_accumulate: int = 1
    float_divide: int = 1
    alu_result: int = 1
    shifted_result: int = 1
    simd_result: int = 1
    multiply_result: int = 1
    load_result: int = 1
    narrow_load_result: int = 1
    float_result: int = 1
    float_accumulate_result: int = 1
    address_wait: int = 0
    loaded_address_wait: int = 0
    shifts_early: int = 0
    loaded_factor_wait: int = 0
    late_sums: int = 0
    late_stores: int = 0
    folds_branches: int = 0
    refill: int = 0
    flags_refill: int = 0
    indirect_refill: int = 0
    unaligned_refill: int = 0
    mispredicted: int = 0
