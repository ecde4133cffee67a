"""How the command line reads options: published spellings, one-line complaints."""

import argparse

from experiments.recipes import DATASET_DEFAULTS

__all__ = ["DATASETS", "MODELS", "Parser", "from_one", "milestones"]

# Written here, not imported, so that --help stays fast; a test compares them with the library's.
MODELS = (
    "resnet20_1w1a",
    "resnet18_1w1a",
    "resnet18A_1w1a",
    "resnet18B_1w1a",
    "resnet18C_1w1a",
    "vgg_small_1w1a",
    "resnet34_1w1a",
    "two_stage_resnet18_1w1a",
    "two_stage_resnet34_1w1a",
)
DATASETS = ("digits", "cifar10", "cifar100", "imagenet", "tinyimagenet", "folder")


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line and knows each option with - for _ as well.

    Attributes:
        settings: the defaults of options added by `setting`.
    """

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)
        self.settings = {}

    def error(self, message):
        """Prints one line and ends with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def add_argument(self, *names: str, **kwargs) -> argparse.Action:
        """Adds an argument; text that it takes must not be empty."""
        takes_text = kwargs.get("action", "store") == "store"
        if takes_text and "type" not in kwargs and "choices" not in kwargs:
            kwargs["type"] = _text
        return super().add_argument(*names, **kwargs)

    def option(self, *names: str, **kwargs) -> argparse.Action:
        """Adds an option under its published name, --like_this, and as --like-this.

        Its help ends with the default, if it has one.
        """
        default = kwargs.get("default")
        if default not in (None, argparse.SUPPRESS):
            kwargs["help"] += f" (default: {_shown(default)})"
        hyphens = [name.replace("_", "-") for name in names if "_" in name]
        return self.add_argument(*names, *hyphens, **kwargs)

    def setting(self, *names: str, default: object = None, **kwargs) -> None:
        """Adds an option that is left out of what was parsed unless it was given.

        So that a recipe, or the run to resume, can tell its value.
        """
        action = self.option(*names, default=argparse.SUPPRESS, **kwargs)
        others = [
            f"; {dataset}: {_shown(defaults[action.dest])}"
            for dataset, defaults in DATASET_DEFAULTS.items()
            if action.dest in defaults
        ]
        action.help += f" (default: {_shown(default)}{''.join(others)})"
        self.settings[action.dest] = default

    def which(self) -> None:
        """Adds --which, for commands that take one network."""
        self.option(
            "--which",
            choices=("best", "last"),
            help="of a run directory: the model of the epoch with the best top-1, or of the last "
            "epoch (default: best)",
        )


def _shown(value: object) -> str:
    """A default as the help shows it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError(f"must have at least one character, got {text!r}")
    return text


def from_one(text: str) -> int:
    """A whole number from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return number


def milestones(text: str) -> tuple[int, ...]:
    """Epochs, separated by commas or spaces."""
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be epochs separated by commas or spaces, got {text!r}"
        ) from None
