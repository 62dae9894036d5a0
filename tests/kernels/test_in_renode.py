"""The kernels in Renode: equal to the bit to those of the in-process emulator, by the same code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kernels.calls import run
from kernels.emulated import BOARDS, CORES, EmulatedLibrary, build
from predictor.boards.board import find_board
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.renode import console as renode_console
from predictor.emulation.renode.machine import RenodeMachine
from tests.emulation.renode.test_driver import put_on_path
from tests.kernels import random_layers
from tests.kernels.random_layers import BIT_WIDTHS, OPERATORS

FEW_INSTRUCTIONS = 64
"""Renode advances virtual time in steps of a few instructions."""
Opener = Callable[[str], EmulatedLibrary]


@pytest.fixture(scope="module")
def elf_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The kernels, linked for a core; once for all tests."""
    folder, built = tmp_path_factory.mktemp("renode"), dict[str, Path]()

    def elf(cpu: str) -> Path:
        if cpu not in built:
            built[cpu] = build(folder / f"{cpu}.elf", cpu)
        return built[cpu]

    return elf


@pytest.fixture(params=["stand-in", pytest.param("renode", marks=pytest.mark.renode)])
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A Renode that is on the path: the real one, or what stands in for it."""
    if request.param == "stand-in":
        put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    elif not renode_console.is_installed():
        pytest.skip(renode_console.INSTALL_HINT)
    renode_console.close_idle()
    yield request.param
    renode_console.close_idle()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("cpu", CORES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_kernels_of_8_and_4_bits(
    operator: str,
    cpu: str,
    backend: str,
    emulated: dict[str, EmulatedLibrary],
    elf_of: Callable[[str], Path],
) -> None:
    """Random layers of every pair of bit widths, in each form that the kernels take."""
    rng = np.random.default_rng([7, OPERATORS.index(operator)])
    layers = 4 if backend == "renode" else 1
    with RenodeMachine(board_platform(find_board(BOARDS[cpu]))) as machine:
        library = EmulatedLibrary(machine, elf_of(cpu))
        for bit_widths in BIT_WIDTHS:
            for _ in range(layers):
                layer, data = random_layers.layer(rng, operator, bit_widths, None)
                for form in random_layers.forms(operator, layer):
                    expected = run(emulated[cpu], operator, form, data)
                    np.testing.assert_array_equal(
                        run(library, operator, form, data), expected, err_msg=str(form)
                    )
                    difference = library.instructions - emulated[cpu].instructions
                    assert abs(difference) <= FEW_INSTRUCTIONS, form
