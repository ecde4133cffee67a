import pytest

from experiments.benchmarks.measured_tables import Table, compare_turns
from experiments.benchmarks.results_page import format_quantity, format_ratio, write_page

MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "load": 0.1,
    "date": "2026-01-02T03:04:05+0000",
    "versions": {"python": "3.11.7"},
}


def make_part(load=0.1, **changes):
    rows = [
        compare_turns("A", {"ours": [1, 1.2], "B": [0.5, 0.6]}, "ours", missing={"C": "absent"})
    ]
    return {
        "tables": [Table("training_time", "Steps", "ms", "ours", rows, "A note.").as_json()],
        "left_out": {},
        "facts": {},
        "machine": {**MACHINE, "load": load},
        "commit": "abc1234",
        "seconds": 61,
        **changes,
    }


def test_page_has_numbers_marks_of_losses_and_the_machine():
    page = write_page({"training": make_part()}, {"training": "picture.svg"})
    (line,) = [line for line in page.splitlines() if line.startswith("| A ")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["A", "1.10 ± 0.05", "**0.550 ± 0.025 (0.50)**", "\N{EN DASH}"]
    assert "- Worse than B (A 0.50): why is not known.\n- C: absent." in page
    assert "![Training](picture.svg)" in page
    for fact in ("Some CPU, 2 cores", "2026-01-02T03:04:05+0000", "abc1234", "1 min", "3.11.7"):
        assert fact in page
    assert "Other programs ran" not in page


def test_page_says_what_was_left_out_and_that_the_machine_was_not_quiet():
    part = make_part(load=1.5, left_out={"OpenVINO": "not installed"}, tables=[])
    page = write_page({"training": part}, {})
    assert "Left out:\n\n- OpenVINO: not installed" in page
    assert "load 1.5 on 2 cores before the measurement" in page


def test_side_that_is_better_in_a_part_of_the_turns_is_in_italics():
    row = compare_turns("A", {"ours": [2, 2, 2, 2, 2], "B": [1, 1, 1, 3, 3]}, "ours")
    table = Table("key", "Times", "ms", "ours", [row])
    page = write_page({"training": make_part(tables=[table.as_json()])}, {})
    assert "| *1.00 ± 1.00 (0.50)* |" in page
    assert "- Worse than B (A 0.50): why is not known." in page


def test_parts_come_in_their_order():
    page = write_page({"inference": make_part(), "training": make_part()}, {})
    assert page.index("## Training") < page.index("## Exported networks")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0741, "0.074"), (0.9956, "1.00"), (12.34, "12.3"), (12345.6, "12,346")]
)
def test_quantities_have_three_digits(value, text):
    assert format_quantity(value) == text


def test_ratios_have_two_digits_behind_the_point_where_small():
    assert [format_ratio(value) for value in (0.456, 12.34, 1234.5)] == ["0.46", "12.3", "1,234"]
