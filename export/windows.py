"""Whether the convolutions of a file look through the windows that their layers look through.

Numbers can hide a window that was moved: where random images make a network give nearly the same
every time, or where an activation behind it is dead. Sizes cannot. A layer that pads nothing
itself, on images padded before it, sees the pixels that the padding SAME of its operator sees if
both pad as much in front.
"""

from collections import defaultdict

import tensorflow as tf

from export.binary_layers import paths, titles
from export.flatbuffer import BINARY_CONVOLUTION, Operator, read
from export.rewriting.padding import same_padding
from export.tracing import trace

__all__ = ["moved_windows"]

CONVOLUTIONS = (BINARY_CONVOLUTION, "CONV_2D", "DEPTHWISE_CONV_2D")


def moved_windows(flatbuffer: bytes, model: tf.keras.Model) -> list[str]:
    """The layers whose convolution in a file looks through other windows, by their names.

    Args:
        flatbuffer: the file.
        model: what it was converted from.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    names = titles(paths(model))
    fused = [
        (operator, layer)
        for operator, layer in zip(file.operators, trace(file, model), strict=True)
        if operator.name in CONVOLUTIONS
        and operator.options["padding"] == "SAME"
        and _pads_nothing(layer)
    ]
    called = _called_sizes(model, [layer for _, layer in fused])
    found = [
        names[id(layer)]
        for operator, layer in fused
        if not any(_same_windows(operator, layer, size) for size in called[id(layer)])
    ]
    return list(dict.fromkeys(found))


def _pads_nothing(layer: tf.keras.layers.Layer | None) -> bool:
    """Whether it is a convolution of images that leaves the padding to what is before it."""
    return (
        getattr(layer, "padding", None) == "valid"
        and len(getattr(layer, "kernel_size", ())) == 2
        and layer.data_format == "channels_last"
    )


def _called_sizes(
    model: tf.keras.Model, watched: list[tf.keras.layers.Layer]
) -> dict[int, list[tf.TensorShape]]:
    """The heights and widths that layers are called on, by the layers' ids."""
    sizes = defaultdict(list)
    if not watched:
        return sizes

    def watch(layer: tf.keras.layers.Layer) -> None:
        call = layer.call

        def watched_call(images, *args, **kwargs):
            sizes[id(layer)].append(images.shape[1:3])
            return call(images, *args, **kwargs)

        # Not by assignment, which Keras would take for a change of the layer.
        vars(layer)["call"] = watched_call

    layers = {id(layer): layer for layer in watched}.values()
    for layer in layers:
        watch(layer)
    try:
        # The layers of a subclassed model are seen nowhere but in its graph.
        image = tf.TensorSpec(model.input_shape, model.inputs[0].dtype)
        tf.function(lambda image: model(image, training=False)).get_concrete_function(image)
    finally:
        for layer in layers:
            del vars(layer)["call"]
    return sizes


def _same_windows(operator: Operator, layer: tf.keras.layers.Layer, size: tf.TensorShape) -> bool:
    """Whether they are those of the layer on padded images of this size."""
    return all(
        _same_axis(own, padded - own, window, stride)
        for own, padded, window, stride in zip(
            operator.inputs[0].shape[1:3], size, _windows(layer), layer.strides, strict=True
        )
    )


def _windows(layer: tf.keras.layers.Layer) -> list[int]:
    return [
        (kernel - 1) * dilation + 1
        for kernel, dilation in zip(layer.kernel_size, layer.dilation_rate, strict=True)
    ]


def _same_axis(size: int, padding: int, window: int, stride: int) -> bool:
    # The converter takes paddings for SAME that are the same in front and behind.
    windows = (size + padding - window) // stride + 1
    return windows == -(-size // stride) and padding // 2 == same_padding(size, window, stride)[0]
