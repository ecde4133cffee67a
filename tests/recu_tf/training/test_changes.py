"""Runs that are resumed with other settings: longer, slower, on other devices, or from a file."""

import re
import shlex
from dataclasses import asdict, replace

import pytest
from conftest import few_digits, tiny_resnet

from experiments import cli
from experiments.commands.parser import command_parser
from experiments.training_settings import resolve
from recu_tf import runs, schedules, training
from recu_tf.runs import checkpoints
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.settings import Settings
from recu_tf.training.changes import record_changes

SETTINGS = Settings(model="resnet20_1w1a", dataset="digits", epochs=4, batch_size=10)


@pytest.fixture
def _digits(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)


def run_train(directory, *options):
    """The exit code of `recu train` for `directory`/run."""
    return cli.main(["train", "--results_dir", str(directory), "--save", "run", *options])


@pytest.mark.usefixtures("_digits")
def test_finished_run_is_extended_by_the_schedules_of_its_new_length(
    finished_copy, tmp_path, capsys
):
    assert run_train(tmp_path, "--resume", "--epochs", "6") == 0
    printed = capsys.readouterr().out
    assert "New schedules from epoch 5 (epochs 6 instead of 4): lr 0.01 and " in printed
    assert "; epoch 4 had lr 0.008 and tau 0.941.\n" in printed
    assert "Epoch 6/6" in printed
    lines = finished_copy.metrics()
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3, 4, 5]
    for line in lines[4:]:
        rate = schedules.learning_rate(line["epoch"], 6, lr=0.01, warm_up=True)
        assert line["lr"] == pytest.approx(rate)
        assert line["tau"] == pytest.approx(schedules.exponential_tau(line["epoch"], 6))
    run = runs.Run.open(finished_copy.path)
    assert run.config["settings"]["epochs"] == 6
    assert run.config["changes"] == [{"epoch": 4, "step": 0, "epochs": [4, 6]}]

    # A finished run has no epochs to train, nor any for another change.
    assert "had been trained before" not in printed
    assert run_train(tmp_path, "--resume") == 0
    assert "All 6 epochs had been trained before; a larger --epochs" in capsys.readouterr().out
    for change in ("--epochs 5", "--lr 0.5"):
        assert run_train(tmp_path, "--resume", *change.split()) == 2
        assert "`epochs` must be more than the 6 that the run has already trained" in (
            capsys.readouterr().err
        )
    assert runs.Run.open(finished_copy.path).config == run.config


@pytest.mark.usefixtures("_digits")
def test_loss_that_is_not_finite_names_its_step_and_a_command_that_works(tmp_path, capsys):
    # So high a rate makes the weights infinite within a few steps.
    options = "--dataset digits -a resnet20_1w1a -b 10 -bt 5 --epochs 2 --lr 1e38"
    assert run_train(tmp_path, *options.split()) == 3
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert re.search(r"not finite in epoch 1, step [23] of 3\. Everything saved before", errors)
    assert not list((tmp_path / "run").glob("*.keras"))
    checkpoint = checkpoints.load_newest(tmp_path / "run" / "checkpoints")
    assert (checkpoint.epoch, checkpoint.step) == (0, 0)
    command = shlex.split(re.search(r"To resume: recu (.*?)\. If", errors)[1])
    assert command[-2:] == ["--lr", "0.1"]
    assert cli.main(command) == 0
    assert "(lr 0.1 instead of 1e+38)" in capsys.readouterr().out
    run = runs.Run.open(tmp_path / "run")
    assert [line["lr"] for line in run.metrics()] == [pytest.approx(0.1), pytest.approx(0.05)]
    assert run.config["changes"] == [{"epoch": 0, "step": 0, "lr": [1e38, 0.1]}]


@pytest.fixture
def run(tmp_path):
    """A run that has not been trained."""
    return runs.Run.create(
        tmp_path / "run",
        {
            "settings": asdict(SETTINGS),
            "num_classes": 10,
            "class_names": None,
            "input_shape": [32, 32, 3],
            "normalization": {"mean": [0.0] * 3, "std": [1.0] * 3},
            "replicas": 1,
        },
    )


def test_run_may_be_shortened_to_epochs_that_are_still_to_come(run):
    lines = record_changes(run, replace(SETTINGS, epochs=3), Checkpoint(2, 1, {}), 1)
    assert len(lines) == 1
    assert lines[0].startswith("New schedules from epoch 3 (epochs 3 instead of 4): lr 0.025 ")
    assert re.search(r"in epoch 3; epoch 2 had lr 0\.0853\d and tau 0\.\d+\.$", lines[0])
    assert run.config["changes"] == [{"epoch": 2, "step": 1, "epochs": [4, 3]}]


def test_other_number_of_devices_is_reported_where_it_changes_batch_norms(run):
    lines = record_changes(run, SETTINGS, Checkpoint(2, 0, {}), 2)
    assert lines == [
        "From epoch 3, 2 devices train instead of 1: each batch norm computes its statistics over "
        "5 images instead of 10, so the weights will differ from a training on 1."
    ]
    assert runs.Run.open(run.path).config["changes"] == [
        {"epoch": 2, "step": 0, "replicas": [1, 2]}
    ]
    assert record_changes(run, SETTINGS, Checkpoint(2, 0, {}), 2) == []


def test_devices_do_not_matter_to_synchronised_batch_norms_and_finished_runs(run):
    finished = Checkpoint(4, 0, {})
    assert record_changes(run, SETTINGS, finished, 2) == []
    assert "changes" not in run.config
    run.config["settings"]["sync_batch_norm"] = True
    synchronised = replace(SETTINGS, sync_batch_norm=True)
    assert record_changes(run, synchronised, Checkpoint(2, 0, {}), 2) == []
    assert run.config["changes"] == [{"epoch": 2, "step": 0, "replicas": [1, 2]}]


def test_recipe_does_not_undo_an_extension(run, tmp_path):
    where = ["--results_dir", str(tmp_path), "--save", "run"]
    recipe = ["train", "--resume", "--recipe", "cifar10-resnet20", *where]
    recipe += ["--dataset", "digits", "-b", "10"]
    settings, _ = resolve(command_parser().parse_args(recipe))
    assert settings.epochs == 4
    settings, _ = resolve(command_parser().parse_args([*recipe, "--epochs", "9"]))
    assert settings.epochs == 9


@pytest.mark.slow
@pytest.mark.usefixtures("_digits")
def test_run_is_resumed_on_other_devices_and_reports_what_that_changes(
    settings, finished_copy, capsys
):
    longer = replace(settings, epochs=5, strategy="mirrored")
    run = training.train(longer, finished_copy.path, resume=True)
    assert "From epoch 5, 2 devices train instead of 1: each batch norm" in capsys.readouterr().out
    assert run.config["replicas"] == 2
    assert len(run.metrics()) == 5


@pytest.mark.slow
@pytest.mark.usefixtures("_digits")
def test_advice_where_every_checkpoint_is_damaged_can_be_followed(finished_copy, tmp_path, capsys):
    run = finished_copy
    for path in (run.path / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="is damaged and was skipped"):
        assert run_train(tmp_path, "--resume") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    advice = re.search(
        r"checkpoints is damaged\. Start a new training from its best model with (--init-from .*) "
        r"and another --save\.",
        error,
    )
    options = shlex.split(advice[1])
    assert options[1] == str(run.model_path("best"))
    other = ["--results_dir", str(tmp_path), "--save", "other", "--epochs", "1"]
    assert cli.main(["train", *options, *other]) == 0
    assert runs.Run.open(tmp_path / "other").config["init_from"] == str(run.model_path("best"))


def test_advice_where_every_checkpoint_is_damaged_names_a_model_that_can_be_loaded(finished_copy):
    run = finished_copy
    for path in (run.path / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    run.model_path("best").write_bytes(b"PK")
    with (
        pytest.warns(UserWarning, match="is damaged and was skipped"),
        pytest.raises(ValueError, match=r"from its last model with --init-from .*last\.keras "),
    ):
        training.train(Settings.of_run(run), run.path, resume=True)
    run.model_path("last").unlink()
    with (
        pytest.warns(UserWarning, match="is damaged and was skipped"),
        pytest.raises(ValueError, match=r"Neither best\.keras nor last\.keras can be loaded"),
    ):
        training.train(Settings.of_run(run), run.path, resume=True)
