"""Forms of emulated runs: one screen of text, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from predictor.prediction import Prediction
from predictor.report.layout import Block, Column, Table, right, words
from predictor.report.notes import misfit

if TYPE_CHECKING:
    from predictor.emulation.cycles import Cycles
    from predictor.firmware.target import ModelFirmware
    from predictor.proof.layer_check import LayerCheck
    from predictor.proof.model_run import ModelRun, OperatorRun

TOP_OPERATORS = 12
EMULATION_SCHEMA_VERSION = "1.2"
_MUCH = 0.1
"""Share of the cycles from which on a wait is worth advice."""


def text_report(firmware: ModelFirmware, run: ModelRun, name: str) -> list[Block]:
    """Predicted and emulated side by side, then the operators with most instructions."""
    prediction = firmware.prediction
    word, style = _verdict(prediction, run)
    parts: list[Block] = [
        words((word, style), f"  {name} on {run.board.title}, emulated ({run.backend})"),
        words((firmware.target.title, "dim")),
        words(),
    ]
    if not prediction.fits:
        parts.append(words((f"predicted: {misfit(prediction)}", "red")))
    if run.failure is not None:
        parts.append(words((f"emulated: {run.failure}", "red")))
    parts.append(_figures(prediction, run))
    if run.operators:
        parts += [words(), _operators(run)]
    notices = (*firmware.warnings, *run.result.notices)
    return [*parts, *(words(("note  ", "dim"), notice) for notice in notices)]


def _verdict(prediction: Prediction, run: ModelRun) -> tuple[str, str]:
    """A word and its style."""
    if not prediction.fits:
        word = "DOES NOT FIT" if run.is_out_of_memory else "DIFFERENT"
        return word, "bold red"
    if run.failure is not None:
        return "FAILED", "bold red"
    return ("EQUAL", "bold green") if run.passed else ("DIFFERENT", "bold red")


def _figures(prediction: Prediction, run: ModelRun) -> Table:
    columns = (Column(), *right("predicted", "emulated"), Column(style="dim"))
    table = Table(columns, gap=4, indent=2)

    def row(label: str, predicted: int | None, emulated: int | None, remark: str = "") -> None:
        cells = [f"{value:,}" if value is not None else "-" for value in (predicted, emulated)]
        table.add_row(label, *cells, remark)

    arena = run.predicted
    same = "equal" if run.is_arena_as_predicted else "DIFFERENT"
    row("arena used B", arena.used_bytes, run.used_bytes, same)
    row("  planned (head)", arena.nonpersistent_bytes, run.head_bytes)
    row("  persistent (tail)", arena.persistent_bytes, run.tail_bytes)
    row("arena set aside B", arena.required_bytes, run.arena_bytes or None)
    operators = "all" if prediction.options.resolver == "all" else "the model's"
    remark = "TFLM without messages | with" if run.image.has_messages else ""
    row(
        f"code B, {operators} operators", prediction.flash.code_bytes, run.image.flash_bytes, remark
    )
    row("stack B", prediction.sram.stack_bytes, run.stack_used_bytes, "reserve | high-water mark")
    between = run.interpreter_instructions
    remark = "of Invoke" if between is None else f"of Invoke; {between:,} between its operators"
    row("instructions", None, run.invoke_instructions, remark)
    if (cycles := run.operator_cycles) is not None:
        parts = (f"{name} {100 * part / cycles.total:.0f} %" for name, part in cycles.parts())
        waits = "memory without waits" if cycles.flash is None else "waits for the flash included"
        row("cycles", None, cycles.total, f"of the operators, {waits}; {', '.join(parts)}")
    table.add_row("outputs", "", run.host.value, f"against TFLM on this host; {run.host_reason}")
    return table


def _operators(run: ModelRun) -> Table:
    has_cycles = run.operator_cycles is not None
    figures = right(
        "instructions", "share", "MACs", "per MAC", *["cycles", "per instr."] * has_cycles
    )
    columns = (Column("#", "dim", is_right=True), Column("operator"), *figures)
    table = Table(columns, indent=1, title="operators")
    total = sum(item.instructions for item in run.operators) or 1
    ranked = sorted(run.operators, key=lambda item: -item.instructions)[:TOP_OPERATORS]
    for item in sorted(ranked, key=lambda item: (item.subgraph_index, item.index)):
        table.add_row(
            str(item.index),
            item.operator,
            f"{item.instructions:,}",
            f"{100 * item.instructions / total:.1f} %",
            f"{item.macs:,}" if item.macs else "-",
            f"{item.instructions / item.macs:.2f}" if item.macs else "-",
            *_cycles(item),
        )
    return table


def _cycles(item: OperatorRun) -> tuple[str, ...]:
    if item.cycles is None:
        return ()
    total = item.cycles.total
    return f"{total:,}", f"{total / item.instructions:.2f}" if item.instructions else "-"


def time_report(run: ModelRun) -> list[Block]:
    """Where the cycles of each operator go, for ``--explain-time``."""
    counted = [(item, item.cycles) for item in run.operators if item.cycles is not None]
    whole = run.operator_cycles
    if whole is None:
        core = run.board.core.name
        return [words(), words(("note  ", "dim"), f"no cycles are known for {core}")]
    clock_hz, names = run.board.core.clock_hz, [name for name, _ in whole.parts()]
    columns = (Column("#", "dim", is_right=True), Column("operator"), *right(*names, "ms"))
    table = Table(columns, indent=1, title=f"where the cycles go, at {clock_hz / 1e6:g} MHz")
    ranked = sorted(counted, key=lambda pair: -pair[1].total)[:TOP_OPERATORS]
    for item, cycles in sorted(ranked, key=lambda pair: (pair[0].subgraph_index, pair[0].index)):
        table.add_row(str(item.index), item.operator, *_shares(cycles, clock_hz))
    table.add_row("", "all operators", *_shares(whole, clock_hz))
    return [words(), table, *(words(("note  ", "dim"), text) for text in _advice(run, whole))]


def _shares(cycles: Cycles, clock_hz: int) -> tuple[str, ...]:
    total = cycles.total or 1
    parts = (f"{100 * part / total:.0f} %" for _, part in cycles.parts())
    return *parts, f"{1e3 * cycles.total / clock_hz:,.3f}"


def _advice(run: ModelRun, cycles: Cycles) -> Iterator[str]:
    name = run.board.name
    if cycles.flash is None:
        yield (
            f"how the flash of {name} answers is not known: its core's waits for it, and those of "
            "caches, come on top"
        )
        return
    if cycles.flash.constants > _MUCH * cycles.total:
        share = cycles.flash.constants / cycles.total
        yield f"{100 * share:.0f} % wait for constants in flash: weights in RAM would not"
    if cycles.flash.code > _MUCH * cycles.total:
        share = cycles.flash.code / cycles.total
        yield f"{100 * share:.0f} % wait for code from flash: kernels in RAM would not"


def run_json(firmware: ModelFirmware, run: ModelRun) -> dict[str, Any]:
    """One run as JSON values."""
    prediction = firmware.prediction
    return {
        "schema_version": EMULATION_SCHEMA_VERSION,
        "model": {"path": prediction.path, "sha256": prediction.sha256},
        "board": run.board.name,
        "backend": run.backend,
        "runtime": {
            "revision": run.image.tflm_revision,
            "kernels": run.image.kernels,
            "tflm": run.image.tflm,
        },
        "fits": prediction.fits,
        "passed": run.passed,
        "failure": run.failure,
        "arena": {
            "arena_bytes": run.arena_bytes,
            "predicted": _arena(
                run.predicted.used_bytes,
                run.predicted.nonpersistent_bytes,
                run.predicted.persistent_bytes,
            ),
            "emulated": _arena(run.used_bytes, run.head_bytes, run.tail_bytes),
        },
        "flash": {
            "predicted_code_bytes": prediction.flash.code_bytes,
            "linked_code_bytes": run.image.flash_bytes,
        },
        "stack_used_bytes": run.stack_used_bytes,
        "outputs": {
            "host": run.host.name.lower(),
            "reason": run.host_reason,
            "hex": [content.hex() for content in run.outputs],
        },
        "instructions": {
            "invoke": run.invoke_instructions,
            "interpreter": run.interpreter_instructions,
            "total": run.result.instructions,
            "operators": [
                {
                    "subgraph": item.subgraph_index,
                    "index": item.index,
                    "operator": item.operator,
                    "calls": item.calls,
                    "instructions": item.instructions,
                    "macs": item.macs,
                    "cycles": None if item.cycles is None else asdict(item.cycles),
                }
                for item in run.operators
            ],
        },
        "notices": [*firmware.warnings, *run.result.notices],
    }


def _arena(used: int | None, head: int | None, tail: int | None) -> dict[str, int | None]:
    return {"used_bytes": used, "nonpersistent_bytes": head, "persistent_bytes": tail}


def layers_text(check: LayerCheck) -> str:
    """The line for ``--layers``."""
    if check.reason:
        found = f"not compared: {check.reason}"
    elif check.words:
        found = f"the first {check.compared} are equal, then {check.words}"
    else:
        found = f"all {check.compared} are equal to those of TFLM on this host"
    return f"layers   {found}\n"


def layers_json(check: LayerCheck) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "equal": check.compared,
        "first_difference": check.words or None,
        "reason": check.reason or None,
    }
