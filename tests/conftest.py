"""What tests of several folders need: seeds, reference material, small networks and trained runs.

Reference material, browsers and TensorFlow Lite's C library are not everywhere; tests that need
them skip there.
"""

import contextlib
import functools
import io
import os
import shutil
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

# Before anything imports TensorFlow, whatever order the imports below are sorted into.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from programs import download_tensorflow_lite_c, find_browser
from tiny_networks import make_images

from recu_tf import data, models, runs, training
from recu_tf.models import resnet
from recu_tf.settings import Settings

# Two virtual CPU devices, for what must not depend on the number of replicas.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# Named in the first lines of every run.
PACKAGES = ("tensorflow", "tf-keras", "larq", "larq-compute-engine", "numpy", "protobuf")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_report_header():
    """The versions that the tests run with."""
    return "versions: " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def shared(*parts: str) -> Path:
    """A file of the reference material; skips the test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs the reference material, absent here: shared/{'/'.join(parts)}")
    return path


def need(package):
    """A package of an extra; skips the test where it is not installed."""
    extra = {"larq_zoo": "zoo"}.get(package, package)
    return pytest.importorskip(package, reason=f"needs {package}, of the extra {extra}")


def assert_close(got, expected, relative=1e-5):
    """Within 1e-5 of the largest entry: what float32 leaves of sums over a filter or an image."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=relative * np.abs(expected).max())


def assert_same_arrays(got, expected):
    """As many arrays in the one as in the other, and the same numbers in them."""
    for array, same in zip(got, expected, strict=True):
        np.testing.assert_array_equal(array, same)


def compile_classifier(model, optimizer):
    """Compiles a model of logits for integer labels, to train it with Keras alone."""
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    top_5 = tf.keras.metrics.SparseTopKCategoricalAccuracy(5, "top_5")
    model.compile(optimizer, loss, ["accuracy", top_5])


@pytest.fixture(scope="session")
def browser():
    """The path of a browser; skips the test where none is installed."""
    return find_browser()


@pytest.fixture(scope="session")
def tensorflow_lite_c(tmp_path_factory):
    """A function: the path of TensorFlow Lite's C library for a processor, downloaded once."""

    @functools.cache
    def find(processor):
        folder = tmp_path_factory.mktemp(f"tensorflow_lite_{processor}")
        return download_tensorflow_lite_c(processor, folder)

    return find


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """A run directory of two epochs on few digits, made by the command line; tests copy it."""
    from experiments import cli

    results = tmp_path_factory.mktemp("results")
    network = "--dataset digits -a resnet20_1w1a --gpus 0"
    flags = "--epochs 2 -b 12 -bt 5 --lr 0.02 --no-warm_up --lr_type linear --seed 3"
    place = ["--results-dir", str(results), "--save", "run"]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(printed):
        few_digits(monkeypatch, build=tiny_resnet)
        assert cli.main(["train", *network.split(), *flags.split(), *place]) == 0
    lines = printed.getvalue().splitlines()
    assert lines[0] == "No GPU is visible here: using the CPU."
    assert lines[-1].startswith(f"Next: recu evaluate {results / 'run'}, ")
    return results / "run"


@pytest.fixture(scope="session")
def written_formats(tmp_path_factory):
    """A small network, and the path of each format that it was written in."""
    from network_formats import write_formats

    return write_formats(tmp_path_factory.mktemp("formats"))


@pytest.fixture
def images():
    """Five for the networks of `tiny_networks`."""
    return make_images(5)


@pytest.fixture(scope="session")
def converted_network():
    """A network with batch norms as training leaves them, 16 images for it and its file."""
    from rewritten import images_for, with_uneven_norms

    import export

    tf.keras.utils.set_random_seed(0)
    model = with_uneven_norms(tiny_resnet((16, 16, 3), 10))
    return model, images_for(model, 16), export.convert(model)


@pytest.fixture
def folder(tmp_path):
    """The exported folder of the small network of `bundles`; a test may change it."""
    from bundles import small_bundle

    from export.bundle.writer import write

    write(tmp_path / "export", small_bundle())
    return tmp_path / "export"


@pytest.fixture
def without_litert(monkeypatch):
    """Hides LiteRT, which `predict.py` prefers to the engine."""
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)


@pytest.fixture(autouse=True)
def _seed():
    tf.keras.utils.set_random_seed(0)
    yield
    tf.keras.mixed_precision.set_global_policy("float32")
    # If it were left open, layers would report signs as their latent weights from then on.
    scope_is_open = lq.context.should_quantize()
    lq.context.quantized_scope(False).__enter__()
    assert not scope_is_open


def small_resnet(*arguments, name="small", **options):
    """The blocks of ResNet-20 in a network that trains and converts in seconds."""
    return replace(resnet.resnet20, stages=((1, 8), (1, 16)))(*arguments, name=name, **options)


def tiny_resnet(*arguments, name="tiny", **options):
    """One block of ResNet-20, which takes half the time of two to trace."""
    return replace(resnet.resnet20, stages=((1, 8),))(*arguments, name=name, **options)


def few_digits(monkeypatch, train=24, test=10, build=small_resnet):
    """Replaces digits by a few of them, and ResNet-20 by a small network, to train in seconds.

    Args:
        monkeypatch: pytest's, or any object with its `setitem`.
        train: number of training images.
        test: number of test images.
        build: builds the network that `resnet20_1w1a` stands for.
    """
    monkeypatch.setitem(models.CIFAR_NETWORKS, "resnet20_1w1a", build)
    digits = data.DATASETS["digits"]

    def read(split, data_path):
        images, labels = digits.read(split, data_path)
        count = {"train": train, "test": test}[split]
        return images[:count], labels[:count]

    few = data.Dataset(digits.class_names, digits.normalization, digits.flip, read)
    monkeypatch.setitem(data.DATASETS, "digits", few)


class FinishedTraining(NamedTuple):
    run: runs.Run
    printed: str


@pytest.fixture(scope="session")
def small_quicknet(tmp_path_factory):
    """A network of larq-zoo for ten classes of small images, and a file with its weights."""
    package = need("larq_zoo")
    tf.keras.utils.set_random_seed(0)
    network = package.sota.QuickNetSmall(weights=None, num_classes=10, input_shape=(32, 32, 3))
    path = tmp_path_factory.mktemp("zoo") / "weights.h5"
    network.save_weights(path)
    return network, path


@pytest.fixture(scope="session")
def settings():
    """Those of `finished_training`."""
    return Settings(
        model="resnet20_1w1a",
        dataset="digits",
        epochs=4,
        batch_size=10,
        batch_size_test=4,
        lr=0.01,
        warm_up=True,
    )


@pytest.fixture(scope="session")
def finished_training(settings, tmp_path_factory):
    """A training of a tiny network on a few digits, made once; tests leave its files alone."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(printed):
        few_digits(monkeypatch, build=tiny_resnet)
        run = training.train(settings, tmp_path_factory.mktemp("finished") / "run")
    return FinishedTraining(run, printed.getvalue())


@pytest.fixture
def reported_run(finished_training, monkeypatch, tmp_path):
    """A copy of its run to report on, with diagnostics of five epochs; a test may change it."""
    from reported_runs import copy_run, load_models_once

    few_digits(monkeypatch, build=tiny_resnet)
    load_models_once(monkeypatch)
    return copy_run(finished_training.run, tmp_path / "run")


@pytest.fixture
def few_measurements(monkeypatch):
    """Has exports measure twice and int8 see two images, where neither number is looked at.

    Networks of the size of ResNet-20 take seconds for more of them, in the slower backends.
    """
    from export import exporter
    from export.conversion import baselines

    monkeypatch.setattr(exporter, "REPEATS", 2)
    monkeypatch.setattr(baselines, "MOST_IMAGES", 2)


@pytest.fixture
def finished_copy(finished_training, tmp_path):
    """A copy of its run, which a test may change."""
    shutil.copytree(finished_training.run.path, tmp_path / "run")
    return runs.Run.open(tmp_path / "run")
