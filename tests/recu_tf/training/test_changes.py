"""Runs that go on otherwise than they began: longer, slower, on other devices, or from a file."""

import re
import shlex
from dataclasses import asdict, replace

import pytest
from conftest import few_digits

from experiments import cli
from experiments.commands.parser import command_parser
from experiments.training_settings import resolve
from recu_tf import runs, schedules, training
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.settings import Settings
from recu_tf.training.changes import record_changes

SMALL = "--dataset digits -a resnet20_1w1a -b 12 -bt 5 --lr 0.01"
SETTINGS = Settings(model="resnet20_1w1a", dataset="digits", epochs=4, batch_size=10)


def trained(directory, *more):
    """The exit code of a training of two steps to an epoch in `directory`/run."""
    where = ["--results_dir", str(directory), "--save", "run"]
    return cli.main(["train", *SMALL.split(), *where, *more])


def resumed(directory, *more):
    return cli.main(["train", "--resume", "--results_dir", str(directory), "--save", "run", *more])


def test_finished_run_is_extended_by_the_schedules_of_its_new_length(monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch)
    assert trained(tmp_path, "--epochs", "1") == 0
    capsys.readouterr()
    assert resumed(tmp_path, "--epochs", "3") == 0
    printed = capsys.readouterr().out
    assert "New schedules from epoch 2 (epochs 3 instead of 1): lr 0.0075 and " in printed
    assert "; epoch 1 had lr 0.01 and tau 0.85.\n" in printed
    assert "Epoch 3/3" in printed
    run = runs.Run.open(tmp_path / "run")
    lines = run.metrics()
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    for line in lines[1:]:
        assert line["lr"] == pytest.approx(schedules.learning_rate(line["epoch"], 3, 0.01))
        assert line["tau"] == pytest.approx(schedules.exponential_tau(line["epoch"], 3))
    assert run.config["settings"]["epochs"] == 3
    assert run.config["changes"] == [{"epoch": 1, "step": 0, "epochs": [1, 3]}]

    # A finished run has no epochs to train, nor any for another change.
    assert "had been trained before" not in printed
    assert resumed(tmp_path) == 0
    assert "All 3 epochs had been trained before; a larger --epochs" in capsys.readouterr().out
    for change in ("--epochs 2", "--lr 0.5"):
        assert resumed(tmp_path, *change.split()) == 2
        assert "`epochs` must be more than the 3 that the run has already trained" in (
            capsys.readouterr().err
        )
    assert runs.Run.open(tmp_path / "run").config == run.config


def advised(errors):
    """The arguments of the command that a message names."""
    return shlex.split(re.search(r"To resume: recu (.*?)\. If", errors)[1])


def test_advice_after_a_loss_that_is_not_finite_can_be_followed(monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch)
    # So high a rate makes the weights infinite within a few steps.
    assert trained(tmp_path, "--epochs", "2", "--lr", "1e38") == 3
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    command = advised(errors)
    assert command[-2:] == ["--lr", "0.1"]
    assert cli.main(command) == 0
    assert "(lr 0.1 instead of 1e+38)" in capsys.readouterr().out
    run = runs.Run.open(tmp_path / "run")
    assert [line["lr"] for line in run.metrics()] == [pytest.approx(0.1), pytest.approx(0.05)]
    assert run.config["changes"] == [{"epoch": 0, "step": 0, "lr": [1e38, 0.1]}]


@pytest.fixture
def run(tmp_path):
    """The directory of a run that nobody trained."""
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


def test_other_number_of_devices_is_told_where_batch_norms_see_less(run):
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


def test_recipe_does_not_take_back_an_extension(run, tmp_path):
    where = ["--results_dir", str(tmp_path), "--save", "run"]
    recipe = ["train", "--resume", "--recipe", "cifar10-resnet20", *where]
    recipe += ["--dataset", "digits", "-b", "10"]
    settings, _ = resolve(command_parser().parse_args(recipe))
    assert settings.epochs == 4
    settings, _ = resolve(command_parser().parse_args([*recipe, "--epochs", "9"]))
    assert settings.epochs == 9


@pytest.mark.slow
def test_run_is_resumed_on_other_devices_and_says_what_that_changes(monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch)
    settings = replace(SETTINGS, epochs=1, batch_size=12, lr=0.01)
    training.train(settings, tmp_path / "run")
    capsys.readouterr()
    longer = replace(settings, epochs=2, strategy="mirrored")
    run = training.train(longer, tmp_path / "run", resume=True)
    assert "From epoch 2, 2 devices train instead of 1: each batch norm" in (
        capsys.readouterr().out
    )
    assert run.config["replicas"] == 2
    assert len(run.metrics()) == 2


@pytest.mark.slow
def test_where_every_checkpoint_is_damaged_the_way_out_can_be_followed(
    monkeypatch, tmp_path, capsys
):
    few_digits(monkeypatch)
    assert trained(tmp_path, "--epochs", "1") == 0
    run = runs.Run.open(tmp_path / "run")
    for path in (run.path / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    capsys.readouterr()
    with pytest.warns(UserWarning, match="is damaged and was skipped"):
        assert resumed(tmp_path) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    start = (
        r"checkpoints is damaged\. Start a new training from its best model with (.*) and another"
    )
    named = re.search(start + r" --save\.", error)[1]
    assert named.startswith("--init-from ")
    assert shlex.split(named)[1] == str(run.model_path("best"))
    other = ["--results_dir", str(tmp_path), "--save", "other", "--epochs", "1"]
    assert cli.main(["train", *shlex.split(named), *other]) == 0
    assert runs.Run.open(tmp_path / "other").config["init_from"] == str(run.model_path("best"))
    # A model that is damaged as well is not named.
    run.model_path("best").write_bytes(b"PK")
    with (
        pytest.warns(UserWarning, match="is damaged and was skipped"),
        pytest.raises(ValueError, match=r"from its last model with --init-from .*last\.keras .*"),
    ):
        training.train(Settings.of_run(run), run.path, resume=True)
    run.model_path("last").unlink()
    with (
        pytest.warns(UserWarning, match="is damaged and was skipped"),
        pytest.raises(ValueError, match=r"Neither best\.keras nor last\.keras can be loaded"),
    ):
        training.train(Settings.of_run(run), run.path, resume=True)
