import pytest
import tensorflow as tf
from rewritten import binary, images_for, rewritten

import export
from export.tflite.backends import RESOLVERS, load_in_tensorflow_lite, make_predict

L = tf.keras.layers
PADDING = "write a padding SAME of nothing as VALID"


def model_of(layer, size=(16, 16), channels=4):
    image = tf.keras.Input((*size, channels))
    return tf.keras.Model(image, layer(image))


# A stride wider than the window, and an image that leaves pixels over on one axis or both.
LAYERS = {
    "square": (lambda: L.Conv2D(5, 3, 4, padding="same", name="c"), (16, 16)),
    "oblong": (lambda: L.Conv2D(5, (3, 1), (4, 2), padding="same", name="c"), (16, 15)),
    "depthwise": (lambda: L.DepthwiseConv2D(2, 3, padding="same", name="c"), (9, 9)),
    "separable": (lambda: L.SeparableConv2D(5, 3, 4, padding="same", name="c"), (16, 16)),
}


@pytest.mark.parametrize(("make_layer", "size"), LAYERS.values(), ids=LAYERS)
def test_tensorflow_lite_computes_what_keras_computes(make_layer, size):
    model = model_of(make_layer(), size)
    images = images_for(model, 1)
    new, steps = rewritten(model)
    assert steps[PADDING].layers == ("c",)
    xnnpack = load_in_tensorflow_lite(
        export.convert(new), resolver=RESOLVERS["TFLite with XNNPACK"]
    )
    xnnpack.allocate_tensors()
    (got,) = make_predict(xnnpack)([images])
    # Sums of a window in another order.
    assert abs(got - model(images).numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (L.Conv2D(5, 3, 4, padding="same"), (15, 15)),  # the windows end at the edge
        (L.Conv2D(5, 1, 2, padding="same"), (16, 16)),  # as in a shortcut
        (L.Conv2D(5, (5, 3), 4, padding="same"), (16, 16)),  # one axis is padded
        (L.Conv2D(5, 3, 4), (16, 16)),
        (L.Conv2DTranspose(5, 3, 4, padding="same"), (4, 4)),
    ],
)
def test_other_convolutions_are_left_alone(layer, size):
    assert PADDING not in rewritten(model_of(layer, size))[1]


def test_binary_convolution_stays_binary():
    model = model_of(binary(strides=4, name="c"), channels=32)
    new, steps = rewritten(model)
    assert steps[PADDING].layers == ("c",)
    file = export.convert(new)
    assert export.audit(file, model).binary == 1
    assert export.verify(file, model, images_for(model)).passed
