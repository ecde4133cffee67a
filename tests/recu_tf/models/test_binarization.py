import logging
import warnings

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays
from delegates import COMPILED, run_delegate, run_engine
from plain_models import SHAPE, conv, find_binary, functional, sequential
from rewritten import images_for, with_uneven_norms

import export
import recu_tf
from recu_tf.models import binarize
from recu_tf.precision import use_precision
from recu_tf.quantizers import ReCU
from recu_tf.runs.keras_file import load_keras
from recu_tf.schedules import TauScheduler

L = tf.keras.layers
IMAGES = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype("float32")


def block(filters, **options):
    return conv(filters, use_bias=False, **options), L.BatchNormalization(), L.ReLU()


def list_latent_kernels(model):
    return [
        getattr(layer, name).latent_variable
        for layer in model.submodules
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel")
        if hasattr(getattr(layer, name, None), "latent_variable")
    ]


def assert_weights_kept(copy, model):
    values = {weight.name: weight for weight in copy.weights}
    for weight in model.weights:
        np.testing.assert_array_equal(values[weight.name], weight)


def test_options_and_weights_stay_and_constraints_go(caplog):
    options = {
        "strides": 2,
        "kernel_regularizer": tf.keras.regularizers.L2(0.1),
        "kernel_constraint": "max_norm",
        "bias_initializer": "ones",
        "bias_constraint": "non_neg",
    }
    separable = L.SeparableConv2D(6, 3, pointwise_constraint="max_norm", name="separable")
    dilated = conv(5, dilation_rate=2, name="dilated")
    layers = [conv(4, name="strided", **options), separable, dilated, L.Flatten(), L.Dense(2)]
    model = sequential(conv(4), *layers)
    for weight in model.weights:
        weight.assign_add(tf.random.uniform(weight.shape))
    before = model.get_weights()
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = binarize(model, pad_values=1)
    assert not caplog.records
    assert (type(copy), copy.name, copy.optimizer) == (tf.keras.Sequential, "plain", None)
    assert_weights_kept(copy, model)
    strided, separable, dilated = map(copy.get_layer, ("strided", "separable", "dilated"))
    assert type(strided) is lq.layers.QuantConv2D
    assert (strided.strides, strided.padding, strided.pad_values) == ((2, 2), "same", 1)
    assert strided.kernel_regularizer.l2 == np.float32(0.1)
    assert (strided.kernel_constraint, separable.pointwise_constraint) == (None, None)
    assert strided.bias_constraint is not None
    assert separable.depthwise_quantizer.axis == (-2, -1)
    assert dilated.dilation_rate == (2, 2)
    assert copy.output_shape == model.output_shape
    assert copy(IMAGES).shape == model(IMAGES).shape
    list_latent_kernels(copy)[0].assign_add(tf.ones(list_latent_kernels(copy)[0].shape))
    assert_same_arrays(model.weights, before)


def test_calls_are_those_of_the_model():
    layers = {"stem": conv(4), "it": conv(4), "logits": L.Dense(2)}
    layers |= {"norm": L.BatchNormalization(), "last_norm": L.BatchNormalization()}

    def compute(image, layers):
        x = layers["norm"](layers["stem"](image))
        y = layers["norm"](layers["it"](x))
        z = layers["last_norm"](layers["it"](y), training=True)
        return {"a": [y[..., 1:] * 2 - z[:, :, :, :3]], "b": layers["logits"](tf.nn.relu(z))}

    model = functional(lambda image: compute(image, layers))
    copy = binarize(model)
    copies = {key: copy.get_layer(layer.name) for key, layer in layers.items()}
    assert type(copies["it"]) is lq.layers.QuantConv2D
    assert len(copy.layers) == len(model.layers)
    outputs, expected = copy(IMAGES), compute(IMAGES, copies)
    tf.nest.map_structure(np.testing.assert_array_equal, outputs, expected)


def test_shared_layers_and_nested_models_stay_one():
    shared = conv(3, name="shared")
    inner = tf.keras.Sequential([*block(3, name="deep")], name="inner")
    image = tf.keras.Input(SHAPE)
    part = tf.keras.Model(image, inner(L.BatchNormalization()(shared(image))), name="part")

    def make(image):
        x = part(inner(conv(3, name="stem")(image)))
        return L.Dense(2)(L.Flatten()(part(shared(x))))

    model = functional(make)
    copy = binarize(model)
    assert find_binary(copy) == {"shared", "deep"}
    assert_weights_kept(copy, model)
    assert copy.get_layer("part").get_layer("inner") is copy.get_layer("inner")
    assert copy.get_layer("part").get_layer("shared") is copy.get_layer("shared")
    assert type(copy.get_layer("inner")) is tf.keras.Sequential
    # The sign in `inner` reads the real stem the first time, a batch norm the other times.
    names = [layer.name for layer in copy.get_layer("inner").layers]
    assert names == ["deep_input_norm", "deep", *[layer.name for layer in inner.layers[1:]]]
    # `shared` is read by a batch norm in `part`, but not in the model.
    norm = copy.get_layer("shared_norm")
    assert norm is copy.get_layer("part").get_layer("shared_norm")
    assert copy(IMAGES).shape == model(IMAGES).shape


def test_structures_of_inputs_and_outputs_stay():
    inputs = {"image": tf.keras.Input(SHAPE, name="a"), "other": tf.keras.Input(SHAPE, name="b")}
    x = conv(3, name="it")(conv(3)(inputs["image"]) + conv(3)(inputs["other"]))
    model = tf.keras.Model(inputs, {"x": conv(3)(x), "y": L.Flatten()(conv(2)(x))})
    copy = binarize(model)
    outputs = copy({"image": IMAGES, "other": IMAGES})
    assert {name: value.shape[1:] for name, value in outputs.items()} == {
        "x": (8, 8, 3),
        "y": (128,),
    }
    assert copy.input_names == model.input_names
    assert find_binary(copy) == {"it"}


def test_added_layers_take_no_name_that_is_taken():
    model = sequential(conv(), conv(name="it"), L.Flatten(name="it_norm"), L.Dense(2))
    names = [layer.name for layer in binarize(model).layers[1:-1]]
    assert names == ["it_input_norm", "it", "it_norm_1", "it_norm"]


def test_added_layers_take_no_name_of_an_input_or_a_nested_model():
    image = tf.keras.Input(SHAPE, name="second_norm")
    x = conv(name="third")(conv(name="second")(conv()(image)))
    nested = sequential(L.Dense(2), shape=x.shape[1:])
    nested._name = "third_norm"
    copy = binarize(tf.keras.Model(image, nested(x)))
    names = [layer.name for layer in copy.layers]
    assert names.count("second_norm") == names.count("third_norm") == 1
    assert {"second_norm_1", "third_norm_1"} <= {*names}


@pytest.mark.parametrize(("args", "kwargs"), [((False,), {}), ((), {"training": False})])
def test_what_cannot_learn_in_models_for_transfer_learning_is_warned_of(args, kwargs):
    base = sequential(conv(), conv(name="it"), conv(name="other"))
    base._name = "base"

    def make(image, *args, **kwargs):
        return L.Dense(2)(L.Flatten()(base(image, *args, **kwargs)))

    fixed = functional(lambda image: make(image, *args, **kwargs))
    with pytest.warns(UserWarning, match="calls 'base' with training=False, .* added") as caught:
        copy = binarize(fixed)
    assert [record.filename for record in caught] == [__file__]
    assert copy.get_layer("base").trainable
    base.trainable = False
    frozen = "`model` has 2 frozen layers to become binary, such as 'it'"
    with (
        pytest.warns(UserWarning, match="calls 'base' with training=False"),
        pytest.warns(UserWarning, match=frozen),
    ):
        copy = binarize(fixed)
    assert not copy.get_layer("base").get_layer("it").trainable
    with pytest.warns(UserWarning, match=frozen) as caught:
        binarize(functional(make))
    assert len(caught) == 1


def test_mixed_precision_stays():
    with use_precision("mixed_float16"):
        layers = conv(), conv(activation="relu", name="it"), conv(), L.Flatten(), L.Dense(2)
        model = sequential(*layers)
    copy = binarize(model)
    assert all(layer.compute_dtype == "float16" for layer in copy.layers)
    assert copy(IMAGES).dtype == tf.float16


def plain_network():
    """Batch norms behind some convolutions, a shortcut, maxima, activation functions in layers."""
    image = tf.keras.Input((32, 32, 3))
    x = L.ReLU()(L.BatchNormalization()(conv(32, 5, strides=4)(image)))
    y = L.BatchNormalization()(conv(32, name="behind_norm")(x))
    x = L.MaxPooling2D()(L.ReLU()(L.Add()([x, y])))
    x = conv(32, activation="relu", name="behind_maximum")(x)
    x = L.SeparableConv2D(32, 3, padding="same", activation="relu", name="separable")(x)
    x = L.Dense(16, activation="relu", name="dense")(L.GlobalAveragePooling2D()(x))
    return tf.keras.Model(image, L.Dense(10, name="logits")(x), name="plain")


BINARY = {"behind_norm", "behind_maximum", "separable", "dense"}


@pytest.fixture(scope="module")
def trained():
    """The plain network, binarized and trained for a few steps on digits."""
    tf.keras.utils.set_random_seed(0)
    network = binarize(plain_network(), dense=True)
    images, labels = recu_tf.data.load("digits", "train")
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(tf.keras.optimizers.Adam(0.01), loss, ["accuracy"])
    before = [kernel.numpy() for kernel in list_latent_kernels(network)]
    schedule = TauScheduler(4)
    network.fit(images[:32], labels[:32], batch_size=32, callbacks=[schedule], verbose=0)
    after = [kernel.numpy() for kernel in list_latent_kernels(network)]
    history = network.fit(
        images, labels, batch_size=32, epochs=4, callbacks=[schedule], verbose=0
    ).history
    return network, before, after, history


@pytest.mark.slow
def test_one_step_changes_every_latent_kernel(trained):
    network, before, after, _ = trained
    assert find_binary(network) == BINARY
    assert len(before) == len(BINARY) + 1  # two in the separable convolution
    assert not any(np.array_equal(new, old) for new, old in zip(after, before, strict=True))
    assert all(part.tau.numpy() > 0.85 for part in network.submodules if isinstance(part, ReCU))


@pytest.mark.slow
def test_a_few_steps_teach_it_digits(trained):
    network, *_, history = trained
    images, labels = recu_tf.data.load("digits", "test")
    # Chance is a tenth. The averages of Keras' batch norms lag behind in so few steps.
    assert history["accuracy"][-1] > 0.5
    assert network.evaluate(images, labels, verbose=0)[1] > 0.3


@pytest.mark.slow
def test_exported_it_is_binary_wherever_it_should_be_and_right_in_both_interpreters(trained):
    network = with_uneven_norms(trained[0])
    images = images_for(network, 4)
    rewritten, _ = export.rewrite(network, images)
    flatbuffer = export.convert(rewritten)
    audited = export.audit(flatbuffer, rewritten)
    assert audited.passed
    assert set(audited.expected) == BINARY
    expected = network(images, training=False).numpy()
    for run in (run_engine, *([run_delegate] if COMPILED else [])):
        outputs = np.concatenate([run(flatbuffer, image[None])[0] for image in images])
        # Float sums in another order; no sign is that close to 0 with these seeds.
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_a_saved_copy_computes_the_same(trained, tmp_path):
    network, images = trained[0], images_for(trained[0])
    network.save(tmp_path / "network.keras")
    loaded = load_keras(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded(images), network(images))


class Subclassed(tf.keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.inside = conv()

    def call(self, inputs):
        return self.inside(inputs)


def test_what_cannot_be_binarized_is_refused():
    subclassed = Subclassed()
    subclassed(IMAGES)
    quantized = sequential(
        conv(), lq.layers.QuantConv2D(2, 3, input_quantizer="ste_sign", name="q")
    )

    def square(x):
        return x * x

    unregistered = sequential(conv(), conv(), conv(activation=square, name="square"))
    image = tf.keras.Input(SHAPE)
    with_loss = tf.keras.Model(image, conv()(conv()(image)))
    with_loss.add_loss(tf.reduce_sum(with_loss.output))
    for model, message in (
        (with_loss, "`model` must have no losses .* 'add_loss"),
        (subclassed, "functional or sequential model.*'own', a subclassed Subclassed"),
        ("ResNet50", "`model` must be a Keras model, got str"),
        (tf.keras.Sequential([conv()], name="late"), "must be built, got 'late'"),
        (quantized, r"no quantized layers, got 'plain' with 'q', .* recu_tf\.models\.with_recu"),
        (unregistered, "layers that Keras can copy, .*, got 'square', a Conv2D"),
    ):
        with pytest.raises(ValueError, match=message):
            binarize(model)
    causal = L.Conv1D(4, 3, padding="causal", name="causal")
    causal = sequential(L.Conv1D(4, 3), causal, L.Flatten(), L.Dense(2), shape=(8, 3))
    for model, options, message in (
        (sequential(conv()), {"pad_values": 2}, "`pad_values` must be 0 or 1, got 2"),
        (sequential(conv()), {"pad_values": np.ones(2)}, "`pad_values` must .* got ndarray"),
        (sequential(conv()), {"pad_values": "1"}, "`pad_values` must be 0 or 1, got '1'"),
        (sequential(conv()), {"dense": 1}, "`dense` must be True or False, got 1"),
        (causal, {"pad_values": 1}, "`pad_values` must be 0 for .*'causal', .* layer 'causal'"),
    ):
        with pytest.raises(ValueError, match=message):
            binarize(model, **options)
    assert not lq.context.should_quantize()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ResNet50", 48),
        ("ResNet50V2", 48),
        ("MobileNetV2", 34),
        ("EfficientNetB0", 32),
        ("DenseNet121", 119),
        ("VGG16", 12),
    ],
)
def test_networks_of_keras_learn_in_each_binary_layer(name, count):
    function = getattr(tf.keras.applications, name)
    network = binarize(function(weights=None, input_shape=(64, 64, 3), classes=10))
    assert len(find_binary(network)) == count
    images = np.random.default_rng(0).uniform(0, 1, (4, 64, 64, 3)).astype("float32")
    kernels = list_latent_kernels(network)
    with tf.GradientTape() as tape:
        probabilities = network(images, training=True)
        loss = tf.keras.losses.sparse_categorical_crossentropy(np.arange(4), probabilities)
    np.testing.assert_allclose(tf.reduce_sum(probabilities, axis=1), np.ones(4), rtol=1e-5)
    gradients = tape.gradient(loss, kernels)
    assert all(np.any(gradient) for gradient in gradients)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
