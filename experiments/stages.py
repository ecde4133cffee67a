"""Recipes of several stages: one training after the other, each from the weights of the last."""

import argparse
from pathlib import Path

from experiments.recipes import RECIPES

__all__ = ["list_stages"]


def list_stages(options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options of each training that a command stands for.

    Stage N of a recipe is the run SAVE/stageN. Options that were given apply to every stage.

    Args:
        options: of `recu train`.

    Returns:
        Those of each stage, in the order of training; of other commands, the options alone.

    Raises:
        ValueError: a start or a precision is given to a recipe whose stages have their own.
    """
    stages = RECIPES[options.recipe].stages if options.recipe else ()
    if not stages:
        return [options]
    for name in ("init_from", "stage1"):
        if getattr(options, name, None) is not None:
            raise ValueError(
                f"--{name} is not for --recipe {options.recipe}, which trains both stages; the "
                f"second alone is --recipe {stages[1]}."
            )
    if getattr(options, "network_precision", None) is not None:
        raise ValueError(
            f"--network_precision is not for --recipe {options.recipe}: each stage has its own."
        )
    save = Path(options.save or options.recipe)
    found, before = [], None
    for number, recipe in enumerate(stages, 1):
        own = {"recipe": recipe, "save": str(save / f"stage{number}")}
        if before is not None:
            own["stage1"] = before
        found.append(argparse.Namespace(**{**vars(options), **own}))
        before = str(Path(options.results_dir) / own["save"])
    return found
