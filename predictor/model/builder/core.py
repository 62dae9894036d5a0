"""One subgraph under construction: tensors, operators, inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from predictor.errors import UsageError
from predictor.model.builder.options import options_table, options_type
from predictor.model.builder.tensors import (
    NUMPY_TYPES,
    TensorRef,
    Type,
    range_quantization,
    stored_bytes,
    tensor_type,
)
from predictor.model.graph import (
    NO_OPTIONS,
    OPTIONAL_TENSOR,
    Operator,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
)

Shape = Sequence[int]
OutputSpec = tuple[Shape, Type] | tuple[Shape, Type, Quantization | None]
"""Shape, element type and, if wanted, quantisation of a tensor that an operator writes."""

INPUT_RANGE = (-1.0, 1.0)
"""Real values of quantised model inputs, unless the caller says otherwise."""
_UNIFORM_SPREAD = 3**-0.5


_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Core = TypeVar("_Core", bound="SubgraphCore")


class _LocatedError(UsageError):
    """A UsageError that already says where in the model it happened."""


def located(
    method: Callable[Concatenate[_Core, _Arguments], _Result],
) -> Callable[Concatenate[_Core, _Arguments], _Result]:
    """Makes a method's UsageErrors say which model, layer and operator they are about."""

    @wraps(method)
    def call(self: _Core, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except _LocatedError:
            raise
        except UsageError as error:
            name = kwargs.get("name") or kwargs.get("label")
            layer = method.__name__ + (f" {name!r}" if name else "")
            raise _LocatedError(
                f"model {self.model_name!r}, {layer} at operator {self.operator_count}: {error}"
            ) from None

    return call


class SubgraphCore:
    """What all layers are made of. Layers themselves are in the classes derived from this one."""

    def __init__(self, model_name: str, index: int, name: str, rng: np.random.Generator) -> None:
        self.index = index
        self.model_name = model_name
        self._name = name
        self._rng = rng
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._inputs: list[int] = []
        self._outputs: list[int] = []

    @property
    def operator_count(self) -> int:
        return len(self._operators)

    @property
    def tensor_count(self) -> int:
        return len(self._tensors)

    @located
    def input(
        self,
        shape: Shape,
        type: Type = "int8",
        *,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """An input of the subgraph, by default with real values in [-1, 1].

        Raises:
            UsageError: the shape or the type is not one.
        """
        kind = tensor_type(type)
        quantization = quantization or range_quantization(kind, *INPUT_RANGE)
        label = name or f"input_{len(self._inputs)}"
        tensor = self._new_tensor(label, shape, kind, quantization)
        self._inputs.append(tensor.index)
        return TensorRef(tensor, self.index, _UNIFORM_SPREAD)

    @located
    def output(self, *tensors: TensorRef) -> None:
        """Makes tensors outputs of the subgraph, in this order."""
        for tensor in tensors:
            self._outputs.append(self.index_of(tensor))

    @located
    def constant(
        self,
        values: npt.ArrayLike,
        type: Type | None = None,
        *,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """A constant. Without a type, arrays keep theirs, and numbers become int32 or float32.

        Raises:
            UsageError: the values do not fit the type, or no constant can have it.
        """
        array: npt.NDArray[Any] = np.asarray(values)
        label = name or f"constant_{len(self._tensors)}"
        if type is not None:
            kind = tensor_type(type)
        elif isinstance(values, np.ndarray):
            found = [t for t, n in NUMPY_TYPES.items() if np.dtype(n) == array.dtype]
            if not found:
                raise UsageError(f"constants of numpy type {array.dtype} are not supported")
            kind = found[0]
        elif array.dtype.kind in "biuf":
            kinds = {"b": TensorType.BOOL, "f": TensorType.FLOAT32}
            kind = kinds.get(array.dtype.kind, TensorType.INT32)
        else:
            raise UsageError(f"{values!r} is no array of numbers")
        data = memoryview(stored_bytes(array, kind))
        tensor = self._new_tensor(label, array.shape, kind, quantization, data or None)
        return TensorRef(tensor, self.index)

    @located
    def variable(
        self,
        shape: Shape,
        type: Type = "int8",
        *,
        quantization: Quantization | None = None,
        name: str | None = None,
    ) -> TensorRef:
        """A variable tensor, which keeps its values from one inference to the next."""
        kind = tensor_type(type)
        label = name or f"variable_{len(self._tensors)}"
        quantization = quantization or range_quantization(kind, *INPUT_RANGE)
        tensor = self._new_tensor(label, shape, kind, quantization, is_variable=True)
        return TensorRef(tensor, self.index, _UNIFORM_SPREAD)

    @located
    def operator(
        self,
        name: str,
        inputs: Sequence[TensorRef | None],
        outputs: Sequence[OutputSpec],
        options: Mapping[str, Any] | None = None,
        *,
        intermediates: Sequence[OutputSpec] = (),
        is_custom: bool = False,
        custom_options: bytes | None = None,
        version: int = 1,
        label: str | None = None,
    ) -> tuple[TensorRef, ...]:
        """Adds any operator and returns the tensors that it writes.

        Args:
            name: the schema's name ("CONV_2D"), or the custom code of a custom operator.
            inputs: None stands for an omitted optional input.
            options: fields of the operator's options table in snake case; None for no table.
            label: what its tensors are called.

        Raises:
            UsageError: the schema has no such operator or option.
        """
        label = label or self.next_label(name.lower())
        if is_custom and options is not None:
            raise UsageError("custom operators have custom_options, not options")
        if not is_custom:
            options_type(name)  # refuses names that are not in the schema
        table = NO_OPTIONS if options is None else options_table(name, options)
        read = tuple(
            OPTIONAL_TENSOR if tensor is None else self.index_of(tensor) for tensor in inputs
        )
        written = self._spec_tensors(label, outputs)
        between = self._spec_tensors(f"{label}/intermediate", intermediates)
        self._operators.append(
            Operator(
                index=len(self._operators),
                name=name,
                inputs=read,
                outputs=tuple(tensor.index for tensor in written),
                intermediates=tuple(tensor.index for tensor in between),
                options=table,
                custom_options=custom_options,
                is_custom=is_custom,
                version=version,
            )
        )
        return tuple(TensorRef(tensor, self.index) for tensor in written)

    def next_label(self, kind: str) -> str:
        """The name that the next operator gets unless the caller names it."""
        return f"{kind}_{len(self._operators)}"

    def finished(self) -> Subgraph:
        """The subgraph as built so far.

        Raises:
            UsageError: it has no output.
        """
        if not self._outputs:
            raise UsageError(
                f"model {self.model_name!r}: subgraph {self.index} has no output; "
                "mark one with output(tensor)"
            )
        return Subgraph(
            index=self.index,
            name=self._name,
            tensors=tuple(self._tensors),
            operators=tuple(self._operators),
            inputs=tuple(self._inputs),
            outputs=tuple(self._outputs),
        )

    def index_of(self, tensor: TensorRef) -> int:
        """The index of one of this subgraph's tensors.

        Raises:
            UsageError: it is no tensor, or that of another subgraph.
        """
        if not isinstance(tensor, TensorRef):
            raise UsageError(f"{tensor!r} is no tensor; use input(), constant() or a layer")
        index = tensor.index
        known = index < len(self._tensors) and self._tensors[index] is tensor.tensor
        if not known:
            raise UsageError(f"tensor {tensor.name!r} belongs to another subgraph or model")
        return index

    # For the layers.

    def _image(self, x: TensorRef) -> tuple[int, int, int, int]:
        self.index_of(x)
        if len(x.shape) != 4:
            raise UsageError(
                f"its input has shape {list(x.shape)}; it needs (batch, height, width, depth)"
            )
        batch, height, width, depth = x.shape
        return batch, height, width, depth

    def _spec_tensors(self, label: str, specs: Sequence[OutputSpec]) -> list[Tensor]:
        tensors = []
        for position, (shape, type, *rest) in enumerate(specs):
            name = label if len(specs) == 1 else f"{label}:{position}"
            quantization: Any = rest[0] if rest else None
            tensors.append(self._new_tensor(name, shape, tensor_type(type), quantization))
        return tensors

    def _new_tensor(
        self,
        name: str,
        shape: Shape,
        type: TensorType,
        quantization: Quantization | None = None,
        data: memoryview | None = None,
        is_variable: bool = False,
    ) -> Tensor:
        dims = tuple(int(dim) for dim in shape)
        if any(dim < 0 or dim != given for dim, given in zip(dims, shape, strict=True)):
            raise UsageError(f"{list(shape)} is no shape; dimensions are whole numbers from 0 on")
        tensor = Tensor(
            index=len(self._tensors),
            name=name,
            shape=dims,
            type=type,
            data=data,
            quantization=quantization,
            is_variable=is_variable,
        )
        self._tensors.append(tensor)
        return tensor

    def _add_layer(
        self,
        label: str,
        name: str,
        inputs: Sequence[TensorRef | None],
        output: OutputSpec,
        options: Mapping[str, Any] | None = None,
        *,
        spread: float = 1.0,
    ) -> TensorRef:
        """Adds an operator with one output, whose values are about ``spread`` large."""
        (written,) = self.operator(name, inputs, [output], options, label=label)
        return TensorRef(written.tensor, self.index, spread)
