import sys
from dataclasses import replace

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_resnet
from delegates import hide_delegate, needs_delegate
from rewritten import binary, with_uneven_norms
from tiny_files import binary_file, binary_model

import export
from export import runtime
from export.proof.verification import Verification
from export.refusals import explain_failure
from export.tflite import interpreter
from export.tflite.backends import BACKENDS, DELEGATE
from recu_tf.functional import is_graph
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers
# The modules that run files.
RUNNING = ("verification", "layer_comparison", "backend_agreement")


def images_for(model, count=16):
    shape = (count, *model.input_shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def network():
    """A network with batch norms as training leaves them, images and its file."""
    tf.keras.utils.set_random_seed(0)
    model = with_uneven_norms(tiny_resnet((16, 16, 3), 10))
    return model, images_for(model), export.convert(model)


def test_right_file_passes_with_the_accuracy_of_both(network):
    model, images, flatbuffer = network
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
    verification = export.verify(export.convert(model), model, images_for(model))
    assert not verification.passed
    assert verification.share_within == 0
    assert verification.wrong_layer == "strided"
    assert "FAILED" in str(verification)
    assert "first wrong layer: strided" in str(verification)


def test_outputs_that_are_not_finite_fail(network, monkeypatch):
    model, images, flatbuffer = network
    nothing = np.full((16, 10), np.nan, np.float32)
    # The name export.verify is the function's.
    for module in (sys.modules[f"export.proof.{name}"] for name in RUNNING):
        monkeypatch.setattr(module, "run_all", lambda file, images, *_: [nothing[: len(images)]])
    module = sys.modules["export.proof.layer_comparison"]
    monkeypatch.setattr(module, "find_first_wrong_layer", lambda *arguments, **options: "head")
    verification = export.verify(flatbuffer, model, images, labels=np.zeros(16, int))
    assert not verification.passed
    assert (verification.share_within, verification.agreement) == (0, 0)


@pytest.mark.slow
def test_outputs_of_another_shape_fail(network):
    _, images, _ = network
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


def test_what_cannot_be_taken_apart_fails_where_it_differs(network):
    model, images, flatbuffer = network
    like, unlike = Subclass(model, 1.0), Subclass(model, 2.0)
    assert not is_graph(like)
    assert export.verify(flatbuffer, like, images).passed
    verification = export.verify(flatbuffer, unlike, images)
    assert not verification.passed
    assert not verification.taken_apart
    assert "first wrong layer: not known, `model` must be a graph" in str(verification)


@pytest.mark.slow
def test_file_of_another_network_fails(network):
    """Its own layers are right; so they are not what is looked at, where many classes differ."""
    model, images, flatbuffer = network
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


def gated():
    """A branch that wakes where an image is bright, and then decides alone."""
    image = tf.keras.Input((8, 8, 32))
    gate = L.ReLU(name="gate")(L.GlobalAveragePooling2D()(image) - 1)
    x = L.Conv2D(4, 3, padding="same", use_bias=False, name="branch")(image)
    x = L.Dense(2, name="vote")(L.Flatten()(x))
    rest = L.Dense(2, name="rest")(L.GlobalAveragePooling2D()(image))
    bright = L.Dense(2, kernel_initializer="ones", name="bright")(gate)
    return tf.keras.Model(image, L.Add()([rest, L.Multiply()([bright, x])]))


def mirrored(model, *arguments):
    """A converter that mirrors the branch's kernel, in every file that it makes."""
    branches = [layer for layer in model.submodules if layer.name == "branch"]
    for layer in branches:
        layer.set_weights([layer.get_weights()[0][::-1, ::-1]])
    flatbuffer = export.convert(model, *arguments)
    for layer in branches:
        layer.set_weights([layer.get_weights()[0][::-1, ::-1]])
    return flatbuffer


@pytest.mark.slow
@pytest.mark.parametrize("bright", [1, 9])
def test_branch_that_few_images_wake_is_found_wrong(bright, monkeypatch):
    tf.keras.utils.set_random_seed(0)
    model = gated()
    images = images_for(model, 400)
    numbers = 40 * np.arange(bright) + 39
    images[numbers] += 2
    assert export.verify(export.convert(model), model, images).passed
    monkeypatch.setattr(sys.modules["export.proof.layer_comparison"], "convert", mirrored)
    verification = export.verify(mirrored(model), model, images)
    # Each alone would do for a pass.
    assert verification.share_within >= 0.97
    assert verification.gross == bright
    assert not verification.passed
    assert verification.wrong_layer == "branch"


def test_lost_class_is_reported_and_layers_are_compared():
    """Of the images of one class none keeps it, by differences that are small for the outputs."""
    image = tf.keras.Input((8, 8, 32))
    model = tf.keras.Model(image, L.Dense(3, name="head")(L.GlobalAveragePooling2D()(image)))
    other = tf.keras.models.clone_model(model)
    model.get_layer("head").set_weights([50 * np.eye(32, 3), np.array([0, -1e-3, -99])])
    other.get_layer("head").set_weights([50 * np.eye(32, 3), np.array([0, 1e-3, -99])])
    images = images_for(model, 50)
    # The same in the first two channels but for the last images, which set the spread.
    images[:, ..., 1] = images[:, ..., 0]
    images[20:, ..., 1] += np.where(np.arange(30) % 5, 1, 2)[:, None, None]
    verification = export.verify(export.convert(other), model, images)
    assert verification.share_within == 1
    assert verification.lost == (0,)
    assert not verification.alike
    assert verification.taken_apart or verification.not_taken_apart


def test_every_output_is_compared_and_the_worst_speaks_for_all():
    image = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(4, 3, name="map")(image)
    outputs = [x, L.Dense(5, name="classes")(L.GlobalAveragePooling2D()(x))]
    model = tf.keras.Model(image, outputs)
    images = images_for(model)
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


def with_faults(monkeypatch, *faulty):
    """The backends named add 5 to what they should give; None is the one that verifies."""
    right = interpreter.run_all

    def run_all(flatbuffer, images, backend=None):
        outputs = right(flatbuffer, images, backend)
        return [array + 5 for array in outputs] if backend in faulty else outputs

    for name in RUNNING:
        monkeypatch.setattr(sys.modules[f"export.proof.{name}"], "run_all", run_all)


def test_fault_of_the_engines_backends_is_distinguished_from_one_of_the_converter(
    network, monkeypatch
):
    model, images, flatbuffer = network
    with_faults(monkeypatch, None, *(set(BACKENDS) - {"reference"}), "delegate")
    verification = export.verify(flatbuffer, model, images)
    assert not verification.passed
    assert verification.reference_right
    assert "reference" in verification.differing
    assert "a fault of the engine" in explain_failure(verification)
    assert "other numbers than the model, unlike its reference backend. " in explain_failure(
        verification
    )


@needs_delegate
def test_file_is_verified_with_the_delegate_too(network):
    model, images, flatbuffer = network
    labels = model.predict(images, verbose=0).argmax(1)
    verification = export.verify(flatbuffer, model, images, labels=labels)
    delegate = verification.delegate
    assert delegate.passed
    assert (delegate.images, delegate.keras_accuracy) == (16, 1)
    assert delegate.tflite_accuracy >= 0.98
    assert verification.backends == (DELEGATE, *BACKENDS)
    engine, name = verification.interpreters
    assert engine == "Larq Compute Engine"
    assert name == f"the delegate in {runtime.name_interpreter()}"
    lines = str(verification).splitlines()
    assert lines[1] == f"  verified with {engine} and {name}"
    assert any(line.startswith(f"  with {name}: passed, ") for line in lines)


@needs_delegate
def test_delegate_with_other_results_fails_and_its_wrong_layer_is_named(monkeypatch):
    tf.keras.utils.set_random_seed(0)
    model = tiny_resnet((16, 16, 3), 10)
    right = interpreter.run_all

    def run_all(flatbuffer, images, backend=None):
        """As if the delegate got the last dense layer wrong, in all files that have it."""
        outputs = right(flatbuffer, images, backend)
        return [a + (backend == DELEGATE) if a.shape[1:] == (10,) else a for a in outputs]

    for name in RUNNING:
        monkeypatch.setattr(sys.modules[f"export.proof.{name}"], "run_all", run_all)
    verification = export.verify(export.convert(model), model, images_for(model))
    assert verification.computed
    assert not verification.passed
    assert not verification.delegate.computed
    assert verification.delegate.wrong_layer == model.layers[-1].name
    assert verification.differing == (DELEGATE,)
    text = str(verification)
    assert "delegate gives other results" in text
    assert "compared with Larq Compute Engine and the delegate in " in text
    assert f": FAILED, 0.0% within {verification.tolerance:.1e}" in text
    assert f"a fault of the delegate in {model.layers[-1].name}. Larq" in explain_failure(
        verification
    )


@needs_delegate
def test_engine_that_is_wrong_where_the_delegate_is_right_is_at_fault(network, monkeypatch):
    model, images, flatbuffer = network
    with_faults(monkeypatch, None, *BACKENDS)
    verification = export.verify(flatbuffer, model, images)
    assert not verification.passed
    assert verification.delegate.passed
    assert verification.differing[0] == DELEGATE
    assert "than the model, unlike the delegate. Give that layer" in explain_failure(verification)


def test_both_interpreters_have_to_agree_and_to_be_accurate():
    alike = {"images": 8, "largest_difference": 0.1, "tolerance": 1e-3, "agreement": 1}
    right, wrong = (Verification(share_within=share, **alike) for share in (1, 0))
    inaccurate = replace(right, fault="too many are lost", interpreter="the delegate in LiteRT")
    assert replace(right, delegate=right).passed
    for delegate in (wrong, inaccurate):
        assert not replace(right, delegate=delegate).passed
    assert not replace(wrong, delegate=right).passed
    failed = replace(right, delegate=inaccurate)
    assert explain_failure(failed) == "with the delegate in LiteRT, too many are lost"
    assert "  with the delegate in LiteRT: FAILED, 100.0% within 1.0e-03, " in str(failed)
    assert str(failed).endswith("; too many are lost")
    apart = replace(right, delegate=replace(wrong, taken_apart=True))
    assert apart.outcome == "passed, layer by layer"


@needs_delegate
def test_small_map_that_the_engine_computes_wrongly_is_right_with_the_delegate():
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((2, 2, 32))
    x = L.BatchNormalization()(binary(name="conv")(image))
    model = with_uneven_norms(tf.keras.Model(image, x))
    verification = export.verify(export.convert(model), model, images_for(model))
    assert verification.wide == ("conv",)
    assert not verification.passed
    assert verification.delegate.passed
    assert "and more (the delegate computes it right). Pad" in explain_failure(verification)


def test_fault_of_xnnpack_is_named():
    """A fault of TensorFlow 2.19: windows of 3 pixels, each 4 behind the other, in 16."""
    differing = ("delegate", "optimized with XNNPACK")
    alike = {"images": 8, "largest_difference": 0.1, "tolerance": 1e-3, "agreement": 1}
    wrong = Verification(
        share_within=0, wrong_layer="stem", interpreter="the delegate in LiteRT", **alike
    )
    failed = Verification(share_within=1, delegate=wrong, differing=differing, **alike)
    assert "a fault of XNNPACK in stem, which runs the float" in explain_failure(failed)


@needs_delegate
def test_file_that_the_delegate_refuses_is_verified_by_the_engine_with_a_warning(
    network, monkeypatch
):
    model, images, flatbuffer = network

    def refuse(content, num_threads=1):
        raise RuntimeError("recu: node 3, LceBconv2d, cannot be run: no reason")

    monkeypatch.setattr(runtime, "load", refuse)
    verification = export.verify(flatbuffer, model, images)
    assert verification.passed
    assert verification.delegate is None
    assert list(verification.refusing) == [DELEGATE]
    assert verification.interpreters == ("Larq Compute Engine",)
    text = str(verification)
    assert "WARNING: the delegate cannot run this file" in text
    assert "(node 3, LceBconv2d, cannot be run: no reason" in text


def test_without_the_delegate_the_report_says_how_to_get_it(network, monkeypatch):
    model, images, flatbuffer = network
    hide_delegate(monkeypatch)
    verification = export.verify(flatbuffer, model, images)
    assert verification.passed
    assert verification.delegate is None
    assert verification.warning is None
    assert verification.backends == tuple(BACKENDS)
    assert "the delegate did not run: " in str(verification)
    assert "compile_delegate.py" in str(verification)


def test_float_file_needs_no_delegate():
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), L.Flatten(), L.Dense(4)])
    verification = export.verify(export.convert(model), model, images_for(model))
    assert verification.passed
    assert (verification.delegate, verification.without_delegate) == (None, None)
    assert "  verified with Larq Compute Engine\n" in str(verification)


def test_default_backend_with_other_results_fails(network, monkeypatch):
    model, images, flatbuffer = network
    right = interpreter.run_all

    def faulty(flatbuffer, images, backend=None):
        return [array + (backend == "optimized") for array in right(flatbuffer, images, backend)]

    runnable = sys.modules["export.proof.backend_agreement"]
    monkeypatch.setattr(runnable, "run_all", faulty)
    monkeypatch.setattr(runnable, "choose_backend", lambda: "indirect bgemm")
    verification = export.verify(flatbuffer, model, images)
    assert verification.computed
    assert verification.differing == ("optimized",)
    assert not verification.passed
    assert "optimized gives other results" in str(verification)
    assert "default backend, which C++ programs and Android take" in explain_failure(verification)


def test_verification_without_images_is_refused(network):
    model, images, flatbuffer = network
    with pytest.raises(ValueError, match="`images` must be one or more, with a label each"):
        export.verify(flatbuffer, model, images[:0], labels=np.zeros(0))
    with pytest.raises(ValueError, match="got 16 images and 3 labels"):
        export.verify(flatbuffer, model, images, labels=np.zeros(3))


def test_damaged_file_is_refused(network):
    model, images, flatbuffer = network
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file; this one is damaged"):
        export.verify(flatbuffer[: len(flatbuffer) // 2], model, images)


def hidden(end, bias):
    """A miscompiled convolution behind which images hardly change the outputs."""
    inputs = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(8, 3, strides=2)(L.ZeroPadding2D(1)(inputs))
    dense = L.Dense(4, end, bias_initializer=tf.keras.initializers.Constant(bias))
    return tf.keras.Model(inputs, dense(L.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(("end", "bias"), [(None, 500), ("sigmoid", 8), ("softmax", [9, 0, 0, 0])])
def test_difference_is_measured_by_what_images_change(end, bias):
    tf.keras.utils.set_random_seed(0)
    model = hidden(end, bias)
    images = images_for(model)
    verification = export.verify(export.convert(model), model, images)
    outputs = model(images).numpy()
    # Next to the largest output it is nothing.
    assert verification.largest_difference < 1e-2 * np.abs(outputs).max()
    assert not verification.alike
    assert not verification.alike_images
    assert not verification.passed


def dead():
    """The activation is dead on images of usual size, not on larger ones."""
    inputs = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(8, 3, bias_initializer=tf.keras.initializers.Constant(-99))(inputs)
    return tf.keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling2D()(L.ReLU()(x))))


@pytest.mark.slow
def test_layers_are_looked_at_where_images_all_give_the_same():
    model = dead()
    flatbuffer, images = export.convert(model), images_for(model)
    verification = export.verify(flatbuffer, model, images)
    assert verification.alike
    assert verification.taken_apart
    assert verification.passed
    assert "outputs are the same for all of these images, so every layer" in str(verification)
    assert "passed, layer by layer" in str(verification)
    for count in (1, len(images)):
        verification = export.verify(flatbuffer, model, 100 * images[:count])
        assert verification.passed
        assert not verification.taken_apart


def test_nothing_is_verified_where_images_give_the_same_and_layers_are_hidden():
    inner = dead()

    class Hidden(tf.keras.Model):
        def call(self, images):
            return inner(images)

    model = Hidden()
    inputs = tf.keras.Input((8, 8, 32))
    around = tf.keras.Model(inputs, model(inputs))
    verification = export.verify(export.convert(around), around, images_for(inner), converted=model)
    assert verification.alike
    assert not verification.passed
    assert "nothing is verified: the model's outputs are the same for all" in str(verification)


@pytest.mark.slow
def test_moved_windows_are_found_where_images_all_give_the_same():
    inputs = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(8, 3, strides=2, name="conv")(L.ZeroPadding2D(1)(inputs))
    model = tf.keras.Model(inputs, L.ReLU()(x - 99))
    verification = export.verify(export.convert(model), model, images_for(model))
    assert verification.alike
    assert not verification.passed
    assert str(verification).endswith("first wrong layer: conv")
