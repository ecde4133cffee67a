import importlib.util
import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from conftest import small_resnet

from recu_tf import inflation
from recu_tf.networks.model_files import load_h5_file, load_keras_file


def dense():
    """A network whose output depends on every pixel."""
    inputs = tf.keras.Input((8, 8, 3))
    flat = tf.keras.layers.Flatten()(inputs)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(4)(flat))


LOADS_QUICKNET = """
import sys
from recu_tf import networks
networks.load("network.keras").model.get_layer(sys.argv[1])
"""


@pytest.mark.slow
def test_networks_of_larq_zoo_are_loaded_by_who_has_not_imported_it(small_quicknet, tmp_path):
    network, _ = small_quicknet
    network.save(tmp_path / "network.keras")
    name = next(layer.name for layer in network.layers if hasattr(layer, "kernel_quantizer"))
    command = [sys.executable, "-c", LOADS_QUICKNET, name]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_network_with_an_unknown_function_is_refused(tmp_path, monkeypatch):
    def unknown(shape, dtype=None):
        return tf.zeros(shape, dtype)

    model = tf.keras.Sequential(
        [tf.keras.Input((2,)), tf.keras.layers.Dense(2, kernel_initializer=unknown)]
    )
    model.save(tmp_path / "model.h5")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "larq_zoo", raising=False)
    message = r"cannot be loaded: .*unknown.*\(Networks of larq-zoo need that installed\.\)"
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_h5_file(tmp_path / "model.h5")


def test_keras_file_is_loaded_whole(images, tmp_path):
    model = small_resnet((8, 8, 3), 10)
    model.save(tmp_path / "a.keras")
    loaded = load_keras_file(tmp_path / "a.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_lambda_layers_are_refused(tmp_path):
    inputs = tf.keras.Input((8, 8, 3))
    outputs = tf.keras.layers.Lambda(lambda x: x[:, 0, 0])(inputs)
    tf.keras.Model(inputs, outputs).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"refused and nothing in it was executed: .*Lambda"):
        load_keras_file(tmp_path / "a.keras")


def test_functions_from_elsewhere_are_refused_before_they_are_imported(tmp_path):
    inputs = tf.keras.Input((8,))
    tf.keras.Model(inputs, tf.keras.layers.Activation("relu")(inputs)).save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        config = json.loads(archive.read("config.json"))
    layers = config["config"]["layers"]
    (layer,) = (layer for layer in layers if layer["class_name"] == "Activation")
    layer["config"]["activation"] = {
        "module": "antigravity",  # opens a browser when imported
        "class_name": "function",
        "config": "fly",
        "registered_name": None,
    }
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(ValueError, match=r"refused .* function of antigravity"):
        load_keras_file(tmp_path / "b.keras")


@pytest.mark.parametrize(
    "function", ["io.write_file", "raw_ops.ReadFile", "py_function", "compat.v1.py_func"]
)
def test_tensorflow_functions_that_do_more_than_compute_are_refused(function, tmp_path):
    inputs = tf.keras.Input((8,))
    tf.keras.Model(inputs, tf.nn.relu(inputs)).save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        config = archive.read("config.json").decode()
    assert '"function": "nn.relu"' in config
    assert len(load_keras_file(tmp_path / "a.keras").layers) == 2
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("config.json", config.replace("nn.relu", function))
    with pytest.raises(ValueError, match=f"nothing in it was executed: .* calls tf.{function}"):
        load_keras_file(tmp_path / "b.keras")


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_damaged_keras_file_is_refused(content, tmp_path):
    path = tmp_path / "a.keras"
    if content is None:
        dense().save(path)
        content = path.read_bytes()[:-100]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.keras is damaged or no \.keras file"):
        load_keras_file(path)


def write_archive(path, config, weights=b"", declared=None):
    """A `.keras` file of these contents, which may declare another length of its weights."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        with archive.open("model.weights.h5", "w") as file:
            for _ in range(weights.count(b"M")):
                file.write(bytes(2**20))
        if declared is not None:
            archive.getinfo("model.weights.h5").file_size = declared


@pytest.mark.parametrize("config", ["[" * 100_000, '{"a":' * 100_000, "[]", "3", '{"config": 3}'])
def test_keras_file_whose_configuration_is_none_is_refused(config, tmp_path):
    write_archive(tmp_path / "a.keras", config)
    with pytest.raises(
        ValueError, match=r"a\.keras (is damaged or no \.keras file|cannot be loaded)"
    ):
        load_keras_file(tmp_path / "a.keras")


@pytest.mark.parametrize("config", ["[" * 100_000, '{"a":' * 100_000, "3", 7])
def test_h5_file_whose_configuration_is_none_is_refused(config, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["model_config"] = config
    with pytest.raises(ValueError, match=r"a\.h5 (is damaged or no \.h5 file|cannot be loaded)"):
        load_h5_file(tmp_path / "a.h5")


@pytest.fixture
def harmless(monkeypatch):
    """Bounds for small files: 1 MiB does no harm."""
    monkeypatch.setattr(inflation, "ALWAYS_ALLOWED", 2**20)


def test_keras_file_that_inflates_is_refused_before_it_is_unpacked(tmp_path, harmless):
    path = tmp_path / "a.keras"
    dense().save(path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    write_archive(path, config, b"M" * 4)
    with pytest.raises(
        ValueError, match=r"^\S+ was refused and not unpacked: .* would become 4,194,304"
    ):
        load_keras_file(path)
    write_archive(path, b" " * 2**22 + config)
    with pytest.raises(
        ValueError, match=r"^\S+ was refused and not unpacked: .* would become 4,19"
    ):
        load_keras_file(path)
    # One that declares less is not unpacked further than that.
    write_archive(path, config, b"M" * 4, declared=2**19)
    with pytest.raises(ValueError, match=r"a\.keras cannot be loaded: Bad CRC-32"):
        load_keras_file(path)


@pytest.mark.parametrize("compression", ["gzip", None])
def test_weights_that_inflate_are_refused_before_they_are_read(compression, tmp_path, harmless):
    for suffix, load in (
        (".keras", load_keras_file),
        (".h5", load_h5_file),
    ):
        path = tmp_path / f"a{suffix}"
        dense().save(path)
        weights = tmp_path / "model.weights.h5" if suffix == ".keras" else path
        if suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                config = archive.read("config.json")
                archive.extract(weights.name, tmp_path)
        with h5py.File(weights, "a") as file:
            # Without compression nothing of it is stored: it is all zeros.
            options = {"compression": compression} if compression else {"chunks": (2**10,)}
            file.create_dataset("large", (2**22,), "float32", **options)
        if suffix == ".keras":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("config.json", config)
                archive.write(weights, weights.name)
        with pytest.raises(
            ValueError, match=r"^\S+ was refused and not unpacked: .* would become 16,78"
        ):
            load(path)


def test_networks_of_zeros_that_were_compressed_are_loaded(images, tmp_path, harmless):
    inputs = tf.keras.Input((8, 8, 3))
    flat = tf.keras.layers.Flatten()(inputs)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1000, kernel_initializer="zeros")(flat))
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "b.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    loaded = load_keras_file(tmp_path / "b.keras")
    np.testing.assert_array_equal(loaded(images), model(images))
