"""JUnit XML of checked models, for CI systems."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from predictor.escapes import printable
from predictor.report.check_result import CheckResult


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
            classname=printable(result.board),
            name=printable(result.model),
            time=f"{result.seconds:.3f}",
        )
        for failure in result.failures:
            message = printable(failure.message)
            SubElement(case, "failure", message=message).text = message
        if result.error is not None:
            SubElement(case, "error", message=printable(result.error))
    indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"
