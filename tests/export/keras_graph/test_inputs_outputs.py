import json

import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from bad_inputs_and_outputs import two_inputs
from bad_parts import K
from model_sources import source
from several_ends import assert_all_close, detection, given, image_and_features, segmentation

import export
from experiments import cli
from export.conversion import rewriting
from export.conversion.int8.quantize import quantize
from export.conversion.serving import add_pixel_input
from export.keras_graph.building import build_model, flatten_model
from export.keras_graph.graph import read_graph
from export.keras_graph.inputs_outputs import as_inputs, list_input_names, list_output_names
from export.tflite.backends import load_in_tensorflow_lite
from export.tflite.interpreter import run_all
from recu_tf.data import Normalization


@pytest.mark.slow
@pytest.mark.parametrize("make_model", [detection, segmentation, image_and_features])
def test_network_is_exported_with_its_ends_in_their_order(make_model):
    tf.keras.utils.set_random_seed(0)
    model = make_model()
    done = export.export_network(source(model), export.Options(batch_size=2, strict=True))
    assert done.verification.passed
    assert done.audit.binary == 2
    inputs = given(model)
    # Not by the export's own means: another kernel, the order of the file as it is.
    engine = lce.testing.Interpreter(done.flatbuffer, use_reference_bconv=True).interpreter
    batches = [engine.predict([array[at : at + 2] for array in inputs]) for at in range(0, 8, 2)]
    got = [np.concatenate(batch) for batch in zip(*batches, strict=True)]
    assert_all_close(got, model(as_inputs(inputs)))


@pytest.mark.slow
def test_signature_calls_the_ends_as_the_model_does():
    signature = {"z_image", "small", "a_features", "words"}, {"second", "first"}
    model = image_and_features()
    assert (set(list_input_names(model)), set(list_output_names(model))) == signature
    rewritten = rewriting.rewrite(model, given(model))[0]
    served = add_pixel_input(rewritten, Normalization((0.5,) * 3, (0.2,) * 3))
    found = load_in_tensorflow_lite(export.convert(served)).get_signature_list()["serving_default"]
    assert (set(found["inputs"]), set(found["outputs"])) == signature


def test_keys_of_a_dictionary_are_the_names_of_outputs():
    assert list_output_names(detection()) == ["a.score", "boxes", "classes"]
    image = tf.keras.Input((4,), name="image")
    nested = {"a/b": [image, K.ReLU()(image)], "a_b.0": K.Softmax()(image)}
    assert list_output_names(tf.keras.Model(image, nested)) == ["a_b.0", "a_b.1", "a_b.0_1"]


def test_inputs_taken_by_name_are_taken_in_the_order_of_the_model():
    small, large = tf.keras.Input((4,), name="small"), tf.keras.Input((4,), name="large")
    model = tf.keras.Model({"a": small, "b": large}, small - 3 * large)
    plain = source(model).model
    assert list_input_names(plain) == ["small", "large"]
    inputs = given(plain)
    expected = model({"a": inputs[0], "b": inputs[1]})
    assert_all_close(run_all(export.convert(plain), inputs), expected)


def test_pixels_are_taken_beside_other_inputs():
    model = image_and_features()
    normalization = Normalization((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    inputs = given(model)
    pixels = np.random.default_rng(0).integers(0, 256, inputs[0].shape, dtype=np.uint8)
    got = run_all(export.convert(add_pixel_input(model, normalization)), [pixels, *inputs[1:]])
    assert_all_close(got, model([normalization(pixels), *inputs[1:]]))


def _negate_first(graph):
    """Negates the weights of the layer "first"."""
    (step,) = (step for step in graph.steps if step.name == "first")
    step.set_weights([-weight for weight in step.weights])
    return [step.name]


def test_rewriting_that_changes_the_second_output_is_left_out(monkeypatch):
    model = image_and_features()
    monkeypatch.setitem(rewriting.PASSES, "negate", _negate_first)
    same, steps = rewriting.rewrite(model, given(model))
    assert [(step.name, step.kept) for step in steps][-1] == ("negate", False)
    assert steps[-1].share_within == 0
    assert_all_close([tensor.numpy() for tensor in same(given(model))], model(given(model)))


@pytest.mark.slow
def test_file_that_is_wrong_in_its_second_output_fails_with_the_layer():
    model = image_and_features()
    graph = read_graph(model)
    _negate_first(graph)
    other = build_model(graph)
    inputs = given(model)
    found = export.verify(export.convert(other), model, inputs)
    assert not found.passed
    assert found.wrong_layer == "first"


@pytest.mark.slow
def test_file_with_two_outputs_of_one_shape_exchanged_fails():
    model = image_and_features()
    first, second = model.outputs
    exchanged = tf.keras.Model(model.inputs, [second, first])
    assert not export.verify(export.convert(exchanged), model, given(model)).passed


def test_windows_that_are_moved_in_front_of_the_second_output_fail():
    image, features = tf.keras.Input((8, 8, 3)), tf.keras.Input((4,))
    padded = tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]])
    branch = K.Conv2D(3, 3, strides=2, name="strided")(padded)
    model = tf.keras.Model([image, features], [K.Dense(3)(features), branch])
    with pytest.raises(export.ExportError, match="took the padding in front of strided for SAME"):
        export.export_network(source(model))


@pytest.mark.parametrize(
    ("make_model", "options", "message"),
    [
        (image_and_features, {"int8": True}, "one input, got 4: z_image, small, a_features, words"),
        (image_and_features, {"softmax": True}, "with one output of logits, got 2: second, f"),
        (detection, {"softmax": True}, "`softmax` needs .* got 3: a.score, boxes, classes"),
        (two_inputs, {"uint8": True}, r"one input \(batch, height, width, 1 or 3\), got 2"),
    ],
)
def test_option_for_one_input_or_output_is_refused_with_several(make_model, options, message):
    with pytest.raises(ValueError, match=message):
        export.export_network(source(make_model()), export.Options(**options))


@pytest.mark.slow
def test_int8_has_all_outputs_and_their_names():
    model = detection()
    (images,) = given(model, 32)
    rounded = quantize(model, images)
    assert list_output_names(rounded) == list_output_names(model)
    got = run_all(export.convert(rounded), images[:8])
    # A level of 255, and what a level that rounds another way does.
    assert_all_close(got, rounded(images[:8]), 1 / 64)


def test_models_within_are_taken_apart_with_several_ends():
    inner = image_and_features()
    inputs = [tf.keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in inner.inputs]
    first, second = inner(inputs)
    model = tf.keras.Model(inputs, [second, first])
    plain = flatten_model(model)
    assert not any(isinstance(layer, tf.keras.Model) for layer in plain.layers)
    assert_all_close([tensor.numpy() for tensor in plain(given(model))], model(given(model)))


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_network_of_several_ends_goes_through_the_command_line(tmp_path, capsys):
    path = tmp_path / "several.keras"
    image_and_features().save(path)
    assert cli.main(["export", str(path), "--out", str(tmp_path / "bundle")]) == 0
    assert "passed" in capsys.readouterr().out
    told = json.loads((tmp_path / "bundle" / "model.json").read_text("utf-8"))
    assert told["input"]["shape"] == [1, 8, 8, 3]
    assert cli.main(["benchmark", str(path), "--repeats", "1"]) == 0
    assert f"{path} (int8)" in capsys.readouterr().out
