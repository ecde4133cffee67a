"""The layers of a model for the export: their paths, quantizers and kernels."""

from collections import Counter
from collections.abc import Iterator

import larq as lq
import numpy as np
import tensorflow as tf

from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = [
    "choose_titles",
    "compute_filters",
    "compute_quantized_kernel",
    "get_input_quantizer",
    "get_kernel_quantizers",
    "get_latent_kernel",
    "has_kernel",
    "is_binary",
    "is_binary_convolution",
    "list_layers_by_path",
]

Layer = tf.keras.layers.Layer

KERNELS = ("kernel", "depthwise_kernel")
KERNEL_QUANTIZERS = ("kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer")


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
    found = [getattr(layer, name, None) for name in KERNEL_QUANTIZERS]
    return [quantizer for quantizer in found if quantizer is not None]


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


def has_kernel(layer: Layer) -> bool:
    """Whether a layer has a kernel, as convolutions and dense layers have."""
    return any(getattr(layer, name, None) is not None for name in KERNELS)


def get_latent_kernel(layer: Layer) -> np.ndarray | None:
    """The kernel that a layer trains, before its quantizer; None without one."""
    for name in KERNELS:
        kernel = getattr(layer, name, None)
        if kernel is not None:
            return getattr(kernel, "latent_variable", kernel).numpy()
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
        (filters, height, width, channels), where those of a depthwise convolution have one channel
        and a dense layer's are 1 x 1; None for layers of other kinds.
    """
    kernel = compute_quantized_kernel(layer)
    if kernel is None or kernel.ndim not in (2, 4):
        return None
    if kernel.ndim == 2:
        return kernel.T[:, None, None, :]
    if hasattr(layer, "depthwise_kernel"):
        height, width, channels, multiplier = kernel.shape
        return kernel.reshape(height, width, channels * multiplier).transpose(2, 0, 1)[..., None]
    if isinstance(layer, tf.keras.layers.Conv2DTranspose):
        return kernel.transpose(2, 0, 1, 3)
    return kernel.transpose(3, 0, 1, 2)
