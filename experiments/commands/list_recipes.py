"""`recu recipes`: the recipes, listed without TensorFlow."""

import argparse

from tabulate import tabulate

from experiments.options import Parser
from experiments.recipes import RECIPES, Recipe, give_option

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "recipes"
HELP = "list the recipes"
DESCRIPTION = (
    "Lists the recipes with their settings and, where they were published, the accuracies in "
    "percent."
)


def add_arguments(parser: Parser) -> None:
    """Adds nothing: the command has no options."""


def run(options: argparse.Namespace) -> None:
    """Prints a table with a line for each recipe."""
    rows = [(name, recipe.top_1, recipe.top_5, _flags(recipe)) for name, recipe in RECIPES.items()]
    headers = ("recipe", "top-1", "top-5", "settings")
    print(tabulate(rows, headers, tablefmt="plain", floatfmt=".2f"))


def _flags(recipe: Recipe) -> str:
    """The options of `recu train` that the recipe stands for."""
    flags = [" ".join(give_option(name, value)) for name, value in recipe.settings.items()]
    stages = [f"({' then '.join(recipe.stages)})"] if recipe.stages else []
    note = [f"({recipe.note})"] if recipe.note else []
    return " ".join([*flags, *(f"--{name} ..." for name in recipe.needs), *stages, *note])
