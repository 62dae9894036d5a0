"""Placement in the memories of a board."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from predictor.boards.board import shipped_boards
from predictor.memory.sram import occupancy, place

SIZES = st.integers(0, 600_000)


@given(st.sampled_from(shipped_boards()), SIZES, SIZES, SIZES)
def test_occupancy_holds_everything_once_and_agrees_with_the_verdict(
    board, arena_bytes: int, static_bytes: int, reserve_bytes: int
) -> None:
    report = place(board, arena_bytes, static_bytes, reserve_bytes)
    uses = occupancy(board, report)
    items = [item for use in uses for item in use.items]
    assert sorted(items) == sorted(
        [
            ("arena", arena_bytes),
            ("statics", static_bytes),
            ("stack", report.stack_bytes),
            ("reserve", reserve_bytes),
        ]
    )
    assert report.fits == all(use.fits for use in uses)
    assert sum(use.span.size_bytes for use in uses) == board.sram_bytes
    bases = [use.span.regions[0].base for use in uses]
    assert bases == sorted(bases)
