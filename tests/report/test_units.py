"""Times and energies in words."""

from __future__ import annotations

import pytest

from predictor.report.units import energy_words, time_unit, time_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.00 µs"),
        (2.94e-7, "0.29 µs"),
        (1.5e-5, "15.0 µs"),
        (0.0293548, "29.4 ms"),
        (0.00999, "9.99 ms"),
        (0.117, "117 ms"),
        (0.99949, "999 ms"),
        (0.99951, "1.00 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_three_digits_and_the_unit_that_suits(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


def test_energies_and_units() -> None:
    assert energy_words(0.0131216) == "13.1 mJ"
    assert time_unit(0.02) == (1e-3, "ms")
