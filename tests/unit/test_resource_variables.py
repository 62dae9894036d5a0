"""Models with resource variables: room for as many as they have, or as the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.errors import RefusedError
from predictor.model.builder import ModelBuilder
from predictor.prediction import predict

ENTRY_BYTES = 20
"""Of a ``MicroResourceVariable`` on a 32-bit core."""


def _model(variables: int, names: int | None = None) -> bytes:
    """A model that reads so many variables, under so many names."""
    builder = ModelBuilder("variables")
    x = builder.input((16,), "float32")
    for index in range(variables):
        options = {"container": "", "shared_name": f"v{index % (names or variables)}"}
        (handle,) = builder.operator("VAR_HANDLE", [], [((), "resource")], options)
        builder.operator("ASSIGN_VARIABLE", [handle, x], [], {})
        (x,) = builder.operator("READ_VARIABLE", [handle], [((16,), "float32")], {})
    builder.output(x)
    return builder.build()


@pytest.mark.parametrize(("variables", "names"), [(5, 5), (33, 33), (40, 7)])
def test_room_for_the_variables_of_the_model(variables: int, names: int) -> None:
    content = _model(variables, names)
    found = predict(content)
    assert found.arena.exact
    assert f"MicroResourceVariables::Create(allocator, {names})" in " ".join(found.notes)
    same = predict(content, resource_variables=names)
    assert same.arena.used_bytes == found.arena.used_bytes
    more = predict(content, resource_variables=names + 100)
    assert more.arena.used_bytes - found.arena.used_bytes == pytest.approx(
        100 * ENTRY_BYTES, abs=16
    )
    with pytest.raises(RefusedError, match="--resource-variables"):
        predict(content, resource_variables=names - 1)


def test_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(_model(33))
    assert run([str(path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "the model has 33 resource variables: make room, MicroAllocator" in printed
    assert run([str(path), "--resource-variables", "32"]) == 1
    assert run([str(path), "--resource-variables", "-1"]) == 2
    capsys.readouterr()
