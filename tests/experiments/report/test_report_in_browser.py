"""The page of a report in a real browser."""

import re

import pytest
from conftest import few_digits, tiny_resnet
from pages import contrast, measured, opened
from reported_runs import LAYERS, copy_run

from experiments.report import report
from recu_tf import metrics


@pytest.fixture(scope="module")
def page_of_two(finished_training, tmp_path_factory):
    directory = tmp_path_factory.mktemp("two")
    names = ("run", "a-run-with-a-rather-long-name-that-has-to-break-somewhere")
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_digits(monkeypatch, build=tiny_resnet)
        paths = [copy_run(finished_training.run, directory / name).path for name in names]
        return report(paths, directory / "both.html")


def test_browser_finds_nothing_wrong_with_the_page(browser, page_of_two):
    console, dom = opened(browser, page_of_two)
    assert console == []
    assert dom.count("<svg") == page_of_two.read_text("utf-8").count("<svg")
    broken = page_of_two.with_name("broken.html")
    broken.write_text(page_of_two.read_text("utf-8").replace("</body>", "<script>x()</script>"))
    console, _ = opened(browser, broken)
    assert console  # the page's own policy refuses the script


@pytest.mark.parametrize(
    ("width", "dark", "scripts"),
    [(1280, False, True), (1280, True, True), (500, False, True), (1280, False, False)],
)
def test_page_fits_the_window_and_can_be_read(browser, page_of_two, width, dark, scripts):
    found = measured(browser, page_of_two, scripts=scripts, width=width, dark=dark)
    assert found["window"] == width
    assert found["page"] <= width
    charts = 8 + 2 * len(metrics.METRICS) + len(LAYERS)
    assert found["plots"] == (charts if scripts else 0)
    if scripts:
        assert re.fullmatch(r"epoch 3(.*, (training|test)0\.(6667|7333)){4}", found["values"])
    assert all(min(size) > 0 for size in found["sizes"])
    assert found["outside"] == []
    assert found["overlapping"] == []
    assert contrast(found["ink"], found["paper"]) > 7
    # WCAG asks for 3 where a shape has to be distinct from its background.
    assert min(contrast(colour, found["paper"]) for colour in found["runs"]) > 3
    lightness = int(re.search(r"\d+", found["paper"])[0])
    assert (lightness < 60) if dark else (lightness > 200)
