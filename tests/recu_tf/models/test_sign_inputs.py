"""What stands in front of signs and behind binary layers."""

import numpy as np
import pytest
import tensorflow as tf
from plain_models import conv, find_kinds, functional, sequential

from recu_tf.layers import HardTanh
from recu_tf.models import binarize

L = tf.keras.layers
BN, CONV, HARD_TANH = "BatchNormalization", "QuantConv2D", "HardTanh"


def head():
    return L.Flatten(), L.Dense(2)


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        (L.ReLU(), HARD_TANH),
        (L.ReLU(6), HARD_TANH),
        (L.ReLU(negative_slope=0.1), "ReLU"),
        (L.Activation("relu"), HARD_TANH),
        (L.Activation("sigmoid"), HARD_TANH),
        (L.Activation(tf.nn.relu6), HARD_TANH),
        (L.Activation("swish"), "Activation"),
        (L.Activation("tanh"), "Activation"),
        (L.LeakyReLU(), "LeakyReLU"),
        (HardTanh(), HARD_TANH),
    ],
)
def test_activation_functions_that_are_never_negative_become_hard_tanhs(activation, kind):
    layers = [conv(), L.BatchNormalization(), activation, conv(), L.BatchNormalization()]
    model = sequential(*layers, L.ReLU(), *head())
    assert find_kinds(model) == [BN, kind, CONV, BN, "ReLU", "Flatten"]
    assert binarize(model).layers[2].name == activation.name


@tf.keras.utils.register_keras_serializable(package="test")
def wave(x):
    return tf.sin(2 * x)


@pytest.mark.parametrize(
    "activation",
    # A PReLU begins as a ReLU.
    [L.PReLU(), L.Activation("softmax"), L.Softmax(), L.Activation(wave)],
)
def test_behind_other_functions_signs_read_a_batch_norm(activation):
    layers = [conv(), L.BatchNormalization(), activation, conv(), L.BatchNormalization()]
    kinds = find_kinds(sequential(*layers, *head()))
    assert kinds == [BN, type(activation).__name__, BN, CONV, BN, "Flatten"]


def test_functional_relu_is_followed_by_a_batch_norm():
    def make(image):
        x = tf.nn.relu(L.BatchNormalization()(conv()(image)))
        x = L.BatchNormalization()(conv(name="it")(x + 1))
        return L.Dense(2)(L.Flatten()(x))

    kinds = [type(layer).__name__ for layer in binarize(functional(make)).layers]
    assert kinds[kinds.index(CONV) - 1] == BN
    assert kinds.count(BN) == 3


def test_relu_behind_a_layer_without_batch_norm_moves_behind_the_new_one():
    inside = conv(activation="relu", name="inside")
    model = sequential(conv(activation="relu"), inside, conv(activation="relu"), *head())
    copy = binarize(model)
    assert [layer.name for layer in copy.layers[1:4]] == [
        "inside_input_norm",
        "inside",
        "inside_norm",
    ]
    assert find_kinds(model) == [BN, CONV, BN, HARD_TANH, CONV, BN, "Activation", "Flatten"]
    assert copy.layers[0].activation is tf.keras.activations.relu
    assert copy.get_layer("inside").activation is tf.keras.activations.linear
    assert copy.layers[7].activation is tf.keras.activations.relu


def test_maxima_stand_between_batch_norms_and_signs_as_in_the_published_vgg():
    layers = [conv(activation="relu"), L.MaxPooling2D()]
    model = sequential(*layers, *[conv(activation="relu"), L.MaxPooling2D()], conv(), *head())
    kinds = [BN, CONV, "MaxPooling2D", BN, CONV, BN, "Flatten"]
    assert find_kinds(model) == ["MaxPooling2D", *kinds]


def test_relu_between_a_binary_layer_and_its_batch_norm_stays_and_relu6_does_not():
    for activation, added in (("relu", []), (tf.nn.relu6, [BN, "Activation"]), ("tanh", None)):
        layers = [conv(), L.BatchNormalization(), conv(activation=activation)]
        kinds = find_kinds(sequential(*layers, L.BatchNormalization(), *head()))
        added = [BN, "Activation"] if added is None else added
        assert kinds == [BN, CONV, *added, BN, "Flatten"]


def test_what_is_moved_or_averaged_needs_no_other_batch_norm():
    kinds = L.ZeroPadding2D, L.AveragePooling2D, L.Identity, L.UpSampling2D
    before, behind = ([kind() for kind in kinds] for _ in range(2))
    layers = [conv(), L.BatchNormalization(), L.ReLU(), *before, conv(), *behind]
    names = [kind.__name__ for kind in kinds]
    found = find_kinds(sequential(*layers, L.BatchNormalization(), *head()))
    assert found == [BN, HARD_TANH, *names, CONV, *names, BN, "Flatten"]


def test_residual_networks_become_those_that_are_published():
    def make(image):
        x = L.ReLU(name="stem_relu")(L.BatchNormalization()(conv()(image)))
        for number, add in enumerate((lambda x, y: L.Add()([x, y]), lambda x, y: x + y, tf.add)):
            y = L.ReLU(name=f"relu{number}")(L.BatchNormalization()(conv()(x)))
            y = L.BatchNormalization()(conv()(y))
            x = L.ReLU(name=f"out{number}")(add(x, y))
        return L.Dense(2)(L.GlobalAveragePooling2D()(x))

    model = functional(make)
    copy = binarize(model)
    assert {layer.name for layer in copy.layers} == {layer.name for layer in model.layers}
    clipped = {layer.name for layer in copy.layers if isinstance(layer, HardTanh)}
    # The last is read by a dense layer only.
    assert clipped == {"stem_relu", "relu0", "out0", "relu1", "out1", "relu2"}


def test_gates_and_activation_functions_of_real_layers_stay():
    def make(image):
        x = L.BatchNormalization()(conv(name="expand")(conv()(image)))
        x = L.DepthwiseConv2D(3, name="real")(L.ReLU(name="before_real")(x))
        x = L.ReLU(name="gated")(L.BatchNormalization()(x))
        gate = L.GlobalAveragePooling2D(keepdims=True)(x)
        gate = conv(4, 1, activation="sigmoid", name="gate")(gate)
        x = conv(name="project")(L.Multiply(name="product")([x, gate]))
        return L.Dense(2)(L.Flatten()(L.BatchNormalization()(x)))

    copy = binarize(functional(make))
    assert all(isinstance(copy.get_layer(name), L.ReLU) for name in ("before_real", "gated"))
    assert copy.get_layer("gate").activation is tf.keras.activations.sigmoid
    names = [layer.name for layer in copy.layers]
    assert names[names.index("product") :][:3] == ["product", "project_input_norm", "project"]


def test_concatenations_are_followed_into_each_part():
    def make(image):
        x = conv(name="first")(image)
        left = L.ReLU(name="left")(L.BatchNormalization()(x))
        right = L.ReLU(name="right")(L.LayerNormalization()(x))
        x = conv(name="good")(L.Concatenate()([left, right]))
        x = L.Concatenate()([L.BatchNormalization()(x), image])
        x = L.BatchNormalization()(L.Concatenate()([conv(name="half")(x), x]))
        return L.Dense(2)(L.Flatten()(x))

    copy = binarize(functional(make))
    assert all(isinstance(copy.get_layer(name), HardTanh) for name in ("left", "right"))
    added = {layer.name for layer in copy.layers} - {
        layer.name for layer in functional(make).layers
    }
    assert "half_input_norm" in added
    assert not [name for name in added if name.startswith(("good", "half_norm"))]


@pytest.mark.parametrize("skip", ["last", "first"])
def test_pixels_and_logits_of_binary_layers_are_normalised(skip):
    model = sequential(conv(name="one"), conv(activation="softmax", name="two"))
    copy = binarize(model, skip)
    if skip == "last":
        assert [layer.name for layer in copy.layers] == ["one_input_norm", "one", "one_norm", "two"]
    else:
        names = ["one", "two_input_norm", "two", "two_norm", "two_activation"]
        assert [layer.name for layer in copy.layers] == names
        pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
        # Probabilities, in float32.
        np.testing.assert_allclose(tf.reduce_sum(copy(pixels), -1), np.ones((2, 8, 8)), rtol=1e-5)
