"""Reports of users beside what is predicted for them."""

from __future__ import annotations

import re

import pytest

from tests.docs.reports import PAGE, Report, outcome, reports, table

LEAST = 40


def test_the_table_is_what_is_predicted() -> None:
    assert PAGE.read_text(encoding="utf-8").endswith(table())


def test_there_are_enough_and_each_once() -> None:
    found = [item.report for item in reports()]
    assert len(found) == len(set(found)) >= LEAST


@pytest.mark.parametrize(
    "report",
    [item for item in reports() if re.search("Invoke fails|fails in Invoke", item.happened)],
    ids=lambda report: report.report,
)
def test_what_failed_when_it_ran_is_predicted_so(report: Report) -> None:
    found = outcome(report)
    assert found.arena_bytes is not None
    assert not found.runs


@pytest.mark.parametrize(
    "report",
    [
        item
        for item in reports()
        if re.search("no operator|refuses|fails to prepare", item.happened)
    ],
    ids=lambda report: report.report,
)
def test_what_was_refused_is_predicted_so(report: Report) -> None:
    assert outcome(report).arena_bytes is None
