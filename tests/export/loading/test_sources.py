import shutil

import numpy as np
import pytest
import tensorflow as tf
from network_formats import FORMATS, skip_without_torch, use_small_network
from tiny_networks import make_images

import export
from export import convert, verify
from export.tflite.interpreter import run_all
from recu_tf import data


@pytest.fixture(autouse=True)
def _small_network(monkeypatch):
    use_small_network(monkeypatch)


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "saved_model"])
def test_source_says_what_its_format_knows(format, written_formats):
    skip_without_torch(format)
    model, paths = written_formats
    source = export.load(paths[format])
    pixels = make_images(3, 32)
    # The same sums, in another order where a graph was optimised.
    np.testing.assert_allclose(source.model(pixels), model(pixels), rtol=1e-4)
    assert source.name == str(paths[format])
    assert source.file == (paths["run"] / "best.keras" if format == "run" else paths[format])
    folders = {"run": "run/export", "checkpoint": "model_best_export"}
    assert source.directory == paths["run"].parent / folders.get(format, "a_export")
    known = {"run": data.DATASETS["digits"], "checkpoint": data.DATASETS["cifar10"]}.get(format)
    assert source.normalization == (known and known.normalization)
    names = source.class_names
    assert (names and list(names)) == (known and list(known.class_names))
    assert source.is_from_library == (known is not None)


def test_last_network_of_a_run_is_exported_on_request(written_formats):
    assert export.load(written_formats[1]["run"], "last").file.name == "last.keras"


def test_file_in_a_run_has_a_folder_beside_it(written_formats, tmp_path):
    path = shutil.copytree(written_formats[1]["run"], tmp_path / "run")
    source = export.load(path / "last.keras")
    assert source.run.path == path
    assert source.directory == path / "last_export"


class Doubles(tf.Module):
    """A module that is not of Keras, from (1, 8, 8, 3) to (1, 192) and to its input."""

    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0)

    def save(self, path):
        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32, "x")])
        def serve(x):
            return {"y": tf.reshape(self.factor * x, [-1, 192]), "z": x}

        tf.saved_model.save(self, str(path), signatures={"serving_default": serve})
        return path


def test_graph_of_several_outputs_is_converted(tmp_path):
    source = export.load(Doubles().save(tmp_path / "saved"))
    assert (source.file, source.directory) == (None, tmp_path / "saved_export")
    model = source.model
    flatbuffer = convert(model)
    assert verify(flatbuffer, model, make_images(1)).alike
    doubled, same = run_all(flatbuffer, make_images(1))
    np.testing.assert_array_equal(doubled, 2 * make_images(1).reshape(1, 192))
    np.testing.assert_array_equal(same, make_images(1))


class Joined(tf.Module):
    """A module that is not of Keras; two inputs of one shape, whose order matters."""

    def save(self, path):
        specs = [tf.TensorSpec((1, 8, 8, 3), tf.float32, name) for name in ("second", "first")]

        @tf.function(input_signature=specs)
        def serve(second, first):
            return {"y": second - 3 * first}

        tf.saved_model.save(self, str(path), signatures={"serving_default": serve})
        return path


def test_graph_of_several_inputs_takes_them_in_the_order_of_their_names(tmp_path):
    model = export.load(Joined().save(tmp_path / "saved")).model
    assert model.input_names == ["first", "second"]
    first, second = make_images(2)[:1], make_images(2)[1:]
    (got,) = run_all(convert(model), [first, second])
    # One rounding of float32 in each of two operations.
    np.testing.assert_allclose(got, second - 3 * first, rtol=1e-6)
