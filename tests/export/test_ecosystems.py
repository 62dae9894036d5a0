"""Files of each ecosystem against its documented format.

Their toolchains are no packages: what their own readers check is checked where these are installed
(west and PlatformIO are on PyPI), the rest by the keys that the formats ask for.
"""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from predictor.export.folder import write_folder
from predictor.export.kernel_package import package_files
from predictor.export.registrations import kernels_version
from tests.export.test_project import export_for

VERSION = ".".join(map(str, kernels_version()))


def text_of(name: str, path: str) -> str:
    return export_for(name).files[path].decode()


def load(text: str | bytes) -> Any:
    return yaml.safe_load(text)


def test_zephyr() -> None:
    options = dict(
        line.split("=", 1)
        for line in text_of("zephyr", "prj.conf").splitlines()
        if line and not line.startswith("#")
    )
    assert all(re.fullmatch(r"CONFIG_[A-Z0-9_]+", key) for key in options)
    assert options["CONFIG_TENSORFLOW_LITE_MICRO"] == "y"
    assert options["CONFIG_TENSORFLOW_LITE_MICRO_CMSIS_NN_KERNELS"] == "y"
    assert options["CONFIG_CPP"] == "y"
    sample = load(text_of("zephyr", "sample.yaml"))
    assert sample["tests"] == {"kws.self_test": {}}
    cmake = text_of("zephyr", "CMakeLists.txt")
    files = export_for("zephyr").files
    assert cmake.index("find_package(Zephyr") < cmake.index("project(kws")
    assert set(re.findall(r"src/[\w/]+\.cc", cmake)) == {
        path for path in files if path.endswith(".cc")
    }


def test_zephyr_manifest() -> None:
    content = text_of("zephyr", "west.yml")
    projects = {item["name"]: item for item in load(content)["manifest"]["projects"]}
    assert projects["tflite-micro"]["revision"].startswith("fcc760af")
    manifest = pytest.importorskip("west.manifest", reason="pip install west")
    found = manifest.Manifest.from_data(content, import_flags=manifest.ImportFlag.IGNORE)
    assert {project.name for project in found.projects} == {"manifest", *projects}


def test_platformio(tmp_path: Path) -> None:
    files = export_for("platformio").files
    parser = configparser.ConfigParser()
    parser.read_string(files["platformio.ini"].decode())
    assert parser["env:kws"]["framework"] == "arduino"
    assert parser["env:kws"]["board"] == "nano33ble"
    library = json.loads(files["lib/kws/library.json"])
    assert {"name", "version"} <= library.keys()
    assert f"lib/kws/{library['build']['srcDir']}/model.cc" in files
    config = pytest.importorskip("platformio.project.config", reason="pip install platformio")
    write_folder(tmp_path, files)
    found = config.ProjectConfig(str(tmp_path / "platformio.ini"))
    assert found.validate(silent=True)
    assert found.envs() == ["kws"]


def test_platformio_reads_the_libraries(tmp_path: Path) -> None:
    parser = pytest.importorskip(
        "platformio.package.manifest.parser", reason="pip install platformio"
    )
    schema = pytest.importorskip("platformio.package.manifest.schema")
    write_folder(tmp_path, package_files())
    for kind, name in (("library.json", "json"), ("library.properties", "properties")):
        raw = parser.ManifestParserFactory.new_from_file(str(tmp_path / kind)).as_dict()
        raw.pop("license", None)  # the list of licences comes from the network
        assert schema.ManifestSchema().load_manifest(raw)["version"] == VERSION, name


def test_arduino() -> None:
    files = export_for("arduino").files
    assert "kws/kws.ino" in files  # a sketch is called as its folder, sources are below src/
    assert all(re.match(r"kws/(kws\.ino|src/)", path) for path in files)
    assert b'#include "src/model.h"' in files["kws/kws.ino"]


def test_esp_idf() -> None:
    files = export_for("esp-idf").files
    component = load(files["components/kws/idf_component.yml"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", component["version"])
    assert "espressif/esp-tflite-micro" in component["dependencies"]
    for folder in ("components/kws", "main"):
        text = files[f"{folder}/CMakeLists.txt"].decode()
        assert text.count("(") == text.count(")")
        (sources,) = re.findall(r"idf_component_register\(\s*SRCS ([\w. ]+?)\s+INCLUDE_DIRS", text)
        assert {f"{folder}/{name}" for name in sources.split()} == {
            path for path in files if path.startswith(f"{folder}/") and path.endswith(".cc")
        }
    assert b"#if !(CONFIG_IDF_TARGET_ESP32S3)" in files["components/kws/model_arena.h"]


def test_stm32cube() -> None:
    files = export_for("stm32cube").files
    assert b'extern "C"' in files["kws/model_app.h"]
    assert b"../tflm.cmake" in files["kws/CMakeLists.txt"]
    assert "tflm.cmake" in files


def test_mbed() -> None:
    files = export_for("mbed").files
    assert "*" in json.loads(files["mbed_app.json"])["target_overrides"]
    assert re.fullmatch(rb"https://\S+#\S+\n", files["mbed-os.lib"])
    assert b"mbed_set_post_build" in files["CMakeLists.txt"]


def test_the_kernels_have_one_version_everywhere() -> None:
    files = package_files()
    assert json.loads(files["library.json"])["version"] == VERSION
    assert f"\nversion={VERSION}\n".encode() in files["library.properties"]
    assert load(files["idf_component.yml"])["version"] == VERSION
    assert f'PACKAGE_VERSION "{VERSION}"'.encode() in files["mcu_predictor-config-version.cmake"]
    assert f'<release version="{VERSION}">'.encode() in files["mcu_predictor.mn_kernels.pdsc"]


def test_the_pack_names_every_source() -> None:
    from xml.etree import ElementTree

    files = package_files()
    root = ElementTree.fromstring(files["mcu_predictor.mn_kernels.pdsc"])
    order = ["vendor", "name", "description", "url", "license", "releases", "conditions"]
    assert [child.tag for child in root] == [*order, "components"]
    named = {file.get("name") for file in root.iter("file") if file.get("category") != "include"}
    assert named == {path for path in files if path.endswith((".c", ".cc"))}
    conditions = {item.get("id") for item in root.iter("condition")}
    assert {item.get("condition") for item in root.iter("component")} <= conditions


def test_the_kernels_are_a_module_of_zephyr() -> None:
    files = package_files()
    build = load(files["zephyr/module.yml"])["build"]
    assert f"{build['cmake']}/CMakeLists.txt" in files
    assert build["kconfig"] in files
    options = re.findall(r"^config (\w+)$", files["zephyr/Kconfig"].decode(), re.MULTILINE)
    used = set(re.findall(r"CONFIG_(\w+)", files["zephyr/CMakeLists.txt"].decode()))
    assert used <= set(options)
