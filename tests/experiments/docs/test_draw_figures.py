from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from experiments.docs import draw_figures
from recu_tf import quantizers

PAGES = Path(draw_figures.__file__).parent / "pages"


def test_each_figure_is_kept_and_shown_on_a_page():
    kept = {path.name for path in (PAGES / "figures").iterdir()}
    assert kept == set(draw_figures.FIGURES)
    text = "".join(page.read_text("utf-8") for page in PAGES.glob("*.md"))
    assert [name for name in kept if f"](figures/{name})" not in text] == []


def test_kernel_of_the_figures_has_the_dead_weights_that_the_page_states():
    standardized = quantizers.standardize_kernel(draw_figures.make_kernel()).numpy()
    dead = np.abs(standardized) > quantizers.threshold(standardized, draw_figures.TAU).numpy()
    # 18,432 weights: the share varies by less than 1 %.
    assert dead.mean() == pytest.approx(0.30, abs=0.01)


@pytest.mark.slow
def test_figures_are_drawn_again(tmp_path):
    draw_figures.draw_all(tmp_path)
    for name in draw_figures.FIGURES:
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")
