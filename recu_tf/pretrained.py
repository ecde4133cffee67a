"""The trained networks that come with this library, and what is known of them.

Only the standard library is needed here, so that the command line can list them without waiting for
TensorFlow.

Examples:
    >>> "digits-resnet20" in recu_tf.pretrained.NAMES
    True
    >>> entry = recu_tf.pretrained.find("digits-resnet20")
    >>> entry == recu_tf.pretrained.find_weights("resnet20_1w1a", "digits")
    True
    >>> entry.num_classes, entry.test_images
    (10, 360)
    >>> (recu_tf.pretrained.FOLDER / recu_tf.pretrained.INDEX).exists()
    True
    >>> recu_tf.pretrained.PREFIX + entry.name  # where a command or a function takes a network
    'pretrained/digits-resnet20'
    >>> for name, entry in recu_tf.pretrained.list_all().items():
    ...     assert entry.top_1 > 0.7
    ...     assert len(recu_tf.pretrained.read(entry)) < 1_000_000  # bytes
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "FOLDER",
    "INDEX",
    "NAMES",
    "PREFIX",
    "Pretrained",
    "find",
    "find_weights",
    "list_all",
    "read",
]

FOLDER = Path(__file__).with_name("weights")
INDEX = "index.json"
# Wherever a network can be named, those that come along have this before their name.
PREFIX = "pretrained/"


@dataclass(frozen=True)
class Pretrained:
    """A trained network that comes with this library.

    Attributes:
        name: of the network, such as "cifar10-resnet20".
        file: name of the file in `FOLDER` that holds its weights.
        sha256: of that file, hexadecimal.
        model: one of `recu_tf.models.MODELS`.
        dataset: that it was trained on, one of `recu_tf.data.DATASETS`. Its images are normalised
            as usual for the data set.
        num_classes: number of outputs.
        input_shape: (height, width, channels) of the images.
        precision, pad_values, rotated, input_quantizer: see `recu_tf.models.build`.
        class_names: in the order of the outputs.
        top_1: share of the test images that the network of the file gets right.
        top_5: share of them whose class is among its five largest outputs.
        test_images: number of the test images, all of the data set.
        images: how its images, those it was trained on as well, are kept, in words: "as published"
            or how they differ from that.
        chosen_on: the images that decided which epoch, and which run, is this one, in words.
        command: that trains such a network.
        epochs: of the training.
        epoch: of the weights, counted from 0; None if the run does not say.
        seed: of the training, from 0 to 2^31 - 1.
        versions: of the packages that trained it.
        date: day on which the file was made, YYYY-MM-DD.
    """

    name: str
    file: str
    sha256: str
    model: str
    dataset: str
    num_classes: int
    input_shape: tuple[int, int, int]
    precision: str
    pad_values: float
    rotated: bool
    input_quantizer: str
    class_names: tuple[str, ...]
    top_1: float
    top_5: float
    test_images: int
    images: str
    chosen_on: str
    command: str
    epochs: int
    epoch: int | None
    seed: int
    versions: dict[str, str]
    date: str

    def __post_init__(self):
        # JSON has lists only.
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "class_names", tuple(self.class_names))

    @property
    def measured_on(self) -> str:
        """The images of which `top_1` and `top_5` are shares, in words."""
        return f"{self.test_images:,} test images of {self.dataset}, {self.images}"

    @property
    def path(self) -> Path:
        """Of the file with the weights."""
        return FOLDER / self.file


def list_all() -> dict[str, Pretrained]:
    """The networks that come along, by name.

    Raises:
        OSError, ValueError: the index of the weights is missing or damaged.
    """
    path = FOLDER / INDEX
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {name: Pretrained(name=name, **entry) for name, entry in entries.items()}
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged, install recu_tf again: {error}") from error


NAMES = tuple(list_all())


def find(name: str) -> Pretrained:
    """Finds a network by its name.

    Args:
        name: one of `NAMES`, also after `PREFIX`.

    Raises:
        ValueError: there is none of that name.
    """
    known = list_all()
    found = known.get(name.removeprefix(PREFIX))
    if found is None:
        raise ValueError(f"`name` must be one of {', '.join(known)}, got {name!r}.")
    return found


def find_weights(model: str, dataset: str) -> Pretrained:
    """Finds the network that is a model trained on a data set.

    Args:
        model: one of `recu_tf.models.MODELS`.
        dataset: one of `recu_tf.data.DATASETS`.

    Raises:
        ValueError: there is none; the message says which there are.
    """
    known = list_all().values()
    for entry in known:
        if (entry.model, entry.dataset) == (model, dataset):
            return entry
    have = ", ".join(f"{entry.model} of {entry.dataset}" for entry in known)
    raise ValueError(
        f"`weights`: no {model} trained on {dataset} comes with recu_tf, which has {have}; the "
        "path of a trained network will do as well."
    )


def read(entry: Pretrained) -> bytes:
    """Reads the file with the weights of a network.

    Args:
        entry: of the network.

    Raises:
        OSError: there is no such file.
        ValueError: it is not the one that the index describes.
    """
    content = entry.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ValueError(
            f"{entry.path} is damaged: its SHA-256 is not {entry.sha256}; install recu_tf again."
        )
    return content
