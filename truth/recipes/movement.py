"""Operators that move, repeat or leave out values."""

from __future__ import annotations

from predictor.model.builder import TensorRef
from predictor.model.graph import TensorType
from truth.sketch import Sketch, like, recipe

_BLOCK = 2


@recipe("CONCATENATION", "float32 int8 int16 int32 int64 bool int8_many")
def _concatenation(s: Sketch) -> None:
    shape = s.shape(3)
    inputs = [s.input(shape) for _ in range(9 if s.feature == "many" else s.draw.randint(2, 4))]
    axis = s.draw.randint(0, 2)
    joined = [dim * len(inputs) if i == axis else dim for i, dim in enumerate(shape)]
    options = {"axis": axis, "fused_activation_function": "none"}
    s.apply(inputs, like(inputs[0], joined), options=options)


@recipe("PACK", "float32 int8 int16 int32 int64")
def _pack(s: Sketch) -> None:
    shape, count = s.shape(2), s.draw.randint(2, 4)
    inputs = [s.input(shape) for _ in range(count)]
    s.apply(inputs, like(inputs[0], (count, *shape)), options={"axis": 0, "values_count": count})


@recipe("UNPACK", "float32 int8 int16 int32")
def _unpack(s: Sketch) -> None:
    x = s.input((s.draw.randint(2, 4), *s.shape(2)))
    outputs = [like(x, x.shape[1:]) for _ in range(x.shape[0])]
    s.apply([x], *outputs, options={"axis": 0, "num": x.shape[0]})


@recipe("SPLIT", "float32 int8 int16 int32")
def _split(s: Sketch) -> None:
    s.builder.output(*s.builder.split(s.input((1, 3, 12)), s.draw.choice((2, 3, 4))))


@recipe("SPLIT_V", "float32 int8 int16 int32")
def _split_v(s: Sketch) -> None:
    sizes = [s.draw.randint(1, 5) for _ in range(3)]
    x = s.input((2, sum(sizes)))
    constants = [s.builder.constant(values, "int32") for values in (sizes, 1)]
    s.apply([x, *constants], *(like(x, (2, size)) for size in sizes), options={"num_splits": 3})


@recipe("REVERSE_V2", "float32 int8 int16 int32 int64 uint8 bool")
def _reverse(s: Sketch) -> None:
    x = s.input(s.shape(3))
    s.apply([x, s.builder.constant([1, 2], "int32")], like(x), options={})


@recipe("BROADCAST_TO", "float32 int8 int16 int32 int64")
def _broadcast_to(s: Sketch) -> None:
    x, shape = s.input((1, s.draw.randint(1, 9))), s.shape(1)
    wanted = (2, *shape, x.shape[1])
    s.apply([x, s.builder.constant(wanted, "int32")], like(x, wanted), options={})


@recipe("BROADCAST_ARGS", "int32 int64")
def _broadcast_args(s: Sketch) -> None:
    s.apply([s.input((3,)), s.input((3,))], ((3,), s.type))


@recipe("PAD", "float32 int8 int16 int32")
@recipe("PADV2", "float32 int8 int16")
@recipe("MIRROR_PAD", "float32 int8")
def _pad(s: Sketch) -> None:
    x = s.input(s.shape(4))
    pads = [[s.draw.randint(0, 1), s.draw.randint(0, 1)] for _ in x.shape]
    if s.operator == "MIRROR_PAD":
        pads = [[0, 0] if dim < 3 else pair for dim, pair in zip(x.shape, pads, strict=True)]
    padded = [dim + sum(pair) for dim, pair in zip(x.shape, pads, strict=True)]
    inputs = [x, s.builder.constant(pads, "int32")]
    if s.operator == "PADV2":
        inputs.append(s.builder.constant(3, s.type, quantization=x.quantization))
    s.apply(inputs, like(x, padded), options={"mode": 0} if s.operator == "MIRROR_PAD" else {})


@recipe("SLICE", "float32 int8 int16 int32 bool")
def _slice(s: Sketch) -> None:
    x = s.input(s.shape(3))
    size = [s.draw.randint(1, dim) for dim in x.shape]
    begin = [s.draw.randint(0, dim - taken) for dim, taken in zip(x.shape, size, strict=True)]
    constants = [s.builder.constant(values, "int32") for values in (begin, size)]
    s.apply([x, *constants], like(x, size), options={})


@recipe("STRIDED_SLICE", "float32 int8 int16 int32 bool int8_shrunk")
def _strided_slice(s: Sketch) -> None:
    x = s.input((2, 6, s.draw.randint(1, 9)))
    bounds = [s.builder.constant(v, "int32") for v in ((0, 1, 0), (2, 6, x.shape[2]), (1, 2, 1))]
    is_shrunk = s.feature == "shrunk"
    shape = (3, x.shape[2]) if is_shrunk else (2, 3, x.shape[2])
    s.apply([x, *bounds], like(x, shape), options={"shrink_axis_mask": int(is_shrunk)})


@recipe("DYNAMIC_UPDATE_SLICE", "float32 int8 int16 int32 int64")
def _dynamic_update_slice(s: Sketch) -> None:
    x, start = s.input((4, 6)), s.input((2,), "int32")
    s.apply([x, s.input((2, 3)), start], like(x))


@recipe("GATHER", "float32 int8")
def _gather(s: Sketch) -> None:
    x, picked = s.input((5, s.draw.randint(1, 9))), s.draw.randint(1, 5)
    indices = s.builder.constant([s.draw.randint(0, 4) for _ in range(picked)], "int32")
    s.apply([x, indices], like(x, (picked, x.shape[1])), options={"axis": 0, "batch_dims": 0})


@recipe("GATHER_ND", "float32 int8")
def _gather_nd(s: Sketch) -> None:
    x, picked = s.input((4, 3, s.draw.randint(1, 9))), s.draw.randint(1, 5)
    indices = s.builder.constant([[s.draw.randint(0, 3), 1] for _ in range(picked)], "int32")
    s.apply([x, indices], like(x, (picked, x.shape[2])), options={})


@recipe("RESHAPE", "float32 int8 int16 int32 bool int8_stretched")
def _reshape(s: Sketch) -> None:
    x = s.input((2, 3, s.draw.randint(1, 9)))
    elements = x.shape[2] * 6
    wanted = (-1, 6) if s.feature == "stretched" else (elements,)
    shape = (elements // 6, 6) if s.feature == "stretched" else (elements,)
    inputs = [x, s.builder.constant(wanted, "int32")]
    s.apply(inputs, like(x, shape), options={"new_shape": wanted})


@recipe("SQUEEZE", "float32 int8 int16 int32")
def _squeeze(s: Sketch) -> None:
    x = s.input((1, s.draw.randint(1, 9), 1, s.draw.randint(2, 9)))
    s.apply([x], like(x, (x.shape[1], x.shape[3])), options={"squeeze_dims": (0, 2)})


@recipe("EXPAND_DIMS", "float32 int8 int16")
def _expand_dims(s: Sketch) -> None:
    x = s.input(s.shape(2))
    axis = s.draw.randint(0, 2)
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    s.apply([x, s.builder.constant(axis, "int32")], like(x, shape), options={})


@recipe("SHAPE", "float32 int8")
def _shape(s: Sketch) -> None:
    x = s.input()
    s.apply([x], ((len(x.shape),), "int32"), options={"out_type": TensorType.INT32})


@recipe("TRANSPOSE", "float32 int8 int16 int8_2d")
def _transpose(s: Sketch) -> None:
    x = s.input(s.shape(2 if s.feature == "2d" else 4))
    order = list(range(len(x.shape)))
    s.draw.shuffle(order)
    s.builder.output(s.builder.transpose(x, order))


@recipe("RESIZE_BILINEAR", "float32 int8")
@recipe("RESIZE_NEAREST_NEIGHBOR", "float32 int8 int16")
def _resize(s: Sketch) -> None:
    x = s.input((1, 3, 4, s.draw.randint(1, 9)))
    size = s.draw.randint(2, 9), s.draw.randint(2, 9)
    wanted = s.builder.constant(size, "int32")
    s.apply([x, wanted], like(x, (1, *size, x.shape[3])), options={})


@recipe("DEPTH_TO_SPACE", "float32 int8")
def _depth_to_space(s: Sketch) -> None:
    x = s.input((1, 3, 2, 4 * s.draw.randint(1, 4)))
    _shuffle_block(s, x, (1, 6, 4, x.shape[3] // _BLOCK**2))


@recipe("SPACE_TO_DEPTH", "float32 int8")
def _space_to_depth(s: Sketch) -> None:
    x = s.input((1, 6, 4, s.draw.randint(1, 5)))
    _shuffle_block(s, x, (1, 3, 2, x.shape[3] * _BLOCK**2))


def _shuffle_block(s: Sketch, x: TensorRef, shape: tuple[int, ...]) -> None:
    s.apply([x], like(x, shape), options={"block_size": _BLOCK})


@recipe("SPACE_TO_BATCH_ND", "float32 int8")
def _space_to_batch(s: Sketch) -> None:
    x = s.input((1, 4, 6, s.draw.randint(1, 5)))
    _move_batches(s, x, (4, 2, 3, x.shape[3]))


@recipe("BATCH_TO_SPACE_ND", "float32 int8")
def _batch_to_space(s: Sketch) -> None:
    x = s.input((4, 2, 3, s.draw.randint(1, 5)))
    _move_batches(s, x, (1, 4, 6, x.shape[3]))


def _move_batches(s: Sketch, x: TensorRef, shape: tuple[int, ...]) -> None:
    block, edges = (s.builder.constant(v, "int32") for v in ((2, 2), ((0, 0), (0, 0))))
    s.apply([x, block, edges], like(x, shape), options={})
