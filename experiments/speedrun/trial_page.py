"""The table and the picture of the search's results.

    python -m experiments.speedrun.trial_page

Writes both into the page beside this file: the table between its two markers.
"""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from tabulate import tabulate

from experiments.speedrun.search import RESULTS, read_results
from experiments.speedrun.trial_list import TRIALS
from recu_tf.runs.atomic_write import write_aside

__all__ = ["describe_table", "draw_results", "fill_page"]

PAGE = Path(__file__).with_name("README.md")
PICTURE = Path(__file__).with_name("trials.svg")
BEGIN, END = "<!-- trials -->\n", "<!-- end of trials -->\n"
COMPARED_WITH = "base"
HEADERS = ("trial", "what differs from the published recipe", "epochs", "seed", "top-1")
MORE_HEADERS = ("against base", "on training images", "minutes")
NOISE = 1.0  # points by which two seeds may well differ
COLOURS = {"better": "#1b7f4b", "alike": "#8a8f98", "worse": "#b3452c"}


def _compare(result: Mapping, results: Mapping[str, Mapping]) -> float | None:
    """The points by which a trial is better than the base of the same length."""
    base = results.get(COMPARED_WITH)
    if base is None or result["epochs"] != base["epochs"] or result is base:
        return None
    return result["top_1"] - base["top_1"]


def _sort(results: Mapping[str, Mapping]) -> list[Mapping]:
    return sorted(results.values(), key=lambda result: (-result["epochs"], -result["top_1"]))


def describe_table(results: Mapping[str, Mapping]) -> str:
    """A Markdown table with a line for each trial, the best of each length first.

    Args:
        results: by name, from `read_results`.
    """
    rows = []
    for result in _sort(results):
        difference = _compare(result, results)
        changes = ", ".join(f"{name} {value}" for name, value in result["changes"].items())
        rows.append(
            (
                result["name"],
                changes or "nothing",
                result["epochs"],
                result["seed"],
                f"{result['top_1']:.1f} %",
                "" if difference is None else f"{difference:+.1f}",
                f"{result['training_top_1']:.1f} %",
                round(result["seconds"] / 60),
            )
        )
    headers = (*HEADERS, *MORE_HEADERS)
    return tabulate(rows, headers, "github", disable_numparse=True) + "\n"


def draw_results(results: Mapping[str, Mapping], path: Path) -> None:
    """Draws the differences to the base as bars, and writes an SVG.

    Args:
        results: by name, from `read_results`.
        path: of the SVG.
    """
    compared = {name: _compare(result, results) for name, result in results.items()}
    bars = sorted((value, name) for name, value in compared.items() if value is not None)
    figure = Figure(figsize=(7, 0.8 + 0.24 * len(bars)), layout="constrained")
    axes = figure.subplots()
    kinds = ["alike" if abs(v) < NOISE else "better" if v > 0 else "worse" for v, _ in bars]
    drawn = axes.barh([n for _, n in bars], [v for v, _ in bars], color=[COLOURS[k] for k in kinds])
    axes.bar_label(drawn, fmt="{:+.1f}", padding=3, fontsize=8)
    axes.axvspan(-NOISE, NOISE, color="#8a8f98", alpha=0.15, lw=0)
    axes.axvline(0, color="black", lw=0.8)
    axes.margins(x=0.12, y=0.02)
    axes.tick_params(axis="y", labelsize=8)
    base = results[COMPARED_WITH]
    axes.set_xlabel(
        f"points of top-1 on held-out images against base ({base['top_1']:.1f} %), "
        f"{base['epochs']} epochs"
    )
    write_aside(path, lambda aside: figure.savefig(aside, metadata={"Date": None}))


def fill_page(page: str, results: Mapping[str, Mapping]) -> str:
    """A page with the table between its markers.

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
    return f"{before}{BEGIN}\n{describe_table(results)}\n{END}{after}"


def main() -> None:
    """Writes the table and the picture."""
    results = read_results(RESULTS)
    unknown = sorted(set(results) - set(TRIALS))
    if unknown:
        raise SystemExit(f"{RESULTS}: no trial is called {', '.join(unknown)}.")
    filled = fill_page(PAGE.read_text("utf-8"), results)
    write_aside(PAGE, lambda aside: aside.write_text(filled, "utf-8"))
    draw_results(results, PICTURE)


if __name__ == "__main__":
    main()
