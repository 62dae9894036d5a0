"""``predict optimize``: the same model in less memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.options import assumption_options
from predictor.console.options import POSITIVE, format_option, predicted_tflm, tflm_options
from predictor.console.output import emit, emit_text, terminal_width, wants_color
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.errors import (
    EXIT_DOES_NOT_FIT,
    EXIT_FITS,
    EXIT_INTERRUPTED,
    PredictorError,
    UsageError,
)
from predictor.files import write_file
from predictor.prediction import DEFAULT_BOARD
from predictor.start import say

if TYPE_CHECKING:
    from predictor.firmware.target import FirmwareTarget
    from predictor.optimization.optimization import Optimization
    from predictor.optimization.sliding import SlidingModel
    from predictor.proof.plan_proof import PlanProof

_PERCENT = 100.0


@click.command(
    cls=FileCommand, name="optimize", short_help="Write the same model with a smaller memory plan."
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=OUTPUT_PATH, help="Write the new model to this file.")
@click.option(
    "--board",
    default=DEFAULT_BOARD,
    show_default=True,
    help="Board name or path of a board's TOML file.",
)
@tflm_options
@click.option(
    "--for",
    "rewritten_for",
    metavar="NAME",
    help="Also rewrite operators that this TFLM does not take into ones that it does, equal to "
    "the bit; --tflm NAME then.",
)
@assumption_options
@click.option(
    "--overlap",
    type=click.Choice(["none", "inplace", "diagonal"]),
    default="diagonal",
    show_default=True,
    help="How far outputs may overlap inputs: not at all, from the same byte on, or as far as the "
    "kernels allow it.",
)
@click.option("--reorder", is_flag=True, help="Let operators run in another order.")
@click.option(
    "--stripes",
    is_flag=True,
    help="Let groups of layers run in stripes of rows, as plain operators, where less arena is "
    "needed; rows at the borders of stripes are computed twice.",
)
@click.option(
    "--time-limit",
    "time_limit_s",
    type=POSITIVE,
    default=10.0,
    show_default=True,
    help="Seconds for all of it: reading, removing channels, the proof of that, and the solvers.",
)
@click.option(
    "--max-slowdown",
    type=str,
    metavar="PERCENT%",
    help="Most extra instructions, e.g. 5%. Default: whatever the smallest arena takes.",
)
@click.option(
    "--compact/--no-compact",
    default=True,
    show_default=True,
    help="Remove channels that never change and operators that change nothing.",
)
@click.option(
    "--input-range",
    type=int,
    nargs=2,
    metavar="LOW HIGH",
    help="What the model's quantised inputs hold at most, as stored; default: all of their type.",
)
@click.option(
    "--hop",
    "hop_rows",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="Write the model over so many new rows of a sliding window, which keeps state between "
    "inferences.",
)
@click.option(
    "--verify",
    "verified",
    type=click.Path(path_type=Path),
    metavar="BEFORE",
    help="Only show that MODEL computes what BEFORE does, on every input; exit code 1 if it "
    "cannot be shown.",
)
@click.option("--plan", "plan_path", type=OUTPUT_PATH, help="Draw the new memory plan (SVG).")
@click.option(
    "--prove",
    "is_proved",
    is_flag=True,
    help="Run both models on 200 inputs on this host and 20 in emulation, the accesses checked "
    "with shadow memory; exit code 1 if anything differs. Takes minutes.",
)
@format_option("text", "json")
def command(
    model: Path,
    output: Path | None,
    board: str,
    overlap: str,
    reorder: bool,
    stripes: bool,
    time_limit_s: float,
    max_slowdown: str | None,
    compact: bool,
    input_range: tuple[int, int] | None,
    hop_rows: int | None,
    verified: Path | None,
    plan_path: Path | None,
    is_proved: bool,
    kernels: str | None,
    tflm: str | None,
    tflm_dir: Path | None,
    rewritten_for: str | None,
    form: str,
    **options: Any,
) -> int:
    """Write MODEL with an offline memory plan: less arena, the same weights and results.

    \b
    predict optimize model.tflite -o smaller.tflite
    predict optimize model.tflite -o smaller.tflite --max-slowdown 5%
    predict optimize model.tflite --overlap none --format json
    predict optimize model.tflite -o runs.tflite --for arduino
    predict optimize --verify model.tflite smaller.tflite
    predict optimize model.tflite --hop 2 -o sliding.tflite

    Any current TFLM runs the new file. It relies on the order in which the kernels of one kernel
    set (--kernels) read and write; predict warns when it is used with another.
    """
    from predictor.optimization import optimization as results
    from predictor.optimization.optimizer import OptimizeOptions
    from predictor.optimization.overlap import OverlapLevel
    from predictor.optimization.sliding import sliding_model

    if input_range is not None and input_range[0] > input_range[1]:
        raise click.BadParameter("LOW is above HIGH", param_hint="--input-range")
    if verified is not None:
        return _verify(verified, model, input_range)
    if rewritten_for is not None and tflm not in (None, rewritten_for):
        raise UsageError("--for NAME says which TFLM; it goes without --tflm")
    options |= {"kernels": kernels, **predicted_tflm(tflm or rewritten_for, tflm_dir)}
    target = _target(board, options["tflm"], kernels, tflm_dir) if is_proved else None
    settings = OptimizeOptions(
        overlap=OverlapLevel(overlap),
        reorder=reorder,
        stripes=stripes,
        time_limit_s=time_limit_s,
        max_slowdown=None if max_slowdown is None else _fraction(max_slowdown),
        instructions=results.count_instructions,
        compact=compact,
        input_range=input_range,
    )
    rewritten = None if rewritten_for is None else _rewritten(model, board, options)
    source = model if rewritten is None else rewritten
    sliding = None if hop_rows is None else sliding_model(source, hop_rows, board, **options)
    source = source if sliding is None else sliding.content
    result = results.optimize_model(source, board, settings, **options)
    if output is not None:
        write_file(output, result.content)
    if plan_path is not None:
        from predictor.report.optimization_forms import plan_svg

        write_file(plan_path, plan_svg(result))
    proof = None if target is None else _proof(model, rewritten, result, target, sliding)
    if form == "json":
        from predictor.report.json_report import dumps

        found = result.to_json() | ({"hop": sliding.to_json()} if sliding else {})
        emit(dumps(found | ({"proof": proof.to_json()} if proof else {})) + "\n", None)
    else:
        from predictor.report import layout, optimized
        from predictor.report.proof import report as proof_report

        blocks = [] if sliding is None else optimized.sliding_report(sliding)
        blocks += optimized.report(result)
        if proof is not None:
            blocks += [layout.words(), *proof_report(proof)]
        emit(layout.render(blocks, terminal_width(None), wants_color(None)), None)
    if proof is not None and not proof.passed:
        return PredictorError.exit_code
    if result.optimized.is_interrupted:
        say("interrupted: the best plan found until then was kept")
        return EXIT_INTERRUPTED
    return EXIT_FITS if result.after.fits else EXIT_DOES_NOT_FIT


def _rewritten(model: Path, board: str, options: dict[str, Any]) -> bytes | None:
    """The model with what the TFLM does not take rewritten, None where nothing was; says what."""
    from predictor.boards.board import find_board
    from predictor.memory.revision import load_revision
    from predictor.model.tflite_reader import read_graph
    from predictor.model.tflite_writer import write_model
    from predictor.optimization.rewrites import rewritten_for

    core = find_board(board).core.model
    revision = load_revision(options["tflm"], options["kernels"], core)
    graph, done = rewritten_for(read_graph(model), revision)
    for words in done:
        say(f"predict: {model}: {words}")
    return write_model(graph) if done else None


def _verify(before: Path, after: Path, input_range: tuple[int, int] | None) -> int:
    """Says that two files compute the same.

    Raises:
        UnprovedError: it could not be shown.
    """
    from predictor.model.device.device_model import is_device_model, original_model
    from predictor.model.tflite_reader import load_bytes, read_graph
    from predictor.optimization.stripes.merging import prove_equal_layers

    found = [read_graph(bytes(load_bytes(path))) for path in (before, after)]
    graphs = [original_model(graph) if is_device_model(graph) else graph for graph in found]
    prove_equal_layers(graphs[0], graphs[1], input_range)
    inputs = "every input" if input_range is None else "every input in that range"
    emit_text(f"EQUAL  {after.name} computes what {before.name} does, on {inputs}, to the bit\n")
    return EXIT_FITS


def _target(
    board: str, revision: str, kernels: str | None, tflm_dir: Path | None
) -> FirmwareTarget:
    """The firmware that a proof runs: that with the TFLM that the plan is for."""
    from predictor.firmware.registered_tflm import linkable_tflm
    from predictor.firmware.target import firmware_target
    from predictor.memory.revision import kernel_sets

    linked = linkable_tflm(revision, tflm_dir)
    if kernels is None and linked.is_packaged:
        kernels = kernel_sets(revision)[0]  # what is predicted with
    return firmware_target(board, linked, kernels)


def _proof(
    model: Path,
    rewritten: bytes | None,
    result: Optimization,
    target: FirmwareTarget,
    sliding: SlidingModel | None,
) -> PlanProof:
    """The proof of the plan, of what was rewritten, and of successive windows over a hop."""
    from dataclasses import replace

    from predictor.model.tflite_reader import load_bytes
    from predictor.proof.plan_proof import ProofSize
    from predictor.proof.prove import ProofTask, prove, prove_rewriting
    from predictor.proof.sliding import prove_windows

    def progress(text: str) -> None:
        say(f"{text} ...")

    content = bytes(load_bytes(model))
    window = content if rewritten is None else rewritten
    before = window if sliding is None else sliding.content
    proof = prove(ProofTask(before, result.content, target), progress)
    checks, count = list(proof.checks), ProofSize().host
    if sliding is not None:
        warm_up = sliding.hop.warm_up
        checks.insert(0, prove_windows(window, before, warm_up, count, proof.outputs))
    if rewritten is not None:
        checks.insert(0, prove_rewriting(content, rewritten, count, progress))
    return replace(proof, checks=tuple(checks))


def _fraction(text: str) -> float:
    """A percentage as a fraction.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        value = float(text.removesuffix("%")) / _PERCENT
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise click.BadParameter(
            f"{text!r} is no percentage; give one like 5%", param_hint="--max-slowdown"
        )
    return value
