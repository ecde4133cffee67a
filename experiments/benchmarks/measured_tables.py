"""What a benchmark measured: tables that compare ours with others, number by number."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

__all__ = ["Row", "Table", "compare_numbers", "compare_turns", "table_from_json"]


@dataclass
class Row:
    """One comparison: a number for each side.

    Attributes:
        name: what was measured, such as a network.
        medians: of each side, ours first.
        spreads: half the distance between the quartiles, of each side that was measured in turns.
        ratios: how many times as good ours is as each other side; the quartiles and the median of
            the turns. Below 1 ours is worse.
        missing: why a side has no number.
        because: why ours is worse than others here, where that was measured as well.
    """

    name: str
    medians: dict[str, float]
    spreads: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    because: str = ""

    @property
    def losses(self) -> list[str]:
        """The sides that ours is worse than, in half of the turns at least."""
        return [side for side, (_, median, _) in self.ratios.items() if median < 1]

    @property
    def undecided(self) -> list[str]:
        """The losses that are none in a quarter of the turns."""
        return [side for side in self.losses if self.ratios[side][2] >= 1]


@dataclass
class Table:
    """Comparisons of the same sides.

    Attributes:
        key: its name in the JSON file.
        title: its heading on the page.
        unit: of the numbers.
        ours: the side that the others are compared with; None where there is none.
        rows: the comparisons.
        note: what has to be known to read it, in Markdown.
        more_is_better: whether large numbers are good, as images per second are.
    """

    key: str
    title: str
    unit: str
    ours: str | None
    rows: list[Row]
    note: str = ""
    more_is_better: bool = False

    @property
    def sides(self) -> list[str]:
        """All sides, in the order in which the rows have them."""
        names = [name for row in self.rows for name in (*row.medians, *row.missing)]
        return list(dict.fromkeys(names))

    def as_json(self) -> dict[str, object]:
        """All numbers, for a JSON file."""
        return asdict(self)


def table_from_json(values: Mapping) -> Table:
    """The table that `Table.as_json` gave."""
    rows = [
        Row(**{**row, "ratios": {side: tuple(three) for side, three in row["ratios"].items()}})
        for row in values["rows"]
    ]
    return Table(**{**values, "rows": rows})


def compare_turns(
    name: str,
    numbers: Mapping[str, Sequence[float]],
    ours: str | None,
    *,
    more_is_better: bool = False,
    missing: Mapping[str, str] | None = None,
) -> Row:
    """Compares sides that took turns.

    Args:
        name: what was measured.
        numbers: of each side, one for each turn, as `export.measurement.latency.take_turns` gives.
        ours: the side that the others are compared with, turn by turn; None compares none.
        more_is_better: whether large numbers are good.
        missing: why other sides have no numbers.
    """
    turns = {side: np.asarray(values, float) for side, values in numbers.items()}
    ratios = {}
    for side, values in turns.items():
        if ours is None or side == ours:
            continue
        better = turns[ours] / values if more_is_better else values / turns[ours]
        low, middle, high = np.quantile(better, (0.25, 0.5, 0.75)).tolist()
        ratios[side] = (low, middle, high)
    return Row(
        name,
        {side: float(np.median(values)) for side, values in turns.items()},
        {
            side: float(np.subtract(*np.quantile(values, (0.75, 0.25)))) / 2
            for side, values in turns.items()
        },
        ratios,
        dict(missing or {}),
    )


def compare_numbers(
    name: str,
    numbers: Mapping[str, float],
    ours: str | None,
    *,
    missing: Mapping[str, str] | None = None,
) -> Row:
    """Compares sides of one number each, such as bytes; small ones are good.

    Args:
        name, ours, missing: see `compare_turns`.
        numbers: of each side.
    """
    row = compare_turns(
        name, {side: [number] for side, number in numbers.items()}, ours, missing=missing
    )
    return Row(row.name, row.medians, {}, row.ratios, row.missing)
