"""How the command line reads options: published spellings, one-line complaints."""

import argparse
import dataclasses
from collections.abc import Sequence

from experiments.declarations import CHOICES, MODELS, PRETRAINED, PRETRAINED_PREFIX
from experiments.recipes import DATASET_DEFAULTS

__all__ = ["Parser", "list_names", "non_empty", "positive_integer"]

# More of them stand in the help text alone, not in the usage.
MOST_CHOICES_IN_USAGE = 4


class Parser(argparse.ArgumentParser):
    """A parser that complains in one line and knows each option with - for _ as well."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, **kwargs)
        # The argument that names networks, where --pretrained can name one as well.
        self._network: str | None = None

    def error(self, message):
        """Prints one line and ends with exit code 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def add_argument(self, *names: str, **kwargs) -> argparse.Action:
        """Adds an argument; text that it takes must not be empty."""
        takes_text = kwargs.get("action", "store") == "store"
        if takes_text and "type" not in kwargs and "choices" not in kwargs:
            kwargs["type"] = non_empty
        return super().add_argument(*names, **kwargs)

    def option(
        self,
        *names: str,
        help: str,
        default: object = None,
        if_omitted: str | None = None,
        choices: Sequence | None = None,
        **kwargs,
    ) -> None:
        """Adds an option under its published name, --like_this, and as --like-this.

        Args:
            names: its name with _ and its short name.
            help: what it is; the choices, if they are many, and the default are added.
            default: its value unless it is given.
            if_omitted: what happens unless it is given, if `default` does not say it.
            choices: values that it may have.
            kwargs: for `argparse.ArgumentParser.add_argument`.
        """
        if choices is not None:
            kwargs["choices"] = choices
            if len(choices) > MOST_CHOICES_IN_USAGE and "metavar" not in kwargs:
                kwargs["metavar"] = "NAME"
                help += f": {list_names(choices)}"
        elif kwargs.get("type") in (int, float, positive_integer):
            kwargs.setdefault("metavar", "X" if kwargs["type"] is float else "N")
        if if_omitted is None and default is not None:
            if_omitted = _shown(default)
        if if_omitted is not None:
            help += f" (default: {if_omitted})"
        hyphens = [name.replace("_", "-") for name in names if "_" in name]
        self.add_argument(*names, *hyphens, help=help, default=default, **kwargs)

    def setting(self, field: dataclasses.Field) -> None:
        """Adds the option of a field of `recu_tf.settings.Settings`.

        The parsed options lack it unless it was given, so that a recipe or the run to resume can
        decide its value.
        """
        defaults = [_shown(field.default)]
        for dataset, values in DATASET_DEFAULTS.items():
            if field.name in values:
                defaults.append(f"{dataset}: {_shown(values[field.name])}")
        names, metavar = [f"--{field.name}"], field.metadata["metavar"]
        if field.metadata["short"] is not None:
            names.append(field.metadata["short"])
        self.option(
            *names,
            help=field.metadata["help"],
            default=argparse.SUPPRESS,
            if_omitted="; ".join(defaults),
            choices=CHOICES.get(field.name),
            **({} if metavar is None else {"metavar": metavar}),
            **OF_TYPE.get(field.type, {}),
        )

    def network(self, name: str, *, help: str, several: bool = False) -> None:
        """Adds the argument NETWORK, and --pretrained, which can be given in its place.

        Args:
            name: of the parsed option that holds the network, or all of several networks.
            help: what NETWORK may be.
            several: whether there may be more of them than one.
        """
        self._network = name
        self.add_argument(name, metavar="NETWORK", nargs="*" if several else "?", help=help)
        self.option(
            "--pretrained",
            choices=PRETRAINED,
            metavar="NAME",
            help="a trained network that comes with recu, instead of NETWORK: "
            f"{list_names(PRETRAINED)}",
        )

    def parse_known_args(self, args=None, namespace=None):
        """Parses arguments; a network that --pretrained names becomes one of NETWORK."""
        options, others = super().parse_known_args(args, namespace)
        if self._network is not None:
            given = getattr(options, self._network)
            several = isinstance(given, list)
            if not given and options.pretrained is None:
                self.error("the following arguments are required: NETWORK or --pretrained")
            if given and options.pretrained is not None and not several:
                self.error(
                    f"NETWORK and --pretrained must not both be given, got {given!r} and "
                    f"{options.pretrained!r}"
                )
            if options.pretrained is not None:
                path = PRETRAINED_PREFIX + options.pretrained
                setattr(options, self._network, [*given, path] if several else path)
        return options, others

    def which(self) -> None:
        """Adds --which, for commands that take one network."""
        self.option(
            "--which",
            choices=("best", "last"),
            help="of a run directory: the model of the epoch with the best top-1, or of the last "
            "epoch",
            if_omitted="best",
        )

    def weights(self, if_omitted: str) -> None:
        """Adds --weights, for commands that take names of networks.

        Args:
            if_omitted: what a name means without it.
        """
        self.option(
            "--weights",
            metavar="FILE",
            help="of the name of a network: a trained network of that name in any format, or the "
            "data set of one that --pretrained takes. Of the name of one of larq-zoo: a .h5 file "
            "with weights, or imagenet for those that larq-zoo publishes, which are downloaded; "
            "the network is then larq-zoo's own, with the normalisation of the data set",
            if_omitted=if_omitted,
        )

    def checkpoint_model(self) -> None:
        """Adds --model, for commands that take published checkpoints."""
        self.option(
            "--model",
            "-a",
            choices=MODELS,
            help="network of the checkpoint",
            if_omitted="inferred from its tensors",
        )


def list_names(names: Sequence[str]) -> str:
    """Lists names for people; those that share what stands before a / name it once."""
    groups = {}
    for name in names:
        before, slash, rest = name.rpartition("/")
        groups.setdefault(before + slash, []).append(rest)
    return "; ".join(
        f"{prefix} before {', '.join(rest)}" if prefix else ", ".join(rest)
        for prefix, rest in groups.items()
    )


def _shown(value: object) -> str:
    """A default as the help shows it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def non_empty(text: str) -> str:
    """Takes any text but none."""
    if not text:
        raise argparse.ArgumentTypeError(f"must have at least one character, got {text!r}")
    return text


def positive_integer(text: str) -> int:
    """Parses a whole number from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return number


def epoch_numbers(text: str) -> tuple[int, ...]:
    """Parses epochs, separated by commas or spaces."""
    try:
        return tuple(int(number) for number in text.replace(",", " ").split())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be epochs separated by commas or spaces, got {text!r}"
        ) from None


# How an option of a setting is read, by the type of its field; other types are read as text.
OF_TYPE = {
    int: {"type": int},
    int | None: {"type": int},
    float: {"type": float},
    float | None: {"type": float},
    bool: {"action": argparse.BooleanOptionalAction},
    tuple[int, ...]: {"type": epoch_numbers, "nargs": "+"},
    tuple[str, ...]: {"nargs": "+"},
}
