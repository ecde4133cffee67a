"""HTML pages that need nothing from outside: one file each, with all that it shows in it.

Pages are Jinja2 templates. Those in `templates` beside this file are for all pages: the frame with
the style, and tables. A package that has a page keeps the templates of its sections in a
`templates` folder of its own, and passes the numbers and words that they show. Text is escaped on
its way into a template; only `markupsafe.Markup`, such as a chart, goes in as it is.

Charts are drawings, see `recu_tf.figures`. Where JavaScript runs, `templates/charts.js` shows their
numbers with uPlot, which lies in `vendored`: with the values under the pointer, and zoom.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["NOTHING", "Section", "Table", "page"]

# Of a page, each after those that it needs.
SCRIPTS = ("chart_kinds", "chart_ranges", "chart_names", "chart_tips", "charts")
NOTHING = "\N{EN DASH}"  # in a table, in the place of a number


@dataclass(frozen=True)
class Table:
    """A table, for the macro `table` of `tables.html.j2`.

    Attributes:
        caption: what it shows.
        header: a heading for each column.
        rows: the first entry of each is the row's heading.
        classes: a CSS class for each row, empty for none; no entries where no row has one.
        is_text: whether all entries are words, set to the left and broken into lines.
        text_columns: number of the first columns that are set to the left in any case.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    classes: Sequence[str] = ()
    is_text: bool = False
    text_columns: int = 1


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        anchor: the id of its element.
        heading: of the section.
        template: name of a template of the page's package, or of `table.html.j2`.
        values: what the template names.
    """

    anchor: str
    heading: str
    template: str
    values: Mapping[str, object] = field(default_factory=dict)


def page(
    package: str,
    *,
    title: str,
    lead_template: str,
    lead_values: Mapping[str, object],
    sections: Sequence[Section],
    footer: str,
) -> str:
    """Renders a page.

    Args:
        package: name of the Python package whose `templates` folder has the sections' templates.
        title: of the page.
        lead_template: what stands above the links to the sections, a template as of a section.
        lead_values: what that template names.
        sections: in their order.
        footer: text below the sections.

    Returns:
        HTML.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("recu_tf")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    library = files("recu_tf") / "vendored" / "uplot"
    script = "\n".join(
        path.read_text("utf-8")
        for path in (
            library / "uPlot.iife.min.js",
            *(files("recu_tf") / "templates" / f"{name}.js" for name in SCRIPTS),
        )
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.get_template("page.html.j2")
    return template.render(
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        library_style=Markup((library / "uPlot.min.css").read_text("utf-8")),
        title=title,
        lead_template=lead_template,
        lead_values=lead_values,
        sections=sections,
        footer=footer,
    )
