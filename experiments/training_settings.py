"""The settings and the run directory that the options of `recu train` mean."""

import argparse
import itertools
from pathlib import Path

from experiments.recipes import DATASET_DEFAULTS, RECIPES, Recipe
from recu_tf import pretrained
from recu_tf.networks import find_format
from recu_tf.runs import Run
from recu_tf.runs.directories import has_run
from recu_tf.settings import Settings
from recu_tf.settings_checks import OF_TEACHER
from recu_tf.training.changes import SCHEDULE_SETTINGS

__all__ = ["list_given", "resolve"]

DEFAULTS = vars(Settings())
# What the run to start from decides, unless it is given.
INHERITED = {
    "init_from": ("model", "dataset", "data_path", "network_precision"),
    "stage1": ("model", "dataset", "data_path", "teacher", *OF_TEACHER),
}


def resolve(options: argparse.Namespace) -> tuple[Settings, Path]:
    """Combines what is given, the recipe, the run to resume or to start from, and the defaults.

    Options override the recipe; both override the run to resume or to start from; that overrides
    the defaults, which for ImageNet are those of its published folder.

    Args:
        options: parsed options of `recu train`.

    Returns:
        The settings and the path of the run directory.

    Raises:
        ValueError: invalid settings, or a recipe without an option that it needs.
        FileNotFoundError: there is no run to start from.
    """
    recipe = RECIPES[options.recipe] if options.recipe else None
    given = {**(recipe.settings if recipe else {}), **list_given(options)}
    inherited = _inherit(options)
    dataset = {**DEFAULTS, **inherited, **given}["dataset"]
    chosen = {**DEFAULTS, **DATASET_DEFAULTS.get(dataset, {}), **inherited, **given}
    directory = _choose_directory(options, chosen)
    source = _find_recorded(options, directory)
    if source is not None:
        recorded = vars(Settings.of_run(Run.open(source)))
        # A recipe does not undo an extension of the run: only options change its schedules.
        changes = {
            name: value
            for name, value in given.items()
            if name not in SCHEDULE_SETTINGS or hasattr(options, name)
        }
        return Settings(**{**recorded, **changes}), directory
    _check_needs(recipe, options, chosen)
    return Settings(**chosen), directory


def _find_recorded(options: argparse.Namespace, directory: Path) -> Path | None:
    """The run whose settings a training resumes with: its own, or that of the first seed."""
    candidates = [directory] if options.resume else []
    if options.resume and hasattr(options, "sibling"):
        own, first = options.sibling
        candidates.append(first / directory.relative_to(own))
    return next(filter(has_run, candidates), None)


def list_given(options: argparse.Namespace) -> dict:
    """The settings that were given, by name.

    Args:
        options: parsed options, of `Parser.setting` for instance, which lack what was not given.
    """
    given = {name: getattr(options, name) for name in DEFAULTS if hasattr(options, name)}
    if "lr_decay_step" in given:
        given["lr_decay_step"] = tuple(itertools.chain(*given["lr_decay_step"]))
    return given


def _inherit(options: argparse.Namespace) -> dict:
    """What the network to start from decides; nothing if it is a file, or still to be trained."""
    for option, names in INHERITED.items():
        path = getattr(options, option)
        if path is not None and find_format(path) == "pretrained":
            entry = pretrained.find(path)
            return {
                "model": entry.model,
                "dataset": entry.dataset,
                "network_precision": entry.precision,
            }
        if path is not None and has_run(Path(path)):
            settings = Settings.of_run(Run.open(path))
            # Another teacher than that of the first stage has its own weights and layers.
            replaced = {"teacher", *OF_TEACHER} if hasattr(options, "teacher") else set()
            return {name: getattr(settings, name) for name in names if name not in replaced}
    return {}


def _choose_directory(options: argparse.Namespace, chosen: dict) -> Path:
    name = options.save
    if name is None:
        name = options.recipe or f"{chosen['model']}_{chosen['dataset']}".replace("/", "_")
    if not Path(name).parts or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"--save must be a name inside --results_dir, got {name!r}.")
    return Path(options.results_dir) / name


def _check_needs(recipe: Recipe | None, options: argparse.Namespace, chosen: dict) -> None:
    for name in recipe.needs if recipe else ():
        if not (getattr(options, name) if name in INHERITED else chosen[name]):
            raise ValueError(f"--recipe {options.recipe} needs --{name}, which was not given.")
