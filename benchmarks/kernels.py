"""Instructions per MAC of the kernels beside CMSIS-NN's: ``python -m benchmarks.kernels``.

Runs every shape of kernels/cmsis_nn_m4.csv on an emulated Cortex-M4 and M7 and writes
docs/kernels.md.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kernels.calls import suffix
from kernels.emulated import CORES, build, in_process
from kernels.instructions import (
    BIT_WIDTHS,
    CLIFF_CHANNELS,
    Results,
    cliff,
    cmsis_scratch,
    measure_all,
    text_bytes,
    to_cmsis_nn,
    to_int8,
)

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "kernels.md"


def _means(results: Results) -> Iterator[str]:
    yield "| geometric mean, Cortex-M4 | convolution | depthwise | fully connected |"
    yield "| --- | --- | --- | --- |"
    operators = ("convolve", "depthwise", "fully_connected")
    int8 = [to_cmsis_nn(results[operator, (8, 8)]) for operator in operators]
    yield "| int8 / CMSIS-NN int8 | " + " | ".join(f"{value:.3f}" for value in int8) + " |"
    large = [m for m in results["convolve", (8, 8)] if m.shape.is_large_pointwise]
    yield f"| the same, 1x1 of at least 1.5 million MACs | {to_cmsis_nn(large):.3f} | | |"
    int4 = [to_cmsis_nn(results[operator, (8, 4)]) for operator in operators]
    values = " | ".join(f"{value:.3f}" for value in int4)
    yield f"| int4 weights / CMSIS-NN int4 weights | {values} |"
    for bit_widths in BIT_WIDTHS[1:]:
        values = " | ".join(f"{to_int8(results, o, bit_widths):.3f}" for o in operators)
        yield f"| s{bit_widths[0]} x s{bit_widths[1]} / our int8 | {values} |"


def _rows(results: Results, operator: str) -> Iterator[str]:
    yield (
        "| shape | CMSIS-NN int8, int4 weights | s8 x s8 | s8 x s4 | s4 x s4 | s4 x s8 "
        "| M7: s8 x s8, s8 x s4 | scratch bytes: CMSIS-NN int8; s8 x s8, s4 x s4 |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for rows in zip(*(results[operator, widths] for widths in BIT_WIDTHS), strict=True):
        shape = rows[0].shape
        cmsis = {bits: count / shape.macs for bits, count in shape.cmsis_nn.items()}
        cells = [shape.label, f"{cmsis[8]:.3f}, {cmsis[4]:.3f}"]
        for row in rows:
            ours = row.per_mac("cortex-m4")
            ratio = f" ({ours / cmsis[row.bit_widths[1]]:.2f})" if row.bit_widths[0] == 8 else ""
            cells.append(f"{ours:.3f}{ratio}")
        cells.append(", ".join(f"{row.per_mac('cortex-m7'):.3f}" for row in rows[:2]))
        scratch = cmsis_scratch()[shape.operator, shape.label]
        cells.append(f"{scratch}; {rows[0].scratch_bytes}, {rows[2].scratch_bytes}")
        yield "| " + " | ".join(cells) + " |"


def _sizes(sizes: dict[str, int]) -> Iterator[str]:
    yield "| source | text bytes |"
    yield "| --- | --- |"
    for name, size in sizes.items():
        yield f"| `{name}.c` | {size} |"
    yield f"| **all** | **{sum(sizes.values())}** |"


def report(results: Results, sizes: dict[str, int], cliffs: dict[str, dict[int, float]]) -> str:
    """docs/kernels.md."""
    lines = [
        "# Instructions of the kernels",
        "",
        "Written by `python -m benchmarks.kernels`: instructions per MAC of whole calls",
        "(gathering, widening and requantisation included) on emulated cores, compiled with -O2,",
        "beside CMSIS-NN's (`kernels/cmsis_nn_m4.csv`; in parentheses the ratio to CMSIS-NN's",
        "kernel for the same weights). Random data, SAME padding, a bias, no fused activation.",
        "",
        *_means(results),
        "",
    ]
    for operator in ("convolve", "depthwise", "fully_connected"):
        lines += [
            f"## {operator.replace('_', ' ').capitalize()}",
            "",
            *_rows(results, operator),
            "",
        ]
    lines += ["## No cliff", "", "1x1 convolutions of 25x5 positions, channels in and out:", ""]
    lines += ["| channels | " + " | ".join(map(str, CLIFF_CHANNELS)) + " | largest / smallest |"]
    lines += ["| --- " * (len(CLIFF_CHANNELS) + 2) + "|"]
    for name, values in cliffs.items():
        spread = max(values.values()) / min(values.values())
        cells = [name, *(f"{value:.3f}" for value in values.values()), f"{spread:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Flash", "", "At -O2, Cortex-M4:", "", *_sizes(sizes), ""]
    notes = (ROOT / "docs" / "kernels_notes.md").read_text()
    return "\n".join(lines) + "\n" + notes


def main() -> None:
    """Measure and write the report."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        libraries = {cpu: in_process(build(directory / f"{cpu}.elf", cpu), cpu) for cpu in CORES}
        results = measure_all(libraries)
        cliffs = {
            re.sub(r"_", " x ", suffix(*widths)): cliff(libraries["cortex-m4"], widths)
            for widths in BIT_WIDTHS
        }
        text = report(results, text_bytes(directory), cliffs)
    REPORT.write_text(text)
    print("\n".join(_means(results)))


if __name__ == "__main__":
    main()
