"""Teachers: trained networks, of any origin, whose outputs a training learns."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from recu_tf import models, networks
from recu_tf.choices import NETWORK_FORMATS, ZOO_MODELS, ZOO_PREFIX
from recu_tf.data import DATASETS, Normalization
from recu_tf.evaluation import are_probabilities
from recu_tf.logits import as_logits, ends_with_softmax
from recu_tf.models.zoo import PUBLISHED_CLASSES
from recu_tf.models.zoo_weights import IMAGENET
from recu_tf.precision import use_precision
from recu_tf.settings import Settings
from recu_tf.training.distillation import Distillation
from recu_tf.training.feature_maps import check_maps, with_maps
from recu_tf.training.initial_weights import load_network
from recu_tf.training.keras_applications import SUFFIXES, build_application, list_applications
from recu_tf.training.teacher_images import make_adapter

__all__ = ["Teacher", "check_teacher", "load_teacher"]

ZOO_SUFFIXES = (".h5",)  # of files with weights for its networks
PROBES = 8  # images whose outputs show whether a graph without layers ends with a softmax


class Teacher:
    """A frozen network, called on the images of the network that learns from it.

    It is no Keras object, and so no part of the model that trains: neither schedules, diagnostics
    and optimizers nor files find its layers there.

    Args:
        model: from images to logits or probabilities. Its layers are frozen.
        adapt: from the images of the other network to those that `model` takes; None if these are
            the same.
        map_names: of the layers whose maps are returned as well, see
            `recu_tf.training.feature_maps`.
        probabilities: whether the outputs are; None looks for a softmax at the end of the model.

    Raises:
        ValueError: a layer has no map.
    """

    def __init__(
        self,
        model: tf.keras.Model,
        *,
        adapt: Callable[[tf.Tensor], tf.Tensor] | None = None,
        map_names: Sequence[str] = (),
        probabilities: bool | None = None,
    ):
        model.trainable = False
        self.model = model
        self.adapt = adapt
        self.probabilities = ends_with_softmax(model) if probabilities is None else probabilities
        self._with_maps = with_maps(model, map_names, owner="teacher")

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The logits (batch, classes) and the maps, in inference mode.

        Args:
            images: of the other network.
        """
        if self.adapt is not None:
            images = self.adapt(images)
        outputs, *maps = tf.nest.flatten(self._with_maps(images, training=False))
        return as_logits(outputs) if self.probabilities else outputs, maps


def check_teacher(settings: Settings) -> None:
    """Refuses a teacher, or weights of it, that cannot be one, without loading anything.

    Raises:
        FileNotFoundError: there is no such network, and no name is like that; or there are no such
            weights, or they have another format.
        ValueError: weights are given for a network that has its own.
    """
    teacher, weights = settings.teacher, settings.teacher_weights
    if teacher is None:
        return
    if not _is_name(teacher):
        if weights is not None:
            raise ValueError(
                f"`teacher_weights` is for a `teacher` that is a name, {teacher} has its own."
            )
        return
    names = (*list_applications(), *ZOO_MODELS)
    if teacher not in names:
        similar = difflib.get_close_matches(teacher, names) or ["ResNet50", "zoo/QuickNetLarge"]
        raise FileNotFoundError(
            f"`teacher` must be {NETWORK_FORMATS}, or a name of keras.applications or, after "
            f"{ZOO_PREFIX}, of larq-zoo, such as {' or '.join(similar)}; got {teacher!r}."
        )
    suffixes = ZOO_SUFFIXES if teacher in ZOO_MODELS else SUFFIXES
    if weights is not None and not (weights.endswith(suffixes) and Path(weights).is_file()):
        raise FileNotFoundError(
            f"`teacher_weights` must be a {' or '.join(suffixes)} file that exists, got "
            f"{weights!r}."
        )


def load_teacher(
    settings: Settings,
    network: tf.keras.Model,
    normalization: Normalization | None,
) -> Teacher | None:
    """Loads the teacher that the settings name, for the images and classes of a network.

    Args:
        settings: of a training; see `check_teacher`.
        network: that is to learn.
        normalization: of the images that the network trains on; None if it is not known, which
            only a teacher whose own is not known either can do with.

    Returns:
        The teacher; None if the settings name none.

    Raises:
        FileNotFoundError: there is none.
        ImportError: it is a checkpoint, and torch is not installed.
        ValueError: it cannot be loaded, takes images that cannot be made from the network's, or has
            other classes; or features that one of the two does not have.
    """
    check_teacher(settings)
    if settings.teacher is None:
        return None
    name, pairs = settings.teacher, Distillation.of_settings(settings).features
    shape, classes = tuple(network.input_shape[1:]), network.output_shape[-1]
    with_maps(network, [pair[0] for pair in pairs], owner="network")  # raises for unknown layers
    has_layers = True
    # In the precision of the training, a graph without layers would receive other numbers.
    with use_precision("float32"):
        if _is_name(name):
            model, own = _build_named(name, classes, settings.teacher_weights)
        else:
            loaded = load_network(name, "teacher", settings.dataset)
            model, own, has_layers = loaded.model, loaded.normalization, loaded.has_layers
    wanted = _check_shapes(model, shape, classes)
    received = tuple(a if b is None else b for a, b in zip(shape, wanted, strict=True))
    if normalization is None and own is not None:
        raise ValueError(
            f"`teacher` {name} needs images whose normalisation is known, those of the training "
            "have none: give `normalization`."
        )
    if None in shape and (own not in (None, normalization) or received != shape):
        raise ValueError(f"`teacher` needs images of one size, the network takes {shape}.")
    adapt = make_adapter(normalization, own or normalization, shape[:2], received[:2])
    probabilities = None if has_layers else _gives_probabilities(model, received)
    teacher = Teacher(
        model, adapt=adapt, map_names=[pair[1] for pair in pairs], probabilities=probabilities
    )
    check_maps(pairs, network, model, received)
    return teacher


def _is_name(teacher: str) -> bool:
    return networks.find_format(teacher) in (None, "name")


def _build_named(
    name: str, classes: int, weights: str | None
) -> tuple[tf.keras.Model, Callable[[tf.Tensor], tf.Tensor]]:
    """A network of keras.applications or larq-zoo, and how it normalises pixels."""
    if name not in ZOO_MODELS:
        return build_application(name, num_classes=classes, weights=weights)
    if weights is None and classes != PUBLISHED_CLASSES:
        raise ValueError(
            f"`teacher` {name} was published for {PUBLISHED_CLASSES} classes, the network has "
            f"{classes}: weights for {classes} classes can be given with --teacher_weights FILE."
        )
    try:
        model = models.zoo.build(
            name.removeprefix(ZOO_PREFIX),
            num_classes=classes,
            weights=weights or IMAGENET,
        )
    except (OSError, ValueError) as error:
        hint = "" if weights else " Weights in a file are given with --teacher_weights FILE."
        raise ValueError(f"`teacher` {name}: {error}{hint}") from error
    # All networks of larq-zoo were trained on images that are normalised like this.
    return model, DATASETS["imagenet"].normalization


def _check_shapes(
    model: tf.keras.Model, shape: Sequence[int | None], classes: int
) -> tuple[int | None, ...]:
    """The shape of the images that a teacher takes, after a check of its input and classes."""
    inputs, outputs = model.inputs or (), model.outputs or ()
    wanted = tuple(inputs[0].shape[1:]) if len(inputs) == 1 and inputs[0].shape.rank == 4 else ()
    if not wanted or not inputs[0].dtype.is_floating or inputs[0].shape[0] is not None:
        raise ValueError(
            "`teacher` must take any number of images (height, width, channels) of floating-point "
            f"numbers, got {', '.join(f'{t.shape} of {t.dtype.name}' for t in inputs)}."
        )
    if wanted[2] != shape[2]:
        raise ValueError(
            f"`teacher` must take images with {shape[2]} channels like the network, got one for "
            f"{wanted[2]}."
        )
    if len(outputs) != 1 or outputs[0].shape.rank != 2:
        raise ValueError(
            "`teacher` must have one output (batch, classes), got "
            f"{', '.join(str(tensor.shape) for tensor in outputs)}."
        )
    if outputs[0].shape[1] != classes:
        raise ValueError(
            f"`teacher` must have {classes} classes like the network, got {outputs[0].shape[1]}."
        )
    return wanted


def _gives_probabilities(model: tf.keras.Model, shape: Sequence[int]) -> bool:
    """Whether a model whose layers are not known returns probabilities, as its outputs show."""
    images = np.random.default_rng(0).normal(size=(PROBES, *shape)).astype(np.float32)
    return are_probabilities(np.asarray(model(images, training=False)))
