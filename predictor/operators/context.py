"""What an operator's Init and Prepare see, and the record of what they ask of the arena.

Each operator of TFLM allocates memory in two steps, Init and Prepare. The modules of this package
mirror those steps against a :class:`NodeContext`, which records the requests in order; the folder
``memory`` replays them against the arena. A mirrored Prepare therefore *is* the memory model of
its operator: order, sizes and refusals are all in it.

Mirrors ``MicroContext``, ``MicroInterpreterContext`` and the parts of ``MicroAllocator`` that
kernels call.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NoReturn

from predictor.cores.core import Core
from predictor.errors import RefusedError
from predictor.model.graph import Graph, Operator, Quantization, Subgraph, Tensor, TensorType
from predictor.operators.sizes import align_up, runtime_bytes

PERSISTENT = 1
TEMPORARY = 2
_MOST_COPIES = 4096

Request = tuple[int, int, int]
"""(PERSISTENT or TEMPORARY, bytes, alignment), in the order in which TFLM makes the requests."""


class GraphState:
    """What the operators' Prepare functions change in eval tensors while a graph is prepared.

    ``shapes`` and ``data`` are keyed by (subgraph index, tensor index): shapes that a kernel has
    replaced, and tensors whose data pointer a kernel has set, so that they are not planned.
    ``resources`` maps (container, shared name) to the ids of resource variables, of which there
    may be ``resource_limit``, or any number. ``values_read``:
    values of constants that they have read; ``taps_walked``: taps of windows gone through to count
    their work.
    """

    __slots__ = (
        "data",
        "resource_limit",
        "resources",
        "shapes",
        "shared",
        "taps_walked",
        "values_read",
    )

    def __init__(self, resource_limit: int | None = None) -> None:
        self.resource_limit = resource_limit
        self.shapes: dict[tuple[int, int], tuple[int, ...]] = {}
        self.data: set[tuple[int, int]] = set()
        self.resources: dict[tuple[str, str], int] = {}
        self.shared: dict[str, Any] = {}
        self.values_read = 0
        self.taps_walked = 0


class NodeContext:
    """One operator being initialised and prepared; records its memory requests.

    Args:
        sizeof: bytes of a C struct by name, for the TFLM revision, target and kernel set.
        core: the processor, by whose instructions kernel sets choose among their kernels.
    """

    __slots__ = (
        "core",
        "graph",
        "inexact_reasons",
        "invoke_errors",
        "notes",
        "op",
        "pointer_bytes",
        "requests",
        "scratch_bytes",
        "sizeof",
        "state",
        "subgraph",
        "user",
    )

    def __init__(
        self,
        graph: Graph,
        subgraph: Subgraph,
        op: Operator,
        core: Core,
        sizeof: Callable[[str], int],
        state: GraphState,
    ) -> None:
        self.graph = graph
        self.subgraph = subgraph
        self.op = op
        self.core = core
        self.sizeof = sizeof
        self.pointer_bytes = sizeof("ptr")
        self.state = state
        self.user: Any = None
        """Whatever Init wants to hand to Prepare (TFLM's ``node->user_data``)."""
        self.requests: list[Request] = []
        self.scratch_bytes: list[int] = []
        self.inexact_reasons: tuple[str, ...] = ()
        self.invoke_errors: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def with_operator(self, op: Operator) -> NodeContext:
        """What another operator would see in the place of this one."""
        return type(self)(self.graph, self.subgraph, op, self.core, self.sizeof, self.state)

    # Tensors.

    def input(self, position: int) -> Tensor | None:
        """The tensor at an input position, None where it is absent or optional and omitted."""
        inputs = self.op.inputs
        if 0 <= position < len(inputs) and inputs[position] >= 0:
            return self.subgraph.tensors[inputs[position]]
        return None

    def output(self, position: int) -> Tensor | None:
        outputs = self.op.outputs
        if 0 <= position < len(outputs):
            return self.subgraph.tensors[outputs[position]]
        return None

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """The tensor's shape, as changed by operators prepared so far."""
        if self.state.shapes:
            return self.state.shapes.get((self.subgraph.index, tensor.index), tensor.shape)
        return tensor.shape

    def set_shape(self, tensor: Tensor, shape: tuple[int, ...]) -> None:
        """Replaces the eval tensor's dims (the memory of the new dims is requested apart)."""
        self.state.shapes[self.subgraph.index, tensor.index] = shape

    def set_data(self, tensor: Tensor) -> None:
        """The kernel points the eval tensor at memory of its own: it will not be planned."""
        self.state.data.add((self.subgraph.index, tensor.index))

    def element_count(self, tensor: Tensor) -> int:
        return prod(self.shape(tensor))

    def runtime_bytes(self, tensor: Tensor) -> int:
        """Bytes of the tensor in the arena. Mirrors ``TfLiteEvalTensorByteLength``."""
        return runtime_bytes(tensor, self.shape(tensor))

    def temp_input(self, position: int) -> Tensor | None:
        """``AllocateTempInputTensor``: the tensor, with its temporary memory requested."""
        tensor = self.input(position)
        if tensor is not None:
            self._request_temp_tensor(tensor.quantization)
        return tensor

    def temp_output(self, position: int) -> Tensor | None:
        """``AllocateTempOutputTensor``."""
        tensor = self.output(position)
        if tensor is not None:
            self._request_temp_tensor(tensor.quantization)
        return tensor

    def temp_intermediate(self, position: int) -> Tensor | None:
        """``AllocateTempIntermediateTensor``."""
        intermediates = self.op.intermediates
        if not 0 <= position < len(intermediates):
            return None
        tensor = self.subgraph.tensors[intermediates[position]]
        self._request_temp_tensor(tensor.quantization)
        return tensor

    def need_input(self, position: int, temp: bool = True) -> Tensor:
        """An input that TFLM insists on; with ``temp`` as ``AllocateTempInputTensor`` does."""
        tensor = self.input(position)
        if tensor is None:
            self.refuse(f"input {position} is missing")
        if temp:
            self._request_temp_tensor(tensor.quantization)
        return tensor

    def need_output(self, position: int, temp: bool = True) -> Tensor:
        """An output that TFLM insists on; with ``temp`` as ``AllocateTempOutputTensor`` does."""
        tensor = self.output(position)
        if tensor is None:
            self.refuse(f"output {position} is missing")
        if temp:
            self._request_temp_tensor(tensor.quantization)
        return tensor

    def _request_temp_tensor(self, quantization: Quantization | None) -> None:
        """The tensor, its quantisation and the zero points, which stand back to back."""
        size_bytes = self.sizeof("TfLiteTensor")
        if quantization is not None:
            zero_points_bytes = 4 + 4 * len(quantization.scales)
            size_bytes += self.sizeof("TfLiteAffineQuantization") + zero_points_bytes
        self.requests.append((TEMPORARY, size_bytes, self.pointer_bytes))

    # Memory.

    def persistent(self, size_bytes: int) -> None:
        """``AllocatePersistentBuffer``: memory for the life of the interpreter, 16-aligned."""
        self.requests.append((PERSISTENT, size_bytes, 16))

    def persistent_copies(self, size_bytes: int, count: int) -> None:
        """``AllocatePersistentBuffer`` so many times. A file may ask for millions: then all but
        the first few are one request, which takes the same memory."""
        alone = min(count, _MOST_COPIES)
        self.requests += [(PERSISTENT, size_bytes, 16)] * alone
        if count > alone:
            self.requests.append((PERSISTENT, (count - alone) * align_up(size_bytes, 16), 16))

    def persistent_struct(self, name: str, count: int = 1) -> None:
        """``AllocatePersistentBuffer(sizeof(name) * count)``."""
        self.requests.append((PERSISTENT, self.sizeof(name) * count, 16))

    def temporary(self, size_bytes: int, alignment: int) -> None:
        """``AllocateTempBuffer``: memory until the end of this Prepare."""
        self.requests.append((TEMPORARY, size_bytes, alignment))

    def scratch(self, size_bytes: int) -> None:
        """``RequestScratchBufferInArena``: planned memory that lives during this operator."""
        self.scratch_bytes.append(size_bytes)

    # Checks.

    def refuse(self, reason: str) -> NoReturn:
        """TFLM returns an error here.

        Raises:
            RefusedError: always.
        """
        raise RefusedError(reason, self.op.label, self.op.index, self.subgraph.index)

    def ensure(self, condition: bool, reason: str) -> None:
        """Mirrors ``TF_LITE_ENSURE``; ``reason`` says what TFLM demands, in words.

        Raises:
            RefusedError: the condition does not hold.
        """
        if not condition:
            self.refuse(reason)

    def ensure_type(self, tensor: Tensor, *allowed: TensorType) -> None:
        """Refuses a tensor whose element type is not among those allowed."""
        if tensor.type not in allowed:
            names = ", ".join(kind.name for kind in allowed)
            self.refuse(f"tensor {tensor.name!r} is {tensor.type.name}; TFLM takes {names} here")

    def fails_at_invoke(self, reason: str) -> None:
        """The model prepares, but this operator returns an error each time it runs."""
        self.invoke_errors += (reason,)

    def inexact(self, reason: str) -> None:
        """The requests recorded for this operator are not known to be exact; says why."""
        self.inexact_reasons += (reason,)

    def note(self, text: str) -> None:
        """Something that users should know about this operator."""
        self.notes += (text,)
