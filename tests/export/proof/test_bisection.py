import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from rewritten import images_for

import export
from export.keras_graph.differences import compute_share_within
from export.keras_graph.graph import read_graph
from export.proof.bisection import cut, find_first_wrong_layer
from export.tflite.interpreter import run_all
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers
TOLERANCE = 1e-3


def engine(part, images):
    return run_all(export.convert(part), images)


def keras(part, images):
    return [tensor.numpy() for tensor in tf.nest.flatten(part(images))]


def mistaken_padding():
    """Upstream makes SAME of a symmetric padding before a strided convolution."""
    image = tf.keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, padding="same", name="stem")(image)
    shortcut = L.AveragePooling2D(2, name="shortcut")(x)
    x = L.Conv2D(8, 3, 2, name="strided")(L.ZeroPadding2D(1, name="pad")(x))
    x = L.Add(name="sum")([x, shortcut])
    return tf.keras.Model(image, L.Dense(4, name="head")(L.Flatten()(x)))


def test_miscompiled_layer_is_named():
    model = mistaken_padding()
    assert find_first_wrong_layer(model, images_for(model), engine, TOLERANCE) == "strided"


def test_right_file_has_no_wrong_layer():
    model = mistaken_padding()
    images = images_for(model)
    rewritten, _ = export.rewrite(model, images)
    assert find_first_wrong_layer(rewritten, images, engine, TOLERANCE) is None


def binary(x, name):
    return lq.layers.QuantConv2D(
        32, 3, padding="same", pad_values=0, use_bias=False, kernel_quantizer=ReCU(), name=name
    )(StandardizedApproxSign()(x))


def ties():
    """An untrained network whose values before the signs are ties but for rounding.

    (x + 1) / 3 - x / 3 - 1 / 3 is 0, and what rounding makes of it depends on who adds.
    """
    image = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(32, 3, padding="same", use_bias=False, name="stem")(image)
    y = L.BatchNormalization(name="other")(x)
    x = L.Add()([x, L.Rescaling(-((1 / (1 + 1e-3) ** 0.5) ** -1), name="less")(y)])
    x = binary(x, "first")
    x = L.BatchNormalization()(x)
    x = L.Add(name="sum")([x, binary(x, "second")])
    return tf.keras.Model(image, L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x)))


@pytest.mark.slow
def test_signs_within_rounding_of_0_are_distinguished_from_a_wrong_layer():
    model = ties()
    images = images_for(model)
    file = export.convert(model)
    (got,) = run_all(file, images)
    expected = model(images).numpy()
    assert compute_share_within(got, expected, TOLERANCE * np.abs(expected).max()) < 0.5
    # By `find_first_wrong_layer`, on the files of its segments.
    verification = export.verify(file, model, images)
    assert verification.taken_apart
    assert verification.wrong_layer is None
    assert verification.passed
    assert "the differences come from signs of values within rounding of 0" in str(verification)


def damaged(layer, model):
    """Runs parts with Keras, but a layer of the model gives other numbers."""

    def run(part, images):
        names = {inner.name for inner in part.layers}
        weights = [inner.get_weights() for inner in model.layers]
        if layer in names:
            damage = model.get_layer(layer)
            damage.set_weights([weight + 0.1 for weight in damage.get_weights()])
        outputs = keras(part, images)
        for inner, old in zip(model.layers, weights, strict=True):
            inner.set_weights(old)
        return outputs

    return run


@pytest.mark.parametrize("layer", ["stem", "strided", "head"])
def test_damaged_layer_is_named(layer):
    model = mistaken_padding()
    assert find_first_wrong_layer(model, images_for(model), keras, TOLERANCE) is None
    assert (
        find_first_wrong_layer(model, images_for(model), damaged(layer, model), TOLERANCE) == layer
    )


@pytest.mark.parametrize("layer", ["first", "sum"])
def test_layer_whose_numbers_are_not_finite_is_named(layer):
    model = ties()

    def run(part, images):
        behind = [
            layer in {inner.name for inner in tf.keras.Model(part.inputs, output).layers}
            for output in part.outputs
        ]
        outputs = zip(keras(part, images), behind, strict=True)
        return [np.full_like(array, np.nan) if damaged else array for array, damaged in outputs]

    assert find_first_wrong_layer(model, images_for(model), run, TOLERANCE) == layer


def test_outputs_of_a_file_come_in_the_order_of_the_model():
    """The converter shuffles them."""
    image = x = tf.keras.Input((8, 8, 3))
    outputs = []
    for channels in range(1, 13):
        x = L.Conv2D(channels, 3, padding="same")(x)
        outputs.append(x)
    model = tf.keras.Model(image, outputs)
    images = images_for(model, 3)
    for got, expected in zip(engine(model, images), model(images), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_cut_points_are_before_kernels_and_where_several_read():
    model = mistaken_padding()
    segments = cut(read_graph(model))
    found = {segment[-1].name: is_shared for segment, is_shared in segments}
    assert found == {"stem": True, "pad": False, model.layers[-2].name: False, "head": False}
    assert sum(len(segment) for segment, _ in segments) == len(model.layers) - 1


def test_outputs_of_another_file_have_a_wrong_layer():
    model = mistaken_padding()
    images = images_for(model)
    other = keras(tf.keras.models.clone_model(model), images)[0]
    assert find_first_wrong_layer(model, images, keras, TOLERANCE, outputs=other) == "head"


def test_shared_layers_and_models_within_are_taken_apart():
    inner = mistaken_padding()
    image = tf.keras.Input((8, 8, 3))
    shared = L.Conv2D(3, 3, padding="same", name="shared")
    model = tf.keras.Model(image, inner(shared(shared(image))))
    assert find_first_wrong_layer(model, images_for(model), engine, TOLERANCE) == inner.name


def test_share_within_counts_images_not_numbers():
    expected = np.zeros((4, 3), np.float32)
    expected[0] = 10
    got = expected.copy()
    got[1, 0] = 0.009
    got[2, 1] = 0.011
    got[3, 2] = np.nan
    assert compute_share_within(got, expected, 0.01) == 0.5
    assert compute_share_within(got[:, :2], expected, 0.01) == 0


@pytest.mark.slow
def test_wrong_layer_is_found_behind_which_all_images_have_the_same():
    inputs = tf.keras.Input((8, 8, 8))
    x = L.Conv2D(8, 3, strides=2, name="conv")(L.ZeroPadding2D(1)(inputs))
    x = L.ReLU()(L.Rescaling(1, -99)(x))
    model = tf.keras.Model(inputs, L.Dense(2)(L.Flatten()(x)))
    images = images_for(model)
    np.testing.assert_array_equal(engine(model, images)[0], model(images))
    assert find_first_wrong_layer(model, images, engine, TOLERANCE) == "conv"


def test_model_that_cannot_be_taken_apart_is_refused():
    class Subclass(tf.keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="`model` must be a graph of layers to be taken apart"):
        find_first_wrong_layer(Subclass(), np.zeros((1, 8, 8, 3)), engine, TOLERANCE)
    image = tf.keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="must have two layers or more to be taken apart, got one"):
        find_first_wrong_layer(
            tf.keras.Model(image, L.Conv2D(4, 3)(image)), np.zeros((1, 8, 8, 3)), engine, TOLERANCE
        )
