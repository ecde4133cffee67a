"""The shortest command line of `recu train` for given settings."""

from experiments.recipes import DATASET_DEFAULTS, RECIPES, give_option
from recu_tf.settings import Settings

__all__ = ["find_command"]

DEFAULTS = vars(Settings())
# What says where something lies or how it is computed here, and changes no result that matters.
LEFT_OUT = {"data_path", "batch_size_test", "strategy", "workers", "diagnostics", "skip_broken"}


def find_command(settings: Settings) -> list[str]:
    """Finds the recipe, if any, with which the fewest options have to be given.

    Args:
        settings: of a training.

    Returns:
        The words of the command. --seed is among them, --data_path is not.
    """
    commands = []
    for name, recipe in {None: None, **RECIPES}.items():
        if recipe is not None and (
            recipe.needs or recipe.stages or recipe.settings["dataset"] != settings.dataset
        ):
            continue
        start = dict(DEFAULTS)
        if recipe is None:
            start |= DATASET_DEFAULTS.get(settings.dataset, {})
        else:
            start |= recipe.settings
        words = ["--recipe", name] if name else []
        for option, value in vars(settings).items():
            if option not in LEFT_OUT and (value != start[option] or option == "seed"):
                words += give_option(option, value)
        commands.append(words)
    return ["recu", "train", *min(commands, key=len)]
