"""The operators of TFLM of mid-2020 with its reference kernels.

Most of them have no Prepare, or one that checks little: what they do not support shows only when
they run. A module of this package mirrors, for each operator, Init, Prepare and what Eval can
return an error for; its work is counted as for the operator of current TFLM.
"""

from __future__ import annotations

from predictor.errors import RefusedError
from predictor.operators.context import NodeContext
from predictor.operators.loops import LoopCounter
from predictor.operators.registry import Columns, Overlay, Step

OVERLAY = Overlay(__name__, is_closed=True)


def register(
    *names: str,
    evaluate: Step,
    prepare: Step | None = None,
    init: Step | None = None,
    params: str | None = None,
    highest_version: int = 1,
    loops: LoopCounter | None = None,
) -> None:
    """Adds columns for each name; work and access order are those of today's reference kernel.

    Args:
        evaluate: mirrors the checks of Eval; what it refuses is an error of each inference.
        highest_version: the newest version that ``AllOpsResolver`` registers.
        loops: None where the kernel runs its loops as its successor does.
    """
    columns = Columns(
        prepare=_prepare_and_evaluate(prepare, evaluate),
        init=init,
        params=params,
        highest_version=highest_version,
    )
    if loops is not None:
        columns["loops"] = loops
    OVERLAY.register(*names, **columns)


def _prepare_and_evaluate(prepare: Step | None, evaluate: Step) -> Step:
    def step(ctx: NodeContext) -> None:
        if prepare is not None:
            prepare(ctx)
        try:
            evaluate(ctx)
        except RefusedError as error:
            ctx.fails_at_invoke(error.reason)

    return step
