"""The tables and the picture of the search's results.

    python -m experiments.speedrun.trial_page

Writes them into the page beside this file, the tables between its two markers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tabulate import tabulate

from experiments.speedrun.search import RESULTS, read_results
from experiments.speedrun.trial_list import TRIALS
from recu_tf.runs.atomic_write import write_aside

__all__ = ["describe_tables", "draw_results", "fill_page"]

PAGE = Path(__file__).with_name("README.md")
PICTURE = Path(__file__).with_name("trials.svg")
BEGIN, END = "<!-- trials -->\n", "<!-- end of trials -->\n"
# One of each length.
COMPARED_WITH = ("base", "long")
HEADERS = ("trial", "what differs from the published recipe", "seed", "top-1")
MORE_HEADERS = ("on training images", "minutes")
NOISE = 1.0  # points by which two seeds may well differ
COLOURS = {"better": "#1b7f4b", "alike": "#8a8f98", "worse": "#b3452c"}


def _find_base(epochs: int, results: Mapping[str, Mapping]) -> Mapping | None:
    """The trial that those of a length are compared with."""
    bases = (results[name] for name in COMPARED_WITH if name in results)
    return next((base for base in bases if base["epochs"] == epochs), None)


def _group(results: Mapping[str, Mapping]) -> dict[int, list[Mapping]]:
    """The trials of each length, the longest first, of each the best first."""
    lengths = sorted({result["epochs"] for result in results.values()}, reverse=True)
    ordered = sorted(results.values(), key=lambda result: -result["top_1"])
    return {
        length: [result for result in ordered if result["epochs"] == length] for length in lengths
    }


def describe_tables(results: Mapping[str, Mapping]) -> str:
    """A Markdown table for each length, with a line for each trial, the best first.

    Args:
        results: by name, from `read_results`.
    """
    parts = []
    for epochs, group in _group(results).items():
        base = _find_base(epochs, results)
        against = () if base is None else (f"against {base['name']}",)
        headers = (*HEADERS, *against, *MORE_HEADERS)
        rows = [_describe_row(result, base) for result in group]
        parts.append(f"## {epochs} epochs\n")
        parts.append(tabulate(rows, headers, "github", disable_numparse=True) + "\n")
    return "\n".join(parts)


def _describe_row(result: Mapping, base: Mapping | None) -> tuple:
    changes = ", ".join(f"{name} {value}" for name, value in result["changes"].items())
    if base is None:
        against = ()
    else:
        against = ("" if result is base else f"{result['top_1'] - base['top_1']:+.1f}",)
    return (
        result["name"],
        changes or "nothing",
        result["seed"],
        f"{result['top_1']:.1f} %",
        *against,
        f"{result['training_top_1']:.1f} %",
        _describe_minutes(result),
    )


def _describe_minutes(result: Mapping) -> str:
    minutes = f"{result['seconds'] / 60:.0f}"
    return f"{minutes} ({result['device']})" if "device" in result else minutes


def draw_results(results: Mapping[str, Mapping], path: Path) -> None:
    """Draws the differences to the base of each length as bars, and writes an SVG.

    Args:
        results: by name, from `read_results`.
        path: of the SVG.
    """
    groups = {}
    for epochs, group in _group(results).items():
        base = _find_base(epochs, results)
        others = [result for result in reversed(group) if result is not base]
        if base is not None and others:
            groups[epochs] = base, others
    heights = [2 + len(others) for _, others in groups.values()]
    figure = Figure(figsize=(7, 0.24 * sum(heights) + 0.6), layout="constrained")
    panels = figure.subplots(len(groups), height_ratios=heights, squeeze=False)[:, 0]
    for axes, (epochs, (base, others)) in zip(panels, groups.items(), strict=True):
        _draw_bars(axes, base, others)
        axes.set_xlabel(
            f"{epochs} epochs: points of top-1 on held-out images against {base['name']} "
            f"({base['top_1']:.1f} %)"
        )
    write_aside(path, lambda aside: figure.savefig(aside, metadata={"Date": None}))


def _draw_bars(axes: Axes, base: Mapping, others: Sequence[Mapping]) -> None:
    names = [result["name"] for result in others]
    differences = [result["top_1"] - base["top_1"] for result in others]
    kinds = ["alike" if abs(d) < NOISE else "better" if d > 0 else "worse" for d in differences]
    drawn = axes.barh(names, differences, color=[COLOURS[kind] for kind in kinds])
    axes.bar_label(drawn, fmt="{:+.1f}", padding=3, fontsize=8)
    axes.axvspan(-NOISE, NOISE, color="#8a8f98", alpha=0.15, lw=0)
    axes.axvline(0, color="black", lw=0.8)
    axes.margins(x=0.12, y=0.02)
    axes.tick_params(axis="y", labelsize=8)


def fill_page(page: str, results: Mapping[str, Mapping]) -> str:
    """A page with the tables between its markers.

    Args:
        page: Markdown with both markers.
        results: by name, from `read_results`.

    Raises:
        ValueError: a marker is missing.
    """
    before, found, rest = page.partition(BEGIN)
    _, also_found, after = rest.partition(END)
    if not (found and also_found):
        raise ValueError(f"`page` must have the lines {BEGIN.strip()} and {END.strip()}.")
    return f"{before}{BEGIN}\n{describe_tables(results)}\n{END}{after}"


def main() -> None:
    """Writes the tables and the picture."""
    results = read_results(RESULTS)
    unknown = sorted(set(results) - set(TRIALS))
    if unknown:
        raise SystemExit(f"{RESULTS}: no trial is called {', '.join(unknown)}.")
    filled = fill_page(PAGE.read_text("utf-8"), results)
    write_aside(PAGE, lambda aside: aside.write_text(filled, "utf-8"))
    draw_results(results, PICTURE)


if __name__ == "__main__":
    main()
