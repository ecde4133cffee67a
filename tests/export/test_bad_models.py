import re
from pathlib import Path

import bad_inputs_and_outputs
import bad_models
import bad_paddings
import bad_structures
import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from delegates import COMPILED, run_images
from several_ends import assert_all_close, given

import export
from export import runtime

# The number of binary convolutions in the file.
RIGHT = {
    "symmetric_before_strided_float_3x3": 0,
    "symmetric_before_strided_float_5x5": 0,
    "symmetric_before_strided_float_7x7": 0,
    "symmetric_before_strided_float_7x7_on_odd_size": 0,
    "symmetric_before_strided_binary_3x3": 1,
    "symmetric_before_strided_binary_5x5": 1,
    "symmetric_before_strided_binary_7x7": 1,
    "symmetric_before_strided_binary_without_quantizer": 1,
    "symmetric_before_binary_with_one_stride": 1,
    "wider_than_same_before_strided_float": 0,
    "symmetric_before_strided_depthwise": 0,
    "inside_nested_model": 0,
    "by_layers_of_another_model": 0,
    "read_by_two_strided_convolutions": 0,
    "before_strided_max_pool": 0,
    "with_zeros_before_the_sign": 1,
    "ternary_kernel": 0,
    "mixed_precision": 1,
    "lambda_layer": 1,
    "untrained_batch_norms": 3,
    "untrained_batch_norms_with_negative_factors": 3,
    "batch_norm_factors_of_zero": 3,
    "outputs_that_images_do_not_change": 3,
    "max_pool_before_negative_batch_norm_factors": 2,
    "max_pool_before_batch_norm_of_rows": 1,
    "max_pool_before_negative_batch_norm_factors_and_a_sum": 2,
    "no_layers": 0,
    "no_binary_layer": 0,
    "ends_in_softmax": 1,
    "images_as_outputs": 1,
    "vectors_as_inputs": 0,
    "hard_tanh_with_two_readers": 2,
    "convolution_called_twice": 2,
    "nested_models_whose_layers_have_the_same_names": 2,
    "nested_model_called_twice": 2,
    "deep_and_narrow": 12,
    "subclassed_model_between_input_and_output": 1,
    "sequential_model": 1,
    "input_with_a_name": 1,
    "two_inputs": 2,
    "two_outputs": 1,
    "outputs_with_names": 1,
    "binary_dense": 1,
}

SIZE = r"`model` must know the size of its images; begin it with tf\.keras\.Input"
NOT_FINITE = r"`model` must hold finite numbers, got others \(NaN or infinite\) in "
# Before anything is converted.
REFUSED = {
    "kernel_with_nan": f"{NOT_FINITE}convolution/kernel",
    "latent_kernel_with_nan": f"{NOT_FINITE}convolution/kernel",
    "float_kernel_with_nan": f"{NOT_FINITE}stem/kernel",
    "batch_norm_with_nan": f"{NOT_FINITE}norm/moving_variance",
    "nan_before_a_sign": f"{NOT_FINITE}norm/moving_variance",
    "logits_that_overflow": "must give finite numbers, but some are NaN or infinite for 64 of 64",
    "double_precision": "must be in float32 to be converted, got float64.* input is in float64",
    "dynamic_size": r"must have a fixed input size, got input shape \(None, None, 32\)",
    "no_pixels": r"must take images of a pixel or more, got \(0, 16, 3\)",
    "fixed_batch": "`batch_size` must be 4, the model's own, got 1",
    "one_size_of_two_is_dynamic": r"input size, got input shape \(None, None, 32\) of `large`",
    "words_of_text": "or whole ones as bool, .* got an input in string of `text`",
    "pixels_beside_features": "normalised images in float32, got an input in uint8 of `image`; ",
    "outputs_of_no_batch": r"must give tensors \(batch, \.\.\.\), got one of shape \(\) of `mean`",
    "outputs_of_another_batch": r"but for a batch of 64 it gives \(32,\) of `channels`",
    "second_output_that_overflows": "finite numbers as output of `second`, but some are NaN or inf",
    "whole_numbers_as_inputs": "must take normalised images in float32, got an input in int32",
    "pixels_as_inputs": "got an input in uint8; leave out the layer that scales .* `input` uint8",
    "subclassed_model": SIZE,
    "subclassed_model_never_called": SIZE,
    "sequential_model_never_built": SIZE,
}

# By the converter.
NOT_CONVERTED = {
    "python_in_the_graph": "can run: it needs EnsureShape, PyFunc .*, which only TensorFlow has",
    "operator_that_tflite_lacks": r"run: it needs Igamma \(of igamma\), which only TensorFlow has",
    "exact_gelu": r"it needs Erfc \(of gelu\), which only TensorFlow has\. "
    r"tf\.nn\.gelu\(x, approximate=True\), .* no Erfc",
}

FUSED = 'stands a padding, which the converter has fused .* pad with padding="same" in the layer'
# By the audit.
LOST = {
    "symmetric_before_strided_binary_3x3_on_odd_size": f"  convolution: .*{FUSED}",
    "symmetric_before_strided_binary_depthwise": "  depthwise: .*no binary form of QuantDepthwise",
    "by_tf_pad_before_strided_binary": f"  convolution: .*{FUSED}",
    "with_minus_one": r"  convolution: its `pad_values` is -1\.0; the engine can pad with 0 or 1",
    "scale_of_three_dimensions": r"shape \(1, 1, 32\), with which .* give it shape \(32,\)",
    "transpose_between_sign_and_convolution": "stands TRANSPOSE of layer 'turn'; move it in front",
    "scale_between_sign_and_convolution": "is not -1 and 1 but -3, 3, .* behind the convolution",
    "filter_of_zeros": r"holds only zeros in filter 3 \(of 32\)",
    "kernel_of_zeros": "holds only zeros in filters 0, 1, 2, 3, 4 and others",
    "filter_of_two_magnitudes": r"holds more than one magnitude in filter 5 \(of 32\)",
    "grouped_with_16_channels": "has 16 input channels in each of its 2 groups; .* multiple of 32",
    "bare_sign": r"a bare tf\.sign of layer 'bare'.*; the converter knows `lq\.math\.sign`",
}

MISTAKEN = "converter took the padding in front of {} for SAME.* Pad with a ZeroPadding2D layer"
# By the sizes of windows or by the verification: what is said, and the layer.
DIFFERENT = {
    "by_tf_pad_before_strided_float": (MISTAKEN.format("convolution"), "convolution"),
    "by_tf_pad_before_small_outputs": (MISTAKEN.format("convolution"), "convolution"),
    "by_tf_pad_before_small_numbers_that_become_large": (
        MISTAKEN.format("convolution"),
        "convolution",
    ),
    "before_nested_model": (MISTAKEN.format("convolution"), "convolution"),
    "inside_subclassed_model": (MISTAKEN.format("strided"), "strided"),
    "before_strided_convolution_called_twice": (MISTAKEN.format("convolution"), "convolution"),
    "noise_when_used": ("the file does not compute what the model does", "noise"),
    "dropout_when_used": ("the file does not compute what the model does", "dropout"),
}


def cases():
    """The functions of bad models, by name."""
    return {
        name: thing
        for module in (bad_models, bad_inputs_and_outputs, bad_structures, bad_paddings)
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", "") == module.__name__
        and not isinstance(thing, type)
        and not name.startswith("_")
    }


def exported(name, **options):
    tf.keras.utils.set_random_seed(0)
    model = cases()[name]()
    source = export.Source(model, name, Path("nowhere"))
    return model, export.export_network(source, export.Options(strict=True, **options))


def test_what_becomes_of_every_bad_model_is_known():
    known = [*RIGHT, *REFUSED, *NOT_CONVERTED, *LOST, *DIFFERENT]
    assert sorted(known) == sorted(cases())


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_bad_model_is_exported_right(name):
    model, done = exported(name)
    assert done.audit.passed
    assert done.audit.binary == RIGHT[name]
    assert done.verification.passed
    # Not by the export's own means: other images, another kernel, another comparison.
    inputs = given(model)
    expected = tf.nest.flatten(model.predict(inputs, verbose=0))
    interpreter = lce.testing.Interpreter(done.flatbuffer, use_reference_bconv=True)
    got = interpreter.predict(inputs)
    # bfloat16 has 8 bits.
    tolerance = 1e-4 if expected[0].dtype == np.float32 else 2**-7
    assert_all_close(got if len(expected) > 1 else [got], expected, tolerance)
    if COMPILED:
        assert_all_close(run_images(runtime.load(done.flatbuffer), *inputs), expected, tolerance)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_model_is_refused_before_its_conversion(name, monkeypatch):
    monkeypatch.setattr(lce, "convert_saved_model", None)
    with pytest.raises(ValueError, match=REFUSED[name]):
        exported(name)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_model_leaves_no_folder(name, tmp_path):
    source = export.Source(cases()[name](), name, tmp_path / "bundle")
    with pytest.raises(ValueError, match=REFUSED[name]):
        export.export_bundle(source)
    assert not source.directory.exists()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("outputs_of_another_batch", ".keras"),
        ("one_size_of_two_is_dynamic", ".h5"),
        ("sequential_model_never_built", ".keras"),
    ],
)
def test_bad_model_in_a_file_is_refused(name, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    cases()[name]().save(path)
    with pytest.raises(ValueError, match=REFUSED[name]):
        export.export_bundle(export.load(path))


@pytest.mark.parametrize("name", NOT_CONVERTED)
def test_bad_model_that_the_engine_cannot_run_is_refused(name):
    with pytest.raises(ValueError, match=NOT_CONVERTED[name]):
        exported(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOST)
def test_bad_model_that_would_not_be_binary_is_refused(name):
    with pytest.raises(export.ExportError, match="not every layer that should be binary") as error:
        exported(name)
    assert re.search(LOST[name], str(error.value))


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENT)
def test_bad_model_that_is_miscompiled_is_refused(name):
    reason, layer = DIFFERENT[name]
    with pytest.raises(export.ExportError, match=reason) as error:
        exported(name)
    assert str(error.value).endswith(f"first wrong layer: {layer}")


def test_softmax_of_images_is_refused():
    with pytest.raises(ValueError, match=r"`softmax` needs logits \(batch, classes\)"):
        exported("images_as_outputs", softmax=True)
