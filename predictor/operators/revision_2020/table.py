"""The table of the operators, and how their rows are put together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from predictor.errors import RefusedError
from predictor.operators import registry
from predictor.operators.context import NodeContext
from predictor.operators.registry import OperatorRow, OperatorTable, Step
from predictor.operators.revision_2020.loops import LOOPS

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activations": ("LOGISTIC", "PRELU", "RELU", "RELU6", "SOFTMAX", "TANH"),
        "arithmetic": (
            "ADD",
            "EQUAL",
            "GREATER",
            "GREATER_EQUAL",
            "LESS",
            "LESS_EQUAL",
            "LOGICAL_AND",
            "LOGICAL_OR",
            "MAXIMUM",
            "MINIMUM",
            "MUL",
            "NOT_EQUAL",
            "SUB",
        ),
        "elementwise": (
            "ABS",
            "CEIL",
            "COS",
            "DEQUANTIZE",
            "FLOOR",
            "LOG",
            "LOGICAL_NOT",
            "NEG",
            "QUANTIZE",
            "ROUND",
            "RSQRT",
            "SIN",
            "SQRT",
            "SQUARE",
        ),
        "movement": (
            "CONCATENATION",
            "PACK",
            "PAD",
            "PADV2",
            "RESHAPE",
            "RESIZE_NEAREST_NEIGHBOR",
            "SPLIT",
            "STRIDED_SLICE",
            "UNPACK",
        ),
        "reductions": (
            "ARG_MAX",
            "ARG_MIN",
            "AVERAGE_POOL_2D",
            "L2_NORMALIZATION",
            "MAX_POOL_2D",
            "MEAN",
        ),
        "streaming": ("CIRCULAR_BUFFER", "SVDF"),
        "weighted": ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"),
    }
)

OPERATORS = OperatorTable(__package__, FAMILIES)


def register(
    *names: str,
    evaluate: Step,
    prepare: Step | None = None,
    init: Step | None = None,
    params: str | None = None,
    highest_version: int = 1,
) -> None:
    """Adds a row for each name.

    Args:
        evaluate: mirrors the checks of Eval; what it refuses is an error of each inference.
        highest_version: the newest version that ``AllOpsResolver`` registers.
    """
    for name in names:
        OPERATORS.register(
            name,
            prepare=_prepare_and_evaluate(prepare, evaluate),
            count=_current(name).count,
            overlap=_current(name).overlap,
            init=init,
            params=params,
            highest_version=highest_version,
            loops=LOOPS.get(name),
        )


def _current(name: str) -> OperatorRow:
    """The row of today's operator: its work and the order of its reference kernel are the same."""
    row = registry.OPERATORS.find(name)
    if row is None:
        raise ValueError(f"the table of current operators lacks {name}, whose work is counted")
    return row


def _prepare_and_evaluate(prepare: Step | None, evaluate: Step) -> Step:
    def step(ctx: NodeContext) -> None:
        if prepare is not None:
            prepare(ctx)
        try:
            evaluate(ctx)
        except RefusedError as error:
            ctx.fails_at_invoke(error.reason)

    return step
