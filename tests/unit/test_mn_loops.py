"""Loops of the project's kernels against plain enumeration."""

from __future__ import annotations

from math import prod

from hypothesis import given
from hypothesis import strategies as st

from predictor.model.device.options import Tables, WeightedOptions
from predictor.operators.context import GraphState
from predictor.operators.mn.convolution_loops import gathered
from predictor.operators.mn.loops import kernel_loops
from predictor.operators.mn.window_loops import axes_of

SIZES, WINDOWS, STEPS = st.integers(1, 9), st.integers(1, 4), st.integers(1, 3)


@st.composite
def layers(draw: st.DrawFn, operator: str) -> WeightedOptions:
    """Convolutions with SAME padding, some of them dilated."""
    sizes, window = (draw(SIZES), draw(SIZES)), (draw(WINDOWS), draw(WINDOWS))
    dilation = (draw(STEPS), draw(STEPS))
    stride = (draw(STEPS), draw(STEPS)) if dilation == (1, 1) else (1, 1)
    out = [-(-size // step) for size, step in zip(sizes, stride, strict=True)]
    padding = [
        max(0, (o - 1) * s + (w - 1) * d + 1 - size) // 2
        for o, s, w, d, size in zip(out, stride, window, dilation, sizes, strict=True)
    ]
    depth, outs, groups = draw(st.integers(1, 20)), draw(st.integers(1, 12)), 1
    if operator == "DEPTHWISE_CONV_2D":
        outs, filter_dims = depth, (1, *window, depth)
    else:
        groups = draw(st.sampled_from((1, 1, 2)))
        filter_dims = (outs * groups, *window, depth)
    channels = filter_dims[3] if operator == "DEPTHWISE_CONV_2D" else outs * groups
    return WeightedOptions(
        operator,
        draw(st.sampled_from((8, 4))),
        draw(st.sampled_from((8, 4))),
        (1, *sizes, depth * groups),
        filter_dims,
        (1, out[0], out[1], channels),
        0,
        0,
        (-8, 7),
        Tables((1 << 30,) * channels, (-9,) * channels),
        stride,
        (padding[0], padding[1]),
        dilation,
    )


def taps(options: WeightedOptions) -> list[list[tuple[int, int]]]:
    """Input rows and columns of each tap of each output position, inside or not."""
    _, out_h, out_w, _ = options.output_dims
    _, height, width, _ = options.filter_dims
    return [
        [
            (
                y * options.stride[0] - options.padding[0] + row * options.dilation[0],
                x * options.stride[1] - options.padding[1] + column * options.dilation[1],
            )
            for row in range(height)
            for column in range(width)
        ]
        for y in range(out_h)
        for x in range(out_w)
    ]


def is_inside(options: WeightedOptions, tap: tuple[int, int]) -> bool:
    return 0 <= tap[0] < options.input_dims[1] and 0 <= tap[1] < options.input_dims[2]


@given(layers("CONV_2D"))
def test_lines_hold_each_tap_once(options: WeightedOptions) -> None:
    found = axes_of(options, GraphState(), options.filter_dims[1:3], options.dilation)
    assert found is not None
    depth, every = options.filter_dims[3], taps(options)
    made = gathered(*found, options)
    inside = [sum(is_inside(options, tap) for tap in position) for position in every]
    assert sum(count * runs for count, runs in made.lines.items()) == depth * sum(inside)
    assert made.positions == len(every)
    assert made.borders == sum(count < len(every[0]) for count in inside)
    if options.dilation[1] == 1 and depth == options.input_dims[3]:
        assert made.pieces == sum(count > 0 for count in inside)


@given(layers("CONV_2D"))
def test_products_cover_each_multiplication(options: WeightedOptions) -> None:
    """Loops of whole words do each product once; ends of rows do some of them twice."""
    made = kernel_loops(options, "custom", GraphState())
    assert made is not None
    terms, bits = made.terms, options.weight_bits
    group = 4 if bits == 8 else 8
    done = 0
    for kind, unit, positions in (("x4", 4 if bits == 8 else 8, 4), ("x1", 8, 1)):
        name = f"mn_matmul_{kind}_w{bits}"
        rows = 1 if kind == "x4" else 2
        each = {"unit": unit, "single": 4, "overlap": 4, "half": 4, "full": 8}
        weights = sum(terms.get(f"{name}.{term}", 0) * size for term, size in each.items())
        # The last of an odd number of rows is multiplied twice.
        twins = terms.get(f"{name}.twin", 0) * prod(options.filter_dims[1:])
        done += positions * (rows * weights - twins)
    depth = prod(options.filter_dims[1:])
    wanted = prod(options.output_dims) * depth
    assert wanted <= done <= wanted / depth * (depth + 2 * group)


@given(layers("DEPTHWISE_CONV_2D"))
def test_positions_whose_window_lies_inside(options: WeightedOptions) -> None:
    made = kernel_loops(options, "custom", GraphState())
    assert made is not None
    whole = sum(all(is_inside(options, tap) for tap in position) for position in taps(options))
    pixels = prod(options.output_dims[1:3])
    assert made.terms.get("mn_depthwise.edge", 0) == pixels - whole
    assert made.terms["mn_depthwise.pixel"] == pixels
