"""Quantizes the layers of a binary network that are not binary to int8.

Larq Compute Engine's converter takes no images to calibrate with. It makes an operator int8 if all
its inputs and outputs pass through a FakeQuant in Keras. The following was measured with version
0.16.0, on a small model for each:

- Kernels need no FakeQuant: the converter folds batch norms and rounds the kernels itself,
  symmetrically: convolutions per output channel, dense layers as a whole (a FakeQuant per channel
  does not convert there); biases become int32. Kernels are rounded beforehand all the same, see
  `export.conversion.int8.kernel_rounding`, so that Keras computes with the kernels of the file.
- Convolutions of every kind with batch norm, scale, bias, ReLU, ReLU6 or hard tanh behind them are
  one int8 operator if the FakeQuant stands behind the last of them; so are sums with such an
  activation. Pools, pads, slices, rotations, reshapes, means, PReLU and concatenations are int8
  between two FakeQuants; those that only move numbers need the same range in both.
- A batch norm on its own would become a float32 MUL and ADD, so it is replaced by a depthwise 1x1
  convolution, which is int8. A sum of three terms would be float32 in between, so it is split into
  two sums.
- Of two FakeQuants in a row the first is lost, with its clipping.
- A binary convolution reads int8 and writes int8 through its factors in float32. But one that is
  padded with zeros and writes int8 fails in all backends except the reference one ("Zero-padding is
  only supported by the reference kernel ... or when using float output"). So the layers behind it
  stay float32 up to the next kernel that is not binary; networks with `pad_values=1` become int8
  as a whole.
- A binary convolution of which only the signs are read keeps its float32 or bit-packed output,
  which is exact. int8 would flip the signs of values within half a level of 0.
- The following stay in float32: layer normalisation, GELU, `Average`, a batch norm on vectors with
  no dense layer around it or on another axis than the last, and dense and depthwise layers with
  binary inputs, for which the engine has no operator.

A range reaches from the 1st percentile of the images' smallest activations to the 99th percentile
of their largest; only the logits keep their whole range. With a ResNet-20 in int8 as a whole, 88 %
of 1,000 CIFAR-10 test images kept their class (accuracy 70.0 % in float32, 71.4 % in int8); with
ranges between the means of the extremes, 85 % did.
"""

import numpy as np
import tensorflow as tf

from export.conversion.int8.kernel_rounding import round_kernels
from export.conversion.int8.placement import Placement
from export.keras_graph.building import build_model, flatten
from export.keras_graph.graph import Value, check_listed, read_graph
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["FakeQuant", "check_images", "quantize"]

BATCH = 32
PERCENTILE = 99
# Where all activations are 0, there still has to be a range.
LEAST = 1e-9

Ranges = dict[Value, tuple[float, float]]


@tf.keras.utils.register_keras_serializable(package="export")
class FakeQuant(tf.keras.layers.Layer):
    """Rounds to 256 levels, which the converter takes as the range of an int8 tensor.

    Takes and gives any shape; float32.

    Args:
        minimum: the smallest level, at most 0.
        maximum: the largest level, at least 0 and more than `minimum`.
    """

    def __init__(self, minimum: float, maximum: float, **kwargs):
        super().__init__(**kwargs)
        self.minimum = minimum
        self.maximum = maximum

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Rounds the inputs."""
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.minimum, self.maximum)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "minimum": self.minimum, "maximum": self.maximum}


@preserve_quantized_scope()
def quantize(model: tf.keras.Model, images: np.ndarray) -> tf.keras.Model:
    """Puts a FakeQuant wherever the converter needs one to make a layer int8 that is not binary.

    Args:
        model: a float32 functional or sequential model with one input.
        images: float32 (count, height, width, channels), normalised: a hundred or more training
            images. The ranges are measured on their activations.

    Returns:
        A model of new layers with the same input and outputs. A file converted from it computes
        the same, except where an activation lies between two levels.

    Raises:
        ValueError: there are no images, or they have another shape or are not finite; the model is
            subclassed or not in float32, or has several inputs.
    """
    graph = flatten(read_graph(model))
    check_listed(graph)
    if model.dtype_policy.name != "float32":
        raise ValueError(f"`model` must be in float32, got {model.dtype_policy.name}.")
    if len(graph.inputs) != 1:
        raise ValueError(
            "`model` must have one input, because int8 is calibrated on images alone, got "
            f"{len(graph.inputs)}: {', '.join(graph.input_names)}."
        )
    check_images(images, graph.inputs[0].shape[1:])
    placement = Placement(graph)
    round_kernels(placement.graph)
    ranges = _compute_ranges(
        placement, *_measure_extremes(placement, images.astype(np.float32, copy=False))
    )

    def after(value: Value, tensor: tf.Tensor) -> tf.Tensor:
        return FakeQuant(*ranges[value])(tensor) if value in ranges else tensor

    return build_model(placement.graph, after)


def check_images(images: np.ndarray, shape: tuple[int | None, ...]) -> None:
    """Raises a ValueError unless there are finite images of this shape."""
    if images.shape[1:] != tuple(shape) or not len(images):
        raise ValueError(
            f"`images` must be one or more of shape {tuple(shape)}, got an array of shape "
            f"{images.shape}."
        )
    if not np.isfinite(images).all():
        raise ValueError("`images` must be finite, got infinity or NaN.")


def _measure_extremes(
    placement: Placement, images: np.ndarray
) -> tuple[list[Value], np.ndarray, np.ndarray]:
    """Finds the values that need a range, and measures their extremes in each image.

    Returns:
        The values, their smallest and their largest numbers, both (values, images).
    """
    values = [value for value in placement.group if value in placement.sources]
    tensors = {}
    model = build_model(placement.graph, lambda value, tensor: tensors.setdefault(value, tensor))
    recorder = tf.keras.Model(model.inputs, [tensors[value] for value in values])

    @tf.function(input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.float32)])
    def measure(batch):
        # Reduced at once, so that no more than a few activations are in memory.
        found = tf.nest.flatten(recorder(batch))
        rows = [tf.reshape(tensor, [tf.shape(batch)[0], -1]) for tensor in found]
        return tf.stack([[tf.reduce_min(row, 1), tf.reduce_max(row, 1)] for row in rows])

    starts = range(0, len(images), BATCH)
    found = [measure(images[start : start + BATCH]) for start in starts]
    lows, highs = np.moveaxis(np.concatenate(found, axis=2), 1, 0)
    return values, lows, highs


def _compute_ranges(
    placement: Placement, values: list[Value], lows: np.ndarray, highs: np.ndarray
) -> Ranges:
    smallest = np.percentile(lows, 100 - PERCENTILE, axis=1)
    largest = np.percentile(highs, PERCENTILE, axis=1)
    of_group: Ranges = {}
    for number, value in enumerate(values):
        low, high = smallest[number], largest[number]
        if value in placement.graph.outputs:
            # Clipped, the best logits of an image could become equal.
            low, high = lows[number].min(), highs[number].max()
        low, high = placement.fixed.get(value, (low, high))
        root = placement.group[value]
        known = of_group.get(root, (0.0, LEAST))
        of_group[root] = min(float(low), known[0]), max(float(high), known[1])
    return {value: of_group[root] for value, root in placement.group.items()}
