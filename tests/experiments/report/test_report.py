import json
import os
import re

import numpy as np
import pytest
from pages import Page, charts_of
from reported_runs import (
    IMAGES,
    LAYERS,
    change_config,
    copy_run,
    line,
    write_lines,
)

from experiments import cli
from experiments.report import report, tables
from experiments.report import run_data as report_contents
from recu_tf import data, evaluation, larq_summary, metrics, networks, runs


def test_page_shows_all_there_is_of_a_run(reported_run):
    path = report([reported_run.path])
    assert path == reported_run.path / "report.html"
    page = Page(path)
    assert page.sections == ["curves", "layers", "weights", "memory", "confusion", "settings"]
    labels = [svg["aria-label"] for svg in page.all("svg", role="img")]
    for title in ("Loss (cross-entropy)", "Accuracy (top-1, %)", "Learning rate", "Temperature"):
        assert sum(label.startswith(title) for label in labels) == 1
    assert "run, test: from 2.2 to 0.44; " not in labels[0]  # the last line has nothing behind it
    assert "over 5 epochs. run, training: from 2 to 0.4; run, test: from 2.2 to 0.44" in labels[0]
    for name in LAYERS:
        assert sum(label.startswith(f"Weights of {name}.") for label in labels) == 1
    assert len(page.all("image")) == len(metrics.METRICS)
    assert "76.00% (epoch 5)" in page.text
    assert "missing" not in {found.get("class") for _, found in page.elements}

    profile = larq_summary.profile(reported_run.load_model())
    assert f"{profile.memory / 8 / 1024:,.2f}" in page.text
    assert f"{profile.op_count('mac', 1):,}" in page.text


def test_page_needs_nothing_from_outside(reported_run):
    page = Page(report([reported_run.path]))
    (script,) = page.all("script")
    assert script == {}
    links = [
        found.get(key) for _, found in page.elements for key in ("src", "href") if key in found
    ]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.findall(r"url\((?!#)|xlink:href=\"(?!#|data:)", page.source)
    assert "@import" not in page.source


def test_numbers_of_each_chart_stand_beside_its_drawing(reported_run):
    page = Page(report([reported_run.path]))
    found = charts_of(page.source)
    kinds = [chart["kind"] for chart in found]
    assert kinds == ["lines"] * 8 + ["map"] * len(metrics.METRICS) + ["steps"] * len(LAYERS)
    loss = found[0]
    assert (loss["title"], loss["x"]) == ("Loss", [1, 2, 3, 4, 5])
    training, test = loss["series"]
    assert training["dashed"]
    assert training["dash"] == pytest.approx([4 * 96 / 72, 4])
    assert test["y"] == [2.2, 1.1, 0.733333, 0.55, 0.44]
    dead = found[8]
    assert dead["rows"] == LAYERS
    assert dead["values"][0] == [50, 25, 16.6667, 12.5, 10]
    assert len(page.all("figure")) == len(found)


def test_confusion_matrix_counts_every_test_image(reported_run):
    contents = report_contents.read(reported_run, "run")
    batches, _ = evaluation.load_evaluation_set(reported_run)
    predict = networks.make_keras_classifier(reported_run.load_model("best")).predict
    values = evaluation.evaluate(predict, batches)
    assert contents.confusion.sum() == IMAGES
    assert np.trace(contents.confusion) == round(values["top_1"] * IMAGES)
    _, labels = data.load("digits", "test")
    assert contents.confusion.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()
    page = Page(report([reported_run.path]))
    assert f"{values['top_1']:.2%} of {IMAGES} right" in page.text


def test_weights_are_those_of_the_best_model(reported_run):
    weights = report_contents.read(reported_run, "run").weights
    assert list(weights) == LAYERS
    layer = reported_run.load_model("best").get_layer("layer1.0.conv1")
    kernel = layer.get_weights()[0].astype(np.float64).reshape(-1, 8)
    kernel = kernel - kernel.mean(axis=0)
    standardized = kernel * np.sqrt(8 / (kernel.var(axis=0, ddof=1) + 1e-5))
    tau = float(layer.kernel_quantizer.tau)
    limit = -np.abs(standardized).mean() * np.log(2 - 2 * tau)
    got = weights["layer1.0.conv1"]
    # Both from the same float32 kernel; the report's sums are in float32.
    assert got.limit == pytest.approx(limit, rel=1e-5)
    assert got.dead == pytest.approx((np.abs(standardized) > limit).mean(), abs=1e-3)
    inside = np.histogram(standardized, report_contents.EDGES)[0] / standardized.size
    np.testing.assert_allclose(got.shares, inside, atol=1e-3)


@pytest.mark.slow
def test_several_runs_are_laid_over_each_other_and_their_differences_marked(
    reported_run, finished_training, tmp_path
):
    other = copy_run(finished_training.run, tmp_path / "other")
    change_config(other, lr=0.02)
    out = tmp_path / "both.html"
    assert report([reported_run.path, other.path], out) == out
    page = Page(out)
    assert "2 runs" in page.text
    labels = [svg["aria-label"] for svg in page.all("svg", role="img")]
    assert "run, test: from 2.2 to 0.44" in labels[0]
    assert "other, test: from 2.2 to 0.44" in labels[0]
    assert len(page.all("image")) == 2 * len(metrics.METRICS)
    marked = re.findall(r'<tr class="differs"><th scope="row">(.*?) ≠</th>', page.source)
    assert marked == ["lr"]
    # One network, one table of its layers.
    assert page.text.count("Layers of run, other; those without weights are left out") == 1


def test_runs_of_the_same_name_have_their_paths_for_names(
    reported_run, finished_training, tmp_path
):
    other = copy_run(finished_training.run, tmp_path / "again" / "run")
    report([reported_run.path, other.path], tmp_path / "page.html")
    header = re.search("Setting</th>(.*?)</tr>", (tmp_path / "page.html").read_text())[1]
    assert re.findall(">([^<]+)</th>", header) == [str(reported_run.path), str(other.path)]


def test_runs_of_several_seeds_are_one_line(reported_run, finished_training, tmp_path):
    for seed in (0, 1):
        member = copy_run(finished_training.run, tmp_path / "seeds" / f"seed{seed}")
        change_config(member, seed=seed)
        write_lines(member, *(line(epoch, val_loss=1.0 + seed) for epoch in range(5)))
    page = Page(report([tmp_path / "seeds", reported_run.path]))
    assert (tmp_path / "seeds" / "report.html").exists()
    loss = charts_of(page.source)[0]
    assert [line["label"] for line in loss["series"]] == [
        "seeds, training",
        "seeds, test",
        "run, training",
        "run, test",
    ]
    assert loss["series"][1]["y"] == [1.5] * 5
    assert loss["series"][1]["deviation"] == pytest.approx([0.707107] * 5)
    assert "deviation" not in loss["series"][3]
    assert "seeds (2 seeds)" in page.text
    assert f"of {2 * IMAGES} right" in page.text


def test_names_from_files_cannot_become_html(reported_run, tmp_path):
    evil = '<img src=x onerror="alert(1)">&'
    path = reported_run.path.rename(tmp_path / '<b onclick="x">&amp;')
    config = json.loads((path / "config.json").read_text())
    config["class_names"] = [f"{evil}{number}" for number in range(10)]
    config["settings"]["model"] = evil
    config[evil] = {evil: evil}
    (path / "config.json").write_text(json.dumps(config))
    renamed = runs.Run.open(path)
    write_lines(renamed, line(0, layers={evil: dict.fromkeys(metrics.METRICS, 0.5)}))
    page = Page(report([path]))
    assert not page.all("img")
    assert not [found for _, found in page.elements if {"onerror", "onclick"} & set(found)]
    assert page.text.count(evil) > 4
    assert evil in {row for chart in charts_of(page.source) for row in chart.get("rows", ())}


def test_many_classes_are_shown_as_the_pairs_most_often_confused():
    counts = np.diag(np.full(40, 50))
    counts[3, 7], counts[7, 3], counts[39, 0] = 9, 10, 1
    run = runs.Run(None, {"class_names": None, "num_classes": 40})
    contents = report_contents.Contents(run, "many", confusion=counts)
    assert tables.make_confused_pairs(contents).rows == [
        ["7", "3", "10", "16.7%"],
        ["3", "7", "9", "15.3%"],
        ["39", "0", "1", "2.0%"],
    ]


def test_durations_are_in_units_that_suit_them(reported_run):
    write_lines(reported_run, line(0, seconds=70.2), line(1, seconds=68.0))
    text = Page(report([reported_run.path])).text
    assert "1 min 9 s" in text
    assert "2 min 18 s" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not a run directory"),
        (["{run}", "nowhere"], "nowhere is not a run directory"),
        (["{run}", "--out", "missing/page.html"], "`--out`: the directory missing does not exist"),
        (
            ["{run}", "--out", "page.txt"],
            "`--out` must be the name of an .html file, got 'page.txt'",
        ),
        (["{run}/config.json"], "config.json is a file, where a run directory is expected"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(
    arguments, message, reported_run, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["report", *(text.format(run=reported_run.path) for text in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert sorted(tmp_path.rglob("*")) == before


def test_too_many_runs_are_refused_before_any_is_looked_for(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["report", *(f"run{number}" for number in range(9))])
    message = "argument RUN: must be 1 to 8 run directories, got 9\n"
    assert capsys.readouterr().err == f"recu report: error: {message}"


def test_stages_of_seeds_count_as_lines(reported_run, finished_training, tmp_path):
    for stage in range(1, 10):
        copy_run(finished_training.run, tmp_path / "seeds" / "seed0" / f"stage{stage}")
    with pytest.raises(ValueError, match="`RUN` must be 1 to 8 lines of runs, got 9"):
        report([tmp_path / "seeds"])


def test_place_that_cannot_be_written_to_is_refused_first(reported_run, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(report_contents, "read", lambda *_: pytest.fail("runs were read"))
    with pytest.raises(PermissionError, match="cannot be written to; `--out` names another"):
        report([reported_run.path])


def test_command_writes_the_page_and_says_where(reported_run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert cli.main(["report", str(reported_run.path), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"Wrote {out}\n"
    assert "</html>" in out.read_text()
