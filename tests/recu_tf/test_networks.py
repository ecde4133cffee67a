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

import export
from recu_tf import inflation, networks


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype("float32")


def dense(batch_size=None, dtype="float32"):
    """A network that tells every pixel apart."""
    inputs = tf.keras.Input((8, 8, 3), batch_size, dtype=dtype)
    flat = tf.keras.layers.Flatten()(tf.cast(inputs, "float32"))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(4)(flat))


def test_keras_classifier_takes_any_number_of_images(images):
    model = dense()
    made = networks.keras_classifier(model)
    assert made[1:] == ((8, 8, 3), 4)
    for count in (5, 1):
        # Sums of 192 products, in another order.
        np.testing.assert_allclose(made.predict(images[:count]), model(images[:count]), atol=1e-5)


SAVES_QUICKNET = """
import recu_tf, larq_zoo
network = larq_zoo.sota.QuickNetSmall(input_shape=(32, 32, 3), num_classes=2, weights=None)
network.save("network.keras")
"""
LOADS_QUICKNET = """
from recu_tf import networks
networks.load_keras_file("network.keras").get_layer("quant_conv2d")
"""


@pytest.mark.slow
def test_networks_of_larq_zoo_are_loaded_by_who_has_not_imported_it(tmp_path):
    pytest.importorskip("larq_zoo", reason="needs larq-zoo, the extra zoo")
    for program in (SAVES_QUICKNET, LOADS_QUICKNET):
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


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
        networks.load_h5_file(tmp_path / "model.h5")


@pytest.mark.parametrize("size", [1, 2, 8])
def test_fixed_number_of_images_is_filled_up(images, size):
    model = dense(batch_size=size)
    made = networks.keras_classifier(model)
    free = dense()
    free.set_weights(model.get_weights())
    np.testing.assert_allclose(made.predict(images), free(images), atol=1e-5)


def test_keras_networks_that_classify_no_images_are_refused():
    two = tf.keras.Input((2,))
    with pytest.raises(ValueError, match=r"must lead from \(batch, height.* got \(None, 2\)"):
        networks.keras_classifier(tf.keras.Model(two, tf.keras.layers.Dense(2)(two)))
    model = dense()
    with pytest.raises(ValueError, match="one input and one output, got 1 and 2"):
        networks.keras_classifier(tf.keras.Model(model.inputs, model.outputs * 2))
    with pytest.raises(ValueError, match="floating-point numbers, got uint8 and float32"):
        networks.keras_classifier(dense(dtype="uint8"))


@pytest.mark.parametrize("how", ["save", "export"])
def test_saved_model_computes_what_the_model_does(how, images, tmp_path):
    model = dense()
    if how == "save":
        model.save(tmp_path / "saved", save_format="tf")
    else:
        model.export(str(tmp_path / "saved"))
    made = networks.saved_model_classifier(tmp_path / "saved")
    assert made[1:] == ((8, 8, 3), 4)
    np.testing.assert_allclose(made.predict(images), model(images), atol=1e-5)


def test_saved_model_without_the_signature_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "saved"))
    with pytest.raises(ValueError, match="must have the signature serving_default, got none"):
        networks.saved_model_classifier(tmp_path / "saved")


def test_damaged_saved_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="is a damaged SavedModel"):
        networks.saved_model_classifier(tmp_path)


def test_keras_file_is_loaded_whole(images, tmp_path):
    model = small_resnet((8, 8, 3), 10)
    model.save(tmp_path / "a.keras")
    loaded = networks.load_keras_file(tmp_path / "a.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_lambda_layers_are_refused(tmp_path):
    inputs = tf.keras.Input((8, 8, 3))
    outputs = tf.keras.layers.Lambda(lambda x: x[:, 0, 0])(inputs)
    tf.keras.Model(inputs, outputs).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"refused and nothing in it was executed: .*Lambda"):
        networks.load_keras_file(tmp_path / "a.keras")


def test_functions_from_elsewhere_are_refused_before_they_are_imported(tmp_path):
    inputs = tf.keras.Input((8,))
    tf.keras.Model(inputs, tf.keras.layers.Activation("relu")(inputs)).save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        config = json.loads(archive.read("config.json"))
    (layer,) = (one for one in config["config"]["layers"] if one["class_name"] == "Activation")
    layer["config"]["activation"] = {
        "module": "antigravity",  # opens a browser when imported
        "class_name": "function",
        "config": "fly",
        "registered_name": None,
    }
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(ValueError, match=r"refused .* function of antigravity"):
        networks.load_keras_file(tmp_path / "b.keras")


@pytest.mark.parametrize(
    "function", ["io.write_file", "raw_ops.ReadFile", "py_function", "compat.v1.py_func"]
)
def test_tensorflow_functions_that_do_more_than_compute_are_refused(function, tmp_path):
    inputs = tf.keras.Input((8,))
    tf.keras.Model(inputs, tf.nn.relu(inputs)).save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        config = archive.read("config.json").decode()
    assert '"function": "nn.relu"' in config
    assert len(networks.load_keras_file(tmp_path / "a.keras").layers) == 2
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("config.json", config.replace("nn.relu", function))
    with pytest.raises(ValueError, match=f"nothing in it was executed: .* calls tf.{function}"):
        networks.load_keras_file(tmp_path / "b.keras")


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_damaged_keras_file_is_refused(content, tmp_path):
    path = tmp_path / "a.keras"
    if content is None:
        dense().save(path)
        content = path.read_bytes()[:-100]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.keras is damaged or no \.keras file"):
        networks.load_keras_file(path)


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
        networks.load_keras_file(tmp_path / "a.keras")


@pytest.mark.parametrize("config", ["[" * 100_000, '{"a":' * 100_000, "3", 7])
def test_h5_file_whose_configuration_is_none_is_refused(config, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["model_config"] = config
    with pytest.raises(ValueError, match=r"a\.h5 (is damaged or no \.h5 file|cannot be loaded)"):
        networks.load_h5_file(tmp_path / "a.h5")


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
        networks.load_keras_file(path)
    write_archive(path, b" " * 2**22 + config)
    with pytest.raises(
        ValueError, match=r"^\S+ was refused and not unpacked: .* would become 4,19"
    ):
        networks.load_keras_file(path)
    # One that declares less is not unpacked further than that.
    write_archive(path, config, b"M" * 4, declared=2**19)
    with pytest.raises(ValueError, match=r"a\.keras cannot be loaded: Bad CRC-32"):
        networks.load_keras_file(path)


@pytest.mark.parametrize("compression", ["gzip", None])
def test_weights_that_inflate_are_refused_before_they_are_read(compression, tmp_path, harmless):
    for suffix, load in (
        (".keras", networks.load_keras_file),
        (".h5", networks.load_h5_file),
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
    loaded = networks.load_keras_file(tmp_path / "b.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.fixture(scope="module")
def plain():
    """A float network, and its file for TensorFlow Lite with three images at a time."""
    model = dense(batch_size=3)
    return model, tf.lite.TFLiteConverter.from_keras_model(model).convert()


def test_tflite_file_of_any_batch_size_is_run(plain, images):
    model, flatbuffer = plain
    made = export.tflite_classifier(flatbuffer)
    assert made[1:] == ((8, 8, 3), 4)
    expected = networks.keras_classifier(model).predict(images)
    np.testing.assert_allclose(made.predict(images), expected, atol=1e-5)


@pytest.mark.parametrize("end", [0, 7, 100, -16])
def test_damaged_tflite_file_is_refused_and_does_not_crash(plain, end):
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file; th"):
        export.tflite_classifier(plain[1][:end])


def test_quantized_inputs_are_refused(images):
    converter = tf.lite.TFLiteConverter.from_keras_model(dense())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[np.newaxis]] for one in images)
    converter.inference_input_type = tf.int8
    with pytest.raises(ValueError, match="floating-point numbers, got int8 and float32"):
        export.tflite_classifier(converter.convert())
