import pytest
from conftest import assert_close
from delegates import hide_delegate, needs_delegate
from tiny_files import binary_file, binary_model

import export
from export.tflite import interpreter
from export.tflite.interpreter import run_all


@needs_delegate
def test_delegate_runs_batches_as_the_engine_does(images):
    flatbuffer = export.convert(binary_model(), batch_size=3)
    (expected,), (got,) = run_all(flatbuffer, images), run_all(flatbuffer, images, "delegate")
    assert got.shape == (5, 3)
    assert_close(got, expected)


@needs_delegate
def test_file_that_the_delegate_refuses_is_refused_with_its_reason(images):
    flatbuffer = binary_file().replace(b"LceBconv2d", b"LceBconv9d")
    with pytest.raises(
        ValueError, match=r"that the delegate can run: .* LceBconv9d, cannot be run"
    ):
        run_all(flatbuffer, images, "delegate")


@needs_delegate
def test_failure_while_the_delegate_runs_is_a_refusal(images, monkeypatch):
    def fail(values):
        raise RuntimeError("node 3 failed\n to invoke")

    monkeypatch.setattr(interpreter, "make_predict", lambda loaded: fail)
    with pytest.raises(ValueError, match="that the delegate can run: node 3 failed to invoke"):
        run_all(binary_file(), images, "delegate")


def test_delegate_that_was_not_compiled_is_asked_for_in_words(images, monkeypatch):
    hide_delegate(monkeypatch)
    with pytest.raises(
        FileNotFoundError, match=r"not compiled when .* Install a C\+\+ compiler.*compile_delegate"
    ):
        run_all(binary_file(), images, "delegate")
