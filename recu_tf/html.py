"""HTML pages that need nothing from outside: tables, the frame of the page, and its style."""

from collections.abc import Sequence
from html import escape

__all__ = ["page", "table"]

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --faint: #5a6675; --paper: #f5f6f8;
  --card: #fff; --rule: #dfe3e8; --mark: #fff1c9; --right: #0072b2; --wrong: #d55e00;
  --deep: #fff; --run1: #0072b2; --run2: #d55e00; --run3: #00845f; --run4: #a8508a;
  --run5: #8a6d00; --run6: #2b8fc9; --run7: #555d68; --run8: #a33b12; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --faint: #9da8b6; --paper: #14181f;
  --card: #1d232c; --rule: #353e4b; --mark: #4a3d12; --right: #4fa8e0; --wrong: #f2894a;
  --deep: #10141a; --run1: #56b4f0; --run2: #f2894a; --run3: #2fc79b; --run4: #e39cc8;
  --run5: #f0d84a; --run6: #a9d8f5; --run7: #b8bfc9; --run8: #ff8f73; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 1240px; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
p { margin: .3rem 0 .8rem; max-width: 48rem; }
p, li, dd { overflow-wrap: anywhere; }
nav a { margin-right: 1rem; display: inline-block; }
a { color: var(--right); }
footer { color: var(--faint); font-size: .85rem; padding-top: 2rem; padding-bottom: 2rem; }
.faint { color: var(--faint); }
.grid { --least: 23rem; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)); }
.grid.small { --least: 15rem; } .grid.wide { --least: 27rem; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .6rem;
  margin: 0; min-width: 0; }
.key { position: sticky; top: 0; z-index: 1; background: var(--paper); padding: .4rem 0;
  border-bottom: 1px solid var(--rule); display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
.key span { display: inline-flex; align-items: center; gap: .4rem; overflow-wrap: anywhere; }
.key svg { width: 30px; height: 10px; flex: none; }
.scale { display: flex; align-items: center; gap: .4rem; font-size: .8rem; color: var(--faint); }
.scale i { flex: 0 1 6rem; height: .7rem; border-radius: 2px;
  background: linear-gradient(90deg, #440154, #3b528b, #21918c); }
.scale i.upper { background: linear-gradient(90deg, #21918c, #5ec962, #fde725); }
.grid.wide + .grid.wide { margin-top: .8rem; }
.missing { margin: .8rem 0; border-left: 4px solid var(--wrong); }
.missing ul { margin: .2rem 0; padding-left: 1.2rem; }
.scroll { overflow-x: auto; max-width: 100%; }
details .scroll { overflow: auto; max-height: 34rem; }
details thead th { position: sticky; top: 0; background: var(--paper); }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--right); }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding: .2rem 0; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--rule); text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid var(--rule); vertical-align: bottom; }
tbody th { font-weight: 500; }
table.numbers td { white-space: nowrap; }
table.numbers .word { text-align: left; }
table.text th, table.text td {
  text-align: left; vertical-align: top; overflow-wrap: anywhere; min-width: 5em;
}
table.text tbody th { min-width: 10rem; }
table.text thead th { overflow-wrap: normal; }
tr.differs > * { background: var(--mark); }
tr.total > * { font-weight: 700; border-top: 2px solid var(--rule); }
summary { cursor: pointer; padding: .3rem 0; }
svg { display: block; width: 100%; height: auto; font: 11.5px system-ui, sans-serif; }
svg.chart { max-width: 560px; } svg.histogram { max-width: 340px; }
svg.heatmap, svg.matrix { min-width: 22rem; max-width: 34rem; }
svg text { fill: var(--ink); } svg .unit, svg .faint { fill: var(--faint); }
svg .title { font-weight: 600; font-size: 13px; }
svg .grid { stroke: var(--rule); } svg .axis { stroke: var(--faint); }
svg path { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
svg path.filled { fill: currentColor; fill-opacity: .18; }
svg .dashed path { stroke-width: 1.3; stroke-dasharray: 4 3; opacity: .85; }
svg circle { fill: currentColor; } svg .limit { stroke: currentColor; stroke-dasharray: 3 2; }
svg text.ink { fill: currentColor; }
svg .hover { fill: transparent; } svg .hover:hover { stroke: var(--ink); }
svg image { image-rendering: pixelated; }
svg .right { fill: var(--right); } svg .wrong { fill: var(--wrong); }
svg text.deep { fill: var(--deep); } svg .frame { fill: none; stroke: var(--rule); }
.run1 { color: var(--run1); } .run2 { color: var(--run2); } .run3 { color: var(--run3); }
.run4 { color: var(--run4); } .run5 { color: var(--run5); } .run6 { color: var(--run6); }
.run7 { color: var(--run7); } .run8 { color: var(--run8); }
@media print { .key { position: static; } details .scroll { max-height: none; }
  .card { break-inside: avoid; } }
"""


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: Sequence[str] = (),
    text: bool = False,
    words: int = 1,
) -> str:
    """A table that scrolls sideways in itself where the window is narrow.

    Args:
        caption: what it shows.
        header: of the columns.
        rows: the first entry of each is its heading; all are escaped here.
        kinds: a class for each row, if any.
        text: whether all entries are words, set to the left and broken into lines.
        words: how many of the first columns are set to the left all the same.
    """
    left = ' class="word"'
    head = "".join(
        f'<th scope="col"{left if 0 < column < words else ""}>{escape(entry)}</th>'
        for column, entry in enumerate(header)
    )
    lines = []
    for number, row in enumerate(rows):
        kind = f' class="{kinds[number]}"' if kinds and kinds[number] else ""
        cells = "".join(
            f"<td{left if column < words else ''}>{escape(entry)}</td>"
            for column, entry in enumerate(row[1:], 1)
        )
        lines.append(f'<tr{kind}><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="{"text" if text else "numbers"}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def page(title: str, lead: str, sections: Sequence[tuple[str, str, str]], footer: str) -> str:
    """The whole page.

    Args:
        title: of the page, not yet escaped.
        lead: HTML above the sections.
        sections: anchor, heading (not yet escaped) and HTML of each; those without HTML are left
            out.
        footer: text below, not yet escaped.
    """
    shown = [section for section in sections if section[2]]
    links = "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name, _ in shown)
    body = "".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-heading">'
        f'<h2 id="{anchor}-heading">{escape(name)}</h2>{html}</section>'
        for anchor, name, html in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing from elsewhere may load, whatever slipped into the page.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>"
        f'<body><header><h1>{escape(title)}</h1>{lead}<nav aria-label="Sections">{links}</nav>'
        f"</header><main>{body}</main><footer>{escape(footer)}</footer></body></html>\n"
    )
