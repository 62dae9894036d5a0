"""Operators with a window, and those that change the size of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from predictor.model.geometry import SAME
from predictor.semantics.shape_rules.call import Call, Rule, Shape, need


def _window(call: Call, height: int, width: int, depth: int) -> Sequence[Shape]:
    image = call.shape()
    need(len(image) == 4)
    found = []
    for axis, extent, name in ((1, height, "h"), (2, width, "w")):
        stride = call.option(f"stride_{name}", 1)
        dilation = call.option(f"dilation_{name}_factor", 1)
        need(stride > 0 and extent > 0)
        size = image[axis]
        if call.option("padding", SAME) != SAME:
            size -= (extent - 1) * dilation
        found.append(-(-size // stride))
    return [(image[0], *found, depth)]


def _conv(call: Call) -> Sequence[Shape]:
    filter = call.shape(1)
    need(len(filter) == 4)
    depth, height, width, _ = filter
    return _window(call, height, width, depth)


def _depthwise(call: Call) -> Sequence[Shape]:
    filter = call.shape(1)
    need(len(filter) == 4)
    _, height, width, depth = filter
    return _window(call, height, width, depth)


def _pool(call: Call) -> Sequence[Shape]:
    extents = call.option("filter_height"), call.option("filter_width")
    image = call.shape()
    need(len(image) == 4)
    return _window(call, *extents, image[-1])


def _transpose_conv(call: Call) -> Sequence[Shape]:
    return [call.values(0)]


def _resize(call: Call) -> Sequence[Shape]:
    image, size = call.shape(), call.values(1)
    need(len(image) == 4 and len(size) == 2)
    return [(image[0], *size, image[3])]


def _blocks(call: Call) -> tuple[Shape, Shape]:
    """Block sizes and paddings (or crops) of SPACE_TO_BATCH_ND and its inverse."""
    sizes, edges = call.values(1), call.values(2)
    need(len(edges) == 2 * len(sizes) and min(sizes, default=0) > 0)
    need(len(call.shape()) > len(sizes))
    return sizes, edges


def _space_to_batch(call: Call) -> Sequence[Shape]:
    sizes, edges = _blocks(call)
    batch, *rest = call.shape()
    for axis, size in enumerate(sizes):
        whole = rest[axis] + edges[2 * axis] + edges[2 * axis + 1]
        need(whole % size == 0)
        rest[axis], batch = whole // size, batch * size
    return [(batch, *rest)]


def _batch_to_space(call: Call) -> Sequence[Shape]:
    sizes, edges = _blocks(call)
    batch, *rest = call.shape()
    for axis, size in enumerate(sizes):
        need(batch % size == 0)
        rest[axis] = rest[axis] * size - edges[2 * axis] - edges[2 * axis + 1]
        batch //= size
    return [(batch, *rest)]


def _space_to_depth(call: Call) -> Sequence[Shape]:
    (batch, height, width, depth), block = _image_and_block(call)
    need(height % block == 0 and width % block == 0)
    return [(batch, height // block, width // block, depth * block * block)]


def _depth_to_space(call: Call) -> Sequence[Shape]:
    (batch, height, width, depth), block = _image_and_block(call)
    need(depth % (block * block) == 0)
    return [(batch, height * block, width * block, depth // (block * block))]


def _image_and_block(call: Call) -> tuple[Shape, int]:
    image, block = call.shape(), call.option("block_size")
    need(len(image) == 4 and block > 0)
    return image, block


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resize),
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _depth_to_space,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "SPACE_TO_DEPTH": _space_to_depth,
    "TRANSPOSE_CONV": _transpose_conv,
}
