import json
import os
import re
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf
from conftest import need
from network_formats import FORMATS, NAME, skip_without_torch, use_small_network, write_run
from tiny_networks import make_images

from recu_tf import data, networks
from recu_tf.choices import NETWORK_FORMATS
from recu_tf.pixel_scaling import make_identity_normalization

L = tf.keras.layers


@pytest.fixture(autouse=True)
def _small_network(monkeypatch):
    use_small_network(monkeypatch)


def other_network(*layers):
    return tf.keras.Sequential([tf.keras.Input((8, 8, 3)), *layers, L.Flatten(), L.Dense(4)])


def refused(path, match, error=ValueError, **arguments):
    with pytest.raises(error, match=match):
        networks.load(path, **arguments)


@pytest.mark.parametrize("format", FORMATS)
def test_network_is_the_same_from_every_format(format, written_formats):
    skip_without_torch(format)
    model, paths = written_formats
    network = networks.load(str(paths[format]))
    assert network.format == format == networks.find_format(paths[format])
    assert network.path == paths[format]
    assert network.has_layers
    # The same sums, in another order where a graph was optimised.
    images = make_images(3, 32)
    np.testing.assert_allclose(network.model(images), model(images), rtol=1e-4)
    files = {"run": paths["run"] / "best.keras", "saved_model": None}
    assert network.file == files.get(format, paths[format])
    assert (network.run is not None) == (format == "run")
    origin = {"run": (NAME, "digits", "digits are here"), "checkpoint": (NAME, "cifar10", None)}
    known = (network.name, network.dataset, network.data_path)
    assert known == origin.get(format, (None, None, None))
    if network.dataset:
        dataset = data.DATASETS[network.dataset]
        assert network.normalization == dataset.normalization
        assert list(network.class_names) == list(dataset.class_names)
    else:
        assert (network.normalization, network.class_names) == (None, None)


def test_data_set_of_a_checkpoint_can_be_given(written_formats):
    skip_without_torch("checkpoint")
    path = written_formats[1]["checkpoint"]
    network = networks.load(path, model=NAME, dataset="digits")
    assert network.dataset == "digits"
    assert network.normalization == data.DATASETS["digits"].normalization
    refused(
        path,
        rf"{re.escape(str(path))}: .*does not belong to vgg_small_1w1a",
        model="vgg_small_1w1a",
    )


def test_best_and_last_network_of_a_run(written_formats):
    path = written_formats[1]["run"]
    best, last = (networks.load(path, which=which) for which in ("best", "last"))
    assert (best.file.name, last.file.name) == ("best.keras", "last.keras")
    biases = [network.model.layers[-1].get_weights()[1] for network in (best, last)]
    np.testing.assert_allclose(biases[0] + 1, biases[1], rtol=1e-6)  # one rounding
    assert networks.load(path).file == best.file
    refused(path, "`which` must be one of best, last, got 'first'", which="first")


def test_file_in_a_run_belongs_to_that_run_if_its_shapes_do(written_formats, tmp_path):
    path = shutil.copytree(written_formats[1]["run"], tmp_path / "run")
    network = networks.load(path / "last.keras")
    assert network.run.path == path
    assert (network.name, network.dataset) == (NAME, "digits")
    assert network.normalization == data.DATASETS["digits"].normalization
    (path / "others").mkdir()
    other_network().save(path / "others" / "other.keras")
    assert networks.load(path / "others" / "other.keras").run is None


def test_config_of_another_program_makes_no_run(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": []}')
    other_network().save(tmp_path / "a.keras")
    assert networks.load(tmp_path / "a.keras").run is None


def test_run_whose_settings_are_damaged_has_a_network(tmp_path):
    run = write_run(tmp_path / "run", other_network())
    run.config["settings"] = {"model": "unknown"}
    run.write_config()
    network = networks.load(run.path)
    assert (network.name, network.dataset) == (None, None)
    assert network.normalization == data.DATASETS["digits"].normalization


def test_damaged_run_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    refused(tmp_path, r"config\.json")


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_network_that_scales_pixels_takes_pixels(name, tmp_path):
    other_network(L.Rescaling(1 / 255)).save(tmp_path / name)
    assert networks.load(tmp_path / name).normalization == make_identity_normalization(3)


@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_code_in_a_file_is_refused_and_not_executed(name, tmp_path):
    marker = str(tmp_path / "marker")

    def write(x):
        open(marker, "w").close()
        return x

    other_network(L.Lambda(write)).save(tmp_path / name)
    os.remove(marker)
    refused(tmp_path / name, "refused and nothing in it was executed: .* Lambda")
    assert not os.path.exists(marker)


def test_pickle_in_a_checkpoint_is_refused_and_not_executed(tmp_path):
    torch = need("torch")

    class Writes:
        def __reduce__(self):
            return open, (str(tmp_path / "marker"), "w")

    torch.save({"state_dict": Writes()}, tmp_path / "a.pth")
    refused(tmp_path / "a.pth", "refused and nothing in it was executed")
    assert not (tmp_path / "marker").exists()


def test_h5_files_without_a_whole_model_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    other_network().save_weights(path)
    refused(path, r"a\.h5 has no model in it, only weights")
    path.write_bytes(b"damaged")
    refused(path, r"a\.h5 is damaged or no \.h5 file")
    other_network().save(path)
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
    other_network().save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["module"] = "subprocess"
        file.attrs["model_config"] = json.dumps(config)
    refused(path, "refused and nothing in it was executed: .* of subprocess")


def test_what_is_no_network_is_refused(tmp_path):
    formats = re.escape(f"must be {NETWORK_FORMATS}")
    refused(tmp_path / "nowhere", f"nowhere does not exist; it {formats}", FileNotFoundError)
    refused(tmp_path, f"{formats}; it is none")
    for name in ("a.onnx", "a.tflite"):
        (tmp_path / name).touch()
        refused(tmp_path / name, f"{formats}; it is none")
    (tmp_path / "a.keras").mkdir()
    refused(tmp_path / "a.keras", f"{formats}; it is none")


def test_options_of_other_formats_are_refused(written_formats):
    paths = written_formats[1]
    refused(paths["keras"], "`which` is for run directories", which="last")
    refused(paths["h5"], "`model` is for published checkpoints", model=NAME)
    refused(paths["run"], "`model` is for published checkpoints", model=NAME)
