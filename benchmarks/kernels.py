"""Instructions per MAC of the kernels beside CMSIS-NN's: ``python -m benchmarks.kernels``.

Runs every shape of cmsis_nn_m4.csv on an emulated Cortex-M4 and M7 and writes docs/kernels.md.
"""

from __future__ import annotations

import csv
import math
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kernels.binding import INCLUDE_DIRECTORY, KERNELS_DIRECTORY
from kernels.calls import Dims, Layer, buffer_bytes, run, suffix
from kernels.emulated import COMPILER, CORES, EmulatedLibrary, build, in_process
from predictor.cores.core import find_core
from predictor.model.device.packing import pack

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "benchmarks" / "cmsis_nn_m4.csv"
REPORT = ROOT / "docs" / "kernels.md"
BIT_WIDTHS = ((8, 8), (8, 4), (4, 4), (4, 8))
CLIFF_CHANNELS = range(137, 145)
LARGE_POINTWISE_MACS = 1_500_000


@dataclass(frozen=True)
class Shape:
    """A row of the figures, with CMSIS-NN's instructions for int8 and int4 weights."""

    operator: str
    height: int
    width: int
    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: int
    macs: int
    cmsis_nn: dict[int, int]

    @property
    def label(self) -> str:
        """For the table."""
        if self.operator == "fully_connected":
            return f"{self.inputs} -> {self.outputs}"
        stride = f"/{self.stride}" if self.stride > 1 else ""
        kernel = f"{self.kernel[0]}x{self.kernel[1]}{stride}"
        return f"{self.height}x{self.width}x{self.inputs} -> {self.outputs}, {kernel}"

    @property
    def is_large_pointwise(self) -> bool:
        """A 1 x 1 convolution of 112 channels or more."""
        return (
            self.operator == "convolve"
            and self.kernel == (1, 1)
            and self.macs >= LARGE_POINTWISE_MACS
        )


@dataclass(frozen=True)
class Measurement:
    """Instructions and scratch of one kernel on one shape, per core."""

    shape: Shape
    bit_widths: tuple[int, int]
    instructions: dict[str, int]
    scratch_bytes: int

    def per_mac(self, cpu: str) -> float:
        """Instructions per MAC."""
        return self.instructions[cpu] / self.shape.macs


def shapes() -> list[Shape]:
    """The rows of the figures."""
    lines = [line for line in FIGURES.read_text().splitlines() if not line.startswith("#")]
    result = []
    for row in csv.DictReader(lines):
        number = {key: int(value) for key, value in row.items() if key != "operator"}
        result.append(
            Shape(
                operator=row["operator"],
                height=number["h"],
                width=number["w"],
                inputs=number["input_channels"],
                outputs=number["output_channels"],
                kernel=(number["kernel_h"], number["kernel_w"]),
                stride=number["stride"],
                macs=number["macs"],
                cmsis_nn={8: number["instructions_int8"], 4: number["instructions_int4"]},
            )
        )
    return result


def layer_of(shape: Shape, bit_widths: tuple[int, int]) -> tuple[Layer, np.ndarray]:
    """The shape with SAME padding, random data and no fused activation; and its input."""
    rng = np.random.default_rng(0)
    activations, weights = bit_widths
    sizes = [-(-size // shape.stride) for size in (shape.height, shape.width)]
    padding = [
        max((output - 1) * shape.stride + kernel - size, 0) // 2
        for output, kernel, size in zip(
            sizes, shape.kernel, (shape.height, shape.width), strict=True
        )
    ]
    depth = 1 if shape.operator == "depthwise" else shape.inputs
    filter_dims: Dims = (shape.outputs, *shape.kernel, depth)
    if shape.operator == "depthwise":
        filter_dims = (1, *shape.kernel, shape.outputs)
    input_dims: Dims = (1, shape.height, shape.width, shape.inputs)

    def random(elements: int, bits: int) -> np.ndarray:
        limit = 1 << (bits - 1)
        return pack(rng.integers(-limit, limit, elements), bits)

    per_channel = shape.operator != "fully_connected"
    quantized = shape.outputs if per_channel else 1
    layer = Layer(
        activations=activations,
        weights=weights,
        input_dims=input_dims,
        filter_dims=filter_dims,
        output_dims=(1, sizes[0], sizes[1], shape.outputs),
        filter=random(math.prod(filter_dims), weights),
        bias=rng.integers(-1000, 1000, shape.outputs).astype(np.int32),
        multiplier=np.full(quantized, 1_518_500_250, np.int32),
        shift=np.full(quantized, -9, np.int32),
        input_offset=5,
        output_offset=-3,
        activation=(-(1 << (activations - 1)), (1 << (activations - 1)) - 1),
        stride=(shape.stride, shape.stride),
        padding=(padding[0], padding[1]),
        per_channel=per_channel,
    )
    return layer, random(math.prod(input_dims), activations)


def measure(
    libraries: dict[str, EmulatedLibrary], shape: Shape, bit_widths: tuple[int, int]
) -> Measurement:
    """One whole call on each core."""
    layer, data = layer_of(shape, bit_widths)
    instructions = {}
    for cpu, library in libraries.items():
        scratch_bytes = buffer_bytes(library, shape.operator, layer)
        run(library, shape.operator, layer, data)
        instructions[cpu] = library.instructions
    return Measurement(shape, bit_widths, instructions, scratch_bytes)


def text_bytes(directory: Path) -> dict[str, int]:
    """Text of each source file at -O2 on Cortex-M4."""
    sizes = {}
    for source in sorted((KERNELS_DIRECTORY / "src").glob("*.c")):
        target = directory / f"{source.stem}.o"
        command = [COMPILER, "-std=c11", "-O2", "-mthumb", "-mfloat-abi=hard"]
        command += [
            *find_core("cortex-m4").compiler_flags,
            f"-I{INCLUDE_DIRECTORY}",
            "-c",
            str(source),
        ]
        subprocess.run([*command, "-o", str(target)], check=True)
        output = subprocess.run(
            ["arm-none-eabi-size", str(target)], check=True, capture_output=True, text=True
        ).stdout
        sizes[source.stem] = int(output.splitlines()[1].split()[0])
    return sizes


def geometric_mean(ratios: list[float]) -> float:
    """Of positive ratios."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


Results = dict[tuple[str, tuple[int, int]], list[Measurement]]


def measure_all(libraries: dict[str, EmulatedLibrary]) -> Results:
    """By operator and bit widths, shapes in their order."""
    results: Results = {}
    for shape in shapes():
        for bit_widths in BIT_WIDTHS:
            measurement = measure(libraries, shape, bit_widths)
            results.setdefault((shape.operator, bit_widths), []).append(measurement)
    return results


def to_cmsis_nn(measurements: list[Measurement]) -> float:
    """Geometric mean against CMSIS-NN's kernel for the same weights, Cortex-M4."""
    return geometric_mean(
        [m.instructions["cortex-m4"] / m.shape.cmsis_nn[m.bit_widths[1]] for m in measurements]
    )


def to_int8(results: Results, operator: str, bit_widths: tuple[int, int]) -> float:
    """Geometric mean against our own int8 kernel, Cortex-M4."""
    pairs = zip(results[operator, bit_widths], results[operator, (8, 8)], strict=True)
    return geometric_mean(
        [ours.instructions["cortex-m4"] / int8.instructions["cortex-m4"] for ours, int8 in pairs]
    )


def cliff(library: EmulatedLibrary, bit_widths: tuple[int, int]) -> dict[int, float]:
    """Instructions per MAC of 1 x 1 convolutions of 25 x 5 positions, by channels."""
    result = {}
    for channels in CLIFF_CHANNELS:
        shape = Shape("convolve", 25, 5, channels, channels, (1, 1), 1, 125 * channels**2, {})
        measurement = measure({"cortex-m4": library}, shape, bit_widths)
        result[channels] = measurement.per_mac("cortex-m4")
    return result


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
        scratch = _cmsis_scratch()[shape.operator, shape.label]
        cells.append(f"{scratch}; {rows[0].scratch_bytes}, {rows[2].scratch_bytes}")
        yield "| " + " | ".join(cells) + " |"


def _cmsis_scratch() -> dict[tuple[str, str], str]:
    lines = [line for line in FIGURES.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    return {
        (shape.operator, shape.label): row["scratch_bytes_int8"]
        for shape, row in zip(shapes(), rows, strict=True)
    }


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
        "beside CMSIS-NN's (`benchmarks/cmsis_nn_m4.csv`; in parentheses the ratio to CMSIS-NN's",
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
