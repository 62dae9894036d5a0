"""What is read from static libraries, whatever their bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.boards.board import find_board
from predictor.errors import UsageError
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.static_library import read_static_library
from predictor.firmware.toolchain import find_toolchain

pytestmark = [pytest.mark.toolchain, pytest.mark.usefixtures("firmware_tools")]


@pytest.fixture(scope="module")
def archive() -> bytes:
    library = PackagedTflm().library(
        find_toolchain(), find_board("f446re"), "reference", lambda text: None
    )
    return library.archive.read_bytes()[:40_000]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_library_is_an_error(
    data: st.DataObject, archive: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(archive[: data.draw(st.integers(0, len(archive)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "libtflm.a"
    path.write_bytes(content)
    try:
        found = read_static_library(path)
    except UsageError:
        return
    assert all(isinstance(name, str) for name in found.symbols)
