import xml.etree.ElementTree as ElementTree

from experiments.benchmarks.measured_tables import Table, compare_numbers
from experiments.benchmarks.result_plots import draw_pictures


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


def test_growth_is_drawn_over_the_numbers_of_its_rows(tmp_path):
    parts = {"growth": make_part("growth_batch", "16 images", "32 images")}
    assert draw_pictures(parts, tmp_path) == {"growth": "benchmarks-growth.svg"}


def test_part_without_numbers_has_no_picture(tmp_path):
    assert draw_pictures({"training": {"tables": []}}, tmp_path) == {}
