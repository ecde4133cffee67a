import sys

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_close, few_digits
from model_sources import source

import export
from export import ExportError, Options, export_network, runtime
from export.conversion.stripping import strip
from export.tflite.backends import DELEGATE
from export.tflite.interpreter import choose_backend, run
from recu_tf import data
from recu_tf.layers import HardTanh

L = tf.keras.layers
UNTRAINED_INT8 = Options(int8=True, check_accuracy=False)


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch):
    few_digits(monkeypatch, train=64, test=40)


def network(sign=None, strided=False, head=None):
    """For digits, with one binary convolution."""
    image = tf.keras.Input((32, 32, 3))
    x = L.ZeroPadding2D(1)(image) if strided else image
    padding = "valid" if strided else "same"
    x = L.Conv2D(32, 3, 2, padding=padding, use_bias=False, name="stem")(x)
    x = HardTanh()(L.BatchNormalization()(x))
    y = sign(x) if sign else x
    y = lq.layers.QuantConv2D(
        32,
        3,
        2,
        padding="same",
        pad_values=1,
        input_quantizer=None if sign else "ste_sign",
        kernel_quantizer="ste_sign",
        kernel_constraint="weight_clip",
        use_bias=False,
        name="binary",
    )(y)
    y = L.GlobalAveragePooling2D()(L.BatchNormalization()(y))
    return tf.keras.Model(image, L.Dense(10, head, name="head")(y))


def digits():
    images, labels = data.load("digits", "test")
    pixels, _ = data.load("digits", "test", normalized=False)
    return pixels, images, labels


def test_pixels_in_and_probabilities_out_four_at_a_time():
    model = network()
    exported = export_network(
        source(model),
        Options(batch_size=4, uint8=True, softmax=True, check_accuracy=False),
        dataset="digits",
    )
    assert exported.verification.passed
    assert exported.verification.source == "test images of digits"
    assert exported.audit.binary == 1
    # What was verified is what is written.
    assert strip(exported.flatbuffer) == exported.flatbuffer
    pixels, images, _ = digits()
    expected = tf.nn.softmax(model(images)).numpy()
    # Sums in another order.
    assert_close(run(exported.flatbuffer, pixels), expected, 1e-4)


def test_random_images_are_called_so():
    verification = export_network(source(network())).verification
    assert verification.passed
    assert verification.source == ("random images, for lack of real ones (no data set is known)")
    assert verification.keras_accuracy is None


class BareSign(lq.quantizers.SteSign):
    """A sign of one bit, as far as it says, that is 0 at 0 and that the converter leaves alone."""

    def call(self, inputs):
        return tf.sign(inputs)


def test_layer_that_is_not_binary_fails_where_it_is_said_to_have_to_be():
    model = network(sign=BareSign())
    exported = export_network(source(model), Options(strict=False))
    assert exported.audit.binary == 0
    assert export_network(source(model)).audit.binary == 0
    model = network()
    model.get_layer("binary").input_quantizer = BareSign()
    assert not export_network(source(model)).audit.passed
    with pytest.raises(ExportError, match="not every layer that should be binary is"):
        export_network(source(model), Options(strict=True))


def test_what_keeps_the_engine_from_loading_a_file_is_said():
    image = tf.keras.Input((8, 8, 32))
    x = lq.layers.QuantConv2D(
        *(32, 3, 2),
        padding="same",
        use_bias=False,
        name="binary",
        input_quantizer="ste_sign",
        kernel_quantizer="ste_sign",
    )(image)
    x = L.Flatten()(x * tf.random.uniform((1, 1, 32), 0.5, 1.5))
    model = tf.keras.Model(image, L.Dense(3)(x))
    match = r"cannot load the file[\s\S]*binary: the scale .* has shape \(1, 1, 32\), .* give it"
    with pytest.raises(ExportError, match=match):
        export_network(source(model))


def test_int8_is_verified_on_real_images():
    exported = export_network(source(network(strided=True)), UNTRAINED_INT8, dataset="digits")
    assert exported.verification.passed
    assert exported.verification.wrong_layer is None
    assert exported.audit.binary == 1


@pytest.mark.slow
def test_miscompiled_int8_fails(monkeypatch):
    """A converter that mirrors one kernel, in every file that it makes."""

    def mirroring(model, **options):
        stems = [layer for layer in model.submodules if layer.name == "stem"]
        kernels = [layer.get_weights() for layer in stems]
        for layer in stems:
            layer.set_weights([layer.get_weights()[0][::-1, ::-1]])
        flatbuffer = export.convert(model, **options)
        for layer, kernel in zip(stems, kernels, strict=True):
            layer.set_weights(kernel)
        return flatbuffer

    # The names export.pipeline and export.verify may be those of functions.
    for module in ("export.pipeline", "export.proof.layer_comparison"):
        monkeypatch.setattr(sys.modules[module], "convert", mirroring)
    with pytest.raises(ExportError, match="the file does not compute what the model does"):
        export_network(source(network(strided=True)), Options(int8=True), dataset="digits")


def test_xcore_is_a_target():
    assert export_network(source(network()), Options(target="xcore")).verification.passed


@pytest.mark.parametrize(
    ("options", "arguments", "match"),
    [
        ({}, {"data_path": "somewhere"}, "`data_path` needs `dataset`, which a network"),
        ({"uint8": True}, {}, "`input` uint8 needs the normalisation of the images"),
        ({"int8": True}, {}, "`int8` is calibrated on real training images: `dataset` must"),
        ({"batch_size": 0}, {}, "`batch_size` must be a whole number from 1, got 0"),
        ({"target": "mips"}, {}, "`target` must be one of arm, xcore, got 'mips'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, arguments, match):
    with pytest.raises(ValueError, match=match):
        export_network(source(network()), Options(**options), **arguments)


def test_softmax_of_probabilities_is_refused():
    with pytest.raises(ValueError, match="`softmax`: a network gives probabilities already"):
        export_network(source(network(head="softmax")), Options(softmax=True), dataset="digits")


@pytest.mark.parametrize("head", ["sigmoid", "tanh"])
def test_softmax_of_what_is_no_logits_is_refused(head):
    """Values of the sigmoid that happen to add up to 1 are no probabilities of classes either."""
    with pytest.raises(ValueError, match=f"`softmax` needs logits; a network ends in {head}"):
        export_network(source(network(head=head)), Options(softmax=True))


def nearest_means(reach=1.0):
    """Right for most digits, untrained: the class whose mean is nearest to the image.

    Args:
        reach: of a channel that nobody reads; the others reach about 1.
    """
    images, labels = data.load("digits", "train")
    means = np.stack([images[labels == number].mean(axis=0) for number in range(10)])
    kernel = np.concatenate([means, np.zeros_like(means[..., :1])], axis=-1).reshape(10, -1)
    image = tf.keras.Input((32, 32, 3))
    x = L.Conv2D(4, 1, use_bias=False, name="wide")(image)
    model = tf.keras.Model(image, L.Dense(10, name="head")(L.Flatten()(x)))
    mixing = np.eye(3, 4, dtype=np.float32)
    mixing[:, 3] = reach
    model.get_layer("wide").set_weights([mixing[None, None]])
    model.get_layer("head").set_weights([kernel.T, -(means.reshape(10, -1) ** 2).sum(axis=1) / 2])
    return model


@pytest.mark.slow
def test_int8_that_loses_the_accuracy_fails_and_names_the_outlying_channel():
    right = export_network(
        source(nearest_means()), Options(int8=True), dataset="digits"
    ).verification
    assert right.keras_accuracy > 0.6
    assert right.tflite_accuracy > 0.6
    reason = r"(?s)top-1 accuracy falls from .*: channel 3 of layer wide reaches .* the median chan"
    with pytest.raises(ExportError, match=reason) as error:
        export_network(source(nearest_means(1e4)), Options(int8=True), dataset="digits")
    assert "Verification on 40 test images of digits: FAILED" in str(error.value)
    export_network(source(nearest_means(1e4)), UNTRAINED_INT8, dataset="digits")


def test_accuracy_has_to_reach_what_is_asked():
    model = nearest_means()
    with pytest.raises(ExportError, match=r"less than `min_accuracy` 99.0%"):
        export_network(source(model), Options(min_accuracy=0.99), dataset="digits")
    for name in ("max_drop", "min_accuracy"):
        with pytest.raises(ValueError, match=f"`{name}` needs images whose classes are known"):
            export_network(source(model), Options(**{name: 0.99}))
    for name in ("max_drop", "min_accuracy"):
        with pytest.raises(ValueError, match=f"`{name}` must be from 0 to 1, got 2"):
            Options(**{name: 2})
    with pytest.raises(ValueError, match="`max_drop` and `min_accuracy` need `check_accuracy`"):
        Options(max_drop=0.1, check_accuracy=False)


def test_classes_at_chance_fail_unless_accuracy_is_not_checked():
    """Pixels for a network of normalised images: every digit is the same class to it."""
    image = tf.keras.Input((32, 32, 3))
    model = tf.keras.Model(image, nearest_means()(100 + 0 * image))
    with pytest.raises(ExportError, match=r"gives class \d for all 40 .*--no-check_"):
        export_network(source(model), dataset="digits")
    assert export_network(source(model), Options(check_accuracy=False), dataset="digits").flatbuffer


@pytest.mark.skipif(
    choose_backend() == "optimized", reason="the default backend is the verified one"
)
def test_file_that_the_default_backend_refuses_says_so():
    image = tf.keras.Input((8, 8, 64))
    signs = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
    x = lq.layers.QuantConv2D(64, 3, groups=2, padding="same", pad_values=1, **signs)(image)
    model = tf.keras.Model(image, L.GlobalAveragePooling2D()(x))
    verification = export_network(source(model)).verification
    assert verification.passed
    able = [name for name in verification.backends if name != DELEGATE]
    assert able == ["reference", "indirect bgemm", "indirect bgemm with XNNPACK"]
    assert runtime.find_problem() or verification.backends[0] == DELEGATE
    assert set(verification.refusing) == {"optimized", "optimized with XNNPACK"}
    warning = str(verification).splitlines()[1]
    assert "WARNING: the engine's default backend" in warning
    assert "it has no binary convolutions of groups" in warning
    with pytest.raises(ExportError, match=r"default backend, which C\+\+ .* `strict=False`"):
        export_network(source(model), Options(strict=True))


def test_networks_that_are_no_graph_from_image_to_output_are_refused():
    image = tf.keras.Input((None, None, 3))
    model = tf.keras.Model(image, L.GlobalAveragePooling2D()(image))
    with pytest.raises(
        ValueError, match=r"must have a fixed input size, got input shape \(None, N"
    ):
        export_network(source(model))


def test_network_in_mixed_precision_is_exported_while_the_policy_is_in_force():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    exported = export_network(
        source(network()),
        Options(softmax=True, uint8=True, check_accuracy=False),
        dataset="digits",
    )
    assert exported.verification.passed
    assert tf.keras.mixed_precision.global_policy().name == "mixed_bfloat16"


def test_file_with_pixels_is_a_classifier_of_normalised_images():
    model = network()
    _, images, _ = digits()
    exported = export_network(
        source(model), Options(uint8=True, check_accuracy=False), dataset="digits"
    )
    normalization = data.DATASETS["digits"].normalization
    classifier = export.make_tflite_classifier(exported.flatbuffer, normalization)
    assert_close(classifier.predict(images), model(images).numpy(), 1e-4)
    with pytest.raises(ValueError, match="`normalization` must be given for a file that takes pix"):
        export.make_tflite_classifier(exported.flatbuffer)
