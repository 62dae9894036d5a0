"""What an exported project consists of, and what a second export does to it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.cli.main import run
from predictor.errors import UsageError
from predictor.escapes import comment, identifier
from predictor.export.ecosystem import ecosystems, find_ecosystem
from predictor.export.folder import MANIFEST, write_folder
from predictor.export.project import Project, export_project
from predictor.firmware.op_resolver import linkable_operators
from predictor.firmware.resolver_methods import known_operators
from predictor.memory.revision import DEFAULT_REVISION
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict
from tests.export.builds import TFLM_DIR
from tools.imports import ROOT

CONTENT = ds_cnn(channels=8, blocks=1).build()


@cache
def export(content: bytes = CONTENT, name: str = "bare", **options: str) -> Project:
    return export_project(predict(content, "f446re", **options), find_ecosystem(name), "kws")  # type: ignore[arg-type]


@cache
def export_for(name: str) -> Project:
    """The export of a small model with the TFLM that an ecosystem ships."""
    it = find_ecosystem(name)
    revision = it.revision or DEFAULT_REVISION
    prediction = predict(CONTENT, it.board, tflm=revision, library_kernels=it.kernels)
    return export_project(prediction, it, "kws")


def test_the_resolver_has_the_models_operators_and_no_other() -> None:
    text = export().files["model/model_resolver.h"].decode()
    added = set(re.findall(r"resolver->(\w+)\(\)", text))
    assert added == {
        "AddAveragePool2D",
        "AddConv2D",
        "AddDepthwiseConv2D",
        "AddFullyConnected",
        "AddReshape",
        "AddSoftmax",
    }
    assert "kOperators = 6;" in text


def test_the_arena_is_that_of_the_prediction() -> None:
    arena = predict(CONTENT, "f446re").arena
    text = export().files["model/model_arena.h"].decode()
    assert f"kTensorArenaSize = {arena.required_bytes};" in text
    assert f"kArenaUsedBytes = {arena.used_bytes};" in text
    rows = [int(row.replace(",", "")) for row in re.findall(r"^// +([\d,]+)  ", text, re.MULTILINE)]
    *parts, used, more, whole = rows
    assert sum(parts) == used == arena.used_bytes
    assert used + more == whole == arena.required_bytes


def test_the_array_is_the_model() -> None:
    text = export().files["model/model_data.cc"].decode()
    assert bytes(int(item, 16) for item in re.findall(r"0x(..),", text)) == CONTENT


@pytest.mark.skipif(not TFLM_DIR, reason="MCU_PREDICTOR_TFLM names no TFLM build")
def test_methods_are_those_of_tflm() -> None:
    from predictor.firmware.user_tflm import read_user_tflm

    tree = read_user_tflm(Path(TFLM_DIR or ""))
    assert set(linkable_operators(tree.root)) <= set(known_operators())


@pytest.mark.parametrize("name", ecosystems())
def test_every_ecosystem_gets_the_whole_model(name: str) -> None:
    ecosystem = find_ecosystem(name)
    project = export_for(name)
    folder = ecosystem.model.replace("NAME", "kws")
    found = {path for path in project.files if re.match(rf"{folder}/model(_(?!app)|\.)", path)}
    assert {Path(path).stem for path in found} == {
        "model", "model_arena", "model_data", "model_resolver", "model_self_test"
    }  # fmt: skip
    assert all(text.endswith(b"\n") for text in project.files.values())
    assert not any(b"{{" in text or b"{%" in text for text in project.files.values())


@pytest.mark.parametrize("name", [name for name, it in ecosystems().items() if not it.revision])
def test_device_models_bring_their_kernels(name: str) -> None:
    prediction = predict(CONTENT, "f446re", kernels="mn")
    ecosystem = find_ecosystem(name)
    files = export_project(prediction, ecosystem, "kws").files
    assert f"{ecosystem.kernels_folder}/src/mn_nnfunctions.h" in files
    resolver = next(text for path, text in files.items() if path.endswith("model_resolver.h"))
    assert b"resolver->AddConv2D(*mn::Register_CONV_2D())" in resolver


def test_a_second_export_changes_nothing_and_keeps_what_its_user_edited(tmp_path: Path) -> None:
    files = export().files
    first = write_folder(tmp_path, files)
    assert set(first.written) == set(files)
    again = write_folder(tmp_path, files)
    assert (again.written, again.kept, set(again.unchanged)) == ((), (), set(files))
    (tmp_path / "main.cc").write_text("int main() { return 7; }\n")
    newer = files | {"main.cc": b"new\n", "model/model.h": b"new\n"}
    del newer["log.h"]
    third = write_folder(tmp_path, newer)
    assert (third.written, third.kept, third.removed) == (
        ("model/model.h",),
        ("main.cc",),
        ("log.h",),
    )
    assert (tmp_path / "main.cc").read_text() == "int main() { return 7; }\n"
    assert not (tmp_path / "log.h").exists()
    assert write_folder(tmp_path, newer).kept == ("main.cc",)


def test_files_of_the_user_stay_where_there_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "main.cc").write_text("mine\n")
    assert write_folder(tmp_path, {"main.cc": b"ours\n"}).kept == ("main.cc",)
    assert (tmp_path / "main.cc").read_text() == "mine\n"


@pytest.mark.parametrize("path", ["../outside", "/outside", "a/../../outside"])
def test_a_manifest_cannot_name_files_elsewhere(path: str, tmp_path: Path) -> None:
    folder, outside = tmp_path / "in" / "project", tmp_path / "in" / "outside"
    folder.mkdir(parents=True)
    outside.write_text("")
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (folder / MANIFEST).write_text(json.dumps({"form": 1, "files": {path: digest}}))
    assert write_folder(folder, {"a": b"a\n"}).removed == ()
    assert outside.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"form": 1}', '{"form": 1, "files": 3}', "\xff"])
def test_a_damaged_manifest_protects_all_files(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("latin-1"))
    (tmp_path / "a").write_text("mine\n")
    assert write_folder(tmp_path, {"a": b"ours\n"}).kept == ("a",)


HOSTILE = '*/ int x; /* \\\n#error "??/ ]] ${A} @B@ {{ 7 }}'


def test_names_of_tensors_stay_in_their_comment() -> None:
    builder = ModelBuilder("hostile")
    x = builder.input((1, 4), name=HOSTILE)
    builder.output(builder.softmax(x))
    text = export(builder.build()).files["model/model.h"].decode()
    (line,) = [line for line in text.splitlines() if "INT8 [1, 4]" in line and "#error" in line]
    assert line.startswith("// ")
    assert "*/" not in line
    assert not line.endswith("\\")


@given(st.text())
@settings(max_examples=300)
def test_comments_are_one_line_that_ends_nothing(text: str) -> None:
    found = comment(text)
    assert "\n" not in found
    assert "\\" not in found
    assert "*/" not in found
    assert "]]" not in found


@given(st.text())
@settings(max_examples=300)
def test_identifiers_are_some(text: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", identifier(text))


def test_identifiers_are_no_words_of_c() -> None:
    assert identifier("class") == "model_class"
    assert identifier("3d-net.v2") == "model_3d_net_v2"
    assert identifier("…") == "model"


def test_a_plan_for_other_kernels_is_refused() -> None:
    pytest.importorskip("ortools", reason="pip install -e '.[optimize]'")
    from predictor.optimization.optimization import optimize_model

    planned = optimize_model(CONTENT, "f446re").content
    assert b"kOtherKernels" in export(planned).files["model/model.cc"]
    with pytest.raises(UsageError, match="made for cmsis_nn kernels"):
        export(planned, kernels="reference")
    with pytest.raises(UsageError, match="offline memory plan"):
        export(planned, tflm="2020.07")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "kws.tflite"
    model.write_bytes(CONTENT)
    arguments = ["export", str(model), "--for", "cmake", "-o", str(tmp_path / "project")]
    assert run(arguments) == 0
    assert "written, 0 as they were" in capsys.readouterr().out
    assert run(arguments) == 0
    assert " 0 written" in capsys.readouterr().out
    large = tmp_path / "large.tflite"
    large.write_bytes(ds_cnn(channels=400).build())
    assert run([*arguments[:1], str(large), *arguments[2:], "--board", "f072rb"]) == 3
    assert run([*arguments[:3], "nothing", *arguments[4:]]) == 2


def test_the_kernels_as_a_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sources of the repository, each once."""
    assert run(["kernels", "-o", str(tmp_path)]) == 0
    assert "0 as they were" in capsys.readouterr().out
    for folder, place in (("kernels/include", "src"), ("kernels/src", "src/kernels")):
        for source in (ROOT / folder).glob("*.[ch]"):
            assert (tmp_path / place / source.name).read_bytes() == source.read_bytes()
    assert run(["kernels", "-o", str(tmp_path)]) == 0
    assert " 0 written" in capsys.readouterr().out
