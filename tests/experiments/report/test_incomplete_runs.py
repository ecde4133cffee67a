"""Reports of runs that lack files, or whose files are damaged: the rest is shown."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from pages import Page
from reported_runs import LAYERS, line, write_lines

from experiments.report import report
from experiments.report import run_data as report_contents
from recu_tf import data, metrics, runs


def remove_metrics(run, monkeypatch):
    (run.path / "metrics.jsonl").unlink()


def cut_the_last_line(run, monkeypatch):
    write_lines(run, line(0), line(1), json.dumps(line(2))[:40])


def write_no_diagnostics(run, monkeypatch):
    plain = [
        {k: v for k, v in line(e).items() if k not in ("layers", *metrics.METRICS)} for e in (0, 4)
    ]
    write_lines(run, *plain)


def write_rubbish(run, monkeypatch):
    write_lines(
        run,
        "[]",
        '{"epoch": 1e300}',
        line(0, val_loss="high", loss=math.nan, layers=[1], tau=None, seconds=True),
        line(4, layers={LAYERS[0]: 3, LAYERS[1]: {"dead_weights": math.inf}}, lr=-math.inf),
    )


def damage_best(run, monkeypatch):
    run.model_path("best").write_bytes(b"PK")


def remove_models(run, monkeypatch):
    for which in runs.WHICH:
        run.model_path(which).unlink()


def make_imported(run, monkeypatch):
    remove_metrics(run, monkeypatch)
    config = {**run.config, "imported": {"file": "model.pth.tar", "epoch": 7}}
    (run.path / "config.json").write_text(json.dumps(config))


def lose_the_images(run, monkeypatch):
    def read(split, data_path):
        raise FileNotFoundError("nothing lies in /data")

    digits = replace(data.DATASETS["digits"], read=read)
    monkeypatch.setitem(data.DATASETS, "digits", digits)


def damage_settings(run, monkeypatch):
    config = {**run.config, "settings": None}
    (run.path / "config.json").write_text(json.dumps(config))


ALL = {"curves", "layers", "weights", "memory", "confusion", "settings"}


@pytest.mark.parametrize(
    ("harm", "lost", "note"),
    [
        (remove_metrics, {"curves", "layers"}, "There is no metrics.jsonl"),
        (
            cut_the_last_line,
            set(),
            r"has 1 line that cannot be read[\s\S]*The training has not ended: 2 of 5 epochs\.",
        ),
        (write_no_diagnostics, {"layers"}, "There are no diagnostics of the layers"),
        (write_rubbish, {"layers"}, "has 2 lines that cannot be read"),
        pytest.param(
            damage_best,
            set(),
            r"Shown of the last model instead of the best: .*best\.keras is damaged",
            marks=pytest.mark.slow,
        ),
        (remove_models, {"weights", "memory", "confusion"}, "No weights, memory and confusion"),
        (make_imported, {"curves", "layers"}, "Imported from a checkpoint: it has no training"),
        pytest.param(
            lose_the_images,
            {"confusion"},
            "the test images cannot be read: nothing lies in /data",
            marks=pytest.mark.slow,
        ),
        (damage_settings, {"confusion"}, "cannot be read: `settings` in .*config.json"),
    ],
)
def test_missing_files_are_noted_and_the_rest_is_shown(harm, lost, note, reported_run, monkeypatch):
    harm(reported_run, monkeypatch)
    page = Page(report([reported_run.path]))
    assert set(page.sections) == ALL - lost
    assert re.search(note, page.text)
    assert not re.search(r"\b(nan|inf)\b", re.sub('base64,[^"]*', "", page.source))


def test_of_an_epoch_trained_twice_the_later_line_counts(reported_run):
    write_lines(reported_run, line(0), line(1, lr=1.0), line(1, lr=0.5), line(2))
    contents = report_contents.read(reported_run, "run")
    assert contents.values("lr") == [(1, 0.1), (2, 0.5), (3, 0.1)]


def test_epochs_without_a_line_or_without_layers_are_left_blank(reported_run):
    write_lines(reported_run, line(1), line(3), line(4, layers={}))
    contents = report_contents.read(reported_run, "run")
    values = contents.layer_values("dead_weights")[LAYERS[0]]
    np.testing.assert_array_equal(values, [0.25, np.nan, 0.125, np.nan])
    assert "nan" not in Page(report([reported_run.path])).text


def test_run_that_is_named_twice_is_refused(reported_run):
    with pytest.raises(ValueError, match=r"`RUN` must name each run once, got .*run twice"):
        report([reported_run.path, reported_run.path / ".." / reported_run.path.name])
    assert not (reported_run.path / "report.html").exists()
