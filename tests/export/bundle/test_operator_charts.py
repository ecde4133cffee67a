"""Charts of an export: their numbers and names, and what they do under the pointer."""

import re

import pytest
from markupsafe import Markup
from pages import answer, charts_of

from export.bundle.operator_charts import draw_latencies, draw_operators
from export.measurement.latency import Latency
from export.proof.operators import OperatorSummary
from recu_tf.html import Table, page

LATENCIES = [
    Latency("exported", "delegate", 1, 0.08, 0.09, 0.07),
    Latency("exported", "indirect bgemm with XNNPACK and more words", 1, 0.71, 0.9, 0.7),
    Latency("float32", "TFLite with XNNPACK", 4, 7.7, 8.1, 7.5),
]
NAMES = [
    "exported, delegate, 1 thread",
    "exported, indirect bgemm with XNNPACK and more words, 1 thread",
    "float32, TFLite with XNNPACK, 4 threads",
]


def operator(layer, kind, binary_macs=0):
    rest = ("", None, (), False, False, 0, binary_macs, 0)
    return OperatorSummary(layer, kind, "other", *rest)


OPERATORS = [
    operator("sign", "LceQuantize"),
    operator("layer2.0.a_name_that_is_longer_than_others.conv1", "LceBconv2d", 9000),
    operator("", "Softmax"),
]

# Points, drags and looks at the charts of the page; boxes are left and right.
HANDS = """
  const charts = [...document.querySelectorAll(".chart")];
  const send = (target, type, x, y) => target.dispatchEvent(
    new MouseEvent(type, { clientX: x, clientY: y, movementX: 1, bubbles: true }));
  const settle = async () => { for (let turn = 0; turn < 20; turn += 1) await null; };
  const overOf = chart => { const over = chart.querySelector(".u-over");
    over.matches = () => true; return over; };
  const at = (chart, across, down) => { const box = overOf(chart).getBoundingClientRect();
    return [box.left + across * box.width, box.top + down * box.height]; };
  const point = (chart, across, down) => {
    const over = overOf(chart);
    send(over, "mouseenter", ...at(chart, across, down));
    send(over, "mousemove", ...at(chart, across, down));
    const tip = over.querySelector(".tip"), box = tip.getBoundingClientRect();
    return { heading: tip.querySelector("b").textContent, left: box.left, right: box.right,
      lines: [...tip.querySelectorAll("div")].map(line => line.textContent),
      page: document.documentElement.scrollWidth };
  };
  const drag = async (chart, first, last) => {
    const over = overOf(chart);
    send(over, "mouseenter", ...at(chart, first, 0.5));
    send(over, "mousemove", ...at(chart, first, 0.5));
    send(over, "mousedown", ...at(chart, first, 0.5));
    send(over, "mousemove", ...at(chart, last, 0.5));
    send(document, "mouseup", ...at(chart, last, 0.5));
    await settle();
  };
  const buttonOf = chart => chart.querySelector(".plot-heading button");
  const isShown = chart => getComputedStyle(buttonOf(chart)).visibility === "visible";
"""


@pytest.fixture
def path(tmp_path):
    charts = [draw_latencies(LATENCIES), *draw_operators(OPERATORS)]
    values = {"chart": Markup("").join(charts), "table": Table("", [""], []), "speed": ""}
    text = page(
        "export.bundle",
        title="Charts",
        lead_template="latency.html.j2",
        lead_values=values,
        sections=[],
        footer="",
    )
    (tmp_path / "charts.html").write_text(text, "utf-8")
    return tmp_path / "charts.html"


def test_names_are_whole_but_where_they_are_drawn():
    drawn = draw_latencies(LATENCIES)
    (chart,) = charts_of(drawn)
    assert chart["names"] == NAMES
    label = re.search('aria-label="(.*?)"', drawn)[1]
    assert all(name in label for name in NAMES)
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", drawn)
    assert "exported, delegate, 1 thread" in texts
    assert "exported, indirect bgemm" in texts
    assert max(map(len, texts)) <= 28


def test_operators_are_named_with_their_kinds():
    for drawn in draw_operators(OPERATORS):
        (chart,) = charts_of(drawn)
        assert chart["names"] == [
            "1: sign (LceQuantize)",
            "2: layer2.0.a_name_that_is_longer_than_others.conv1 (LceBconv2d)",
            "3: Softmax",
        ]


@pytest.mark.parametrize("width", [1280, 500])
def test_pointer_shows_whole_names_inside_the_page(browser, path, width):
    found = answer(
        browser,
        path,
        HANDS
        + """
        const rows = [0.1, 0.5, 0.9].map(down => point(charts[0], 0.5, down));
        const operators = [0.01, 0.45, 0.55, 0.99].map(across => point(charts[1], across, 0.5));
        return { rows, operators };""",
        width=width,
    )
    assert [tip["heading"] for tip in found["rows"]] == NAMES
    assert found["rows"][0]["lines"] == ["median 0.08 ms, minimum 0.07 ms, 95th percentile 0.09 ms"]
    first, second, same, last = found["operators"]
    assert (first["heading"], first["lines"]) == ("1: sign (LceQuantize)", ["none"])
    assert second["heading"] == same["heading"]
    assert second["lines"] == ["operators with bits9,000"]
    assert (last["heading"], last["lines"]) == ("3: Softmax", ["none"])
    for tip in (*found["rows"], *found["operators"]):
        assert tip["left"] >= 0
        assert max(tip["right"], tip["page"]) <= width


def test_latencies_zoom_along_the_milliseconds_and_nothing_moves(browser, path):
    found = answer(
        browser,
        path,
        HANDS
        + """
        const heights = [], shown = [];
        for (const chart of charts) {
          const look = () => { heights.push(chart.offsetHeight); shown.push(isShown(chart)); };
          look();
          await drag(chart, 0, 0.1);
          look();
          buttonOf(chart).click();
          await settle();
          look();
          await drag(chart, 0, 0.1);
          send(overOf(chart), "dblclick", ...at(chart, 0.5, 0.5));
          await settle();
          look();
        }
        return { heights, shown };""",
    )
    assert found["shown"] == [False, True, False, False] * 3
    for start in (0, 4, 8):
        assert len(set(found["heights"][start : start + 4])) == 1


def test_range_after_zoom_holds_where_lines_leave_the_section(browser, path):
    found = answer(
        browser,
        path,
        """
        const x = [1, 2, 3, 4], data = [x, [0, 10, 20, null], [5, null, 8, 9]];
        const find = (kind, shown) =>
          chartRanges.findVertical({ kind, x, shown, range: [-1, 21] })({ data });
        return [find("lines", [1.5, 2.5]), find("lines", [2.9, 3.1]), find("lines", null),
          find("steps", [1.5, 2.5]), find("bars", [1.6, 2.4])];""",
    )
    # 5 % of the range is left free on either side.
    assert found == [
        pytest.approx([4.5, 15.5]),
        pytest.approx([8 - 0.6, 20.6]),
        [-1, 21],
        pytest.approx([-0.5, 10.5]),
        pytest.approx([9.5, 10.5]),
    ]
