"""Figures of matplotlib as SVG elements for a page: scalable, readable aloud, light or dark.

Colours are names of the page's style: matplotlib draws in placeholders, which become CSS variables,
so that a figure follows the reader's light or dark scheme. Text stays text. The numbers of a chart
stand beside its drawing, for the script of the page.
"""

import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

__all__ = [
    "FAINT",
    "INCH",
    "INK",
    "RULE",
    "choose_run_colour",
    "draw_ticks",
    "round_numbers",
    "shorten",
    "to_svg",
    "use_figure_style",
    "with_data",
]

VARIABLES = {f"#0000{number:02x}": f"run{number}" for number in range(1, 9)}
INK, FAINT, RULE = "#000010", "#000011", "#000012"
VARIABLES |= {INK: "ink", FAINT: "faint", RULE: "rule"}
SVG = "{http://www.w3.org/2000/svg}"
INCH = 96  # in CSS pixels
FONT_SIZE = 8.6  # points, 11.5 CSS pixels
DIGITS = 6  # of the numbers beside a drawing
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "recu_tf",
    "font.family": "DejaVu Sans",
    "font.size": FONT_SIZE,
    "axes.unicode_minus": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": FAINT,
    "axes.linewidth": 0.75,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.titlesize": 9.75,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.75,
    "lines.linewidth": 1.35,
    "lines.scale_dashes": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.major.width": 0.75,
    "text.color": INK,
    "savefig.transparent": True,
}


@contextmanager
def use_figure_style() -> Iterator[None]:
    """The style of all figures, for the time of drawing one and `to_svg`."""
    with matplotlib.rc_context(STYLE):
        yield


def choose_run_colour(number: int) -> str:
    """The placeholder for the colour of a run, by its number from 1."""
    return f"#0000{number:02x}"


def round_numbers(values: Iterable[float | None]) -> list[float | None]:
    """Numbers with as many digits as a page shows, None for those that are not finite."""
    return [
        None if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")
        for value in values
    ]


def with_data(drawing: Markup, chart: Mapping[str, object]) -> Markup:
    """A drawing and the numbers in it, with which a page shows values and zooms.

    Args:
        drawing: an SVG element.
        chart: of JSON's types, as `templates/charts.js` reads them: `kind`, one of lines, steps,
            bars, rows and map; `title`; `x`, ascending; `pad`, what its axis has beyond `x`; and
            what the kind has.
    """
    data = escape(json.dumps(chart, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    return Markup(f'<figure class="chart" data-chart="{data}">{drawing}</figure>')


def draw_ticks(axis, count: int, *, integer: bool = False) -> None:
    """Gives an axis about `count` round numbers, written with as many decimals as they need."""
    # A single epoch has one integer tick; the default asks for two, and finds fractions.
    locator = MaxNLocator(count, steps=[1, 2, 5, 10], integer=integer, min_n_ticks=1)
    axis.set_major_locator(locator)
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_scientific(False)
    axis.set_major_formatter(formatter)


def to_svg(
    figure: Figure,
    *,
    title: str,
    description: str,
    css_class: str,
    tooltips: Mapping[str, str | Sequence[str]],
) -> Markup:
    """Converts a figure, inside `use_figure_style`.

    Args:
        figure: drawn in the placeholders of this module.
        title: for those who cannot see the figure.
        description: likewise, what it shows.
        css_class: of the SVG element.
        tooltips: by the gid of an artist: one for the whole, or one for each of its markers.

    Returns:
        An SVG element.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    for prefix, namespace in (("", SVG[1:-1]), ("xlink", "http://www.w3.org/1999/xlink")):
        ElementTree.register_namespace(prefix, namespace)
    root = ElementTree.fromstring(buffer.getvalue())
    # What describes the file, and a style that would be the whole page's.
    root.remove(root.find(f"{SVG}metadata"))
    root.remove(root.find(f"{SVG}defs"))
    for element in root.iter():
        name = element.get("id", "")
        if name in tooltips:
            _add_tooltips(element, tooltips[name])
        if not re.fullmatch(r"[mp][0-9a-f]{10}", name):
            # All but markers and clipping paths, named after their content, occur in each figure.
            element.attrib.pop("id", None)
        style = element.get("style")
        if style:
            style = re.sub("#[0-9a-f]{6}", _replace_colour, style)
            element.set("style", style.replace("'DejaVu Sans'", "system-ui, sans-serif"))
    for size in ("width", "height", "version"):
        root.attrib.pop(size)
    root.attrib |= {"class": css_class, "role": "img", "aria-label": f"{title}. {description}"}
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{SVG}{tag}")
        element.text = text
        root.insert(position, element)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _replace_colour(match: re.Match) -> str:
    name = VARIABLES.get(match[0])
    return f"var(--{name})" if name else match[0]


def _add_tooltips(group: ElementTree.Element, texts: str | Sequence[str]) -> None:
    if isinstance(texts, str):
        elements, texts = [group], [texts]
    else:
        elements = list(group.iter(f"{SVG}use"))
    for element, text in zip(elements, texts, strict=True):
        tooltip = ElementTree.Element(f"{SVG}title")
        tooltip.text = text
        element.insert(0, tooltip)


def shorten(text: str, length: int) -> str:
    """Cuts a name to a number of characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
