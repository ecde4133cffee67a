"""The layers of a model for the export: their paths, quantizers and kernels."""

from collections import Counter
from collections.abc import Iterator

import larq as lq
import numpy as np
import tensorflow as tf

from recu_tf.kernel_axes import find_kernel_quantizers
from recu_tf.latent_weights import get_latent
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = [
    "choose_titles",
    "compute_filters",
    "compute_joint_filters",
    "compute_quantized_kernel",
    "get_input_quantizer",
    "get_kernel_quantizers",
    "get_latent_kernel",
    "has_frozen_bits",
    "has_kernel",
    "is_binary",
    "is_binary_convolution",
    "list_layers_by_path",
]

Layer = tf.keras.layers.Layer

KERNELS = ("kernel", "depthwise_kernel")


def list_layers_by_path(model: tf.keras.Model) -> dict[str, Layer]:
    """Lists every layer by its path below the model, such as "inner/conv" in a nested model.

    TensorFlow's graph names a layer's operators path/operator. If two layers share a path, the
    first is listed.
    """
    found: dict[str, Layer] = {}
    for path, layer in _walk(model, ""):
        found.setdefault(path, layer)
    return found


def _walk(layer: Layer, prefix: str) -> Iterator[tuple[str, Layer]]:
    for inner in layer._flatten_layers(recursive=False, include_self=False):
        # To Keras, Larq's quantizers are layers within a layer.
        if not isinstance(inner, lq.quantizers.Quantizer):
            yield prefix + inner.name, inner
            yield from _walk(inner, f"{prefix}{inner.name}/")


def choose_titles(layers: dict[str, Layer]) -> dict[int, str]:
    """Chooses a title for each layer, by its id: its name if that is unique, else its path.

    Args:
        layers: from `list_layers_by_path`.
    """
    first = {}
    for path, layer in layers.items():
        first.setdefault(id(layer), (path, layer))
    counts = Counter(layer.name for _, layer in first.values())
    return {
        key: layer.name if counts[layer.name] == 1 else path for key, (path, layer) in first.items()
    }


def get_kernel_quantizers(layer: Layer) -> list:
    """The quantizers of a layer's kernels: two in a separable convolution."""
    return list(find_kernel_quantizers(layer).values())


def get_input_quantizer(layer: Layer):
    """The quantizer of a layer's input, or None."""
    return getattr(layer, "input_quantizer", None)


def is_binary(layer: Layer) -> bool:
    """Whether a layer's input and all of its kernels are quantized to one bit."""
    quantizers = [get_input_quantizer(layer), *get_kernel_quantizers(layer)]
    return len(quantizers) > 1 and all(
        getattr(quantizer, "precision", None) == 1 for quantizer in quantizers
    )


def is_binary_convolution(layer: Layer) -> bool:
    """Whether a layer is a two-dimensional convolution whose kernel and input are binary."""
    return isinstance(layer, tf.keras.layers.Conv2D) and is_binary(layer)


def has_frozen_bits(layer: Layer) -> bool:
    """Whether a layer is a convolution of maps, channels last, with a frozen kernel of bits."""
    return (
        isinstance(layer, lq.layers.QuantConv2D)
        and isinstance(layer.kernel_quantizer, lq.quantizers.NoOp)
        and layer.kernel_quantizer.precision == 1
        and layer.data_format == "channels_last"
    )


def has_kernel(layer: Layer) -> bool:
    """Whether a layer has a kernel, as convolutions and dense layers have."""
    return any(getattr(layer, name, None) is not None for name in KERNELS)


def get_latent_kernel(layer: Layer) -> np.ndarray | None:
    """The kernel that a layer trains, before its quantizer; None without one."""
    for name in KERNELS:
        kernel = getattr(layer, name, None)
        if kernel is not None:
            return get_latent(kernel).numpy()
    return None


def compute_quantized_kernel(layer: Layer) -> np.ndarray | None:
    """The kernel that a layer computes with, quantized if it has a quantizer; None without one."""
    for name in KERNELS:
        if getattr(layer, name, None) is not None:
            with preserve_quantized_scope(), lq.context.quantized_scope(True):
                return tf.convert_to_tensor(getattr(layer, name)).numpy()
    return None


def compute_filters(layer: Layer) -> np.ndarray | None:
    """Computes the filters of a convolution or dense layer, in the order of TensorFlow Lite.

    Returns:
        (filters, height, width, channels), where those of a depthwise convolution, also within a
        separable one, have one channel, a dense layer's are 1 x 1, and those of a one-dimensional
        convolution one pixel high; None for layers of other kinds.
    """
    kernel = compute_quantized_kernel(layer)
    if kernel is None or kernel.ndim not in (2, 3, 4):
        return None
    if kernel.ndim == 2:
        return kernel.T[:, None, None, :]
    if kernel.ndim == 3:
        if isinstance(layer, tf.keras.layers.Conv1DTranspose):
            return None
        kernel = kernel[None]
    if hasattr(layer, "depthwise_kernel"):
        height, width, channels, multiplier = kernel.shape
        return kernel.reshape(height, width, channels * multiplier).transpose(2, 0, 1)[..., None]
    if isinstance(layer, tf.keras.layers.Conv2DTranspose):
        return kernel.transpose(2, 0, 1, 3)
    return kernel.transpose(3, 0, 1, 2)


def compute_joint_filters(layer: Layer) -> np.ndarray | None:
    """Computes the filters of the single convolution that computes what a layer does.

    Those of a separable convolution are the products of its depthwise and its pointwise weights:
    sum_c p[c] sum_xy d[x, y, c] i[x, y, c] = sum_xyc (d[x, y, c] p[c]) i[x, y, c]. With a depth
    multiplier, the convolution reads all input channels once for each depthwise filter.

    Returns:
        (filters, height, width, channels), of a separable convolution (filters, height, width,
        depth multiplier * channels); see `compute_filters` for other layers.
    """
    pointwise = getattr(layer, "pointwise_kernel", None)
    if pointwise is None:
        return compute_filters(layer)
    with preserve_quantized_scope(), lq.context.quantized_scope(True):
        pointwise = tf.convert_to_tensor(pointwise).numpy()
    depthwise = compute_quantized_kernel(layer)
    depthwise = depthwise if depthwise.ndim == 4 else depthwise[None]
    *_, channels, multiplier = depthwise.shape
    pointwise = pointwise.reshape(channels, multiplier, -1)
    joint = np.einsum("hwcm,cmf->fhwmc", depthwise, pointwise)
    return joint.reshape(*joint.shape[:3], multiplier * channels)
