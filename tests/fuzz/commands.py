"""What each file goes through: the commands that read a model, in one process."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import predictor
from predictor.boards.board import shipped_boards
from predictor.errors import PredictorError, RefusedError
from predictor.memory.revision import load_revision, revision_names
from predictor.optimization import optimization
from predictor.optimization.optimizer import OptimizeOptions
from predictor.optimization.overlap import OverlapLevel
from predictor.optimization.plan_problem import ALIGNMENT
from predictor.prediction import Prediction, on_board, on_shipped_boards
from predictor.report import comparison_forms, layout, markdown, optimized, refusal, text
from predictor.report.check_result import CheckResult
from predictor.report.check_result import text as check_text
from predictor.report.comparison import compare, subject
from predictor.report.html.page import ModelReport, render
from predictor.report.json_report import dumps, error_json
from predictor.report.junit import junit_xml
from predictor.report.optimization_forms import plan_svg
from tests.fuzz.limits import CPU_S, limited

_SOLVER_S = 0.2
_REVISIONS = revision_names()
_OPTIMIZE_CPU_S = 3 * CPU_S + _SOLVER_S
"""An optimisation predicts several forms of a model."""


@dataclass(frozen=True)
class Fault:
    """What a file did that none may do."""

    kind: str
    command: str
    options: Mapping[str, Any]
    message: str


def fault_of(content: bytes, rng: random.Random) -> Fault | None:
    """Puts a file through prediction and one further command; None where all is well."""
    options = random_options(rng)
    name, command = rng.choice(COMMANDS)
    return run(name, command, content, options)


def run(
    name: str, command: Callable[..., None], content: bytes, options: Mapping[str, Any]
) -> Fault | None:
    limit_s = _OPTIMIZE_CPU_S if name == "optimize" else CPU_S
    try:
        with limited(limit_s):
            try:
                command(content, options)
            except RefusedError as error:
                _refusal(error)
                raise
    except PredictorError as error:
        return None if str(error).strip() else Fault("silent", name, options, repr(error))
    except AssertionError as error:
        return Fault("wrong", name, options, str(error))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return Fault(type(error).__name__, name, options, _where(error))
    return None


def _refusal(error: RefusedError) -> None:
    """What is said of a model that TFLM refuses."""
    json.loads(dumps(error_json(error, "model.tflite")), parse_constant=_no_constant)
    found = refusal.text(error, "model.tflite")
    if found is not None:
        layout.render(found)
    refusal.markdown(error, "model.tflite")


def _where(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "predictor" in code.co_filename:
            place = f"{code.co_filename.rpartition('predictor/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{place}: {error}"


def random_options(rng: random.Random) -> dict[str, Any]:
    """A revision with one of its kernel sets, a board and a resolver."""
    revision = rng.choice(("2026.08", "2026.08", "2026.08", *_REVISIONS))
    kernels = rng.choice((None, None, "mn", "reference", "cmsis_nn"))
    try:
        load_revision(revision, kernels)
    except PredictorError:
        kernels = None
    return {
        "board": rng.choice(shipped_boards()).name,
        "tflm": revision,
        "kernels": kernels,
        "resolver": rng.choice(("used", "used", "all")),
    }


def _predicted(content: bytes, options: Mapping[str, Any]) -> Prediction:
    """The prediction, whose figures are numbers and in range."""
    prediction = predictor.predict(content, **options)
    written = prediction.to_json()
    json.loads(dumps(written), parse_constant=_no_constant)
    arena = prediction.arena
    assert 0 <= arena.used_bytes <= arena.required_bytes + ALIGNMENT
    if not any(buffer.is_offline_planned for buffer in arena.buffers):
        assert 0 <= arena.lower_bound_bytes <= arena.nonpersistent_bytes
    return prediction


def _no_constant(name: str) -> float:
    raise AssertionError(f"{name} in JSON")


def _json(content: bytes, options: Mapping[str, Any]) -> None:
    _predicted(content, options)


def _text(content: bytes, options: Mapping[str, Any]) -> None:
    prediction = predictor.predict(content, **options)
    layout.render(text.report(prediction, True, ()))
    layout.render([text.boards_table(on_shipped_boards(prediction))])


def _markdown(content: bytes, options: Mapping[str, Any]) -> None:
    prediction = predictor.predict(content, **options)
    markdown.report(prediction, True, ())
    markdown.boards_table(on_shipped_boards(prediction))


def _page(content: bytes, options: Mapping[str, Any]) -> None:
    first = predictor.predict(content, **options)
    others = [on_board(first, board) for board in shipped_boards()]
    render([ModelReport("model.tflite", (first, *others))], "predict report")


def _compare(content: bytes, options: Mapping[str, Any]) -> None:
    first = predictor.predict(content, **options)
    others = {**options, "kernels": "reference"}
    second = predictor.predict(content, **others)
    found = compare([subject("a", first.to_json()), subject("b", second.to_json())], {})
    comparison_forms.text(found)
    comparison_forms.markdown(found)
    comparison_forms.html(found, "predict compare")


def _check(content: bytes, options: Mapping[str, Any]) -> None:
    prediction = predictor.predict(content, **options)
    errors = prediction.invoke_errors
    error = errors[0] if errors else None
    result = CheckResult("model.tflite", "f746zg", (), error, 0.0, prediction)
    check_text([result])
    junit_xml([result])


def _optimize(content: bytes, options: Mapping[str, Any]) -> None:
    settings = OptimizeOptions(
        overlap=OverlapLevel.DIAGONAL,
        time_limit_s=_SOLVER_S,
        reorder=len(content) % 2 == 0,
        instructions=optimization.count_instructions,
    )
    result = optimization.optimize_model(content, settings=settings, **options)
    before, after = result.before.arena.required_bytes, result.after.arena.required_bytes
    assert after <= before, f"optimised worse: {after} > {before}"
    assert result.optimized.after.required_bytes == after, "the file has another plan"
    json.loads(dumps(result.to_json()), parse_constant=_no_constant)
    layout.render(optimized.report(result))
    plan_svg(result)


COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    *[("json", _json)] * 8,
    *[("text", _text)] * 2,
    ("markdown", _markdown),
    ("report", _page),
    ("compare", _compare),
    ("check", _check),
    ("optimize", _optimize),
)
