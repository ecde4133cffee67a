import sys

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from interpreter_faults import replace_run_all
from rewritten import images_for
from tiny_files import binary_file, binary_model

import export
from export.proof.verification import Verification
from recu_tf.functional import is_graph
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers


def test_right_file_passes_with_the_accuracy_of_both(converted_network):
    model, images, flatbuffer = converted_network
    labels = model.predict(images, verbose=0).argmax(1)
    verification = export.verify(flatbuffer, model, images, labels=labels, source="images of noise")
    assert verification.alike
    assert verification.passed
    assert verification.images == 16
    assert verification.keras_accuracy == 1
    assert verification.tflite_accuracy >= 0.98
    assert not verification.taken_apart
    assert str(verification).startswith("Verification on 16 images of noise: passed\n")
    assert "top-1 accuracy: Keras 100.00%" in str(verification)
    unknown = export.verify(flatbuffer, model, images)
    assert (unknown.keras_accuracy, unknown.tflite_accuracy) == (None, None)


@pytest.mark.parametrize("kernel", [ReCU, None])
def test_silent_miscompilation_is_caught_and_named(kernel):
    """Upstream makes SAME of a symmetric padding before a strided convolution."""
    inputs = tf.keras.Input((8, 8, 32))
    x = L.ZeroPadding2D(1)(StandardizedApproxSign()(inputs))
    x = lq.layers.QuantConv2D(
        32, 3, strides=2, kernel_quantizer=kernel and kernel(), use_bias=False, name="strided"
    )(x)
    model = tf.keras.Model(inputs, L.GlobalAveragePooling2D()(x))
    verification = export.verify(export.convert(model), model, images_for(model, 16))
    assert not verification.passed
    assert verification.share_within == 0
    assert verification.wrong_layer == "strided"
    assert "FAILED" in str(verification)
    assert "first wrong layer: strided" in str(verification)


def test_outputs_that_are_not_finite_fail(converted_network, monkeypatch):
    model, images, flatbuffer = converted_network
    nothing = np.full((16, 10), np.nan, np.float32)
    replace_run_all(monkeypatch, lambda file, images, *_: [nothing[: len(images)]])
    module = sys.modules["export.proof.layer_comparison"]
    monkeypatch.setattr(module, "find_first_wrong_layer", lambda *arguments, **options: "head")
    verification = export.verify(flatbuffer, model, images, labels=np.zeros(16, int))
    assert not verification.passed
    assert (verification.share_within, verification.agreement) == (0, 0)


@pytest.mark.slow
def test_outputs_of_another_shape_fail(converted_network):
    _, images, _ = converted_network
    verification = export.verify(binary_file(), binary_model(), images[:, :8, :8])
    assert verification.passed
    other = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), L.Flatten(), L.Dense(4)])
    verification = export.verify(binary_file(), other, images[:, :8, :8])
    assert (verification.share_within, verification.agreement) == (0, None)
    assert verification.largest_difference == np.inf


class Subclass(tf.keras.Model):
    """A model whose layers only its code knows, like or unlike a file."""

    def __init__(self, model, factor):
        super().__init__()
        self.model, self.factor = model, factor

    def call(self, inputs):
        return self.factor * self.model(inputs)


def test_what_cannot_be_taken_apart_fails_where_it_differs(converted_network):
    model, images, flatbuffer = converted_network
    like, unlike = Subclass(model, 1.0), Subclass(model, 2.0)
    assert not is_graph(like)
    assert export.verify(flatbuffer, like, images).passed
    verification = export.verify(flatbuffer, unlike, images)
    assert not verification.passed
    assert not verification.taken_apart
    assert "first wrong layer: not known, `model` must be a graph" in str(verification)


@pytest.mark.slow
def test_file_of_another_network_fails(converted_network):
    """Its own layers are right; so they are not what is looked at, where many classes differ."""
    model, images, flatbuffer = converted_network
    broken = tf.keras.models.clone_model(model)
    rng = np.random.default_rng(1)
    broken.set_weights(model.get_weights())
    for kernel in broken.trainable_weights:
        kernel.assign_add(0.5 * rng.normal(size=kernel.shape))
    verification = export.verify(flatbuffer, broken, images)
    assert not verification.alike


def test_passing_needs_agreement_and_nearness():
    alike = {"images": 8, "largest_difference": 0.1, "tolerance": 1e-3}
    assert Verification(share_within=0.75, agreement=0.98, **alike).passed
    assert Verification(share_within=0.75, agreement=None, **alike).passed
    assert not Verification(share_within=0.74, agreement=1, **alike).passed
    assert not Verification(share_within=1, agreement=0.97, **alike).passed
    assert not Verification(share_within=1, agreement=1, gross=1, **alike).passed
    assert not Verification(share_within=1, agreement=1, lost=(3,), **alike).passed
    apart = {**alike, "share_within": 0.1, "agreement": 0.5, "taken_apart": True}
    assert Verification(**apart).passed
    assert not Verification(**apart, wrong_layer="stem").passed


def test_every_output_is_compared_and_the_worst_speaks_for_all():
    image = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(4, 3, name="map")(image)
    outputs = [x, L.Dense(5, name="classes")(L.GlobalAveragePooling2D()(x))]
    model = tf.keras.Model(image, outputs)
    images = images_for(model, 16)
    labels = model.predict(images, verbose=0)[1].argmax(axis=1)
    verification = export.verify(export.convert(model), model, images, labels=labels)
    assert verification.passed
    assert [output.name for output in verification.outputs] == ["map", "classes"]
    assert [output.agreement for output in verification.outputs] == [None, 1]
    assert verification.agreement == verification.tflite_accuracy == 1
    other = tf.keras.Model(image, [x, 2 * outputs[1]])
    verification = export.verify(export.convert(other), model, images, labels=labels)
    assert not verification.alike
    assert [output.share_within for output in verification.outputs] == [1, 0]
    assert verification.share_within == 0
    with pytest.raises(ValueError, match="must have the model's 2 outputs, got 1"):
        export.verify(export.convert(tf.keras.Model(image, x)), model, images)


def test_verification_without_images_is_refused(converted_network):
    model, images, flatbuffer = converted_network
    with pytest.raises(ValueError, match="`images` must be one or more, with a label each"):
        export.verify(flatbuffer, model, images[:0], labels=np.zeros(0))
    with pytest.raises(ValueError, match="got 16 images and 3 labels"):
        export.verify(flatbuffer, model, images, labels=np.zeros(3))


def test_damaged_file_is_refused(converted_network):
    model, images, flatbuffer = converted_network
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file; this one is damaged"):
        export.verify(flatbuffer[: len(flatbuffer) // 2], model, images)
