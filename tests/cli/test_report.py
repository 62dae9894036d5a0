"""``predict report`` through its command line, without a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.cli.main import run
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn, mobilenet_v2
from predictor.model.random_graphs import chain
from predictor.prediction import predict

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("ds_cnn.tflite").write_bytes(ds_cnn().build())
    Path("vww.tflite").write_bytes(mobilenet_v2().build())
    return tmp_path


class _Links(HTMLParser):
    """Collects all addresses that a page could load or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.identifiers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "srcset", "action", "data", "xlink:href"):
                self.addresses.append(value or "")
            if name == "id":
                self.identifiers.append(value or "")


def test_page_is_self_contained_and_its_links_resolve(models: Path) -> None:
    assert run(["report", "ds_cnn.tflite", "vww.tflite", "-o", "report.html"]) == 0
    page = Path("report.html").read_text()
    found = _Links()
    found.feed(page)
    assert len(found.identifiers) == len(set(found.identifiers))
    for address in found.addresses:
        assert address == "data:," or address.removeprefix("#") in found.identifiers
    assert "url(" not in page
    assert "@import" not in page


def test_page_names_verdicts_digests_and_the_command(models: Path) -> None:
    code = run(
        ["report", "vww.tflite", "--board", "f446re", "--board", "f767zi", "-o", "report.html"]
    )
    assert code == 0
    page = Path("report.html").read_text()
    assert page.count("✗ does not fit") == 1
    assert page.count("✓ fits") == 1
    assert "NUCLEO-F746ZG" not in page
    assert re.search(r"<code>[0-9a-f]{64}</code>", page)
    assert "predict report vww.tflite --board f446re --board f767zi</code>" in page
    assert run(["report", "vww.tflite", "--board", "f446re", "-o", "report.html"]) == 3


def test_the_same_page_every_time(models: Path) -> None:
    run(["report", "ds_cnn.tflite", "-o", "one.html"])
    run(["report", "ds_cnn.tflite", "-o", "two.html"])
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_size_of_a_hundred_operators(models: Path) -> None:
    Path("chain.tflite").write_bytes(chain(100, branch_every=5).build())
    run(["report", "chain.tflite", "-o", "report.html"])
    assert Path("report.html").stat().st_size < 400_000


def test_models_that_cannot_be_predicted_are_on_the_page(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.tflite").write_text("<script>alert(1)</script>")
    assert run(["report", "ds_cnn.tflite", "bad.tflite", "none.tflite", "-o", "a.html"]) == 1
    page = Path("a.html").read_text()
    assert page.count("✗ no prediction:") == 2
    assert "no such file: none.tflite" in page
    error = capsys.readouterr().err
    assert "bad.tflite: not a .tflite file" in error


def test_names_of_a_model_never_become_markup(models: Path) -> None:
    builder = ModelBuilder("</svg><script>alert(1)</script>")
    x = builder.input((1, 8), "int8", name="<img src=x onerror=alert(1)>\x01")
    builder.output(builder.fully_connected(x, 4))
    name = "<b>&amp;.tflite"
    Path(name).write_bytes(builder.build())
    assert run(["report", name, "-o", "report.html"]) == 0
    page = Path("report.html").read_text()
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;\N{REPLACEMENT CHARACTER}" in page
    assert run(["report", name, "--format", "svg", "-o", "plan.svg"]) == 0
    ElementTree.parse("plan.svg")


def test_svg_draws_every_buffer_to_scale(models: Path) -> None:
    from predictor import predict

    assert run(["report", "ds_cnn.tflite", "--format", "svg", "-o", "plan.svg"]) == 0
    root = ElementTree.parse("plan.svg").getroot()
    buffers = predict("ds_cnn.tflite").arena.buffers
    blocks = root.findall(f".//{SVG}g[@class='blocks']/{SVG}rect")
    assert len(blocks) == len(buffers)
    titles = {block.findtext(f"{SVG}title"): block for block in blocks}
    scales = []
    for buffer in buffers:
        block = titles[f"{buffer.name}: {buffer.size_bytes:,} bytes"]
        scales.append(float(block.attrib["height"]) / buffer.size_bytes)
        steps = buffer.last_use + 1 - buffer.first_use
        assert float(block.attrib["width"]) / steps == pytest.approx(
            float(blocks[0].attrib["width"]) / 2, rel=1e-3
        )
        details = block.findtext(f"{SVG}desc") or ""
        assert f"address {buffer.offset:,} to {buffer.offset + buffer.size_bytes - 1:,}" in details
    assert max(scales) == pytest.approx(340 / 16_000, rel=0.05)
    assert "peak 16,000 bytes" in "".join(root.itertext())


def test_a_plan_above_its_lower_bound_shows_both(models: Path) -> None:
    from predictor.report.html.plan import Block, Plan
    from predictor.report.html.plan_picture import standalone_svg

    block = Block("tensor", "x", "1", "", 64, 64, 0, 1)
    svg = standalone_svg(Plan("plan", (block,), 1, 2, 128, 64, 0, "the start"), "two lines")
    assert 'class="peak"' in svg
    assert "lower bound 64 bytes" in svg
    ElementTree.fromstring(svg)


def test_optimize_draws_both_plans(models: Path) -> None:
    pytest.importorskip("ortools", reason='pip install -e ".[optimize]"')
    assert run(["report", "vww.tflite", "--board", "f746zg", "--optimize", "-o", "a.html"]) == 0
    page = Path("a.html").read_text()
    assert "TFLM&#39;s greedy planner" in page
    assert "Offline plan" in page
    assert "predict report vww.tflite --board f746zg --optimize</code>" in page
    assert run(["optimize", "vww.tflite", "-o", "new.tflite"]) == 0
    assert run(["report", "new.tflite", "--board", "f746zg", "-o", "b.html"]) == 0
    heights = [
        re.findall(r"<p>([0-9,]+) bytes high", Path(name).read_text())
        for name in ("a.html", "b.html")
    ]
    assert heights[0] == heights[1]
    assert len(heights[0]) == 2


def test_png_through_cairosvg(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cairosvg", reason='pip install -e ".[png]"')
    assert run(["report", "ds_cnn.tflite", "--format", "png", "-o", "plan.png"]) == 0
    assert Path("plan.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert run(["report", "ds_cnn.tflite", "--format", "png"]) == 2
    assert "-o plan.png" in capsys.readouterr().err


def test_png_without_cairosvg_says_what_to_install(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    assert run(["report", "ds_cnn.tflite", "--format", "png", "-o", "plan.png"]) == 1
    assert 'pip install -e ".[png]"' in capsys.readouterr().err
    assert not Path("plan.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "MODEL"),
        (["a.tflite", "b.tflite", "--format", "svg"], 2, "draws one model"),
        (["ds_cnn.tflite", "--board", "f999"], 2, "unknown board 'f999'"),
        (["none.tflite", "--format", "svg"], 1, "no such file: none.tflite"),
        (["ds_cnn.tflite", "-o", "/nowhere/a.html"], 1, "cannot write /nowhere/a.html"),
    ],
)
def test_errors(
    arguments: list[str], code: int, message: str, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *arguments]) == code
    assert message in capsys.readouterr().err


def test_other_commands_do_not_load_the_templates(models: Path) -> None:
    script = (
        "import sys; from predictor.cli.main import run; run(['ds_cnn.tflite', '--format', 'json'])"
        "; sys.exit(any(name in sys.modules for name in ('jinja2', 'cairosvg')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_node_data_for_model_explorer(models: Path) -> None:
    options = ["--format", "model-explorer", "-o", "latency.json"]
    assert run(["report", "ds_cnn.tflite", *options]) == 0
    data = json.loads(Path("latency.json").read_text())
    prediction = predict("ds_cnn.tflite", "f446re")
    assert list(data["results"]) == [layer.output_name for layer in prediction.layers]
    assert all(entry["value"] > 0 for entry in data["results"].values())
    assert [stop["stop"] for stop in data["gradient"]] == [0, 1]
