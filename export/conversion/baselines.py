"""Baselines for a binary network: the same network in float32 and in int8."""

import contextlib
from collections.abc import Iterator

import larq as lq
import tensorflow as tf

from export.conversion.converter import choose_signature_names, save_temporarily
from export.conversion.int8.quantize import check_images
from export.keras_graph.inputs_outputs import Inputs, as_list, draw_inputs, take_first
from recu_tf.messages import in_one_line
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = [
    "convert_baselines",
    "convert_float_baseline",
    "convert_int8_baseline",
    "remove_quantizers",
]

# More do not change the ranges by much, and each runs through slow reference implementations.
MOST_IMAGES = 32


@contextlib.contextmanager
def _explain_failure(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # cloning and converting have many of their own
        reason = in_one_line(error)
        raise ValueError(f"the {name} baseline cannot be made: {reason}") from error


def _copy_without_quantizers(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    try:
        config = layer.get_config()
    except NotImplementedError:  # its message is a page about how to write a get_config
        raise ValueError(f"`{layer.name}`, {type(layer).__name__}, has no get_config") from None
    for quantizer in [key for key in config if key.endswith("_quantizer")]:
        config[quantizer] = None
    if "pad_values" in config:
        # Padding with anything but zeros needs an operator of its own, for no use in float32.
        config["pad_values"] = 0
    copy = type(layer).from_config(config)
    copy._name = layer.name  # which layers without a get_config of their own may not take
    return copy


def remove_quantizers(model: tf.keras.Model) -> tf.keras.Model:
    """Copies a network without its quantizers: the same layers with the latent weights.

    Args:
        model: a functional or sequential model.
    """
    baseline = tf.keras.models.clone_model(model, clone_function=_copy_without_quantizers)
    for layer in model.layers:
        latent = [
            weight
            for weight in layer.get_weights()
            if weight.ndim or not isinstance(layer, lq.layers_base.BaseLayer)
        ]
        baseline.get_layer(layer.name).set_weights(latent)
    return baseline


@preserve_quantized_scope()
def convert_float_baseline(model: tf.keras.Model, *, batch_size: int = 1) -> bytes:
    """Converts the same network without its quantizers, in float32, with TensorFlow's converter.

    The binary network is compared with it in size and latency: it has the same layers with the
    latent weights, and no sign in between. Its predictions mean nothing. Of a published network it
    is what `recu_tf.models.build` gives with `precision="float"`, with these weights.

    Args:
        model: a float32 functional or sequential model.
        batch_size: images that the file takes at a time.

    Returns:
        A TFLite file.

    Raises:
        ValueError: a layer cannot be made without its quantizers, or TensorFlow's converter cannot
            take the network.
    """
    with (
        _explain_failure("float32"),
        save_temporarily(remove_quantizers(model), batch_size) as directory,
    ):
        return tf.lite.TFLiteConverter.from_saved_model(directory).convert()


@preserve_quantized_scope()
def convert_int8_baseline(model: tf.keras.Model, images: Inputs) -> bytes:
    """Converts the same network without its quantizers, in int8, with TensorFlow's converter.

    Args:
        model: a float32 functional or sequential model.
        images: float32 (count, height, width, channels), normalised; the first 32 calibrate. For
            several inputs a list of arrays, in their order.

    Returns:
        A TFLite file that takes one image at a time, float32 outside and int8 inside.

    Raises:
        ValueError: there are no images, or they have another shape or are not finite; or see
            `convert_float_baseline`.
    """
    for array, tensor in zip(as_list(images), model.inputs, strict=True):
        check_images(array, tuple(tensor.shape[1:]))
    inputs = as_list(take_first(images, MOST_IMAGES))
    with _explain_failure("int8"), save_temporarily(remove_quantizers(model), 1) as directory:
        converter = tf.lite.TFLiteConverter.from_saved_model(directory)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # By their names, since the converter shuffles several.
        names = choose_signature_names(model)[0]
        types = [tensor.dtype.as_numpy_dtype for tensor in model.inputs]
        converter.representative_dataset = lambda: (
            {
                name: row[None].astype(dtype)
                for name, row, dtype in zip(names, rows, types, strict=True)
            }
            for rows in zip(*inputs, strict=True)
        )
        return converter.convert()


def convert_baselines(model: tf.keras.Model) -> dict[str, bytes]:
    """Converts the float32 and the int8 baseline of a network, to measure their latency.

    The int8 file is calibrated on random images: its operators are the same as with real images,
    but its predictions mean nothing.

    Args:
        model: a float32 functional or sequential model with inputs of fixed sizes.

    Returns:
        "float32" and "int8".

    Raises:
        ValueError: TensorFlow's converter cannot take the network.
    """
    inputs = draw_inputs(model, 8)
    return {"float32": convert_float_baseline(model), "int8": convert_int8_baseline(model, inputs)}
