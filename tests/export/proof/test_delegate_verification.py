"""Files are verified with the delegate as well as with the engine."""

from dataclasses import replace

import tensorflow as tf
from conftest import tiny_resnet
from delegates import hide_delegate, needs_delegate
from interpreter_faults import replace_run_all
from rewritten import images_for

import export
from export import runtime
from export.proof.verification import Verification
from export.refusals import explain_failure
from export.tflite import interpreter
from export.tflite.backends import BACKENDS, DELEGATE

L = tf.keras.layers


@needs_delegate
def test_file_is_verified_with_the_delegate_too(converted_network):
    model, images, flatbuffer = converted_network
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

    replace_run_all(monkeypatch, run_all)
    verification = export.verify(export.convert(model), model, images_for(model, 16))
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
def test_file_that_the_delegate_refuses_is_verified_by_the_engine_with_a_warning(
    converted_network, monkeypatch
):
    model, images, flatbuffer = converted_network

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


def test_without_the_delegate_the_report_says_how_to_get_it(converted_network, monkeypatch):
    model, images, flatbuffer = converted_network
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
    verification = export.verify(export.convert(model), model, images_for(model, 16))
    assert verification.passed
    assert (verification.delegate, verification.without_delegate) == (None, None)
    assert "  verified with Larq Compute Engine\n" in str(verification)
