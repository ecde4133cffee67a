"""The commands on a run with a model and images of the caller's own."""

import pytest
from own_data import make_arrays, make_model

from experiments import cli
from export.loading import sources
from recu_tf import training
from recu_tf.settings import Settings

SETTINGS = Settings(epochs=1, batch_size=8)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    data = (make_arrays(16), make_arrays(6, seed=1))
    path = tmp_path_factory.mktemp("results") / "run"
    return training.train(SETTINGS, path, model=make_model(), data=data, class_names=list("abc"))


def test_report_shows_the_curves_and_says_what_it_cannot_show(own_run, tmp_path, capsys):
    assert cli.main(["report", str(own_run.path), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Accuracies are those on the validation images" in page
    assert "validation images</span>" in page
    assert "No confusion matrix, the test images cannot be read" in page
    assert "was trained on images of your own" in page


def test_evaluation_and_resuming_say_in_one_line_what_they_lack(own_run, capsys):
    assert cli.main(["evaluate", str(own_run.path)]) == 2
    error = capsys.readouterr().err
    assert "`dataset` must be given for" in error
    assert "images of your own" in error
    assert error.count("\n") == 1
    place = ["--results_dir", str(own_run.path.parent), "--save", "run"]
    assert cli.main(["train", "--resume", *place]) == 2
    error = capsys.readouterr().err
    assert "`model` must be given, in Python, to recu_tf.training.train" in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_export_of_a_run_with_images_of_the_caller_is_verified_on_random_ones(own_run, tmp_path):
    source = sources.load(own_run.path)
    assert source.normalization is None
    assert not source.records_dataset
    assert list(source.class_names) == ["a", "b", "c"]
    assert cli.main(["export", str(own_run.path), "--out", str(tmp_path / "export")]) == 0
    labels = (tmp_path / "export" / "labels.txt").read_text().split()
    assert labels == ["a", "b", "c"]
    description = (tmp_path / "export" / "model.json").read_text()
    assert "random images" in description
    assert '"unknown"' in description
