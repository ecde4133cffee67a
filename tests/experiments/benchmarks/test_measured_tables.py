import json

import pytest

from experiments.benchmarks.measured_tables import (
    Row,
    Table,
    compare_numbers,
    compare_turns,
    table_from_json,
)


def test_turns_are_compared_one_by_one():
    # The median of ours is that of the other, but ours is faster in most turns.
    row = compare_turns("A", {"ours": [1, 2, 9], "other": [2, 3, 1.8]}, "ours")
    assert row.medians == {"ours": 2, "other": 2}
    low, middle, high = row.ratios["other"]
    assert middle == 1.5
    assert low < middle < high
    assert row.spreads["ours"] == pytest.approx((5.5 - 1.5) / 2)


def test_more_images_per_second_are_better():
    row = compare_turns("A", {"ours": [10], "other": [5]}, "ours", more_is_better=True)
    assert row.ratios["other"][1] == 2
    assert row.losses == []


def test_loss_needs_half_of_the_turns_and_is_undecided_without_three_quarters():
    def compare(other):
        row = compare_turns("A", {"ours": [2, 2, 2, 2, 2], "B": other}, "ours")
        return row.losses, row.undecided

    assert compare([1, 1, 1, 1, 1]) == (["B"], [])
    assert compare([1, 1, 1, 3, 3]) == (["B"], ["B"])
    assert compare([1, 1, 3, 3, 3]) == ([], [])


def test_numbers_of_one_turn_have_no_spread():
    row = compare_numbers("A", {"file": 10, "content": 8}, "file", missing={"C": "absent"})
    assert row.spreads == {}
    assert row.losses == ["content"]
    assert row.missing == {"C": "absent"}


def test_table_comes_back_from_json():
    rows = [Row("A", {"ours": 1.0}), compare_turns("B", {"ours": [1], "D": [2]}, "ours")]
    table = Table("key", "Title", "ms", "ours", rows, more_is_better=True)
    assert table_from_json(json.loads(json.dumps(table.as_json()))) == table


def test_sides_are_those_of_any_row():
    rows = [Row("A", {"ours": 1.0}, missing={"C": "absent"}), Row("B", {"ours": 1.0, "D": 2.0})]
    assert Table("key", "Title", "ms", "ours", rows).sides == ["ours", "C", "D"]
