"""Networks by name with trained weights: those that come along, or those at a path."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from recu_tf import choices, pretrained
from recu_tf.choices import check_choice
from recu_tf.latent_weights import copy_weights
from recu_tf.models import sign_and_scale, zoo, zoo_names, zoo_weights
from recu_tf.models.registry import (
    DATASET_CLASSES,
    NETWORK_NAMES,
    build_untrained,
    check_name,
    get_input_shape,
    get_variant,
)

__all__ = ["LoadedNetwork", "build", "register_loader"]


class LoadedNetwork(Protocol):
    """What is needed of a `recu_tf.networks.Network`."""

    model: tf.keras.Model
    name: str | None
    dataset: str | None


_loaders: list[Callable[..., LoadedNetwork]] = []


def register_loader(load: Callable[..., LoadedNetwork]) -> None:
    """Lets `build` load weights from paths.

    The formats of trained networks build on the models, so that this module cannot import them.

    Args:
        load: `recu_tf.networks.load`.
    """
    _loaders[:] = [load]


def build(
    name: str,
    dataset: str | None = None,
    *,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
    precision: str = choices.BINARY,
    pad_values: float = 0,
    rotated: bool = False,
    input_quantizer: str | None = None,
    weights: str | os.PathLike | None = None,
) -> tf.keras.Model:
    """Builds a network, with fresh weights or trained ones.

    Args:
        name: one of `NETWORK_NAMES`: a published network, or `zoo/` before the name of one of
            larq-zoo, see `recu_tf.models.zoo.build`; zoo/BiRealNet18 is zoo/BiRealNet.
        dataset: one of `DATASET_CLASSES`; it determines the variant, the number of classes and the
            size of the images. `resnet18_1w1a` is a different network for digits, cifar10 and
            cifar100 than for imagenet, tinyimagenet and folder. For "own" images, `input_shape`
            decides: the variant for ImageNet if a side is longer than 64. None means the data set
            of `weights`, or cifar10 without them.
        num_classes: number of outputs; None means that of the data set. Required for folder and
            own, unless `weights` has it.
        input_shape: (height, width, channels) of the images; None means (224, 224, 3) for imagenet,
            tinyimagenet and folder, (32, 32, 3) otherwise.
        precision: "binary" as published; "binary_activations" for the network of the same graph
            with real kernels, the first of two stages; "float" for that with real activations as
            well. All three have the same layers and trainable weights, of the same names, in the
            same order. In "float" nothing stands in the place of the sign: the hard tanhs and
            PReLUs of the blocks are its activation functions. The gammas of the ImageNet ResNets,
            tiny before a sign, then start at 1. (The setting `precision` is something else: the
            floating-point numbers that a training computes with.)
        pad_values: of the binary convolutions, 0 as published or 1; "float" pads with 0.
        rotated: whether a ResNet rotates the images by 180 degrees first, as weights from PyTorch
            need (`recu_tf.pytorch`); VGG-small needs no rotation and ignores it. A network with
            `weights` from PyTorch rotates them in any case.
        input_quantizer: of binary activations, one of `recu_tf.choices.INPUT_QUANTIZERS`; it
            decides their gradient, and nothing else. None means that of `weights`, or the
            published one without them.
        weights: None for fresh ones. The name of a data set for those trained on it that come with
            this library, see `recu_tf.pretrained`; nothing is downloaded. Or the path of a trained
            network of the same name, in any format of `recu_tf.networks.load`, a published
            checkpoint included (which needs torch). A path that is also the name of a data set
            begins with `./`. Of a network of larq-zoo, see `recu_tf.models.zoo.build`: "imagenet"
            for those that it publishes, which it downloads, or the path of a `.h5` file.

    Returns:
        An uncompiled Keras model from upright, normalised images (batch, height, width, channels)
        to logits (batch, classes); to probabilities if it is of larq-zoo. Its name is `name`,
        followed by the precision if it is not "binary"; larq-zoo names its networks itself.

    Raises:
        FileNotFoundError: there is nothing at the path `weights`.
        ImportError: it is of larq-zoo, which is not installed, or `weights` is a checkpoint, and
            torch is not.
        OSError: the weights of larq-zoo cannot be downloaded.
        ValueError: an unknown name, data set, precision or quantizer, a network without a variant
            for the data set, an `input_shape` that is none or too small for the network, fewer than
            two classes, or `pad_values` other than 0 and 1; or an option that networks of larq-zoo
            do not have: another precision, padding, rotation or quantizer; or `weights` that do not
            exist for the network and data set, are damaged, or are of another network, number of
            classes, size of images, precision, padding or rotation.
    """
    chosen = {
        "num_classes": num_classes,
        "input_shape": input_shape,
        "precision": precision,
        "pad_values": pad_values,
        "rotated": rotated,
    }
    quantizer = {} if input_quantizer is None else {"input_quantizer": input_quantizer}
    if quantizer:
        check_choice("input_quantizer", input_quantizer, choices.INPUT_QUANTIZERS)
    if weights is None:
        dataset = choices.CIFAR10 if dataset is None else dataset
        return build_untrained(name, dataset, **chosen, **quantizer)
    if not isinstance(weights, str | os.PathLike):
        raise ValueError(
            "`weights` must be None, the name of a data set or the path of a trained network, got "
            f"{type(weights).__name__}."
        )
    check_choice("name", name, NETWORK_NAMES)
    if dataset is not None:
        check_choice("dataset", dataset, DATASET_CLASSES)
        if dataset != choices.OWN:
            check_name(name, dataset)
    if name in choices.ZOO_MODELS:
        return _build_zoo(name, dataset, weights, **chosen, **quantizer)
    if weights in choices.DATASETS:
        return _build_pretrained(name, dataset, weights, chosen, quantizer)
    return _build_loaded(name, dataset, weights, chosen, quantizer)


def _build_zoo(
    name: str,
    dataset: str | None,
    weights: str | os.PathLike,
    *,
    num_classes: int | None,
    input_shape: tuple[int, int, int] | None,
    **fixed: object,
) -> tf.keras.Model:
    """A network of larq-zoo with its own quantizers and trained weights."""
    zoo_names.check_fixed(name, fixed)
    published = weights == zoo_weights.IMAGENET
    if input_shape is None:
        input_shape = get_input_shape(dataset or choices.IMAGENET)
        if published and input_shape != zoo.PUBLISHED_SHAPE:
            height, width, _ = zoo.PUBLISHED_SHAPE
            raise ValueError(
                f"`dataset` must be imagenet, or another of {zoo.PUBLISHED_CLASSES} classes with "
                f'images of {height}x{width}, for `weights` "{zoo_weights.IMAGENET}", got '
                f"{dataset}."
            )
    return zoo.build(
        name.removeprefix(choices.ZOO_PREFIX),
        num_classes=num_classes,
        input_shape=input_shape,
        weights=zoo_weights.IMAGENET if published else Path(weights),
    )


def _build_pretrained(
    name: str, dataset: str | None, trained_on: str, chosen: dict, quantizer: dict
) -> tf.keras.Model:
    entry = pretrained.find_weights(name, trained_on)
    found = {option: getattr(entry, option) for option in (*chosen, "input_quantizer")}
    dataset = dataset or entry.dataset
    options = _combine(dataset, chosen, found, trained_on)
    network = build_untrained(name, dataset, **{**options, **quantizer})
    try:
        sign_and_scale.unpack(pretrained.read(entry), network)
    except ValueError as error:
        raise ValueError(f"`weights`: {error}") from error
    return network


def _build_loaded(
    name: str, dataset: str | None, path: str | os.PathLike, chosen: dict, quantizer: dict
) -> tf.keras.Model:
    (load,) = _loaders
    try:
        loaded = load(path, dataset=None if dataset == choices.OWN else dataset)
    except FileNotFoundError as error:
        # A data set that several networks were trained on is named once.
        have = ", ".join(dict.fromkeys(entry.dataset for entry in pretrained.list_all().values()))
        raise FileNotFoundError(
            f"`weights` must be one of {have}, whose weights come along, or a path: {error}"
        ) from error
    except ValueError as error:
        raise ValueError(f"`weights`: {error}") from error
    if loaded.name not in (None, name):
        raise ValueError(f"`weights` must be a network of {name}, {path} is one of {loaded.name}.")
    shapes = [tensor.shape for tensor in [*(loaded.model.inputs or []), *loaded.model.outputs]]
    if [shape.rank for shape in shapes] != [4, 2]:
        raise ValueError(
            f"`weights` must be a network from images to classes, {path} has inputs and outputs of "
            f"{', '.join(map(str, shapes))}."
        )
    # Without either, the size of its images decides the variant.
    dataset = dataset or loaded.dataset or choices.OWN
    found = get_variant(loaded.model)
    options = _combine(dataset, chosen, found, path)
    network = build_untrained(name, dataset, **{**options, **quantizer})
    if not copy_weights(loaded.model, network):
        raise ValueError(f"`weights` must be a network of {name} for {dataset}, {path} is another.")
    return network


def _combine(
    dataset: str, chosen: dict, found: dict, weights: str | os.PathLike
) -> dict[str, object]:
    """The options of `build_untrained` that are chosen, checked against those of the weights."""
    expected = {**chosen, "num_classes": chosen["num_classes"] or DATASET_CLASSES[dataset]}
    for option in ("num_classes", "precision", "pad_values"):
        if expected[option] not in (None, found[option]):
            origin = "" if chosen[option] == expected[option] else f" of {dataset}"
            raise ValueError(
                f"`{option}` must be {found[option]!r} for `weights` {str(weights)!r}, got "
                f"{expected[option]!r}{origin}."
            )
    if chosen["rotated"] and not found["rotated"]:
        raise ValueError(
            f"`rotated` must be False for `weights` {str(weights)!r}, which were not trained on "
            "rotated images, got True."
        )
    shape = found["input_shape"] if chosen["input_shape"] is None else chosen["input_shape"]
    return {**found, "input_shape": shape}
