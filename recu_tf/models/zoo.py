"""The networks of larq-zoo, with the quantizers of ReCU or as they were published.

Examples:
    With ReCU and fresh weights, for ten classes of small images:

    >>> network = recu_tf.models.zoo.build("BinaryAlexNet", num_classes=10, input_shape=(64, 64, 3))
    >>> len(recu_tf.metrics.find_quantized_kernels(network))
    8

    `recu_tf.models.zoo.build("QuickNet", weights="imagenet")` is larq-zoo's own network. What there
    is, for which images and classes it was published, and the smallest images of three of them:

    >>> len(recu_tf.models.zoo.ZOO_NETWORKS)
    14
    >>> recu_tf.models.zoo.PUBLISHED_SHAPE, recu_tf.models.zoo.PUBLISHED_CLASSES
    ((224, 224, 3), 1000)
    >>> recu_tf.models.zoo.SMALLEST_SIZES["BinaryAlexNet"]  # pixels
    57
"""

import contextlib
import os
from collections.abc import Callable, Iterator

import tensorflow as tf

from recu_tf.choices import ZOO_ALIASES, ZOO_NETWORKS, ZOO_PREFIX
from recu_tf.larq_warnings import silence_advice
from recu_tf.models.network_arguments import check_size, read_input_shape, read_num_classes
from recu_tf.models.retrofit import with_recu
from recu_tf.models.zoo_weights import (
    IMAGENET,
    count_classes,
    explain_failed_downloads,
    read_layers,
    set_layers,
)
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["PUBLISHED_CLASSES", "PUBLISHED_SHAPE", "SMALLEST_SIZES", "ZOO_NETWORKS", "build"]

# Height and width in pixels below which Keras cannot build them. The others take any that their
# reductions leave something of, 32 among them.
SMALLEST_SIZES = {"BinaryAlexNet": 57, "DoReFaNet": 44, "XNORNet": 217}
PUBLISHED_CLASSES = 1000
PUBLISHED_SHAPE = (224, 224, 3)


def build(
    name: str,
    *,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] = PUBLISHED_SHAPE,
    weights: str | os.PathLike | None = None,
) -> tf.keras.Model:
    """Builds a network of larq-zoo, with ReCU in each of its binary layers or as published.

    Without `weights`, those of the network are fresh: its layers, their names, paddings,
    initializers and regularizers are those of larq-zoo. Kernels have `ReCU` instead of larq-zoo's
    quantizer and constraint, and binary or 2-bit (`DoReFaNet`) inputs have
    `StandardizedApproxSign`. The first convolution of `BinaryAlexNet` has a binary kernel and a
    real input, as there. `Lambda` layers are replaced by the operations in them, so
    that a saved network can be loaded without trust in its file.

    With `weights` it is larq-zoo's own, with its quantizers and constraints, for evaluation and
    export. To train it on with ReCU, from the published weights:
    `with_recu(build(name, weights="imagenet"))`.

    Args:
        name: one of `ZOO_NETWORKS`, the names of the functions of `larq_zoo.literature` and
            `larq_zoo.sota`, or of `recu_tf.choices.ZOO_ALIASES`: BiRealNet18 is BiRealNet. They
            may follow `zoo/`, as in settings.
        num_classes: number of outputs, at least 2; None means that of the file `weights`, and 1000
            without a file.
        input_shape: (height, width, channels) of the images.
        weights: "imagenet" for the published ones, which larq-zoo downloads and keeps in
            `~/.keras`; or the path of a `.h5` file of weights, such as those that larq-zoo
            publishes. None for ReCU and fresh weights.

    Returns:
        An uncompiled Keras model from normalised images (batch, height, width, channels) to
        probabilities (batch, classes), not logits: all networks of larq-zoo end with a softmax.

    Raises:
        ValueError: an argument of another type, an unknown name, fewer than two classes, an
            `input_shape` that is none or too small for the network, other classes or images than
            those of published weights, or a file that is damaged or of another network.
        OSError: there is no file at `weights`, or the published ones cannot be downloaded; the
            message says where they lie.
        ImportError: larq-zoo is not installed.
    """
    name = _read_name(name)
    classes = PUBLISHED_CLASSES if num_classes is None else read_num_classes(num_classes)
    input_shape = read_input_shape(input_shape)
    if not isinstance(weights, (str, os.PathLike, type(None))):
        raise ValueError(
            f'`weights` must be None, "{IMAGENET}" or the path of a .h5 file, got '
            f"{type(weights).__name__}."
        )
    if weights == IMAGENET:
        _check_published("num_classes", classes, PUBLISHED_CLASSES)
        _check_published("input_shape", input_shape, PUBLISHED_SHAPE)
    function = _import_function(name)
    check_size(name, input_shape, SMALLEST_SIZES.get(name, 1))
    saved = None if weights in (None, IMAGENET) else read_layers(weights)
    if num_classes is None and saved is not None:
        classes = read_num_classes(count_classes(saved))
    try:
        with (
            silence_advice(),
            preserve_quantized_scope(),
            _operations_for_lambdas(),
            explain_failed_downloads(),
        ):
            network = function(
                input_shape=input_shape,
                num_classes=classes,
                weights=weights if weights == IMAGENET else None,
            )
    except ValueError as error:
        if weights == IMAGENET:
            raise
        raise ValueError(
            f"`input_shape` must be large enough for {name}, as {PUBLISHED_SHAPE} is, got "
            f"{input_shape}."
        ) from error
    if weights is None:
        return with_recu(network)
    if saved is not None:
        set_layers(network, saved, weights)
    return network


def _read_name(name: str) -> str:
    """The name of a function of larq-zoo."""
    known = name.removeprefix(ZOO_PREFIX) if isinstance(name, str) else None
    known = ZOO_ALIASES.get(known, known)
    if known not in ZOO_NETWORKS:
        raise ValueError(f"`name` must be one of {', '.join(ZOO_NETWORKS)}, got {name!r}.")
    return known


def _check_published(argument: str, given: object, published: object) -> None:
    if given != published:
        raise ValueError(
            f'`{argument}` must be {published} for `weights` "{IMAGENET}", got {given}.'
        )


def _import_function(name: str) -> Callable[..., tf.keras.Model]:
    """The function of larq-zoo that builds a network."""
    try:
        import larq_zoo
    except ModuleNotFoundError as error:
        raise ImportError(
            "the networks of larq-zoo need larq-zoo, which is not installed: "
            "pip install 'recu_tf[zoo]'"
        ) from error
    return getattr(larq_zoo.sota, name, None) or getattr(larq_zoo.literature, name)


@contextlib.contextmanager
def _operations_for_lambdas() -> Iterator[None]:
    """Lets `tf.keras.layers.Lambda` call its function at once on the symbolic tensors.

    Keras records each operation as a layer of its own, which a file can hold without Python code.
    """
    replaced = tf.keras.layers.Lambda

    def call_at_once(function: Callable, name: str | None = None) -> Callable:
        def call(inputs: tf.Tensor | list[tf.Tensor]) -> tf.Tensor | list[tf.Tensor]:
            outputs = function(inputs)
            # Those that do nothing give a tensor its name, by which distillation finds it.
            return tf.keras.layers.Identity(name=name)(inputs) if outputs is inputs else outputs

        return call

    tf.keras.layers.Lambda = call_at_once
    try:
        yield
    finally:
        tf.keras.layers.Lambda = replaced
