"""Every command takes a network in every format, and says so of what it cannot take."""

import functools
import re

import numpy as np
import pytest
from complaints import complaint
from network_formats import FORMATS, NAME, skip_without_torch, use_small_network
from tiny_files import float_file

import export
from experiments import cli
from experiments.declarations import NETWORK, NETWORK_OR_TFLITE
from export import reverification
from recu_tf.data import DATASETS
from recu_tf.networks import loader
from recu_tf.settings import Settings
from recu_tf.training import initial_weights, teachers


class LoadedError(ValueError):
    """Stops a command once it has its network, before the work that other tests are about."""


# Loading it takes seconds, and no test changes it.
load_saved_model_once = functools.cache(loader.load_saved_model)


@pytest.fixture(autouse=True)
def _small_network(monkeypatch):
    use_small_network(monkeypatch)
    monkeypatch.setitem(loader.LOADERS, "saved_model", load_saved_model_once)


@pytest.fixture(params=FORMATS)
def path(request, written_formats):
    skip_without_torch(request.param)
    return written_formats[1][request.param]


def assert_is_network(loaded, written_formats):
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    # The same sums, in another order where a graph was optimised.
    np.testing.assert_allclose(loaded(images), written_formats[0](images), rtol=1e-4)


@pytest.fixture(scope="module")
def evaluated(written_formats):
    """What `recu evaluate` prints of the run, without the name."""
    from experiments.network_evaluation import evaluate

    with pytest.MonkeyPatch.context() as patch:
        use_small_network(patch)
        return evaluate(written_formats[1]["run"]).splitlines()[1:]


def test_every_format_is_evaluated(path, evaluated, capsys):
    assert cli.main(["evaluate", str(path), "--dataset", "digits"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == evaluated


def test_every_format_has_a_summary(path, capsys):
    assert cli.main(["summary", str(path)]) == 0
    # Two binary convolutions of 3x3 from 8 channels to 8.
    row = re.search(r"\| Total +(\d+)", capsys.readouterr().out)
    assert int(row[1]) == 2 * 9 * 8 * 8


def test_every_format_is_exported(path, written_formats, capsys, monkeypatch):
    def stop(source, directory, options, dataset, *_, **__):
        assert dataset == "digits"
        assert_is_network(source.model, written_formats)
        raise LoadedError("loaded")

    monkeypatch.setattr(export, "export_bundle", stop)
    assert "loaded" in complaint(capsys, "export", str(path), "--dataset", "digits")


def test_every_format_is_measured(path, written_formats, capsys, monkeypatch):
    def stop(model):
        assert_is_network(model, written_formats)
        raise LoadedError("loaded")

    monkeypatch.setattr(export, "float32_model", stop)
    assert "loaded" in complaint(capsys, "benchmark", str(path))


def test_every_format_is_compared_with_its_export(
    path, written_formats, tmp_path, capsys, monkeypatch
):
    def stop(source, description):
        assert_is_network(source.model, written_formats)
        raise LoadedError("loaded")

    for name in ("check_files", "run_self_tests"):
        monkeypatch.setattr(reverification, name, lambda *_: None)
    described = {"source": None, "network": None, "comparison": None, "options": {}}
    monkeypatch.setattr(reverification, "read_description", lambda _: {**described, "files": {}})
    monkeypatch.setattr(reverification, "_restore_knowledge", stop)
    (tmp_path / "model.tflite").touch()
    assert "loaded" in complaint(capsys, "verify", str(tmp_path), "--network", str(path))


def test_training_starts_from_every_format(path, written_formats):
    settings = Settings(model=NAME, dataset="digits")
    start = initial_weights.load_initial_network(path, settings)
    assert_is_network(start, written_formats)


def test_training_learns_from_every_format(path, written_formats):
    settings = Settings(dataset="digits", teacher=str(path))
    teacher = teachers.load_teacher(settings, written_formats[0], DATASETS["digits"].normalization)
    assert_is_network(teacher.model, written_formats)
    assert teacher.adapt is None


@pytest.mark.parametrize(
    ("arguments", "takes"),
    [
        (["evaluate"], NETWORK_OR_TFLITE),
        (["summary"], NETWORK_OR_TFLITE),
        (["benchmark"], NETWORK_OR_TFLITE),
        (["export"], NETWORK),
        (["train", "--dataset", "digits", "-a", NAME, "--init_from"], NETWORK),
        (["train", "--dataset", "digits", "-a", NAME, "--teacher"], NETWORK),
    ],
)
@pytest.mark.parametrize("name", ["a.onnx", "nowhere.keras", "a.tflite"])
def test_formats_that_a_command_does_not_take_are_refused(
    arguments, takes, name, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.onnx").touch()
    (tmp_path / "a.tflite").write_bytes(float_file() if takes == NETWORK else b"damaged")
    error = complaint(capsys, *arguments, name)
    assert name in error
    if takes == NETWORK or name != "a.tflite":
        assert takes in error
