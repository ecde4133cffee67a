"""Lines of a chart that lie on each other, drawn so that each can be seen.

Own code, because matplotlib draws a line over another one and leaves nothing of it to see.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

__all__ = ["alternate", "find_layers"]

SOLID = "solid"


def find_layers(lines: Sequence[Mapping[float, float]], share: float) -> list[tuple[int, int]]:
    """Finds lines that hide each other, to be drawn in layers.

    Args:
        lines: each from x to y, in units of the drawing.
        share: of the way from place to place that two lines have in common; where they meet, to
            half a unit, on more of it, they hide each other.

    Returns:
        For each line its layer from 0, the longest line at the bottom, and how many layers there
        are where it lies.
    """
    groups: list[list[int]] = []
    for number, line in enumerate(lines):
        group = next(
            (group for group in groups if any(_hide(line, lines[at], share) for at in group)), None
        )
        if group is None:
            groups.append([number])
        else:
            group.append(number)
    found = {}
    for group in groups:
        group.sort(key=lambda at: -len(lines[at]))
        found.update({number: (layer, len(group)) for layer, number in enumerate(group)})
    return [found[number] for number in range(len(lines))]


def _hide(line: Mapping[float, float], other: Mapping[float, float], share: float) -> bool:
    meets = [abs(line[x] - other[x]) <= 0.5 for x in sorted(line.keys() & other.keys())]
    # At a place alone, lines cross.
    same = [all(ends) for ends in pairwise(meets)] if len(meets) > 1 else meets
    return sum(same) > share * len(same)


def alternate(
    layer: int, layers: int, dash: float, gap: float = 0
) -> str | tuple[float, tuple[float, float]]:
    """A matplotlib line style whose gaps show the lines below, so that all colours are seen.

    Args:
        layer: of the line, 0 at the bottom.
        layers: how many lines lie there.
        dash: length of a dash in points.
        gap: after each dash, in points; 0 for a line that is solid by itself.
    """
    if layer == 0:
        return (0, (dash, gap)) if gap else SOLID
    period = dash + gap
    return -layer * period, (dash, layers * period - dash)
