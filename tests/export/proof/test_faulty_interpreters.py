"""Whose fault it is where an interpreter gives other numbers than the model."""

import sys

import tensorflow as tf
from delegates import needs_delegate
from interpreter_faults import with_faults
from rewritten import binary, images_for, with_uneven_norms

import export
from export.proof.verification import Verification
from export.refusals import explain_failure
from export.tflite import interpreter
from export.tflite.backends import BACKENDS, DELEGATE

L = tf.keras.layers


def test_fault_of_the_engines_backends_is_distinguished_from_one_of_the_converter(
    converted_network, monkeypatch
):
    model, images, flatbuffer = converted_network
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
def test_engine_that_is_wrong_where_the_delegate_is_right_is_at_fault(
    converted_network, monkeypatch
):
    model, images, flatbuffer = converted_network
    with_faults(monkeypatch, None, *BACKENDS)
    verification = export.verify(flatbuffer, model, images)
    assert not verification.passed
    assert verification.delegate.passed
    assert verification.differing[0] == DELEGATE
    assert "than the model, unlike the delegate. Give that layer" in explain_failure(verification)


@needs_delegate
def test_small_map_that_the_engine_computes_wrongly_is_right_with_the_delegate():
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((2, 2, 32))
    x = L.BatchNormalization()(binary(name="conv")(image))
    model = with_uneven_norms(tf.keras.Model(image, x))
    verification = export.verify(export.convert(model), model, images_for(model, 16))
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


def test_default_backend_with_other_results_fails(converted_network, monkeypatch):
    model, images, flatbuffer = converted_network
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
