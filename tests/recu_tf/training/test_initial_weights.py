from dataclasses import replace

import pytest
from conftest import assert_same_arrays, few_digits, tiny_resnet
from interruptions import RaiseSignal

from recu_tf import models, runs, training
from recu_tf.training.errors import TrainingInterrupted
from recu_tf.training.initial_weights import load_first_stage, load_initial_network
from recu_tf.training.setup import prepare


@pytest.fixture(autouse=True)
def _digits(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)


@pytest.fixture
def first_stage(settings):
    """The settings of a first stage."""
    return replace(
        settings,
        network_precision="binary_activations",
        optimizer="adam",
        lr=2.5e-3,
        lr_type="linear",
        warm_up=False,
        weight_decay=1e-5,
        epochs=2,
    )


@pytest.fixture
def second_stage(settings):
    return replace(settings, optimizer="adam", lr=1e-3, weight_decay=0.0, epochs=2)


@pytest.mark.parametrize("precision", ["float", "binary_activations"])
def test_network_with_real_kernels_does_not_take_the_place_of_the_binary_one(
    settings, precision, tmp_path
):
    models.build("resnet20_1w1a", "digits", precision=precision).save(tmp_path / "real.keras")
    message = (
        r"`init_from` must be a network of `network_precision` binary, .*real\.keras is one of "
        f"{precision}; `stage1` takes networks with real kernels"
    )
    with pytest.raises(ValueError, match=message):
        training.train(settings, tmp_path / "run", init_from=tmp_path / "real.keras")
    assert not (tmp_path / "run").exists()


def test_network_with_real_kernels_is_trained_further(first_stage, tmp_path):
    network = models.build("resnet20_1w1a", "digits", precision="binary_activations")
    network.save(tmp_path / "real.keras")
    loaded = load_initial_network(tmp_path / "real.keras", first_stage)
    assert_same_arrays(loaded.get_weights(), network.get_weights())


def test_settings_decide_the_input_quantizer_of_the_network_to_start_from(settings, tmp_path):
    network = models.build("resnet20_1w1a", "digits")
    network.save(tmp_path / "published.keras")
    settings = replace(settings, input_quantizer="standardized_ste_sign")
    prepared = prepare(settings, init_from=tmp_path / "published.keras")
    for built in (prepared.learner.network, prepared.saved_network):
        assert models.get_variant(built)["input_quantizer"] == "standardized_ste_sign"
        assert_same_arrays(built.get_weights(), network.get_weights())


@pytest.mark.slow
def test_both_stages_resume_bit_for_bit(first_stage, second_stage, tmp_path):
    first = training.train(first_stage, tmp_path / "first")
    assert "tau" not in first.metrics()[0]
    assert models.get_precision(first.load_model()) == "binary_activations"
    second = training.train(second_stage, tmp_path / "second", stage1=tmp_path / "first")
    assert second.metrics()[0]["tau"] == pytest.approx(0.85)
    assert models.get_precision(second.load_model()) == "binary"
    assert second.config["stage1"] == str(tmp_path / "first")
    stages = [(first_stage, first, None), (second_stage, second, tmp_path / "first")]
    for number, (stage, whole, stage1) in enumerate(stages):
        directory = tmp_path / f"interrupted{number}"
        with pytest.raises(TrainingInterrupted, match="stopped in epoch 2"):
            training.train(stage, directory, stage1=stage1, callbacks=[RaiseSignal(4)])
        run = training.train(stage, directory, resume=True)
        for which in runs.WHICH:
            models_of_both = (trained.load_model(which) for trained in (run, whole))
            assert_same_arrays(*(model.get_weights() for model in models_of_both))


def test_first_stage_is_refused_where_it_does_not_fit(second_stage, tmp_path):
    models.build("resnet20_1w1a", "digits").save(tmp_path / "binary.keras")
    message = r"`stage1`: .*binary\.keras: `network` must have real kernels"
    with pytest.raises(ValueError, match=message):
        load_first_stage(tmp_path / "binary.keras", second_stage)
    models.build("vgg_small_1w1a", "digits", precision="float").save(tmp_path / "vgg.keras")
    message = r"`stage1`: .*vgg\.keras: `network` must be a resnet20_1w1a for digits, got tensors"
    with pytest.raises(ValueError, match=message):
        load_first_stage(tmp_path / "vgg.keras", second_stage)
    message = "`network_precision` must be binary in the second stage, got 'float'"
    with pytest.raises(ValueError, match=message):
        load_first_stage(tmp_path / "vgg.keras", replace(second_stage, network_precision="float"))
    message = "`stage1` must be a run directory, .*, got '.*absent'"
    with pytest.raises(FileNotFoundError, match=message):
        training.train(second_stage, tmp_path / "run", stage1=tmp_path / "absent")
    message = "`stage1` and `init_from` must not both be given, got 'a' and 'b'"
    with pytest.raises(ValueError, match=message):
        training.train(second_stage, tmp_path / "run", stage1="a", init_from="b")
    assert not (tmp_path / "run").exists()


def test_resumed_run_has_its_first_stage(first_stage, second_stage, tmp_path):
    models.build("resnet20_1w1a", "digits", precision="float").save(tmp_path / "real.keras")
    short = replace(second_stage, epochs=1)
    training.train(short, tmp_path / "run", stage1=tmp_path / "real.keras")
    message = r"`stage1` must be .*real\.keras, as in the run to resume, got other\.keras"
    with pytest.raises(ValueError, match=message):
        training.train(short, tmp_path / "run", stage1="other.keras", resume=True)
