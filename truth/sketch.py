"""A model under construction, and the table of recipes that draw one.

A model is named ``OPERATOR/variant``. Its name is the seed of all that is random in it, so that
adding a model changes no other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.builder.core import OutputSpec
from predictor.model.builder.tensors import tensor_type
from predictor.model.graph import Quantization

LARGEST_DIM = 9


class Sketch:
    """A model of one operator, unless its recipe adds more.

    Args:
        operator: the operator's name.
        variant: what tells the model from others of its operator: types of its tensors in order,
            then what is special, as in ``int8-int4_dilated``.
    """

    def __init__(self, operator: str, variant: str) -> None:
        self.operator = operator
        types, _, self.feature = variant.partition("_")
        self.types = types.split("-")
        name = f"{operator}/{variant}"
        self.builder = ModelBuilder(name, seed=crc32(name.encode()))
        self.draw = random.Random(name)

    @property
    def type(self) -> str:
        """The first type of the variant."""
        return self.types[0]

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        """A random shape, of 1 to 4 dimensions where ``rank`` is None; the first one is small."""
        rank = self.draw.randint(1, 4) if rank is None else rank
        dims = [self.draw.randint(1, LARGEST_DIM) for _ in range(rank)]
        return (self.draw.randint(1, 2), *dims[1:]) if rank > 1 else tuple(dims)

    def image(self, channels: int | None = None) -> tuple[int, int, int, int]:
        """A random shape of one image, 5 pixels wide and high at least."""
        height, width = self.draw.randint(5, 12), self.draw.randint(5, 12)
        return 1, height, width, channels or self.draw.randint(1, 12)

    def input(
        self,
        shape: Sequence[int] | None = None,
        type: str | None = None,
        quantization: Quantization | None = None,
    ) -> TensorRef:
        """An input of the model, by default of random shape and of the variant's first type."""
        shape = self.shape() if shape is None else shape
        return self.builder.input(shape, type or self.type, quantization=quantization)

    def apply(
        self,
        inputs: Sequence[TensorRef | None],
        *outputs: OutputSpec,
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> tuple[TensorRef, ...]:
        """Adds the sketch's operator and makes its outputs the model's."""
        written = self.builder.operator(self.operator, inputs, outputs, options, **more)
        self.builder.output(*written)
        return written


def like(x: TensorRef, shape: Sequence[int] | None = None) -> OutputSpec:
    """A tensor of the same type and quantisation, by default of the same shape."""
    return (x.shape if shape is None else shape), x.type, x.quantization


def of_type(shape: Sequence[int], type: str, scale: float = 0.05) -> OutputSpec:
    """A tensor of a type; its quantisation has zero point 0 where the type has one."""
    quantized = tensor_type(type).name in ("INT8", "INT16", "UINT8")
    return shape, type, Quantization((scale,), (0,)) if quantized else None


Recipe = Callable[[Sketch], None]
_RECIPES: dict[str, Recipe] = {}


def recipe(operators: str, variants: str) -> Callable[[Recipe], Recipe]:
    """Registers a recipe for each of the operators in each of the variants, apart by spaces."""

    def register(function: Recipe) -> Recipe:
        for operator in operators.split():
            for variant in variants.split():
                name = f"{operator}/{variant}"
                if name in _RECIPES:
                    raise ValueError(f"two recipes for {name}")
                _RECIPES[name] = function
        return function

    return register


def recipes() -> dict[str, Recipe]:
    """All recipes registered so far, by name of the model."""
    return dict(_RECIPES)
