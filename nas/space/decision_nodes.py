"""Decision nodes: what a search chooses between. Framework-free.

All kinds are one mechanism: a node has options, training keeps one logit for each, and the
search ends with the index of one option (paper, section 5.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from predictor.errors import UsageError

CHANNEL_MULTIPLE = 4
"""Widths are multiples of this: CMSIS-NN is fast there, and 4-bit rows end on whole bytes."""

Decisions = Mapping[str, int]
"""Chosen option index by node name."""


@dataclass(frozen=True)
class DecisionNode:
    """A choice between options; ``labels`` are what reports call them."""

    name: str

    @property
    def labels(self) -> tuple[str, ...]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class WidthChoice(DecisionNode):
    """Output channels of the layers that name it; ascending multiples of 4.

    Raises:
        UsageError: the options are not ascending positive multiples of 4.
    """

    options: tuple[int, ...]

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in zip(self.options, self.options[1:], strict=False))
        multiples = all(c > 0 and c % CHANNEL_MULTIPLE == 0 for c in self.options)
        if not (self.options and ascending and multiples):
            raise UsageError(
                f"widths of {self.name!r} are {list(self.options)}; give ascending multiples of "
                f"{CHANNEL_MULTIPLE}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(str(channels) for channels in self.options)

    def __len__(self) -> int:
        return len(self.options)


@dataclass(frozen=True)
class SkipChoice(DecisionNode):
    """Depth: option 0 runs a block, option 1 goes around it."""

    @property
    def labels(self) -> tuple[str, ...]:
        return ("run", "skip")


@dataclass(frozen=True)
class OpChoice(DecisionNode):
    """One of several operators in parallel branches, named by ``operators``."""

    operators: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.operators) < 2:
            raise UsageError(f"{self.name!r} needs two operators to choose between")

    @property
    def labels(self) -> tuple[str, ...]:
        return self.operators


@dataclass(frozen=True)
class BitwidthChoice(DecisionNode):
    """Bits of the weights, or of the activations, of the layers that name it.

    Raises:
        UsageError: a width that TFLM has no kernel for.
    """

    options: tuple[int, ...] = (8, 4)

    def __post_init__(self) -> None:
        if not self.options or not set(self.options) <= {4, 8}:
            raise UsageError(f"bits of {self.name!r} are {list(self.options)}; kernels take 8 or 4")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{bits} bit" for bits in self.options)


def width_options(channels: int, fractions: tuple[float, ...]) -> tuple[int, ...]:
    """Multiples of 4 nearest to fractions of a width, without repetitions."""
    rounded = {
        max(CHANNEL_MULTIPLE, round(channels * f / CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE)
        for f in fractions
    }
    return tuple(sorted(rounded))
