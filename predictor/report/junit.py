"""JUnit XML of checked models, for CI systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One model held against its budgets.

    ``failures`` are broken budgets or a model that does not fit; ``error`` says why there is no
    prediction at all.
    """

    model: str
    board: str
    failures: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.failures and self.error is None


def junit_xml(results: Sequence[CheckResult]) -> str:
    """A test suite with one case per model and board."""
    suite = Element(
        "testsuite",
        name="predict check",
        tests=str(len(results)),
        failures=str(sum(bool(result.failures) for result in results)),
        errors=str(sum(result.error is not None for result in results)),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = SubElement(
            suite,
            "testcase",
            classname=_printable(result.board),
            name=_printable(result.model),
            time=f"{result.seconds:.3f}",
        )
        for failure in result.failures:
            SubElement(case, "failure", message=_printable(failure)).text = _printable(failure)
        if result.error is not None:
            SubElement(case, "error", message=_printable(result.error))
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """XML forbids control characters even when escaped."""
    return "".join(c if c >= " " or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
