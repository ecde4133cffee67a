import json
import statistics

import pytest
from conftest import few_digits, tiny_resnet

from experiments import cli
from recu_tf import runs, training
from recu_tf.settings import Settings
from recu_tf.training.errors import TrainingInterrupted

SMALL = "--dataset digits -a resnet20_1w1a -b 12 --epochs 1 --seed 4 --seeds 2"


@pytest.mark.slow
def test_seeds_are_trained_resumed_and_summarised(monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch, build=tiny_resnet)
    command = ["train", *SMALL.split(), "--validation_split", "0.3"]
    command += ["--results_dir", str(tmp_path), "--save", "seeds"]
    train = training.train

    def stop_second_seed(settings, *arguments, **options):
        if settings.seed == 5:
            raise TrainingInterrupted("SIGTERM: stopped", 15)
        return train(settings, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", stop_second_seed)
        assert cli.main(command) == 128 + 15
    assert f"To resume: recu {' '.join(command)} --resume" in capsys.readouterr().err
    first = tmp_path / "seeds" / "seed4"
    before = (first / "last.keras").read_bytes()
    assert not (tmp_path / "seeds" / "seeds.json").exists()

    assert cli.main([*command, "--resume"]) == 0
    printed = capsys.readouterr().out
    assert "All 1 epochs had been trained before" in printed
    trained = [runs.Run.open(tmp_path / "seeds" / f"seed{seed}") for seed in (4, 5)]
    assert [Settings.of_run(run).seed for run in trained] == [4, 5]
    assert before == (first / "last.keras").read_bytes()
    accuracies = [run.metrics()[0]["val_accuracy"] for run in trained]
    summary = json.loads((tmp_path / "seeds" / "seeds.json").read_text())
    assert [row["top_1"] for row in summary["runs"]] == accuracies
    assert summary["top_1"]["deviation"] == pytest.approx(statistics.stdev(accuracies))
    assert summary["test_top_1"]["mean"] == pytest.approx(
        statistics.mean(run.config["test"]["top_1"] for run in trained)
    )
    assert "top-1, held-out training images" in printed
    assert "standard deviation (n - 1)" in printed

    # Without its seeds, the command would begin others.
    place = ["--results_dir", str(tmp_path), "--save", "seeds"]
    assert cli.main(["train", "--resume", "--seeds", "2", *place]) == 2
    assert "--resume needs the whole command of these runs" in capsys.readouterr().err
    assert cli.main(command) == 2
    assert "exists and is not an empty directory" in capsys.readouterr().err
    # A seed that has not begun takes the settings of the first.
    again = ["train", "--resume", "--seeds", "3", "--seed", "4", *place]
    assert cli.main(again) == 0
    third = Settings.of_run(runs.Run.open(tmp_path / "seeds" / "seed6"))
    assert (third.dataset, third.epochs, third.validation_split) == ("digits", 1, 0.3)
