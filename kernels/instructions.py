"""Instructions of the kernels on emulated cores, over the shapes of which CMSIS-NN's are known."""

from __future__ import annotations

import csv
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kernels.binding import INCLUDE_DIRECTORY, KERNELS_DIRECTORY
from kernels.calls import Dims, Layer, buffer_bytes, run
from kernels.emulated import COMPILER, EmulatedLibrary
from predictor.cores.core import find_core
from predictor.model.device.packing import pack

FIGURES = Path(__file__).with_name("cmsis_nn_m4.csv")
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


def cmsis_scratch() -> dict[tuple[str, str], str]:
    """Scratch bytes of CMSIS-NN by operator and shape."""
    lines = [line for line in FIGURES.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    return {
        (shape.operator, shape.label): row["scratch_bytes_int8"]
        for shape, row in zip(shapes(), rows, strict=True)
    }
