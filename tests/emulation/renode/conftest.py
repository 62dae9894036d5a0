"""No Renode outlives the test that started it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from predictor.emulation.renode.console import close_idle


@pytest.fixture(autouse=True)
def no_renode_is_left() -> Iterator[None]:
    close_idle()
    yield
    close_idle()
