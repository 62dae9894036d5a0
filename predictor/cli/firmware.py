"""``predict firmware``: a model's firmware as files for debuggers and programmers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.cli.options import memory_options
from predictor.console.options import BYTES, format_option, tflm_options
from predictor.console.output import emit, emit_text
from predictor.console.paths import refuse_overwriting
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, UsageError
from predictor.prediction import DEFAULT_BOARD
from predictor.start import say

if TYPE_CHECKING:
    from predictor.firmware.target import ModelFirmware


@click.command(name="firmware", short_help="Build TFLM firmware with a model in it.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", default=DEFAULT_BOARD, show_default=True, help="Board name or file.")
@click.option(
    "--out",
    "out_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("firmware-out"),
    show_default=True,
    help="Folder for the ELF, hex, binary, map and model files.",
)
@tflm_options
@memory_options
@click.option("--arena", "arena_bytes", type=BYTES, help="Arena size; default: as predicted.")
@format_option("text", "json")
def command(
    model: Path,
    board: str,
    out_dir: Path,
    kernels: str | None,
    tflm: str | None,
    tflm_dir: Path | None,
    memory: str | None,
    persistent_memory: str | None,
    arena_bytes: int | None,
    form: str,
) -> int:
    """Build firmware that runs MODEL on a board, with only the operators that it uses.

    Prints its sizes beside the prediction. Exit code 3 if the model does not fit the board, 1 if
    the TFLM that the firmware links refuses it.
    """
    from predictor.firmware.build import write_firmware, written_files
    from predictor.firmware.registered_tflm import linkable_tflm
    from predictor.firmware.target import firmware_target
    from predictor.report.notes import misfit

    if arena_bytes is not None and (memory or persistent_memory):
        raise UsageError("--arena goes without --memory and --persistent-memory")
    linked = linkable_tflm(tflm, tflm_dir)
    target = firmware_target(board, linked, kernels, memory, persistent_memory)
    for path in written_files(target.board, out_dir).values():
        refuse_overwriting({"--out": path}, [model, Path(board)])
    firmware = target.linking_used(model)
    prediction = firmware.prediction
    for warning in firmware.warnings:
        say(f"predict: warning: {warning}")
    if not prediction.fits:
        say(f"predict: {model} {misfit(prediction)}")
        return EXIT_DOES_NOT_FIT
    files = write_firmware(
        firmware.content,
        firmware.target,
        out_dir,
        arena_bytes=prediction.sram.arena_bytes if arena_bytes is None else arena_bytes,
        arenas=firmware.arenas,
        progress=lambda text: say(f"{text} ..."),
    )
    sizes = {
        "tflm": firmware.target.title,
        "elf": str(files.elf),
        "hex": str(files.hex),
        "bin": str(files.bin),
        "map": str(files.map),
        "model": str(files.model),
        "code_bytes": files.image.flash_bytes,
        "predicted_code_bytes": prediction.flash.code_bytes,
        "flash_bytes": files.flash_bytes,
        "predicted_flash_bytes": prediction.flash.total_bytes,
        "arena_bytes": prediction.sram.arena_bytes if arena_bytes is None else arena_bytes,
        "arenas": [
            {"address": place.address, "bytes": place.size_bytes} for place in firmware.arenas
        ],
    }
    if form == "json":
        from predictor.report.json_report import dumps

        emit(dumps(sizes) + "\n", None)
    else:
        emit_text(
            f"{firmware.target.title}\n"
            f"{files.elf}  (and .hex, .bin, .map, .model)\n"
            f"code   {files.image.flash_bytes:>9,} B linked, "
            f"{prediction.flash.code_bytes:,} predicted\n"
            f"flash  {files.flash_bytes:>9,} B with the model, "
            f"{prediction.flash.total_bytes:,} predicted\n"
            f"arena  {sizes['arena_bytes']:>9,} B{_places_words(firmware)}\n"
        )
    return EXIT_FITS


def _places_words(firmware: ModelFirmware) -> str:
    """Where each arena lies that has a memory of its own."""
    pairs = zip(firmware.arenas, firmware.prediction.sram.needs, strict=False)
    words = [
        f"{need.name} {place.size_bytes:,} at {place.address:#010x} in {need.memory}"
        for place, need in pairs
        if place.address
    ]
    return f": {', '.join(words)}" if words else ""
