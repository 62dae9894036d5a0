"""Probes through pyOCD, and whether the fake one of these tests has pyOCD's face."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from predictor.boards.board import find_board, shipped_boards
from predictor.errors import BoardError, BoardRunError
from predictor.measure.probe import PyOcdProbe
from tests.measure.conftest import Bench, _fake_pyocd


def test_the_only_probe(bench: Bench) -> None:
    with PyOcdProbe(bench.board) as probe:
        assert probe._session.is_open
        assert probe._session.target_override == "stm32f446retx"
    assert not probe._session.is_open


def test_no_probe_and_several(bench: Bench) -> None:
    bench.probes = []
    with pytest.raises(BoardRunError, match="no debug probe is connected"):
        PyOcdProbe(bench.board)
    bench.probes = ["0669AA", "066BBB"]
    with pytest.raises(BoardRunError, match="choose with --probe: 0669AA, 066BBB"):
        PyOcdProbe(bench.board)
    with PyOcdProbe(bench.board, "BBB"):
        pass
    with pytest.raises(BoardRunError, match="no debug probe whose id holds 'CCC'"):
        PyOcdProbe(bench.board, "CCC")


def test_a_target_that_needs_a_pack(bench: Bench) -> None:
    with pytest.raises(BoardRunError, match="pyocd pack install stm32unknown"):
        PyOcdProbe(replace(bench.board, probe_target="stm32unknown"))


def test_a_board_without_a_target(bench: Bench) -> None:
    with pytest.raises(BoardError, match=r"probe\.target is missing"):
        PyOcdProbe(replace(bench.board, probe_target=None))


def test_the_fake_has_the_face_of_pyocd() -> None:
    pytest.importorskip("pyocd", reason="pip install -e '.[boards]'")
    from pyocd.core import exceptions, helpers, session
    from pyocd.core.target import Target
    from pyocd.flash import file_programmer

    fake = _fake_pyocd(Bench(find_board("f446re"), "", -1, Path()))
    for real, name in (
        (helpers, "pyocd.core.helpers"),
        (session, "pyocd.core.session"),
        (file_programmer, "pyocd.flash.file_programmer"),
    ):
        for kind, made in vars(fake[name]).items():
            if not inspect.isclass(made):
                continue
            for method, function in inspect.getmembers(made, inspect.isfunction):
                real_function = getattr(getattr(real, kind), method)
                wanted = inspect.signature(function).parameters
                offered = inspect.signature(real_function).parameters
                by_keyword = any(item.kind is item.VAR_KEYWORD for item in offered.values())
                assert by_keyword or wanted.keys() <= offered.keys(), (kind, method)
    assert issubclass(exceptions.TargetSupportError, exceptions.Error)
    assert callable(Target.reset)


def test_pyocd_knows_the_built_in_target() -> None:
    builtin = pytest.importorskip("pyocd.target.builtin", reason="pip install pyocd")
    targets = {board.probe_target for board in shipped_boards()}
    assert targets & set(builtin.BUILTIN_TARGETS) == {"stm32f767zi"}
