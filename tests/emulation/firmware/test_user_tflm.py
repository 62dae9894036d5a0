"""A TFLM of the user's: what is read from it, and how it is registered for all commands.

The tree is the packaged one with the library that is built of it, as if its user had done so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.cli.main import run
from predictor.errors import RevisionError, UsageError
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.registered_tflm import CONFIG_VARIABLE, registered_tflm, registration_file
from predictor.firmware.tflm_library import PRINTF
from predictor.firmware.toolchain import PREFIX, find_toolchain
from predictor.firmware.user_tflm import read_library, read_user_tflm
from predictor.kernel_sets import MN
from predictor.model.builder import ModelBuilder
from predictor.model.device.device_model import device_model
from predictor.model.example_models import ds_cnn
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.optimization import optimize_model
from predictor.prediction import predict

pytestmark = [pytest.mark.toolchain, pytest.mark.usefixtures("firmware_tools")]
F446RE, F746ZG, F767ZI = map(find_board, ("f446re", "f746zg", "f767zi"))
CORE_FLAGS = {
    "m4": "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
    "m4_soft": "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=softfp",
    "m7": "-mcpu=cortex-m7 -mfpu=fpv5-sp-d16 -mfloat-abi=hard",
    "m7_double": "-mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard",
    "m55": "-mcpu=cortex-m55 -mfloat-abi=hard",
}
Compile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of one test alone."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "settings"))


@pytest.fixture
def compile_library(tmp_path: Path) -> Compile:
    """Compiles a static library with functions of some names for a core."""

    def compiled(folder: Path, core: str = "m4", *functions: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        source, archive = tmp_path / "functions.c", folder / "libtflm.a"
        names = functions or ("something",)
        source.write_text("".join(f"float {name}(float a) {{ return a * 2; }}\n" for name in names))
        objects = tmp_path / "functions.o"
        flags = CORE_FLAGS[core].split()
        subprocess.run([f"{PREFIX}gcc", *flags, "-mthumb", "-c", source, "-o", objects], check=True)
        archive.unlink(missing_ok=True)
        subprocess.run([f"{PREFIX}ar", "rcs", archive, objects], check=True)
        return archive

    return compiled


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with a library for Cortex-M4 in it."""
    return write_tree(tmp_path / "tflm")


@pytest.fixture(scope="module")
def kept_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for tests that run its firmware, which is compiled once for each folder."""
    return write_tree(tmp_path_factory.mktemp("kept") / "tflm")


def write_tree(folder: Path) -> Path:
    library = PackagedTflm().library(find_toolchain(), F446RE, "reference", lambda text: None)
    shutil.copytree(library.root / "tensorflow", folder / "tensorflow", copy_function=os.link)
    (folder / "gen" / "lib").mkdir(parents=True)
    shutil.copyfile(library.archive, folder / "gen" / "lib" / "libtflm.a")
    return folder


def change_source(tree: Path, text: str) -> None:
    path = tree / "tensorflow" / "lite" / "micro" / "micro_allocator.cc"
    content = path.read_text()
    path.unlink()  # it is a link to the packaged one
    path.write_text(content + text)


def test_what_is_read(tree: Path) -> None:
    found = read_user_tflm(tree)
    assert (found.revision, found.kernels) == ("2020.07", "reference")
    assert found.tree.sources > 40
    assert found.tree.changed == found.warnings == ()
    (library,) = found.libraries
    assert library.words == "reference kernels for armv7e-m + dsp + fpv4-sp-d16"
    assert library.is_for(F446RE)
    assert library.is_for(F746ZG)


def test_comments_and_line_ends_do_not_change_a_revision(tree: Path) -> None:
    change_source(tree, "\r\n// a comment\r\n/* and\r\n another */\r\n")
    assert read_user_tflm(tree).tree.changed == ()


def test_a_changed_source_is_named(tree: Path) -> None:
    change_source(tree, "int changed;\n")
    found = read_user_tflm(tree)
    assert found.revision == "2020.07"
    assert found.tree.changed == ("tensorflow/lite/micro/micro_allocator.cc",)
    assert "micro_allocator.cc): figures may be off" in found.warnings[0]


def test_the_kernels_of_a_set_in_the_place_of_reference_kernels(tree: Path) -> None:
    """As in trees that TFLM's generator writes."""
    kernels = tree / "tensorflow" / "lite" / "micro" / "kernels"
    (kernels / "add.cc").unlink()
    shutil.copyfile(kernels / "mul.cc", kernels / "add.cc")
    assert read_user_tflm(tree).tree.changed == ()


def test_another_revision_than_it_is(tree: Path) -> None:
    with pytest.raises(RevisionError, match=r"is 2020\.07, not 2026\.08"):
        read_user_tflm(tree, "2026.08")
    for source in (tree / "tensorflow" / "lite" / "micro").rglob("*.cc"):
        source.unlink()
        source.write_text("int unknown;\n")
    for header in (tree / "tensorflow" / "lite" / "micro" / "kernels").glob("*.h"):
        header.unlink()
    with pytest.raises(RevisionError, match="like none that predict knows"):
        read_user_tflm(tree)
    assert read_user_tflm(tree, "2020.07").warnings


def test_wrong_folders(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        read_user_tflm(tmp_path / "absent")
    with pytest.raises(UsageError, match="name TFLM's source tree"):
        read_user_tflm(tmp_path)
    sources = read_user_tflm(tree / "tensorflow")
    with pytest.raises(UsageError, match="holds no library to link"):
        sources.require(F446RE, "reference")


def test_the_library_for_a_core(tree: Path, compile_library: Compile) -> None:
    """That for the most of the core's units; a Cortex-M7 runs what was compiled for an M4."""
    m4 = compile_library(tree / "gen" / "m4")
    shutil.rmtree(tree / "gen" / "lib")
    toolchain, quiet = find_toolchain(), lambda text: None
    only = read_user_tflm(tree)
    for board in (F446RE, F746ZG):
        assert only.library(toolchain, board, "reference", quiet).archive == m4
    m7 = compile_library(tree / "gen" / "m7", "m7")
    both = read_user_tflm(tree)
    assert both.library(toolchain, F446RE, "reference", quiet).archive == m4
    assert both.library(toolchain, F746ZG, "reference", quiet).archive == m7
    compile_library(tree / "gen" / "m7_again", "m7")
    several = read_user_tflm(tree)
    with pytest.raises(UsageError, match=r"several libraries; name the folder of one:\n.*m7"):
        several.require(F746ZG, "reference")
    assert read_user_tflm(m7).library(toolchain, F746ZG, "reference", quiet).archive == m7


def test_a_library_without_messages(tree: Path, compile_library: Compile) -> None:
    """TFLM of 2020 prints them another way; that of later has a header for it."""
    archive = compile_library(tree / "gen" / "lib")

    def is_stripped() -> bool:
        found = read_user_tflm(tree, "2020.07")
        return found.library(find_toolchain(), F446RE, "reference", lambda text: None).is_stripped

    assert not is_stripped()
    (tree / "tensorflow" / "lite" / "micro" / "micro_log.h").touch()
    assert is_stripped()
    assert compile_library(tree / "gen" / "lib", "m4", PRINTF) == archive
    assert not is_stripped()


@pytest.mark.parametrize(
    ("core", "functions", "words"),
    [
        ("m7", (), "no library for the cortex-m4 of f446re, only reference kernels for"),
        ("m55", (), r"only reference kernels for armv8\.1-m\.main \+ dsp \+ mve"),
        ("m4_soft", (), "was built without -mfloat-abi=hard"),
        ("m4", ("TfLiteTensorRealloc",), "was not built with TF_LITE_STATIC_MEMORY"),
        ("m4", ("arm_convolve_wrapper_s8",), "was built with cmsis_nn kernels .* not with ref"),
    ],
)
def test_libraries_that_cannot_be_linked(
    core: str, functions: tuple[str, ...], words: str, tree: Path, compile_library: Compile
) -> None:
    shutil.rmtree(tree / "gen")
    compile_library(tree / "gen", core, *functions)
    with pytest.raises(UsageError, match=words):
        read_user_tflm(tree, "2020.07").require(F446RE, "reference")


def test_double_precision_needs_its_unit(tree: Path, compile_library: Compile) -> None:
    library = read_library(compile_library(tree / "gen", "m7_double"))
    assert library.is_for(F767ZI)
    assert not library.is_for(F746ZG)


def runtime(arguments: list[str], capsys: Capture) -> tuple[str, str]:
    """Revision and kernels of a prediction."""
    assert run([*arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["runtime"]
    return found["revision"], found["kernels"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(ds_cnn(channels=8, blocks=1).build())
    return path


def test_a_registered_tflm_is_the_default(kept_tree: Path, model: Path, capsys: Capture) -> None:
    predicting = [str(model), "--board", "f446re"]
    assert runtime(predicting, capsys) == ("2026.08", "cmsis_nn")
    assert run(["tflm", "use", str(kept_tree)]) == 0
    said = capsys.readouterr().out
    assert "revision   2020.07: " in said
    assert "reference kernels for armv7e-m + dsp + fpv4-sp-d16" in said
    assert runtime(predicting, capsys) == ("2020.07", "reference")
    assert runtime([*predicting, "--tflm", "2026.08"], capsys) == ("2026.08", "cmsis_nn")
    assert runtime([*predicting, "--kernels", "mn"], capsys) == ("2020.07", "mn")
    assert run(["emulate", str(model), "--board", "f446re"]) == 0
    printed = "".join(capsys.readouterr().out.split())  # long names of folders are folded
    assert f"TFLM2020.07in{kept_tree}withreferencekernels" in printed
    assert run(["tflm", "forget"]) == 0
    assert run(["tflm"]) == 0
    assert "no TFLM of your own is registered" in capsys.readouterr().out
    assert runtime(predicting, capsys) == ("2026.08", "cmsis_nn")
    named = [*predicting, "--tflm-dir", str(kept_tree)]
    assert runtime(named, capsys) == ("2020.07", "reference")


def test_budgets_hold_for_the_registered_tflm(
    tree: Path, model: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Whose arena of this model is larger than that of today's TFLM."""
    needs = predict(model, "f446re").arena.required_bytes
    assert needs < predict(model, "f446re", tflm="2020.07").arena.required_bytes
    config = tmp_path / "predictor.toml"
    budget = f'[tool.predictor.budgets."{model.name}"]\nboard = "f446re"\nmax_arena = "{needs}"\n'
    config.write_text(budget)
    checking = ["check", "--config", str(config)]
    assert run(checking) == 0
    assert run(["tflm", "use", str(tree)]) == 0
    assert run(checking) == 3
    config.write_text(budget + 'tflm = "2026.08"\n')
    assert run(checking) == 0


def test_a_device_model_runs_with_the_projects_kernels(
    kept_tree: Path, model: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Whatever kernels the registered library has."""
    device = tmp_path / "device.tflite"
    device.write_bytes(write_model(device_model(read_graph(model.read_bytes()))))
    assert run(["tflm", "use", str(kept_tree)]) == 0
    capsys.readouterr()
    assert runtime([str(device), "--board", "f446re"], capsys) == ("2020.07", MN)
    assert run(["emulate", str(device), "--board", "f446re", "--format", "json"]) == 0
    emulated = json.loads(capsys.readouterr().out)
    assert emulated["runtime"]["kernels"] == MN
    assert emulated["passed"]


def test_a_library_that_was_built_again_is_read_again(
    tree: Path, compile_library: Compile, capsys: Capture
) -> None:
    assert run(["tflm", "use", str(tree)]) == 0
    change_source(tree, "int changed;\n")
    unread = registered_tflm()
    assert unread is not None
    assert unread.warnings == ()
    compile_library(tree / "gen" / "lib", "m7", "arm_convolve_wrapper_s8", "more")
    found = registered_tflm()
    assert found is not None
    assert found.libraries[0].words == "cmsis_nn kernels for armv7e-m + dsp + fpv5-sp-d16"
    assert found.warnings


def test_a_registration_that_leads_nowhere(tree: Path, model: Path, capsys: Capture) -> None:
    assert run(["tflm", "use", str(tree)]) == 0
    shutil.rmtree(tree)
    assert run([str(model)]) == 2
    assert "cannot be used: no folder" in capsys.readouterr().err
    registration_file().write_text('{"form": 1}')
    assert run([str(model)]) == 2
    assert "register TFLM again with predict tflm use" in capsys.readouterr().err
    assert run(["tflm", "forget"]) == 0
    assert run([str(model)]) == 0


def test_there_is_no_tflm_of_that_revision(model: Path, capsys: Capture) -> None:
    for command in (["emulate"], ["firmware"], ["measure"], ["optimize", "--prove"]):
        assert run([*command, str(model), "--tflm", "2026.08"]) == 1, command
        assert "there is no TFLM 2026.08 here to link" in capsys.readouterr().err
    assert run(["emulate", str(model), "--tflm", "1999.01"]) == 2


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """A model that TFLM of 2020 prepares but cannot run; today's runs it."""
    builder = ModelBuilder("mean")
    builder.output(builder.mean(builder.input((1, 8, 8, 4)), (1, 2)))
    path = tmp_path / "mean.tflite"
    path.write_bytes(builder.build())
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["emulate", "--force"],
        ["firmware"],
        ["measure"],
        ["optimize", "--prove", "--tflm", "2020.07", "--kernels", "reference"],
    ],
    ids=lambda command: command[0],
)
def test_what_the_linked_tflm_cannot_run_is_not_built(
    command: list[str],
    refused: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*command, str(refused), "--board", "f446re"]) == 1
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert "TFLM fails when this model runs: operator 0 (MEAN)" in said
    assert "the firmware links the packaged TFLM 2020.07 with reference kernels" in said
    assert "TFLM 2026.08 runs it: build one and name it with --tflm-dir" in said
    assert not (tmp_path / "firmware-out").exists()


def test_a_model_that_allocation_refuses(tmp_path: Path, capsys: Capture) -> None:
    builder = ModelBuilder("later")
    builder.output(builder.leaky_relu(builder.input((1, 8, 8, 4))))
    path = tmp_path / "later.tflite"
    path.write_bytes(builder.build())
    assert run(["firmware", str(path), "--out", str(tmp_path / "out")]) == 1
    assert "TFLM refuses this model: operator 0 (LEAKY_RELU)" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["emulate", "firmware"])
def test_a_plan_for_other_kernels_is_warned_of(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "planned.tflite"
    path.write_bytes(optimize_model(ds_cnn(channels=8, blocks=1).build(), "f446re").content)
    more = ["--out", str(tmp_path / "out")] if command == "firmware" else []
    run([command, str(path), "--board", "f446re", *more])
    captured = capsys.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert "made for cmsis_nn kernels of TFLM 2026.08" in said


def test_random_graphs_take_what_the_registered_tflm_is_predicted_to(
    kept_tree: Path, tmp_path: Path, capsys: Capture
) -> None:
    """What `predict` says without options, `emulate` proves without options."""
    assert run(["tflm", "use", str(kept_tree)]) == 0
    for seed in range(3):
        path = tmp_path / f"{seed}.tflite"
        path.write_bytes(random_graph(seed, mid_2020=True, max_operators=12).build())
        capsys.readouterr()
        assert run([str(path), "--board", "f446re", "--format", "json"]) == 0
        predicted = json.loads(capsys.readouterr().out)
        # That TFLM of 2020 computes some layers otherwise than today's may make it 1.
        assert run(["emulate", str(path), "--board", "f446re", "--format", "json"]) in (0, 1)
        emulated = json.loads(capsys.readouterr().out)
        assert emulated["arena"]["emulated"]["used_bytes"] == predicted["arena"]["used_bytes"]
        assert emulated["runtime"]["tflm"] == f"TFLM 2020.07 in {kept_tree}"
