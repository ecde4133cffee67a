import signal
from dataclasses import asdict

import numpy as np
import pytest
from conftest import few_digits, tiny_resnet

from experiments import cli
from experiments.commands.parser import command_parser
from experiments.stages import list_stages
from experiments.training_settings import resolve
from recu_tf import models, runs
from recu_tf.settings import Settings
from recu_tf.training.progress import Progress

RECIPE = "cifar10-resnet20-two-stage"
DESCRIPTION = {
    "num_classes": 10,
    "class_names": None,
    "input_shape": [32, 32, 3],
    "normalization": {"mean": [0.0] * 3, "std": [1.0] * 3},
}
SMALL = f"train --recipe {RECIPE} --dataset digits -b 8 -bt 5 --epochs 1".split()


def resolved(command):
    stages = list_stages(command_parser().parse_args(["train", *command.split()]))
    return [(stage, *resolve(stage)) for stage in stages]


def test_recipe_of_two_stages_is_two_trainings():
    command = f"--recipe {RECIPE} --save both --results_dir there --batch_size 64 --teacher T"
    (first, *one), (second, *two) = resolved(command)
    assert [str(directory) for _, directory in (one, two)] == [
        "there/both/stage1",
        "there/both/stage2",
    ]
    assert (first.stage1, second.stage1) == (None, "there/both/stage1")
    settings = one[0], two[0]
    assert [stage.network_precision for stage in settings] == ["binary_activations", "binary"]
    assert {stage.batch_size for stage in settings} == {64}
    assert {stage.teacher for stage in settings} == {"T"}
    assert [stage.epochs for stage in settings] == [200, 400]


def test_other_commands_are_a_single_training():
    for command in ("--recipe cifar10-resnet20", f"--recipe {RECIPE}-stage1", "--dataset digits"):
        assert len(resolved(command)) == 1


def test_second_stage_inherits_images_and_teaching_from_the_first(tmp_path):
    first = Settings(
        model="resnet20_1w1a", dataset="digits", data_path="D", teacher="T", temperature=2.0
    )
    runs.Run.create(tmp_path / "first", {"settings": asdict(first), **DESCRIPTION})
    command = f"--recipe {RECIPE}-stage2 --stage1 {tmp_path / 'first'}"
    ((_, settings, _),) = resolved(command)
    assert (settings.dataset, settings.data_path) == ("cifar10", "D")
    assert (settings.teacher, settings.temperature) == ("T", 2.0)
    assert settings.network_precision == "binary"
    ((_, settings, _),) = resolved(f"{command} --teacher U")
    assert (settings.teacher, settings.temperature) == ("U", 1.0)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (f"--recipe {RECIPE} --init_from X", f"--init_from is not for --recipe {RECIPE}, which"),
        (f"--recipe {RECIPE} --stage1 X", f"second alone is --recipe {RECIPE}-stage2"),
        (f"--recipe {RECIPE} --network_precision float", "each stage has its own"),
        (f"--recipe {RECIPE}-stage2", f"--recipe {RECIPE}-stage2 needs --stage1, which was not"),
        ("--recipe imagenet-two-stage-resnet18", "needs --teacher, which was not given"),
        ("--recipe imagenet-two-stage-resnet18-stage1", "needs --teacher, which was not given"),
        ("--resume --save absent", "absent, and no settings were given to start one"),
        (
            f"--recipe {RECIPE} --model zoo/QuickNetSmall",
            "`network_precision` must be binary for zoo/QuickNetSmall, of larq-zoo",
        ),
        ("--stage1 absent --dataset digits", "`stage1` must be a run directory"),
    ],
)
def test_mistakes_are_one_line(flags, message, tmp_path, capsys):
    where = ["--results_dir", str(tmp_path / "results")]
    assert cli.main(["train", *flags.split(), *where]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "results").exists()


@pytest.fixture
def trained(monkeypatch, tmp_path, capsys):
    """The directory and the printed lines of a recipe of two stages."""
    few_digits(monkeypatch, build=tiny_resnet)
    where = ["--results_dir", str(tmp_path), "--save", "both"]
    assert cli.main([*SMALL, *where]) == 0
    return tmp_path / "both", capsys.readouterr().out


def test_one_command_trains_both_stages(trained, tmp_path, capsys):
    directory, printed = trained
    assert f"Stage 1 of 2: {directory / 'stage1'}\n" in printed
    assert f"Stage 2 of 2: {directory / 'stage2'}\n" in printed
    assert "Published" not in printed
    precisions = []
    for number in (1, 2):
        run = runs.Run.open(directory / f"stage{number}")
        assert len(run.metrics()) == 1
        precisions.append(models.get_precision(run.load_model("last")))
    assert precisions == ["binary_activations", "binary"]
    assert run.config["stage1"] == str(directory / "stage1")
    # Neither stage is begun where the second has no place.
    for file in (directory / "stage1").iterdir():
        file.rename(tmp_path / file.name)
    where = ["--results_dir", str(tmp_path), "--save", "both"]
    assert cli.main([*SMALL, *where]) == 2
    assert f"{directory / 'stage2'} already holds a run" in capsys.readouterr().err
    assert not list((directory / "stage1").iterdir())


@pytest.mark.slow
def test_interrupted_recipe_resumes_with_the_printed_command(
    trained, monkeypatch, tmp_path, capsys
):
    directory, _ = trained
    where = ["--results_dir", str(tmp_path), "--save", "again"]
    on_train_batch_end = Progress.on_train_batch_end

    def interrupt(self, batch, logs=None):
        on_train_batch_end(self, batch, logs)
        if batch == 0:
            signal.raise_signal(signal.SIGTERM)

    command = [*SMALL, *where]
    for _ in range(2):
        # A signal in the first step that is trained stops after the step that follows. What is left
        # of the first stage then is its last step: the second command is stopped in the second.
        with monkeypatch.context() as patch:
            patch.setattr(Progress, "on_train_batch_end", interrupt)
            assert cli.main(command) == 128 + signal.SIGTERM
        printed = capsys.readouterr().err
        assert "stopped in epoch 1 after step 2 of 3 and saved. To resume: recu train" in printed
        command = printed.split("To resume: recu ")[1].split()
    assert cli.main(command) == 0
    for number in (1, 2):
        run, whole = (
            runs.Run.open(parent / f"stage{number}") for parent in (tmp_path / "again", directory)
        )
        pairs = zip(
            run.load_model("last").get_weights(),
            whole.load_model("last").get_weights(),
            strict=True,
        )
        for weight, expected in pairs:
            np.testing.assert_array_equal(weight, expected)
