from pathlib import Path

from experiments.docs.opening_picture import LATENCIES, SIZES

README = (Path(__file__).parents[3] / "README.md").read_text("utf-8")


def test_numbers_are_those_of_the_first_page():
    rows = {
        cells[1].strip(): cells[2]
        for line in README.splitlines()
        if len(cells := line.split("|")) == 4
    }
    for name, number in zip(("size, float32", "size, binary"), SIZES, strict=True):
        assert f" {number:,} kB " in rows[name]
    for name, number in zip(("latency, float32", "latency, delegate"), LATENCIES, strict=True):
        assert f" {number} ms " in rows[name]
