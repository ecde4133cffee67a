"""Lines of a chart that lie on each other, drawn so that each can be seen."""

from collections.abc import Mapping, Sequence

__all__ = ["alternating", "layered"]


def layered(lines: Sequence[Mapping[float, float]], share: float) -> list[tuple[int, int]]:
    """Finds lines that hide each other, to be drawn in layers.

    Args:
        lines: each from x to y, in units of the drawing.
        share: of the places that two lines have in common; where they meet in more of these, to
            half a unit, one would hide the other.

    Returns:
        Of each line its layer from 0, the longest line at the bottom, and how many layers there
        are where it lies.
    """
    groups: list[list[int]] = []
    for number, line in enumerate(lines):

        def meets(other: Mapping[float, float], line: Mapping[float, float] = line) -> bool:
            common = line.keys() & other.keys()
            same = sum(abs(line[x] - other[x]) <= 0.5 for x in common)
            return bool(common) and same > share * len(common)

        group = next((group for group in groups if any(meets(lines[at]) for at in group)), None)
        if group is None:
            groups.append([number])
        else:
            group.append(number)
    found = {}
    for group in groups:
        group.sort(key=lambda at: -len(lines[at]))
        found.update({number: (layer, len(group)) for layer, number in enumerate(group)})
    return [found[number] for number in range(len(lines))]


def alternating(layer: int, layers: int, dash: float, gap: float = 0) -> str:
    """The style of a line that leaves gaps for those below it, so that all colours show."""
    if layer == 0:
        return ""
    period = dash + gap
    return (
        f' style="stroke-dasharray:{dash:g} {layers * period - dash:g};'
        f'stroke-dashoffset:{-layer * period:g}"'
    )
