"""The gammas that a new network starts with."""

import larq as lq
import tensorflow as tf

from recu_tf.models.layer_calls import Flow

__all__ = ["set_initial_gammas"]


def set_initial_gammas(network: tf.keras.Model, gamma: float) -> None:
    r"""Gives the batch norms behind binary convolutions another scale \(\gamma\) to start with.

    With the published 1, each block of a network for small images adds values as large as the whole
    range of the hard tanh behind it, which passes no gradient outside of it. L2 has to bring the
    gammas down first: those of a trained ResNet-20 are about 0.15.

    Args:
        network: with fresh weights, functional or sequential, in any precision; pools, scales and
            other layers without a kernel may stand between a convolution and its batch norm.
        gamma: above 0.
    """
    flow = Flow(network)
    for call in flow.calls:
        if isinstance(call.layer, tf.keras.layers.BatchNormalization) and call.layer.scale:
            producer = flow.find_source(call.inputs[0])
            if producer and isinstance(producer.layer, lq.layers.QuantConv2D):
                call.layer.gamma.assign(tf.fill(call.layer.gamma.shape, gamma))
