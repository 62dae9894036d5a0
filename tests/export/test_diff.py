"""``predict diff`` finds each of the common mistakes in programs that have it, and none in others.

The programs stand for firmware: functions and objects have the names that TFLM's have.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.errors import UsageError
from predictor.firmware.program import Program
from predictor.model.example_models import ds_cnn
from predictor.prediction import Prediction, predict
from predictor.proof.firmware_diff import FirmwareDiff, diff_firmware

pytestmark = [pytest.mark.usefixtures("firmware_tools"), pytest.mark.toolchain]

CONTENT = ds_cnn(channels=8, blocks=1).build()
CMSIS_NN = ("arm_convolve_wrapper_s8", "arm_depthwise_conv_wrapper_s8", "arm_avgpool_s8")
KERNELS = (*CMSIS_NN, "arm_fully_connected_s8", "arm_softmax_s8")


def prediction() -> Prediction:
    return predict(CONTENT, "f446re")


def program(
    folder: Path,
    *,
    operators: frozenset[str] | None = None,
    arena_bytes: int | None = None,
    kernels: tuple[str, ...] = KERNELS,
    optimisation: str = "-O2",
    constant: str = "const",
    model: bytes = CONTENT,
    strip: bool = False,
) -> Path:
    """A program with TFLM's names; as it should be unless told otherwise."""
    expected = prediction()
    wanted = expected.deployed.graph.operator_labels if operators is None else operators
    size = expected.arena.required_bytes if arena_bytes is None else arena_bytes
    body = "int f(volatile int* p) { int s = 0; for (int i = 0; i < 9; ++i) s += p[i]; return s; }"
    lines = [
        "extern int shared[9];",
        "namespace tflite {",
        *(body.replace(" f(", f" Register_{name}(") for name in sorted(wanted)),
        body.replace(" f(", " Invoke("),
        "}",
        *(f'extern "C" {body.replace(" f(", f" {name}(")}' for name in kernels),
        f"alignas(16) unsigned char tensor_arena[{size}];",
        f"extern {constant} unsigned char model[] = {{{','.join(map(str, model))}}};",
        "int main() { return shared[0] + tensor_arena[1] + model[2]; }",
        "int shared[9];",
    ]
    source, elf = folder / "program.cc", folder / "program.elf"
    source.write_text("\n".join(lines))
    command = ["arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "-nostdlib", optimisation]
    command += ["-Wl,-e,main", "-Wl,-Ttext=0x08000000", "-Wl,-Tdata=0x20000000"]
    command += [
        "-Wl,--no-warn-rwx-segments",
        f"-Wl,-Map={map_of(elf)}",
        str(source),
        "-o",
        str(elf),
    ]
    subprocess.run([*command, "-s"] if strip else command, check=True)
    return elf


def map_of(elf: Path) -> Path:
    return elf.with_suffix(".map")


def kinds(found: FirmwareDiff) -> list[str]:
    return [mistake.kind for mistake in found.mistakes]


def test_a_sound_program_has_no_mistake(tmp_path: Path) -> None:
    found = diff_firmware(prediction(), program(tmp_path))
    assert kinds(found) == []
    assert found.arena is not None
    assert found.arena.size_bytes == prediction().arena.required_bytes
    assert found.kernels == "cmsis_nn"
    assert found.unchecked == ()


def test_a_missing_operator(tmp_path: Path) -> None:
    operators = prediction().deployed.graph.operator_labels - {"SOFTMAX"}
    found = diff_firmware(prediction(), program(tmp_path, operators=operators))
    assert kinds(found) == ["missing-operator"]
    assert "SOFTMAX" in found.mistakes[0].words


def test_an_arena_that_is_too_small(tmp_path: Path) -> None:
    bytes_needed = prediction().arena.required_bytes
    found = diff_firmware(prediction(), program(tmp_path, arena_bytes=bytes_needed - 16))
    assert kinds(found) == ["small-arena"]
    assert f"{bytes_needed:,}" in found.mistakes[0].words


def test_reference_kernels(tmp_path: Path) -> None:
    found = diff_firmware(prediction(), program(tmp_path, kernels=()))
    assert kinds(found) == ["other-kernels"]
    some = diff_firmware(prediction(), program(tmp_path, kernels=KERNELS[1:]))
    assert kinds(some) == ["other-kernels"]
    assert "CONV_2D runs with reference kernels" in some.mistakes[0].words
    meant = predict(CONTENT, "f446re", kernels="reference")
    assert kinds(diff_firmware(meant, program(tmp_path, kernels=()))) == []


@pytest.mark.parametrize("level", ["-O1", "-Os", "-O3"])
def test_optimised_code(level: str, tmp_path: Path) -> None:
    assert kinds(diff_firmware(prediction(), program(tmp_path, optimisation=level))) == []


def test_code_without_optimisation(tmp_path: Path) -> None:
    found = diff_firmware(prediction(), program(tmp_path, optimisation="-O0"))
    assert kinds(found) == ["unoptimised"]


def test_a_model_in_ram(tmp_path: Path) -> None:
    found = diff_firmware(prediction(), program(tmp_path, constant=""))
    assert kinds(found) == ["model-in-ram"]
    assert "const" in found.mistakes[0].words


def test_another_model(tmp_path: Path) -> None:
    other = ds_cnn(channels=8, blocks=1, seed=3).build()
    assert kinds(diff_firmware(prediction(), program(tmp_path, model=other))) == ["other-model"]


def test_a_map_tells_what_its_program_tells(tmp_path: Path) -> None:
    """But for optimisation, which it leaves open."""
    labels = prediction().deployed.graph.operator_labels
    too_small = prediction().arena.required_bytes - 16
    found = diff_firmware(prediction(), map_of(program(tmp_path)))
    whole = diff_firmware(prediction(), tmp_path / "program.elf")
    assert kinds(found) == []
    assert (found.operators, found.arena, found.kernels) == (
        whole.operators,
        whole.arena,
        whole.kernels,
    )
    assert found.flash_bytes == whole.flash_bytes
    assert found.unchecked[0].startswith("optimisation")
    for options, kind in (
        ({"operators": labels - {"SOFTMAX"}}, "missing-operator"),
        ({"arena_bytes": too_small}, "small-arena"),
        ({"kernels": ()}, "other-kernels"),
        ({"constant": ""}, "model-in-ram"),
        ({"model": CONTENT + bytes(64)}, "other-model"),
    ):
        changed = map_of(program(tmp_path, **options))
        assert kinds(diff_firmware(prediction(), changed)) == [kind]


def test_damaged_maps_give_no_traceback(tmp_path: Path) -> None:
    whole = map_of(program(tmp_path)).read_text()
    path = tmp_path / "damaged.map"
    for place in range(0, len(whole), max(len(whole) // 60, 1)):
        for text in (whole[:place], whole[place:], whole[:place] + "\x00 0x" + whole[place:]):
            path.write_text(text)
            try:
                diff_firmware(prediction(), path)
            except UsageError:
                continue
    path.write_text("Archive\n")
    with pytest.raises(UsageError, match="no map of GNU ld"):
        diff_firmware(prediction(), path)


def test_the_arena_by_its_name(tmp_path: Path) -> None:
    elf = program(tmp_path)
    found = diff_firmware(prediction(), elf, "shared")
    assert kinds(found) == ["small-arena"]
    with pytest.raises(UsageError, match="has no object nothing"):
        diff_firmware(prediction(), elf, "nothing")


def test_programs_that_say_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no symbols"):
        diff_firmware(prediction(), program(tmp_path, strip=True))
    with pytest.raises(UsageError, match="registers no operator"):
        diff_firmware(prediction(), program(tmp_path, operators=frozenset()))


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"x" * 99])
def test_files_that_are_no_programs(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.elf"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        Program(path)


def test_damaged_programs_give_no_traceback(tmp_path: Path) -> None:
    whole = program(tmp_path).read_bytes()
    path = tmp_path / "damaged.elf"
    for place in range(16, len(whole), max(len(whole) // 150, 1)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            diff_firmware(prediction(), path)
        except UsageError:
            continue


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, elf = tmp_path / "kws.tflite", program(tmp_path)
    model.write_bytes(CONTENT)
    arguments = ["diff", str(model), "--elf", str(elf), "--board", "f446re"]
    assert run(arguments) == 0
    assert "no mistake found" in capsys.readouterr().out
    of_map = [*arguments[:2], "--map", str(map_of(elf)), *arguments[4:]]
    assert run(of_map) == 0
    assert "unchecked  optimisation" in capsys.readouterr().out
    assert run([*of_map, "--elf", str(elf)]) == 2
    assert run(arguments[:2]) == 2
    program(tmp_path, constant="")
    assert run([*arguments, "--format", "json"]) == 1
    (mistake,) = json.loads(capsys.readouterr().out)["mistakes"]
    assert mistake["kind"] == "model-in-ram"
