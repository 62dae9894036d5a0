"""The table of code sizes of one core and kernel set, and the files that hold such tables."""

from __future__ import annotations

import json
import random
from math import ceil
from pathlib import Path
from typing import Any

from predictor.memory import flash
from tools.code_size.linked_image import Piece
from tools.code_size.linkers import Linker

FOLDER = Path(flash.__file__).parent / "code_size"
SOURCES = {
    "2020.07": [
        "TFLM of TensorFlow 33689c48ad (crates.io package tfmicro 0.1.0), reference kernels or "
        "(mn) this project's kernels, and this project's runner, built by firmware/ with "
        "arm-none-eabi-gcc 12.2 at -O2 with --gc-sections: one image linked per operator, sizes "
        "from the linker maps (tools/code_size).",
        "base_bytes: the runner without operators. A group is code that at least one of the "
        "operators in linked_by links.",
        "error: the largest error, as a fraction, of images with random sets of operators and with "
        "all of them; no such image was used to make the table.",
        "RAM: static_ram_bytes is .data and .bss of the runner without operators, ram_groups what "
        "operators add, interpreter_bytes the interpreter object; arena and stack are not in it.",
    ],
    "2026.08": [
        "Upstream TFLM 90b983c2 and CMSIS-NN 99f736a6, built by TFLM's own Makefile (release, "
        "error strings stripped: core -Os, kernels and CMSIS-NN -O2), linked with "
        "tools/code_size/program (-O2, --gc-sections, newlib-nano) by arm-none-eabi-gcc 12.2: one "
        "image per operator, sizes from the linker maps. mn: this project's kernels and their "
        "operators (MN:... where builtin operators are registered with them) beside TFLM's "
        "reference kernels; code that both link is told by its size, the error estimated from "
        "unions of images.",
        "base_bytes: interpreter with an empty op resolver, start-up code and a minimal main. A "
        "group is code that at least one of the operators in linked_by links.",
        "error: the largest error, as a fraction, of images with random sets of operators and with "
        "all of them; no such image was used to make the table.",
        "RAM: static_ram_bytes is .data and .bss, interpreter_bytes the MicroInterpreter object, "
        "resolver_bytes the op resolver (fixed and per registered operator), ram_groups the "
        "statics of operators.",
    ],
}
"""What each file says of how its figures were measured, by TFLM revision."""


def measure(linker: Linker, checks: int, title: str) -> dict[str, Any]:
    """The table; ``checks`` random sets of operators are linked beside it for its error."""
    base = linker.link(())
    singles = {}
    for label in linker.labels:
        singles[label] = linker.link([label])
        print(title, label, flush=True)
    table = {
        "base_bytes": base.flash_bytes,
        "error": 0.0,
        "static_ram_bytes": base.ram_bytes,
        **linker.objects(),
        "ram_groups": groups(base.ram_pieces, {k: v.ram_pieces for k, v in singles.items()}),
        "groups": groups(base.flash_pieces, {k: v.flash_pieces for k, v in singles.items()}),
    }
    table["error"] = ceil(1000 * _largest_error(linker, table, checks)) / 1000
    return table


def groups(base: dict[Piece, int], singles: dict[str, dict[Piece, int]]) -> list[dict[str, Any]]:
    """Pieces beyond ``base``, summed by the operators that link them, largest first."""
    linked_by: dict[Piece, dict[str, int]] = {}
    for label, pieces in singles.items():
        for piece, size in pieces.items():
            if size != base.get(piece, 0):
                linked_by.setdefault(piece, {})[label] = size - base.get(piece, 0)
    sums: dict[tuple[str, ...], int] = {}
    for piece, sizes in linked_by.items():
        # The table of operators grows with each of them; other sections are the same in all images.
        shares = [(label,) for label in sizes] if piece in base else [tuple(sorted(sizes))]
        for labels in shares:
            sums[labels] = sums.get(labels, 0) + sizes[labels[0]]
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return [{"bytes": size, "linked_by": list(labels)} for labels, size in ranked]


def _largest_error(linker: Linker, table: dict[str, Any], count: int) -> float:
    """Largest relative error over random sets of operators and over all of them."""
    rng = random.Random(2020)
    labels = sorted({label for group in table["groups"] for label in group["linked_by"]})
    sets = [rng.sample(labels, rng.randint(2, 12)) for _ in range(count)]
    sets += [rng.sample(labels, rng.randint(13, len(labels))) for _ in range(count // 4)]
    worst = 0.0
    for chosen in [*sets, labels]:
        linked = linker.link(chosen).flash_bytes
        predicted = table["base_bytes"] + sum(
            group["bytes"] for group in table["groups"] if set(group["linked_by"]) & set(chosen)
        )
        print(len(chosen), linked, predicted, f"{predicted / linked - 1:+.3%}", flush=True)
        worst = max(worst, abs(predicted / linked - 1))
    return worst


def write(revision: str, profiles: dict[str, Any]) -> None:
    """Puts profiles (``core/kernels``) in the place of those of the same name."""
    path = FOLDER / f"{revision}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["profiles"] if path.is_file() else {}
    content = {"source": SOURCES[revision], "profiles": kept | profiles}
    text = json.dumps(content, separators=(",", ":")).replace('{"bytes"', '\n{"bytes"') + "\n"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
