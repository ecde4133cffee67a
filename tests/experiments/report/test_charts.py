import base64
import re

import numpy as np
import pytest
import tensorflow as tf
from pages import Page
from reported_runs import LAYERS, copy_run, line, write_lines

from experiments.report import charts, maps, report


def texts_of(svg):
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


def markers_of(svg):
    """x, y and what the tooltip says of each marker of a chart's lines."""
    found = re.findall(r'<use [^>]*x="([^"]*)" y="([^"]*)"[^>]*><title>([^<]*)</title>', svg)
    return [(float(x), float(y), text) for x, y, text in found]


def lines_of(svg):
    """Run, offset (modulo the period) and dashes of each line of a run, from the bottom up."""
    found = re.findall(
        r'<path d="[^"]*" style="fill: none; ([^"]*stroke: var\(--run\d\)[^"]*)"', svg
    )
    lines = []
    for style in found:
        dashes = re.search(r"stroke-dasharray: ?([\d.]+), ?([\d.]+)", style)
        offset = re.search(r"stroke-dashoffset: ?(-?[\d.]+)", style)
        lines.append(
            (
                int(re.search(r"--run(\d)", style)[1]),
                *((float(offset[1]), *map(float, dashes.groups())) if dashes else ()),
            )
        )
    return lines


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-12, 12, ["-10", "-5", "0", "5", "10"]),
        (0.99994, 1.0, ["0.99994", "0.99996", "0.99998", "1.00000"]),
        (3, 2004, ["0", "500", "1000", "1500", "2000"]),
        (0, 3e-5, ["0.00000", "0.00001", "0.00002", "0.00003"]),
    ],
)
def test_ticks_are_round_and_written_as_exactly_as_needed(low, high, expected):
    points = [(1, low), (2, high)]
    chart = charts.draw_lines("Loss", "", [charts.Series("a", 1, points)])
    texts = texts_of(chart)
    assert texts[: texts.index("epoch")] == ["1", "2"]
    assert texts[texts.index("epoch") + 1 : -1] == expected
    assert texts[-1] == "Loss"


def test_line_has_a_gap_where_a_number_is_missing():
    points = [(1, 0.5), (2, None), (3, 0.7), (4, 0.8)]
    chart = charts.draw_lines("Loss", "", [charts.Series("a", 1, points)])
    path = re.search(r'<path d="([^"]*)" style="fill: none; stroke: var\(--run1\)', chart)[1]
    assert path.count("L") == 1
    assert [text for *_, text in markers_of(chart)] == [
        "a, epoch 1: 0.5",
        "a, epoch 3: 0.7",
        "a, epoch 4: 0.8",
    ]


@pytest.mark.parametrize("values", [[3.0], [0.0], [2.0, 2.0], [-1.0, 1e9]])
def test_any_numbers_make_a_chart_inside_its_frame(values):
    points = [(at + 1, value) for at, value in enumerate(values)]
    chart = charts.draw_lines("Loss", "", [charts.Series("a", 1, points)], zero=True)
    assert len(markers_of(chart)) == len(values)
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', chart).groups())
    for x, y, _ in markers_of(chart):
        assert 0.15 * width <= x <= 0.98 * width
        assert 0.12 * height <= y <= 0.84 * height


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.99996, 0.99997, (0.99, 1.0)),
        (0.5, 0.5, (0.495, 0.505)),
        (0.001, 0.001, (0.0, 0.01)),
        (0.2, 0.9, (0.2, 0.9)),
    ],
)
def test_range_is_widened_within_its_bounds(low, high, expected):
    assert charts.widen(low, high, least=0.01, bounds=(0, 1)) == pytest.approx(expected)


def test_noise_does_not_fill_the_height_of_a_chart(reported_run):
    noise = {name: {"sign_entropy": 0.99997} for name in LAYERS}
    values = [0.99996 + 1e-6 * epoch for epoch in range(5)]
    write_lines(
        reported_run,
        *(line(at, sign_entropy=value, layers=noise) for at, value in enumerate(values)),
    )
    source = Page(report([reported_run.path])).source
    chart = re.search(r'<svg [^>]*aria-label="Entropy of the signs \(.*?</svg>', source, re.DOTALL)[
        0
    ]
    heights = [y for _, y, _ in markers_of(chart)]
    assert len(heights) == 5
    assert max(heights) - min(heights) < 1
    assert "0.990" in texts_of(chart)
    # The colours of the layers span the same.
    assert "0.990<i></i>0.995" in source


def test_lines_that_lie_on_each_other_alternate_their_colours():
    points = [(epoch, 1 / epoch) for epoch in range(1, 6)]
    others = [(epoch, 0.9 - 0.1 * epoch) for epoch in range(1, 6)]
    series = [
        charts.Series("first", 1, points[:4]),
        charts.Series("longer", 2, points),
        charts.Series("same", 3, points[:4]),
        charts.Series("other", 4, others),
        charts.Series("training of first", 1, others, dashed=True),
        charts.Series("training of same", 3, others, dashed=True),
    ]
    chart = charts.draw_lines("Loss", "", series)
    # Longest first, whole; of the others every third dash, each beside the one before.
    assert lines_of(chart) == [
        (2,),
        (4,),
        (1, 0, 4, 3),
        (1, 16, 8, 16),
        (3, 7, 4, 10),
        (3, 8, 8, 16),
    ]
    # The markers lie on each other like rings.
    radii = {}
    for name, definition in re.findall(r'<path id="(\w+)" d="([^"]*)"', chart):
        for text in re.findall(rf'"#{name}"[^>]*><title>([\w ]+), epoch 1:', chart):
            radii[text] = max(map(float, re.findall(r"-?[\d.]+", definition)))
    assert radii["longer"] > radii["first"] > radii["same"] == radii["other"]


def test_lines_that_cross_are_whole():
    # They meet at one place of three, and lie on each other on less than half of their way.
    series = [
        charts.Series("a", 1, [(1, 0.5), (2, 0.6), (3, 0.7)]),
        charts.Series("b", 2, [(1, 0.5), (2, 0.7), (3, 0.6)]),
        charts.Series("c", 3, [(1, 0.9), (2, 0.8), (3, 0.8), (4, 0.8), (5, 0.8)]),
        charts.Series("d", 4, [(1, 1.0), (2, 0.8), (3, 0.8), (4, 0.9), (5, 0.7)]),
    ]
    assert lines_of(charts.draw_lines("Loss", "", series)) == [(1,), (2,), (3,), (4,)]


@pytest.mark.slow
def test_histograms_of_the_same_weights_alternate_their_colours(
    reported_run, finished_training, tmp_path
):
    other = copy_run(finished_training.run, tmp_path / "other")
    source = Page(report([reported_run.path, other.path])).source
    drawn = re.findall(r'<svg [^>]*class="histogram".*?</svg>', source, re.DOTALL)
    assert len(drawn) == len(LAYERS)
    for histogram in drawn:
        # The weights and both thresholds of each run.
        first, second = [(1,), (1, 0, 3, 2), (1, 0, 3, 2)], [(2, 8, 8, 8), *[(2, 5, 3, 7)] * 2]
        assert lines_of(histogram) == [*first, *second]


def test_heatmap_has_a_pixel_for_each_layer_and_epoch():
    values = np.array([[0.0, 1.0, np.nan], [0.5, 0.25, 0.75]])
    drawn = maps.draw_heatmap("Dead", ["a", "b"], values, first=1, low=0.0, high=1.0)
    picture = tf.io.decode_png(base64.b64decode(re.search('base64,([^"]*)"', drawn)[1])).numpy()
    assert picture.shape == (2, 3, 4)
    assert picture[0, 0].tolist() == [68, 1, 84, 255]
    assert picture[0, 1].tolist() == [253, 231, 36, 255]
    assert picture[0, 2, 3] == 0
    assert picture[1, 0].tolist() == [32, 144, 140, 255]
