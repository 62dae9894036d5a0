"""The report page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from predictor.cli.main import run
from predictor.model.example_models import ds_cnn, mobilenet_v2
from predictor.model.random_graphs import chain
from tests.browser.screenshots import accept, differences

GOLDEN = Path(__file__).parents[1] / "golden"
MACS_COLUMN = 8
SIZES = {"1440x900": (1440, 900), "390x844": (390, 844)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model on all boards."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "ds_cnn.tflite").write_bytes(ds_cnn().build())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["report", "ds_cnn.tflite", "-o", "one.html"]) == 0
    return folder / "one.html"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models: one that fits, one that does not fit each board, one that is none."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "ds_cnn.tflite").write_bytes(ds_cnn().build())
    (folder / "vww.tflite").write_bytes(mobilenet_v2().build())
    (folder / "text.tflite").write_text("no model")
    models = [str(folder / f"{name}.tflite") for name in ("ds_cnn", "vww", "text")]
    page = folder / "several.html"
    assert run(["report", *models, "--reserve-ram", "64KB", "-o", str(page)]) == 1
    return page


@pytest.fixture(scope="module")
def optimized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that brings an offline plan with overlaps, beside TFLM's plan of it."""
    pytest.importorskip("ortools", reason='pip install -e ".[optimize]"')
    folder = tmp_path_factory.mktemp("optimized")
    (folder / "vww.tflite").write_bytes(mobilenet_v2().build())
    page = folder / "page.html"
    assert run(["optimize", str(folder / "vww.tflite"), "-o", str(folder / "new.tflite")]) == 0
    assert run(["report", str(folder / "new.tflite"), "-o", str(page)]) == 0
    return page


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and a budget that is exceeded."""
    folder = tmp_path_factory.mktemp("comparison")
    models = [folder / "before.tflite", folder / "after.tflite"]
    models[0].write_bytes(ds_cnn().build())
    models[1].write_bytes(ds_cnn(channels=72).build())
    arguments = [*map(str, models), "--format", "html", "-o", str(folder / "page.html")]
    assert run(["compare", *arguments, "--max-regression", "arena=0%"]) == 3
    return folder / "page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page_name", ["report", "several", "comparison", "optimized"])
def test_accessible_by_axe(
    page_name: str, size: str, scheme: str, open_page: Any, request: pytest.FixtureRequest
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    )
    page = open_page(request.getfixturevalue(page_name), *SIZES[size], scheme)
    # The page forbids other scripts than its own; axe comes through the debugger instead.
    results = axe.Axe().run(page)
    assert results.response["passes"]
    assert results.response["violations"] == [], results.generate_report()


@pytest.mark.parametrize("size", SIZES)
def test_looks_like_the_golden_screenshot(
    report: Path, size: str, open_page: Any, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("PIL", reason="pillow is not installed: pip install pillow")
    golden = GOLDEN / f"report_{size}.png"
    screenshot = open_page(report, *SIZES[size]).screenshot(full_page=True)
    if request.config.getoption("--accept-golden"):
        accept(screenshot, golden)
    assert differences(screenshot, golden) == []
    dark = open_page(report, *SIZES[size], "dark").screenshot(full_page=True)
    assert differences(dark, golden) != []


@pytest.mark.parametrize("size", SIZES)
def test_the_page_does_not_scroll_sideways(several: Path, size: str, open_page: Any) -> None:
    page = open_page(several, *SIZES[size])
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0]


def test_plan_shows_details_on_hover_and_by_keyboard(report: Path, open_page: Any) -> None:
    page = open_page(report)
    details = page.locator(".plan-details").first
    plan = page.locator("#plan-0-0 .blocks rect")
    plan.nth(1).hover()
    assert details.inner_text().replace("\N{MULTIPLICATION SIGN}", "x") == (
        "conv_2d_0: 8,000 bytes\n1x25x5x64 int8; address 0 to 7,999; "
        "lives from step 1, operator 0 (CONV_2D), to step 2, operator 1 (DEPTHWISE_CONV_2D)"
    )
    page.locator("#plan-0-0 .blocks rect[tabindex='0']").focus()
    first = details.inner_text()
    page.keyboard.press("ArrowRight")
    second = details.inner_text()
    page.keyboard.press("ArrowLeft")
    assert details.inner_text() == first != second
    page.keyboard.press("End")
    assert "operator 12 (SOFTMAX)" in details.inner_text()
    assert page.locator("#plan-0-0 .blocks rect[tabindex='0']").count() == 1


def test_time_chart_shows_details_on_hover(report: Path, open_page: Any) -> None:
    page = open_page(report)
    bars = page.locator("#times-0 .blocks rect")
    assert bars.count() == 13
    bars.nth(2).hover()
    details = page.locator(".plan-details").nth(1).inner_text()
    assert details.startswith("2 CONV_2D: ")
    assert "512,000 MACs" in details
    heights = [float(bar.get_attribute("height")) for bar in bars.all()]
    assert max(heights) == pytest.approx(160)


def test_plans_side_by_side_have_one_scale(optimized: Path, open_page: Any) -> None:
    page = open_page(optimized)
    first, second = (page.locator(f"#plan-0-{number}").bounding_box() for number in (0, 1))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    grid = "#plan-0-{} .grid"
    lines = [
        [line.get_attribute("y1") for line in page.locator(grid.format(number)).all()]
        for number in (0, 1)
    ]
    assert lines[0] == lines[1]
    less = page.locator(".plan-of .good").inner_text()
    assert less.endswith(" less")
    assert (
        page.locator("#plan-0-1 .bound-text").text_content().startswith("without overlap at least")
    )


def _cells(page: Any, column: int) -> list[str]:
    return page.locator(f"table.sortable tbody tr:visible > :nth-child({column})").all_inner_texts()


def test_layers_sort_and_filter(report: Path, open_page: Any) -> None:
    page = open_page(report)
    header = page.locator("table.sortable th", has_text="MACs")
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    macs = [int(text.replace(",", "")) for text in _cells(page, MACS_COLUMN)]
    assert macs == sorted(macs, reverse=True)
    assert macs[0] == 512_000
    header.get_by_role("button").press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    assert [int(text.replace(",", "")) for text in _cells(page, MACS_COLUMN)] == sorted(macs)
    assert page.locator("[aria-sort]").count() == 1
    page.get_by_label("Filter").fill("depthwise 64")
    assert set(_cells(page, 2)) == {"DEPTHWISE_CONV_2D"}
    assert page.locator(".filter [role=status]").inner_text() == "4 of 13 operators"
    page.get_by_label("Filter").fill("nothing like it")
    assert _cells(page, 2) == []
    page.get_by_label("Filter").fill("")
    assert len(_cells(page, 2)) == 13


def test_zoom_widens_the_plan(report: Path, open_page: Any) -> None:
    page = open_page(report)
    plan = page.locator("svg.plan[id]").first
    before = plan.bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").first.click()
    assert plan.bounding_box()["width"] == pytest.approx(2 * before, rel=0.01)
    page.get_by_role("button", name="fit").first.click()
    assert plan.bounding_box()["width"] == pytest.approx(before, rel=0.01)


def test_prints_on_a4(report: Path, open_page: Any) -> None:
    pdf = open_page(report).pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 1 <= pdf.count(b"/Type /Page\n") <= 4
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf or b"/MediaBox [0 0 595 842]" in pdf


def _processor_seconds(page: Any) -> float:
    """What the page's process has computed: the time on a machine that does nothing else."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime")


def test_two_thousand_operators_open_in_time(tmp_path: Path, open_page: Any) -> None:
    model, report = tmp_path / "chain.tflite", tmp_path / "chain.html"
    model.write_bytes(chain(2000, branch_every=5).build())
    run(["report", str(model), "-o", str(report)])
    page = open_page(report)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert _processor_seconds(page) < 3
    assert page.locator(".blocks rect").count() > 2000
    page.locator("table.sortable th", has_text="MACs").get_by_role("button").click()
    macs = [int(text.replace(",", "")) for text in _cells(page, MACS_COLUMN)[:3]]
    assert macs == sorted(macs, reverse=True)
    assert macs[0] > 0
