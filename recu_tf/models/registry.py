"""The published networks and those of larq-zoo by name."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from recu_tf import choices
from recu_tf.choices import MODELS, NETWORK_NAMES, NETWORK_PRECISIONS, ZOO_MODELS, check_choice
from recu_tf.latent_weights import copy_weights
from recu_tf.layers import BinaryConv2D, Rotate180
from recu_tf.models import resnet, two_stage, vgg, zoo_names
from recu_tf.models.network_arguments import check_size, read_input_shape, read_num_classes
from recu_tf.models.network_options import get_input_quantizer, get_precision

__all__ = [
    "CIFAR_NETWORKS",
    "DATASET_CLASSES",
    "IMAGENET_NETWORKS",
    "MODELS",
    "NETWORK_NAMES",
    "build_like",
    "build_untrained",
    "check_name",
    "get_input_shape",
    "get_networks",
    "get_variant",
    "is_large",
]

CIFAR_NETWORKS = {
    choices.RESNET20: resnet.resnet20,
    choices.RESNET18: resnet.resnet18,
    choices.RESNET18A: resnet.resnet18a,
    choices.RESNET18B: resnet.resnet18b,
    choices.RESNET18C: resnet.resnet18c,
    choices.VGG_SMALL: vgg.vgg_small,
}
IMAGENET_NETWORKS = {
    choices.RESNET18: resnet.imagenet_resnet18,
    choices.RESNET34: resnet.imagenet_resnet34,
    choices.TWO_STAGE_RESNET18: two_stage.two_stage_resnet18,
    choices.TWO_STAGE_RESNET34: two_stage.two_stage_resnet34,
}

# Number of classes by data set; that of `folder` is the number of its folders.
CIFAR_DATASETS = {choices.DIGITS: 10, choices.CIFAR10: 10, choices.CIFAR100: 100}
IMAGENET_DATASETS = {choices.IMAGENET: 1000, choices.TINYIMAGENET: 200, choices.FOLDER: None}
DATASET_CLASSES = {**CIFAR_DATASETS, **IMAGENET_DATASETS, choices.OWN: None}
# Of the caller's own images, the larger side of those that the networks for CIFAR are built for.
LARGEST_SMALL_SIDE = 64

# Height and width in pixels of which pooling leaves something; the ResNets take any.
SMALLEST_SIZES = {choices.VGG_SMALL: 8}

CIFAR_SHAPE = (32, 32, 3)
IMAGENET_SHAPE = (224, 224, 3)


def is_large(dataset: str, input_shape: Sequence[int] | None) -> bool:
    """Whether the images of a data set are for the variants of the networks for ImageNet.

    Args:
        dataset: one of `DATASET_CLASSES`.
        input_shape: (height, width, channels) of the images; only of "own" images it decides.
    """
    if dataset == choices.OWN:
        return max(input_shape[:2]) > LARGEST_SMALL_SIDE
    return dataset in IMAGENET_DATASETS


def get_networks(
    dataset: str, input_shape: Sequence[int] | None = None
) -> dict[str, Callable[..., tf.keras.Model]]:
    """The networks for the images of a data set, those of larq-zoo included.

    Args:
        dataset: one of `DATASET_CLASSES`.
        input_shape: (height, width, channels) of the images, if the data set is "own"; None means
            the networks for images of any size.

    Returns:
        The functions that build them, by name.
    """
    if dataset == choices.OWN and input_shape is None:
        return {**IMAGENET_NETWORKS, **CIFAR_NETWORKS, **zoo_names.list_builders()}
    published = IMAGENET_NETWORKS if is_large(dataset, input_shape) else CIFAR_NETWORKS
    shape = input_shape if dataset == choices.OWN else get_input_shape(dataset)
    return {**published, **zoo_names.list_builders(min(shape[:2]))}


def get_input_shape(dataset: str) -> tuple[int, int, int]:
    """The (height, width, channels) of the images of a data set, as training reads them.

    Args:
        dataset: one of `DATASET_CLASSES` but "own".
    """
    return IMAGENET_SHAPE if dataset in IMAGENET_DATASETS else CIFAR_SHAPE


def check_name(
    name: str, dataset: str, input_shape: Sequence[int] | None = None, *, argument: str = "name"
) -> None:
    """Refuses a name that is no network for the images of a data set.

    Args:
        name: of the network.
        dataset: one of `DATASET_CLASSES`.
        input_shape: see `get_networks`.
        argument: that holds the name, for the error.

    Raises:
        ValueError: it is none of `NETWORK_NAMES`, has no variant for the data set, or takes only
            larger images.
    """
    check_choice(argument, name, NETWORK_NAMES)
    networks = get_networks(dataset, input_shape)
    if name in networks:
        return
    shape = input_shape if dataset == choices.OWN else get_input_shape(dataset)
    if name in ZOO_MODELS:
        size = zoo_names.find_smallest_size(name)
        raise ValueError(
            f"`{argument}`: {name} takes images of at least {size}x{size} pixels, those of "
            f"{dataset} have {shape[0]}x{shape[1]}."
        )
    images = f"{dataset} images of {shape[0]}x{shape[1]}" if dataset == choices.OWN else dataset
    raise ValueError(
        f"`{argument}` must be one of {', '.join(networks)} for {images}, got {name!r}."
    )


def build_untrained(
    name: str,
    dataset: str = "cifar10",
    *,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
    precision: str = choices.BINARY,
    pad_values: float = 0,
    rotated: bool = False,
    input_quantizer: str = choices.APPROX_SIGN,
) -> tf.keras.Model:
    """Builds a network with fresh weights.

    Args:
        name: see `recu_tf.models.build`, as for all others.
        dataset: one of `DATASET_CLASSES`.
        num_classes: number of outputs.
        input_shape: (height, width, channels) of the images.
        precision: one of `recu_tf.choices.NETWORK_PRECISIONS`.
        pad_values: of the binary convolutions.
        rotated: whether a ResNet rotates the images first.
        input_quantizer: of the activations, one of `recu_tf.choices.INPUT_QUANTIZERS`.

    Returns:
        An uncompiled Keras model.

    Raises:
        ImportError, ValueError: see `recu_tf.models.build`.
    """
    check_choice("name", name, NETWORK_NAMES)
    check_choice("dataset", dataset, DATASET_CLASSES)
    check_choice("precision", precision, NETWORK_PRECISIONS)
    if dataset == choices.OWN and input_shape is None:
        raise ValueError("`input_shape` must be given for own images.")
    if input_shape is not None:
        input_shape = read_input_shape(input_shape)
    networks = get_networks(dataset, input_shape)
    if input_shape is None or name in MODELS or dataset == choices.OWN:
        check_name(name, dataset, input_shape)
    else:
        # Whether images of this size are large enough does not depend on the data set.
        networks = zoo_names.list_builders()
    if input_shape is None:
        input_shape = get_input_shape(dataset)
    check_size(name, input_shape, SMALLEST_SIZES.get(name, 1))
    num_classes = read_num_classes(DATASET_CLASSES[dataset] if num_classes is None else num_classes)
    variant = {"rotated": True} if rotated and name != choices.VGG_SMALL else {}
    title = name
    if precision != choices.BINARY:
        variant["precision"], title = precision, f"{name}_{precision}"
    if input_quantizer != choices.APPROX_SIGN:
        variant["input_quantizer"] = input_quantizer
    return networks[name](input_shape, num_classes, pad_values, name=title, **variant)


def get_variant(network: tf.keras.Model) -> dict:
    """What `recu_tf.models.build` was told of a network besides its name and its data set.

    Args:
        network: from it, trained or imported.

    Returns:
        `num_classes`, `input_shape`, `precision`, `pad_values`, `rotated` and `input_quantizer`.
    """
    padding = {layer.pad_values for layer in network.layers if isinstance(layer, BinaryConv2D)}
    return {
        "num_classes": network.output_shape[-1],
        "input_shape": network.input_shape[1:],
        "precision": get_precision(network),
        "pad_values": max(padding, default=0),
        "rotated": any(isinstance(layer, Rotate180) for layer in network.layers),
        "input_quantizer": get_input_quantizer(network),
    }


def build_like(
    network: tf.keras.Model, name: str, dataset: str, *, input_quantizer: str | None = None
) -> tf.keras.Model:
    """Rebuilds a network under the current precision policy and distribution strategy.

    Args:
        network: from `recu_tf.models.build` with the same `name` and `dataset`, trained or
            imported.
        name: one of `NETWORK_NAMES`.
        dataset: one of `DATASET_CLASSES`.
        input_quantizer: of the activations; None means that of the network.

    Returns:
        A network of the same shapes, precision, padding and rotation, with the same weights.

    Raises:
        ValueError: the network is not `name` for `dataset`.
    """
    variant = get_variant(network)
    if input_quantizer is not None:
        variant["input_quantizer"] = input_quantizer
    copy = build_untrained(name, dataset, **variant)
    if not copy_weights(network, copy):
        raise ValueError(f"`network` must be a {name} for {dataset}, got {network.name!r}.")
    return copy
