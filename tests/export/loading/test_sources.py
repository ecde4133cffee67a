import json
import os

import h5py
import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits
from tf_keras.protobuf import saved_metadata_pb2

from experiments import cli
from export import convert, verify
from export.loading import sources
from export.loading.saved_model import SavedFunction
from export.tflite.interpreter import run_all
from recu_tf import data
from recu_tf.layers import BinaryConv2D, binary_conv2d

L = tf.keras.layers


def network():
    image = tf.keras.Input((8, 8, 3))
    x = L.BatchNormalization()(L.Conv2D(4, 3, name="stem")(image))
    x = binary_conv2d(x, 4, name="binary")
    return tf.keras.Model(image, L.Dense(4)(L.Flatten()(x)))


def images(count=3, shape=(8, 8, 3)):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("float32")


def assert_same(got, expected, shape=(8, 8, 3)):
    values = images(shape=shape)
    # The same sums, in another order where a graph was optimised.
    np.testing.assert_allclose(got(values), expected(values), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory):
    """A run of one epoch, whose best and last network are told apart."""
    with pytest.MonkeyPatch.context() as patch:
        few_digits(patch)
        results = tmp_path_factory.mktemp("results")
        arguments = (
            "--model",
            "resnet20_1w1a",
            "--dataset",
            "digits",
            "--epochs",
            "1",
            "--results_dir",
            str(results),
        )
        assert cli.main(["train", *arguments, "--save", "a"]) == 0
    path = results / "a"
    last = tf.keras.models.load_model(path / "last.keras", compile=False)
    head = last.layers[-1]
    head.set_weights([one + 1 for one in head.get_weights()])
    last.save(path / "last.keras")
    return path


def test_run_directory_tells_all_of_its_network(run_directory):
    source = sources.load(run_directory)
    assert source.name == str(run_directory)
    assert source.directory == run_directory / "export"
    assert source.file == run_directory / "best.keras"
    assert source.run.path == run_directory
    assert source.normalization == data.DATASETS["digits"].normalization
    assert source.class_names == list(data.DATASETS["digits"].class_names)


def test_best_and_last_network_of_a_run(run_directory):
    best, last = (sources.load(run_directory, which) for which in ("best", "last"))
    assert (best.file.name, last.file.name) == ("best.keras", "last.keras")
    for one, two in zip(*(x.model.layers[-1].get_weights() for x in (best, last)), strict=True):
        np.testing.assert_allclose(one + 1, two)
    assert sources.load(run_directory).file == best.file


def test_file_in_a_run_is_of_that_run_if_its_network_could_be(run_directory):
    source = sources.load(run_directory / "last.keras")
    assert source.run.path == run_directory
    assert source.directory == run_directory / "last_export"
    folder = run_directory / "others"
    folder.mkdir()
    network().save(folder / "other.keras")
    assert sources.load(folder / "other.keras").run is None


def test_config_of_another_program_makes_no_run(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": []}')
    network().save(tmp_path / "a.keras")
    assert sources.load(tmp_path / "a.keras").run is None


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_files_of_keras_are_networks_of_no_run(name, tmp_path):
    model = network()
    model.save(tmp_path / name)
    source = sources.load(str(tmp_path / name))
    assert_same(source.model, model)
    assert source.directory == tmp_path / "a_export"
    assert source.file == tmp_path / name
    assert (source.run, source.normalization, source.class_names) == (None, None, None)


def refused(path, match, which=None, error=ValueError):
    with pytest.raises(error, match=match):
        sources.load(path, which)


def with_lambda(marker):
    """A network that creates a file when it is built or run."""

    path = str(marker)

    def write(x):
        open(path, "w").close()
        return x

    image = tf.keras.Input((8, 8, 3))
    return tf.keras.Model(image, L.Dense(4)(L.Flatten()(L.Lambda(write)(image))))


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_code_in_a_file_is_refused_and_not_executed(name, tmp_path):
    with_lambda(tmp_path / "marker").save(tmp_path / name)
    os.remove(tmp_path / "marker")
    refused(tmp_path / name, "refused and nothing in it was executed: .* Lambda")
    assert not (tmp_path / "marker").exists()


def test_h5_files_without_a_whole_model_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    network().save_weights(path)
    refused(path, r"a\.h5 has no model in it, only weights")
    path.write_bytes(b"damaged")
    refused(path, r"a\.h5 is damaged or no \.h5 file")
    network().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(path, r"a\.h5 is damaged or no \.h5 file")
    path.write_bytes(content)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{"
    refused(path, r"a\.h5 is damaged or no \.h5 file")
    path.write_bytes(content)
    with h5py.File(path, "a") as file:
        del file["model_weights"]
    refused(path, r"a\.h5 cannot be loaded")


def test_h5_file_with_layers_of_others_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    network().save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["module"] = "subprocess"
        file.attrs["model_config"] = json.dumps(config)
    refused(path, "refused and nothing in it was executed: .* of subprocess")


def test_saved_model_of_known_layers_is_the_model_of_these(tmp_path):
    model = network()
    model.save(tmp_path / "saved", save_format="tf")
    source = sources.load(tmp_path / "saved")
    assert [layer.name for layer in source.model.layers] == [one.name for one in model.layers]
    assert any(type(layer) is BinaryConv2D for layer in source.model.layers)
    assert source.file is None
    assert source.directory == tmp_path / "saved_export"
    assert_same(source.model, model)


def is_graph_only(model):
    return [type(layer) for layer in model.layers[1:]] == [SavedFunction]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_saved_model_without_its_layers_is_one_layer_of_its_graph(damage, tmp_path):
    model = network()
    model.save(tmp_path / "saved", save_format="tf")
    metadata = tmp_path / "saved" / "keras_metadata.pb"
    if damage is None:
        metadata.unlink()
    else:
        metadata.write_bytes(damage)
    source = sources.load(tmp_path / "saved")
    assert is_graph_only(source.model)
    assert_same(source.model, model)
    assert verify(convert(source.model), source.model, images()).alike


def test_code_in_a_saved_model_is_not_executed(tmp_path):
    """Its graph, which Lambda left nothing but operations in, says all."""
    marker = tmp_path / "marker"
    model = with_lambda(marker)
    model.save(tmp_path / "saved", save_format="tf")
    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.ParseFromString((tmp_path / "saved" / "keras_metadata.pb").read_bytes())
    assert any('"Lambda"' in node.metadata for node in metadata.nodes)
    expected = model(images()).numpy()
    marker.unlink()
    source = sources.load(tmp_path / "saved")
    assert is_graph_only(source.model)
    # A sum of 192 products, in another order.
    np.testing.assert_allclose(source.model(images()), expected, rtol=0, atol=1e-5)
    assert not marker.exists()


class Doubles(tf.Module):
    """No Keras; (1, 8, 8, 3) to (1, 192)."""

    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0)

    def save(self, path, shape=(1, 8, 8, 3), several=False, name="serving_default"):
        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "x")])
        def serve(x):
            y = {"y": tf.reshape(self.factor * x, [-1, 192])}
            return {**y, "z": x} if several else y

        tf.saved_model.save(self, str(path), signatures={name: serve})
        return path


def test_saved_model_of_a_module_is_one_layer(tmp_path):
    source = sources.load(Doubles().save(tmp_path / "saved"))
    assert is_graph_only(source.model)
    assert source.model.input_shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(source.model(images(1)).numpy(), 2 * images(1).reshape(1, 192))
    assert verify(convert(source.model), source.model, images(1)).alike


def test_saved_model_of_several_outputs_gives_them_by_name(tmp_path):
    model = sources.load(Doubles().save(tmp_path / "saved", several=True)).model
    assert sorted(model.output) == ["y", "z"]
    flatbuffer = convert(model)
    assert verify(flatbuffer, model, images(1)).alike
    doubled, same = run_all(flatbuffer, images(1))
    np.testing.assert_array_equal(doubled, 2 * images(1).reshape(1, 192))
    np.testing.assert_array_equal(same, images(1))


class Joined(tf.Module):
    """No Keras; two inputs of one shape, whose order matters."""

    def save(self, path):
        specs = [tf.TensorSpec((1, 8, 8, 3), tf.float32, name) for name in ("second", "first")]

        @tf.function(input_signature=specs)
        def serve(second, first):
            return {"y": second - 3 * first}

        tf.saved_model.save(self, str(path), signatures={"serving_default": serve})
        return path


def test_saved_model_of_several_inputs_takes_them_in_the_order_of_their_names(tmp_path):
    model = sources.load(Joined().save(tmp_path / "saved")).model
    assert model.input_names == ["first", "second"]
    first, second = images(2)[:1], images(2)[1:]
    (got,) = run_all(convert(model), [first, second])
    np.testing.assert_allclose(got, second - 3 * first, rtol=1e-6)


def test_saved_models_that_are_no_networks_are_refused(tmp_path):
    path = Doubles().save(tmp_path / "b", name="other")
    refused(path, "must have the signature serving_default, got other")
    path = Doubles().save(tmp_path / "c", shape=None)
    refused(path, "must take images .*, got an input of unknown shape")
    (path / "saved_model.pb").write_bytes(b"damaged")
    refused(path, "is a damaged SavedModel")


def test_what_is_no_network_is_refused(tmp_path):
    formats = r"must be a run directory, a \.keras file, a \.h5 file or a SavedModel directory"
    refused(tmp_path / "nowhere", f"nowhere does not exist; it {formats}", error=FileNotFoundError)
    refused(tmp_path, f"{formats}; it is none")
    (tmp_path / "a.onnx").touch()
    refused(tmp_path / "a.onnx", f"{formats}; it is none")
    (tmp_path / "a.keras").mkdir()
    refused(tmp_path / "a.keras", f"{formats}; it is none")
    network().save(tmp_path / "b.keras")
    refused(tmp_path / "b.keras", "`which` is for run directories", which="last")


def test_damaged_run_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    refused(tmp_path, "config.json")


def test_which_network_must_be_best_or_last(run_directory):
    refused(run_directory, "`which` must be one of best, last, got 'first'", which="first")
