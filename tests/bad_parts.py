"""What bad models are made of."""

import larq as lq
import numpy as np
import tensorflow as tf
from larq_models import SIGNS

K = tf.keras.layers
# Of most inputs.
SHAPE = (8, 8, 32)


class Apply(K.Layer):
    """A function as a layer."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def binary(name, channels=32, kernel=3, **options):
    """A binary convolution."""
    options = {"padding": "same", "use_bias": False, **SIGNS, **options}
    if options["input_quantizer"] is None:
        # What comes is said to be signs already.
        options["input_quantizer"] = lq.quantizers.NoOp(precision=1)
    return lq.layers.QuantConv2D(channels, kernel, name=name, **options)


def normalised(model):
    """The model with batch norms as training leaves them: averages, and factors of both signs."""
    rng = np.random.default_rng(0)
    for layer in model.submodules:
        if isinstance(layer, K.BatchNormalization):
            size = layer.gamma.shape
            signs = rng.choice([-1, 1], size)
            layer.set_weights(
                [
                    signs * rng.uniform(0.5, 2, size),
                    rng.normal(size=size),
                    rng.normal(size=size),
                    rng.uniform(0.5, 2, size),
                ]
            )
    return model


def classifier(layers, shape):
    """Layers between images of a shape and ten logits."""
    inputs = tf.keras.Input(shape)
    x = K.GlobalAveragePooling2D()(layers(inputs))
    return normalised(tf.keras.Model(inputs, K.Dense(10, name="logits")(x)))
