"""The networks of larq-zoo, with the quantizers of ReCU instead of their own."""

import contextlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from recu_tf.choices import ZOO_NETWORKS
from recu_tf.larq_warnings import silence_advice
from recu_tf.models.retrofit import with_recu
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["ZOO_NETWORKS", "build"]


def build(
    name: str, *, num_classes: int = 1000, input_shape: tuple[int, int, int] = (224, 224, 3)
) -> tf.keras.Model:
    """Builds a network of larq-zoo with fresh weights and ReCU in each of its binary layers.

    The layers, their names, paddings, initializers and regularizers are those of larq-zoo. Kernels
    have `ReCU` instead of larq-zoo's quantizer and constraint, and binary or 2-bit (`DoReFaNet`)
    inputs have `StandardizedApproxSign`. The first convolution of `BinaryAlexNet` has a binary
    kernel and a real input, as there. `Lambda` layers are replaced by the operations in them, so
    that a saved network can be loaded without trust in its file.

    To begin with published weights, pass such a network to `recu_tf.models.with_recu`.

    Args:
        name: one of `ZOO_NETWORKS`, the names of the functions of `larq_zoo.literature` and
            `larq_zoo.sota`.
        num_classes: number of outputs, at least 2.
        input_shape: (height, width, channels) of the images.

    Returns:
        An uncompiled Keras model from normalised images (batch, height, width, channels) to
        probabilities (batch, classes), not logits: all networks of larq-zoo end with a softmax.

    Raises:
        ValueError: an unknown name, fewer than two classes, or an `input_shape` that is none or
            too small for the network.
        ImportError: larq-zoo is not installed.
    """
    if name not in ZOO_NETWORKS:
        raise ValueError(f"`name` must be one of {', '.join(ZOO_NETWORKS)}, got {name!r}.")
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2, got {num_classes}.")
    if len(input_shape) != 3 or not all(isinstance(size, int) and size > 0 for size in input_shape):
        raise ValueError(
            f"`input_shape` must be (height, width, channels), three positive integers, got "
            f"{input_shape}."
        )
    function = _import_function(name)
    try:
        with silence_advice(), preserve_quantized_scope(), _operations_for_lambdas():
            network = function(input_shape=input_shape, num_classes=num_classes, weights=None)
    except ValueError as error:
        raise ValueError(
            f"`input_shape` must be large enough for {name}, as (224, 224, 3) is, got "
            f"{input_shape}."
        ) from error
    return with_recu(network)


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
