import xml.etree.ElementTree as ElementTree

from matplotlib.figure import Figure

from experiments.benchmarks.measured_tables import Table, compare_numbers, compare_turns
from experiments.benchmarks.result_plots import draw_pictures, draw_shares


def make_part(key, *names):
    rows = [compare_numbers(name, {"ours": 1.0, "other": 2.0}, "ours") for name in names]
    del rows[0].medians["other"]  # a side that could not be measured there
    return {"tables": [Table(key, "Title", "ms", "ours", rows).as_json()]}


def test_each_part_with_a_picture_gets_one(tmp_path):
    parts = {
        "training": make_part("training_time", "A", "B"),
        "inference": make_part("latency_1", "A", "B"),
        "start": make_part("start_up", "A"),
    }
    files = draw_pictures(parts, tmp_path)
    assert files == {
        "training": "benchmarks-training.svg",
        "inference": "benchmarks-inference.svg",
    }
    for file in files.values():
        ElementTree.parse(tmp_path / file)


def test_bars_have_the_ratios_of_the_table():
    # The median of the ratios is not the ratio of the medians.
    row = compare_turns("A", {"ours": [1.0, 2.0, 4.0], "other": [3.0, 3.0, 4.0]}, "ours")
    assert row.ratios["other"][1] == 1.5
    axes = Figure().subplots()
    draw_shares(axes, Table("training_time", "Title", "ms", "ours", [row]))
    assert [bar.get_width() for bar in axes.patches] == [1, 1.5]


def test_growth_is_drawn_over_the_numbers_of_its_rows(tmp_path):
    parts = {"growth": make_part("growth_batch", "16 images", "32 images")}
    assert draw_pictures(parts, tmp_path) == {"growth": "benchmarks-growth.svg"}


def test_part_without_numbers_has_no_picture(tmp_path):
    assert draw_pictures({"training": {"tables": []}}, tmp_path) == {}
