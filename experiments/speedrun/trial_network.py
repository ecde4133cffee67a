"""The network of a trial: the published one, with the gradients and the start that it asks for."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from experiments.speedrun.activation_gradients import SignWithSlope
from experiments.speedrun.trial import FLOAT_RELU, Trial
from recu_tf import models
from recu_tf.layers import BinaryConv2D, HardTanh

__all__ = ["build_network", "whiten_stem"]

# Of the inputs of a hard tanh and the gradient of its outputs: the gradient where it clips.
ClippedGradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class OpenHardTanh(HardTanh):
    """A hard tanh that also lets gradients through where it clips."""

    def __init__(self, clipped_gradient: ClippedGradient, **kwargs):
        super().__init__(**kwargs)
        self.clipped_gradient = clipped_gradient

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Clips the inputs to [-1, 1]."""

        @tf.custom_gradient
        def clip(x):
            def gradient(upstream):
                return tf.where(tf.abs(x) < 1, upstream, self.clipped_gradient(x, upstream))

            return tf.clip_by_value(x, -1, 1), gradient

        return clip(inputs)


def _let_inward(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """What leads clipped values back into [-1, 1]."""
    return tf.where(upstream * x > 0, upstream, tf.zeros_like(upstream))


def build_network(trial: Trial, precision: str = "binary", size: int = 32) -> tf.keras.Model:
    """Builds the network; its layers and weights are those of the published one.

    Args:
        trial: that it is for.
        precision: see `recu_tf.models.build`, or `FLOAT_RELU`: a float network with ReLUs in the
            place of hard tanhs.
        size: side length of the images.
    """
    network = models.build(
        trial.model,
        "cifar10",
        input_shape=(size, size, 3),
        precision="float" if precision == FLOAT_RELU else precision,
    )

    def copy_layer(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, HardTanh) and precision == FLOAT_RELU:
            return tf.keras.layers.ReLU(name=layer.name)
        if isinstance(layer, HardTanh) and trial.inward:
            return OpenHardTanh(_let_inward, **config)
        if isinstance(layer, HardTanh) and trial.leak:
            return OpenHardTanh(lambda _, upstream: trial.leak * upstream, **config)
        if isinstance(layer, BinaryConv2D) and layer.input_quantizer is not None:
            copy = BinaryConv2D.from_config(config)
            copy.input_quantizer = SignWithSlope(trial.slope, trial.width, trial.standardized)
            return copy
        return type(layer).from_config(config)

    copy = tf.keras.models.clone_model(network, clone_function=copy_layer)
    copy.set_weights(network.get_weights())
    if trial.gamma != 1:
        for layer in copy.layers:
            if isinstance(layer, tf.keras.layers.BatchNormalization) and layer.name != "bn2":
                layer.gamma.assign(tf.fill(layer.gamma.shape, trial.gamma))
    return copy


def whiten_stem(network: tf.keras.Model, images: np.ndarray) -> None:
    """Sets the first convolution to the main axes of 3x3 patches, each with both signs.

    Args:
        network: whose layer "conv1" has a kernel (3, 3, channels, filters).
        images: normalised, (count, height, width, channels).
    """
    kernel = network.get_layer("conv1").kernel
    patches = tf.image.extract_patches(images, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
    rows = tf.reshape(patches, [-1, patches.shape[-1]]).numpy()
    values, axes = np.linalg.eigh(np.cov(rows.T))
    order = np.argsort(values)[::-1][: kernel.shape[-1] // 2]
    filters = axes[:, order] / np.sqrt(values[order] + 1e-2)
    filters = np.concatenate([filters, -filters], axis=1)
    kernel.assign(filters.reshape(kernel.shape).astype(np.float32))
