"""What layers compute if vectors and sequences are maps that are one pixel high."""

import larq as lq
import tensorflow as tf

from export.keras_graph.batch_norms import is_on_channels
from export.keras_graph.graph import Graph, Layer, Step
from recu_tf.layers import ChannelScale, HardTanh, LearnableBias

__all__ = ["compute_map_shape", "find_twin"]

L = tf.keras.layers
# These compute number by number, or with a weight of each channel.
OF_ANY_SHAPE = (
    *(L.Activation, L.ReLU, L.LeakyReLU, L.ELU, L.Dropout),
    *(L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum),
    *(HardTanh, ChannelScale, LearnableBias),
)
POOLS = {L.MaxPooling1D: L.MaxPooling2D, L.AveragePooling1D: L.AveragePooling2D}
GLOBAL_POOLS = {
    L.GlobalMaxPooling1D: L.GlobalMaxPooling2D,
    L.GlobalAveragePooling1D: L.GlobalAveragePooling2D,
}


def compute_map_shape(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Computes the shape of the map that holds a value.

    Args:
        shape: (batch, ..., channels), of two axes or more.

    Returns:
        (batch, 1, pixels, channels), or the shape itself if it is one of maps.
    """
    if len(shape) == 4:
        return shape
    return (shape[0], 1, tf.TensorShape(shape[1:-1]).num_elements(), shape[-1])


def find_twin(graph: Graph, step: Step) -> tuple[Layer, bool] | None:
    """Finds a layer that computes on maps what the layer of a step computes on its values.

    Returns:
        The layer, which has the weights of the old one, and whether it gives a map, or the old
        value as it was; None where no such layer is known.
    """
    layer, shapes = step.layer, {value.shape for value in step.inputs}
    if len(shapes) > 1 or len(step.values) != 1:
        return None
    if type(layer) in OF_ANY_SHAPE or isinstance(layer, lq.quantizers.Quantizer):
        return layer, True
    if not graph.is_called_once(step):
        return None
    config = layer.get_config()
    if isinstance(layer, L.BatchNormalization):
        if not is_on_channels(step):
            return None
        norm = type(layer).from_config({**config, "axis": -1})
        norm.build(compute_map_shape(step.input.shape))
        norm.set_weights(step.weights)  # later passes look at them
        return norm, True
    if config.get("data_format") != "channels_last":
        return None
    if type(layer) in POOLS:
        sizes = {name: (1, *config[name]) for name in ("pool_size", "strides")}
        pool = POOLS[type(layer)](padding=layer.padding, name=layer.name, **sizes)
        return pool, True
    if type(layer) in GLOBAL_POOLS:
        pool = GLOBAL_POOLS[type(layer)](keepdims=layer.keepdims, name=layer.name)
        return pool, layer.keepdims
    return None
