"""`recu recipes`: the published recipes, listed without TensorFlow."""

import argparse

from experiments.options import Parser
from experiments.recipes import RECIPES

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "recipes"
HELP = "list the published recipes"
DESCRIPTION = "Lists the published recipes with their accuracies in percent and their settings."


def add_arguments(parser: Parser) -> None:
    """Adds nothing: the command has no options."""


def run(options: argparse.Namespace) -> None:
    """Prints a line for each recipe."""
    print(f"{'recipe':<28} {'top-1':>6} {'top-5':>6}  settings")
    for name, recipe in RECIPES.items():
        flags = [
            f"--{key}" if value is True else f"--{key} {value}"
            for key, value in recipe.settings.items()
        ]
        needed = [f"--{need} ..." for need in recipe.needs]
        top_5 = "" if recipe.top_5 is None else f"{recipe.top_5:.2f}"
        print(f"{name:<28} {recipe.top_1:>6.2f} {top_5:>6}  {' '.join(flags + needed)}")
