"""Proves from two graphs that one computes what the other does, on every input, to the bit.

The proof goes through the operators of the new graph in their order. Of each tensor it knows which
channels of which tensor of the old graph it holds. An operator is proved by the one of the old
graph that writes the same: options and scales must agree, weights must be those of the channels
that are left, and a channel that is gone must be accounted for: as a constant in the biases, as
one that no weight reads, or as the double of one that is left. Constants and doubles are found
here anew.
"""

from __future__ import annotations

from math import inf

import numpy as np

from predictor.errors import UnprovedError
from predictor.model.graph import Graph, Operator, Subgraph, Tensor
from predictor.optimization.verification.arithmetic import Array
from predictor.optimization.verification.channels import channel_parts
from predictor.optimization.verification.facts import Facts, check_time
from predictor.optimization.verification.reading import (
    Sum,
    depth,
    elements,
    is_alike,
    layer_sum,
    other_options,
)
from predictor.optimization.verification.sums import expected, same_depthwise, same_outputs
from predictor.records import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class Held:
    """A tensor of the new graph holds these channels of a tensor of the old one."""

    tensor: int
    channels: Array

    def is_whole(self, tensor: Tensor) -> bool:
        return np.array_equal(self.channels, np.arange(depth(tensor)))


def prove_equal(
    before: Graph,
    after: Graph,
    input_range: tuple[int, int] | None = None,
    deadline: float = inf,
) -> None:
    """Shows that two graphs compute the same.

    Args:
        input_range: for quantised inputs that hold no more than this; None: for all inputs.
        deadline: of ``time.monotonic()``, after which the proof is given up.

    Raises:
        UnprovedError: they may differ, with the first place where the proof fails.
    """
    if before.subgraphs[1:] != after.subgraphs[1:] or _contents(before) != _contents(after):
        raise UnprovedError("the subgraphs beside the main one differ")
    _Proof(before.main, after.main, input_range, deadline).run()


def _contents(graph: Graph) -> list[bytes]:
    return [
        bytes(tensor.data)
        for subgraph in graph.subgraphs[1:]
        for tensor in subgraph.tensors
        if tensor.data is not None
    ]


class _Proof:
    def __init__(
        self,
        before: Subgraph,
        after: Subgraph,
        input_range: tuple[int, int] | None,
        deadline: float,
    ) -> None:
        self.before, self.after = before, after
        self._deadline = deadline
        self.facts = Facts(before, input_range, deadline)
        self.held: dict[int, Held] = {}
        self._by_name: dict[str, list[Operator]] = {}
        for op in before.operators:
            for index in op.outputs[:1]:
                self._by_name.setdefault(before.tensors[index].name, []).append(op)
        self._stateful = [op for op in before.operators if not is_pure(op)]
        self._next_stateful = 0

    def run(self) -> None:
        if len(self.before.inputs) != len(self.after.inputs):
            raise UnprovedError("the models have not as many inputs")
        for old, new in zip(self.before.inputs, self.after.inputs, strict=True):
            first, second = self.before.tensors[old], self.after.tensors[new]
            if first.shape != second.shape or not is_alike(first, second):
                raise UnprovedError(f"input {second.name!r} differs")
            self.held[new] = Held(old, np.arange(depth(first)))
        for op in self.after.operators:
            check_time(self._deadline)
            try:
                self._operator(op)
            except UnprovedError as error:
                name = self.after.tensors[op.outputs[0]].name if op.outputs else ""
                raise UnprovedError(
                    f"operator {op.index} ({op.label}, {name!r}): {error}"
                ) from None
        if self._next_stateful != len(self._stateful):
            raise UnprovedError(f"{self._stateful[self._next_stateful].label} is missing")
        if len(self.before.outputs) != len(self.after.outputs):
            raise UnprovedError("the models have not as many outputs")
        for old, new in zip(self.before.outputs, self.after.outputs, strict=True):
            first, second = self.before.tensors[old], self.after.tensors[new]
            held = self._held(new)
            if first.shape != second.shape or not is_alike(first, second):
                raise UnprovedError(f"output {second.name!r} differs in shape or scale")
            if self._origin(held.tensor) != self._origin(old) or not held.is_whole(first):
                raise UnprovedError(f"output {second.name!r} is not that of the first model")

    def _origin(self, index: int) -> int:
        return self.facts.origin(index)

    def _held(self, index: int) -> Held:
        found = self.held.get(index)
        if found is None:
            found = self.held[index] = self._constant(self.after.tensors[index])
        return found

    def _holds(self, held: Held, old: int) -> bool:
        """Whether the channels that are held are those of an old tensor."""
        return self.facts.is_same_on(old, self._origin(held.tensor), held.channels)

    def _constant(self, tensor: Tensor) -> Held:
        """A constant in place of a tensor that the first model computes, always the same."""
        for op in self._by_name.get(tensor.name, []):
            old = op.outputs[0]
            first = self.before.tensors[old]
            value = self.facts.stored_value(old)
            is_same = first.shape == tensor.shape and is_alike(first, tensor)
            if is_same and value is not None and bytes(tensor.data or b"") == value:
                return Held(old, np.arange(depth(first)))
        raise UnprovedError(f"nothing writes tensor {tensor.name!r}")

    def _operator(self, op: Operator) -> None:
        if not is_pure(op):
            self._stateful_operator(op)
            return
        reasons = []
        for candidate in self._candidates(op):
            try:
                channels = self._same(op, candidate)
            except UnprovedError as error:
                reasons.append(str(error))
                continue
            for position, index in enumerate(op.outputs):
                old = candidate.outputs[position]
                own = channels if position == 0 else np.arange(depth(self.before.tensors[old]))
                self._check_output(index, old, own)
                self.held[index] = Held(old, own)
            return
        raise UnprovedError(reasons[0] if reasons else "the first model has no such operator")

    def _check_output(self, new: int, old: int, channels: Array) -> None:
        first, second = self.before.tensors[old], self.after.tensors[new]
        shape = (*first.shape[:-1], len(channels)) if first.shape else ()
        if second.shape != shape or not is_alike(first, second):
            raise UnprovedError(f"its output {second.name!r} has another shape, type or scale")

    def _candidates(self, op: Operator) -> list[Operator]:
        """Operators of the old graph that write what it writes, by its output's name."""
        named = self._by_name.get(self.after.tensors[op.outputs[0]].name, [])
        found = [old for old in named if old.name == op.name and not old.is_custom]
        for old in named:  # the tensor may be an idle operator's output
            origin = self.facts.writer.get(self._origin(old.outputs[0]))
            if origin is not None and origin.name == op.name and origin not in found:
                found.append(origin)
        return found

    def _stateful_operator(self, op: Operator) -> None:
        """Operators with a state, or unknown ones: the same in the same order, on whole tensors."""
        if self._next_stateful == len(self._stateful):
            raise UnprovedError("the first model has no such operator left")
        old = self._stateful[self._next_stateful]
        self._next_stateful += 1
        self._whole(op, old)
        pairs = list(zip(old.intermediates, op.intermediates, strict=False))
        tensors = [(self.before.tensors[a], self.after.tensors[b]) for a, b in pairs]
        if len(op.intermediates) != len(old.intermediates) or not all(
            first.shape == second.shape and is_alike(first, second) for first, second in tensors
        ):
            raise UnprovedError("its intermediate tensors differ")
        for new_index, old_index in zip(op.outputs, old.outputs, strict=True):
            channels = np.arange(depth(self.before.tensors[old_index]))
            self._check_output(new_index, old_index, channels)
            self.held[new_index] = Held(old_index, channels)

    def _same(self, op: Operator, old: Operator) -> Array:
        """Channels of the old operator's output that the new one's holds.

        Raises:
            UnprovedError: it may compute something else.
        """
        if op.name != old.name or len(op.outputs) != len(old.outputs):
            raise UnprovedError("the operators differ")
        layer = layer_sum(self.after, op)
        if layer is not None:
            return self._same_sum(op, old, layer)
        if other_options(op) != other_options(old):
            raise UnprovedError("its options differ")
        parts = channel_parts(self.before, old) if len(old.outputs) == 1 else None
        if parts is None:
            self._whole(op, old)
            return np.arange(depth(self.before.tensors[old.outputs[0]]))
        if len(op.inputs) != len(old.inputs):
            raise UnprovedError("it has not as many inputs")
        if op.name == "RESHAPE":
            return self._reshaped(op.inputs[0], old)
        if op.name == "CONCATENATION" and parts[0][1].size != depth(
            self.before.tensors[old.outputs[0]]
        ):
            return self._joined(op, old)
        return self._same_channels(op, old, {index for index, _ in parts})

    def _whole(self, op: Operator, old: Operator) -> None:
        """The operator is the old one, on equal tensors.

        Raises:
            UnprovedError: something differs.
        """
        if op.code[:3] != old.code[:3] or op.custom_options != old.custom_options:
            raise UnprovedError("the operators differ")
        if dict(op.options) != dict(old.options) or len(op.inputs) != len(old.inputs):
            raise UnprovedError("options or inputs differ")
        if len(op.outputs) != len(old.outputs):
            raise UnprovedError("its outputs differ in number")
        for new_index, old_index in zip(op.inputs, old.inputs, strict=True):
            if (new_index < 0) != (old_index < 0):
                raise UnprovedError("an optional input differs")
            if new_index >= 0:
                self._equal_tensors(new_index, old_index)

    def _equal_tensors(self, new: int, old: int) -> None:
        first, second = self.before.tensors[old], self.after.tensors[new]
        if first.shape != second.shape or not is_alike(first, second):
            raise UnprovedError(f"its input {second.name!r} differs")
        if first.is_variable != second.is_variable:
            raise UnprovedError(f"its variable {second.name!r} differs")
        if first.data is not None:
            if second.data is None or first.data != second.data:
                raise UnprovedError(f"its constant {second.name!r} differs")
            return
        if first.is_variable:
            return
        held = self._held(new)
        if self._origin(held.tensor) != self._origin(old) or not held.is_whole(first):
            raise UnprovedError(f"its input {second.name!r} is not that of the first model")

    def _source(self, new: int, old: int) -> Array:
        """Channels of an input of the old operator that the new one's input holds."""
        held = self._held(new)
        first, second = self.before.tensors[old], self.after.tensors[new]
        if not self._holds(held, old):
            raise UnprovedError(f"it reads {second.name!r} in place of {first.name!r}")
        if first.shape[:-1] != second.shape[:-1] or not is_alike(first, second):
            raise UnprovedError(f"its input {second.name!r} has another shape, type or scale")
        return held.channels

    def _joined(self, op: Operator, old: Operator) -> Array:
        """Channels after a concatenation along the last axis."""
        found, start = [], 0
        for new_index, old_index in zip(op.inputs, old.inputs, strict=True):
            source = self.before.tensors[old_index]
            values = elements(source)
            if values is None:
                own = self._source(new_index, old_index)
            else:
                own = self._columns(self.after.tensors[new_index], source, values)
            found.append(own + start)
            start += depth(source)
        return np.concatenate(found)

    def _columns(self, tensor: Tensor, source: Tensor, values: Array) -> Array:
        """Channels of a constant that another one holds, in their order."""
        own = elements(tensor)
        if own is None or not is_alike(source, tensor) or own.shape[:-1] != values.shape[:-1]:
            raise UnprovedError(f"its constant {tensor.name!r} differs")
        rows = values.reshape(-1, depth(source)).T
        found, place = list[int](), 0
        for column in own.reshape(-1, depth(tensor)).T:
            while place < len(rows) and not np.array_equal(rows[place], column):
                place += 1
            found.append(place)
            place += 1
        if found and found[-1] >= len(rows):
            raise UnprovedError(f"its constant {tensor.name!r} differs")
        return np.array(found, np.int64)

    def _same_channels(self, op: Operator, old: Operator, by_channel: set[int]) -> Array:
        """Channels after an operator that works channel by channel on all of its inputs."""
        pairs = list(zip(op.inputs, old.inputs, strict=True))
        held = [
            self._source(new, index)
            for new, index in pairs
            if index in by_channel and self.before.tensors[index].data is None
        ]
        if not held or any(not np.array_equal(held[0], other) for other in held[1:]):
            raise UnprovedError("its inputs hold other channels")
        for new, index in pairs:
            source, tensor = self.before.tensors[index], self.after.tensors[new]
            if source.data is None:
                if index not in by_channel:
                    self._equal_tensors(new, index)
                continue
            own, values = elements(tensor), elements(source)
            if own is None or values is None or not is_alike(source, tensor):
                raise UnprovedError(f"its constant {tensor.name!r} differs")
            expected = values[..., held[0]] if index in by_channel else values
            if own.shape != expected.shape or not np.array_equal(own, expected):
                raise UnprovedError(f"its constant {tensor.name!r} differs")
        return held[0]

    def _reshaped(self, new: int, old: Operator) -> Array:
        """Channels after a reshape that keeps the last axis or joins whole axes to it."""
        source, held = old.inputs[0], self._held(new)
        first = self.before.tensors[source]
        if not self._holds(held, source):
            return self._reshaped_through(held, old)
        if first.shape[:-1] != self.after.tensors[new].shape[:-1]:
            raise UnprovedError("it reshapes another tensor")
        return self._tiled(held, depth(first), depth(self.before.tensors[old.outputs[0]]))

    def _reshaped_through(self, held: Held, old: Operator) -> Array:
        """A reshape that reads what reshapes before it read."""
        writer: Operator | None = old
        while writer is not None and writer.name in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"):
            source = writer.inputs[0]
            if self._origin(source) == self._origin(held.tensor):
                before = self.before.tensors[source]
                after = depth(self.before.tensors[old.outputs[0]])
                return self._tiled(held, depth(before), after)
            writer = self.facts.writer.get(source)
        raise UnprovedError("it reshapes another tensor")

    def _tiled(self, held: Held, before: int, after: int) -> Array:
        if len(held.channels) == before and np.array_equal(held.channels, np.arange(before)):
            return np.arange(after)
        if after % before:
            raise UnprovedError("it tears channels apart")
        return np.add.outer(np.arange(after // before) * before, held.channels).reshape(-1)

    def _same_sum(self, op: Operator, old: Operator, layer: Sum) -> Array:
        padded = None
        held = self._held(op.inputs[0])
        source = old.inputs[0]
        writer = self.facts.writer.get(source)
        if not self._holds(held, source) and writer is not None:
            if writer.name != "PAD" or len(writer.inputs) != 2:
                raise UnprovedError("it reads another tensor")
            padded, source = writer, writer.inputs[0]
            if not is_alike(self.before.tensors[source], self.before.tensors[old.inputs[0]]):
                raise UnprovedError("the padding rescales")
        first = layer_sum(self.before, old, padded)
        if first is None:
            raise UnprovedError("the first model's operator is not known")
        left = self._source(op.inputs[0], source)
        if other_options(op) != other_options(old):
            raise UnprovedError("its options differ")
        agree = (layer.reach, layer.clamp, layer.in_zero, layer.out_zero)
        if agree != (first.reach, first.clamp, first.in_zero, first.out_zero):
            raise UnprovedError("its window, bounds or zero points differ")
        channels = depth(self.before.tensors[source])
        if first.is_depthwise:
            return same_depthwise(layer, first, left, channels)
        return same_outputs(layer, first, expected(first, self.facts, source, left))


_PURE = frozenset(
    {
        "ABS", "ADD", "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D",
        "DEPTHWISE_CONV_2D", "DEQUANTIZE", "EXPAND_DIMS", "FULLY_CONNECTED", "GATHER",
        "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM",
        "MUL", "PACK", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE",
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SHAPE", "SLICE", "SOFTMAX", "SPLIT",
        "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
    }
)  # fmt: skip


def is_pure(op: Operator) -> bool:
    """Whether an operator does nothing but write its outputs."""
    return not op.is_custom and op.name in _PURE
