"""Layers that pool, reduce, move or join values without weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

from predictor.errors import UsageError
from predictor.model.builder.core import SubgraphCore, located
from predictor.model.builder.elementwise import need_equal_quantization
from predictor.model.builder.geometry import Pair, window
from predictor.model.builder.tensors import TensorRef


class MovementLayers(SubgraphCore):
    """Each layer returns its output and raises a UsageError where its input does not fit.

    Outputs keep the type and quantisation of the input; ``name`` names the output.
    """

    @located
    def average_pool_2d(
        self,
        x: TensorRef,
        *,
        kernel: Pair | None = None,
        stride: Pair | None = None,
        padding: str = "valid",
        activation: str = "none",
        name: str | None = None,
    ) -> TensorRef:
        """AVERAGE_POOL_2D; the kernel is the whole image and the stride the kernel by default."""
        return self._pool("AVERAGE_POOL_2D", x, kernel, stride, padding, activation, name)

    @located
    def max_pool_2d(
        self,
        x: TensorRef,
        *,
        kernel: Pair | None = None,
        stride: Pair | None = None,
        padding: str = "valid",
        activation: str = "none",
        name: str | None = None,
    ) -> TensorRef:
        """MAX_POOL_2D; the kernel is the whole image and the stride the kernel by default."""
        return self._pool("MAX_POOL_2D", x, kernel, stride, padding, activation, name)

    @located
    def mean(
        self,
        x: TensorRef,
        axes: Sequence[int],
        *,
        keep_dims: bool = False,
        name: str | None = None,
    ) -> TensorRef:
        """MEAN over some axes."""
        label = name or self.next_label("mean")
        reduced = {_axis(x, axis) for axis in axes}
        shape = [
            1 if axis in reduced else dim
            for axis, dim in enumerate(x.shape)
            if keep_dims or axis not in reduced
        ]
        indices = self.constant(sorted(reduced), "int32", name=f"{label}/axes")
        spread = _averaged_spread(x, prod(x.shape[axis] for axis in reduced))
        spec = (shape, x.type, x.quantization)
        options = {"keep_dims": keep_dims}
        return self._add_layer(label, "MEAN", [x, indices], spec, options, spread=spread)

    @located
    def concatenation(
        self, tensors: Sequence[TensorRef], axis: int = -1, *, name: str | None = None
    ) -> TensorRef:
        """CONCATENATION of tensors of equal quantisation."""
        if not tensors:
            raise UsageError("it needs at least one input")
        first = tensors[0]
        position = _axis(first, axis)
        need_equal_quantization(list(tensors))
        for other in tensors:
            rest = [s[:position] + s[position + 1 :] for s in (first.shape, other.shape)]
            if rest[0] != rest[1]:
                raise UsageError(
                    f"shapes {list(first.shape)} and {list(other.shape)} differ beyond axis {axis}"
                )
        shape = list(first.shape)
        shape[position] = sum(tensor.shape[position] for tensor in tensors)
        return self._add_layer(
            name or self.next_label("concatenation"),
            "CONCATENATION",
            list(tensors),
            (shape, first.type, first.quantization),
            {"axis": position, "fused_activation_function": "none"},
            spread=max(tensor.spread for tensor in tensors),
        )

    @located
    def pad(
        self, x: TensorRef, paddings: Sequence[tuple[int, int]], *, name: str | None = None
    ) -> TensorRef:
        """PAD with zeros; ``paddings`` has (before, after) for each axis."""
        label = name or self.next_label("pad")
        if len(paddings) != len(x.shape) or any(n < 0 for pair in paddings for n in pair):
            raise UsageError(
                f"paddings {list(paddings)} are not {len(x.shape)} pairs of numbers from 0 on"
            )
        shape = [dim + sum(pair) for dim, pair in zip(x.shape, paddings, strict=True)]
        amounts = self.constant(paddings, "int32", name=f"{label}/paddings")
        return self._moved("PAD", [x, amounts], shape, {}, label)

    @located
    def reshape(self, x: TensorRef, shape: Sequence[int], *, name: str | None = None) -> TensorRef:
        """RESHAPE; one dimension may be -1."""
        label = name or self.next_label("reshape")
        wanted = list(shape)
        if wanted.count(-1) == 1:
            known = prod(dim for dim in wanted if dim != -1)
            wanted[wanted.index(-1)] = prod(x.shape) // known if known else 0
        if prod(wanted) != prod(x.shape) or -1 in wanted:
            raise UsageError(f"{list(x.shape)} cannot be reshaped to {list(shape)}")
        dims = self.constant(wanted, "int32", name=f"{label}/shape")
        return self._moved("RESHAPE", [x, dims], wanted, {"new_shape": tuple(wanted)}, label)

    @located
    def transpose(
        self, x: TensorRef, permutation: Sequence[int], *, name: str | None = None
    ) -> TensorRef:
        """TRANSPOSE."""
        label = name or self.next_label("transpose")
        if sorted(permutation) != list(range(len(x.shape))):
            raise UsageError(f"{list(permutation)} is no permutation of {len(x.shape)} axes")
        order = self.constant(permutation, "int32", name=f"{label}/permutation")
        shape = [x.shape[axis] for axis in permutation]
        return self._moved("TRANSPOSE", [x, order], shape, {}, label)

    @located
    def strided_slice(
        self,
        x: TensorRef,
        begin: Sequence[int],
        end: Sequence[int],
        strides: Sequence[int] | None = None,
        *,
        name: str | None = None,
    ) -> TensorRef:
        """STRIDED_SLICE: from ``begin`` to before ``end`` along each axis, without masks."""
        label = name or self.next_label("strided_slice")
        steps = list(strides) if strides is not None else [1] * len(x.shape)
        if not len(begin) == len(end) == len(steps) == len(x.shape) or 0 in steps:
            raise UsageError(
                f"begin, end and strides need {len(x.shape)} numbers each, strides other than 0"
            )
        shape = [
            len(range(*slice(first, last, step).indices(dim)))
            for dim, first, last, step in zip(x.shape, begin, end, steps, strict=True)
        ]
        bounds = [
            self.constant(values, "int32", name=f"{label}/{what}")
            for what, values in (("begin", begin), ("end", end), ("strides", steps))
        ]
        return self._moved("STRIDED_SLICE", [x, *bounds], shape, {}, label)

    @located
    def split(
        self, x: TensorRef, parts: int, axis: int = -1, *, name: str | None = None
    ) -> tuple[TensorRef, ...]:
        """SPLIT into equal parts."""
        label = name or self.next_label("split")
        position = _axis(x, axis)
        if parts < 1 or x.shape[position] % parts:
            raise UsageError(f"axis {axis} of {list(x.shape)} has no {parts} equal parts")
        shape = list(x.shape)
        shape[position] //= parts
        index = self.constant(position, "int32", name=f"{label}/axis")
        specs = [(shape, x.type, x.quantization)] * parts
        written = self.operator("SPLIT", [index, x], specs, {"num_splits": parts}, label=label)
        return tuple(TensorRef(part.tensor, self.index, x.spread) for part in written)

    @located
    def resize_nearest_neighbor(
        self, x: TensorRef, size: tuple[int, int], *, name: str | None = None
    ) -> TensorRef:
        """RESIZE_NEAREST_NEIGHBOR to ``size`` = (height, width)."""
        return self._resize("RESIZE_NEAREST_NEIGHBOR", x, size, name)

    @located
    def resize_bilinear(
        self, x: TensorRef, size: tuple[int, int], *, name: str | None = None
    ) -> TensorRef:
        """RESIZE_BILINEAR to ``size`` = (height, width)."""
        return self._resize("RESIZE_BILINEAR", x, size, name)

    def _pool(
        self,
        operator: str,
        x: TensorRef,
        kernel: Pair | None,
        stride: Pair | None,
        padding: str,
        activation: str,
        name: str | None,
    ) -> TensorRef:
        label = name or self.next_label(operator.lower())
        batch, height, width, depth = self._image(x)
        kernel = kernel or (height, width)
        view = window(kernel, stride or kernel, padding)
        spec = ((batch, *view.output_size(height, width), depth), x.type, x.quantization)
        options = view.stride_options | {
            "filter_height": view.kernel[0],
            "filter_width": view.kernel[1],
            "fused_activation_function": activation,
        }
        is_average = operator == "AVERAGE_POOL_2D"
        spread = _averaged_spread(x, prod(view.kernel)) if is_average else x.spread
        return self._add_layer(label, operator, [x], spec, options, spread=spread)

    def _resize(
        self, operator: str, x: TensorRef, size: tuple[int, int], name: str | None
    ) -> TensorRef:
        label = name or self.next_label(operator.lower())
        batch, _, _, depth = self._image(x)
        if len(size) != 2 or min(size) < 1:
            raise UsageError(f"size {size!r} is not (height, width)")
        wanted = self.constant(size, "int32", name=f"{label}/size")
        return self._moved(operator, [x, wanted], (batch, *size, depth), {}, label)

    def _moved(
        self,
        operator: str,
        inputs: list[TensorRef],
        shape: Sequence[int],
        options: dict[str, object],
        label: str,
    ) -> TensorRef:
        """Adds an operator whose output has the values of its first input."""
        x = inputs[0]
        spec = (shape, x.type, x.quantization)
        return self._add_layer(label, operator, inputs, spec, options, spread=x.spread)


def _axis(x: TensorRef, axis: int) -> int:
    rank = len(x.shape)
    if not -rank <= axis < rank:
        raise UsageError(f"axis {axis} is not one of the {rank} of {list(x.shape)}")
    return axis % rank


def _averaged_spread(x: TensorRef, count: int) -> float:
    """Averages of values around 0 get small; averages of non-negative values do not."""
    return x.spread * 0.8 if x.is_nonnegative else x.spread / sqrt(max(count, 1))
