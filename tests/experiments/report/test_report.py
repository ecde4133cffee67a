import base64
import html
import json
import math
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits, tiny_resnet
from pages import Page, contrast, measured, opened

from experiments import cli
from experiments.report import charts, maps, report, tables
from experiments.report import run_data as report_contents
from recu_tf import data, evaluation, larq_summary, metrics, networks, runs, training
from recu_tf.runs import run as run_module
from recu_tf.settings import Settings

LAYERS = ["layer1.0.conv1", "layer1.0.conv2"]
IMAGES = 10


def line(epoch, **more):
    """A line of metrics.jsonl, with diagnostics that depend on the epoch."""
    values = dict.fromkeys(metrics.METRICS, 0.5 / (epoch + 1))
    return {
        "epoch": epoch,
        "loss": 2 / (epoch + 1),
        "val_loss": 2.2 / (epoch + 1),
        "accuracy": 0.2 * epoch,
        "val_accuracy": 0.19 * epoch,
        "lr": 0.1,
        "tau": 0.9,
        "seconds": 1.5,
        **values,
        "layers": {
            name: {metric: value / (at + 1) for metric, value in values.items()}
            for at, name in enumerate(LAYERS)
        },
        **more,
    }


def write_lines(run, *lines):
    texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
    (run.path / "metrics.jsonl").write_text("\n".join(texts) + "\n")


def change_config(run, **settings):
    config = json.loads((run.path / "config.json").read_text())
    config["settings"].update(settings)
    (run.path / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small network trained on a few digits."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_digits(monkeypatch, test=IMAGES, build=tiny_resnet)
        settings = Settings(
            model="resnet20_1w1a",
            dataset="digits",
            epochs=1,
            batch_size=24,
            batch_size_test=5,
            lr=0.01,
        )
        return training.train(settings, tmp_path_factory.mktemp("trained") / "run").path


@pytest.fixture(scope="module")
def loaded():
    return {}


@pytest.fixture
def run(trained, loaded, monkeypatch, tmp_path):
    """A copy of it, with diagnostics of five epochs."""
    few_digits(monkeypatch, test=IMAGES, build=tiny_resnet)
    load = run_module.load_keras

    def load_once(path):
        # What is loaded is never changed here, and loading takes most of a report's time.
        content = path.read_bytes()
        if content not in loaded:
            loaded[content] = load(path)
        return loaded[content]

    monkeypatch.setattr(run_module, "load_keras", load_once)
    return copy(trained, tmp_path / "run")


def copy(trained, path):
    shutil.copytree(trained, path)
    run = runs.Run.open(path)
    change_config(run, epochs=5)
    write_lines(run, *(line(epoch) for epoch in range(5)))
    return runs.Run.open(path)


def test_page_shows_all_there_is_of_a_run(run):
    path = report([run.path])
    assert path == run.path / "report.html"
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

    profile = larq_summary.profile(run.load_model())
    assert f"{profile.memory / 8 / 1024:,.2f}" in page.text
    assert f"{profile.op_count('mac', 1):,}" in page.text


def test_page_needs_nothing_from_outside(run):
    page = Page(report([run.path]))
    (script,) = page.all("script")
    assert script == {}
    links = [
        found.get(key) for _, found in page.elements for key in ("src", "href") if key in found
    ]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.findall(r"url\((?!#)|xlink:href=\"(?!#|data:)", page.source)
    assert "@import" not in page.source


def charts_of(source):
    """The numbers beside the drawings of a page or a chart."""
    return [json.loads(html.unescape(text)) for text in re.findall('data-chart="(.*?)"', source)]


def test_numbers_of_each_chart_stand_beside_its_drawing(run):
    page = Page(report([run.path]))
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


def test_confusion_matrix_counts_every_test_image(run):
    contents = report_contents.read(run, "run")
    batches, _ = evaluation.load_evaluation_set(run)
    predict = networks.make_keras_classifier(run.load_model("best")).predict
    values = evaluation.evaluate(predict, batches)
    assert contents.confusion.sum() == IMAGES
    assert np.trace(contents.confusion) == round(values["top_1"] * IMAGES)
    _, labels = data.load("digits", "test")
    assert contents.confusion.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()
    page = Page(report([run.path]))
    assert f"{values['top_1']:.2%} of {IMAGES} right" in page.text


def test_weights_are_those_of_the_best_model(run):
    weights = report_contents.read(run, "run").weights
    assert list(weights) == LAYERS
    layer = run.load_model("best").get_layer("layer1.0.conv1")
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
def test_several_runs_are_laid_over_each_other_and_their_differences_marked(run, trained, tmp_path):
    other = copy(trained, tmp_path / "other")
    change_config(other, lr=0.02)
    out = tmp_path / "both.html"
    assert report([run.path, other.path], out) == out
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


def test_runs_of_the_same_name_have_their_paths_for_names(run, trained, tmp_path):
    other = copy(trained, tmp_path / "again" / "run")
    report([run.path, other.path], tmp_path / "page.html")
    header = re.search("Setting</th>(.*?)</tr>", (tmp_path / "page.html").read_text())[1]
    assert re.findall(">([^<]+)</th>", header) == [str(run.path), str(other.path)]


def test_runs_of_several_seeds_are_one_line(run, trained, tmp_path):
    for seed in (0, 1):
        member = copy(trained, tmp_path / "seeds" / f"seed{seed}")
        change_config(member, seed=seed)
        write_lines(member, *(line(epoch, val_loss=1.0 + seed) for epoch in range(5)))
    page = Page(report([tmp_path / "seeds", run.path]))
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
def test_missing_files_are_noted_and_the_rest_is_shown(harm, lost, note, run, monkeypatch):
    harm(run, monkeypatch)
    page = Page(report([run.path]))
    assert set(page.sections) == ALL - lost
    assert re.search(note, page.text)
    assert not re.search(r"\b(nan|inf)\b", re.sub('base64,[^"]*', "", page.source))


def test_of_an_epoch_trained_twice_the_later_line_counts(run):
    write_lines(run, line(0), line(1, lr=1.0), line(1, lr=0.5), line(2))
    contents = report_contents.read(run, "run")
    assert contents.values("lr") == [(1, 0.1), (2, 0.5), (3, 0.1)]


def test_epochs_without_a_line_or_without_layers_are_left_blank(run):
    write_lines(run, line(1), line(3), line(4, layers={}))
    contents = report_contents.read(run, "run")
    values = contents.layer_values("dead_weights")[LAYERS[0]]
    np.testing.assert_array_equal(values, [0.25, np.nan, 0.125, np.nan])
    assert "nan" not in Page(report([run.path])).text


def test_names_from_files_cannot_become_html(run, tmp_path):
    evil = '<img src=x onerror="alert(1)">&'
    path = run.path.rename(tmp_path / '<b onclick="x">&amp;')
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


def texts_of(svg):
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


def markers_of(svg):
    """x, y and what the tooltip says of each marker of a chart's lines."""
    found = re.findall(r'<use [^>]*x="([^"]*)" y="([^"]*)"[^>]*><title>([^<]*)</title>', svg)
    return [(float(x), float(y), text) for x, y, text in found]


def lines_of(svg):
    """Run, offset (modulo the period) and dashes of each line of a run, from the bottom up."""
    found = re.findall(
        r'<path d="[^"]*" style="fill: none; ([^"]*stroke: var\(--run\d\)[^"]*)"', svg
    )
    lines = []
    for style in found:
        dashes = re.search(r"stroke-dasharray: ?([\d.]+), ?([\d.]+)", style)
        offset = re.search(r"stroke-dashoffset: ?(-?[\d.]+)", style)
        lines.append(
            (
                int(re.search(r"--run(\d)", style)[1]),
                *((float(offset[1]), *map(float, dashes.groups())) if dashes else ()),
            )
        )
    return lines


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-12, 12, ["-10", "-5", "0", "5", "10"]),
        (0.99994, 1.0, ["0.99994", "0.99996", "0.99998", "1.00000"]),
        (3, 2004, ["0", "500", "1000", "1500", "2000"]),
        (0, 3e-5, ["0.00000", "0.00001", "0.00002", "0.00003"]),
    ],
)
def test_ticks_are_round_and_written_as_exactly_as_needed(low, high, expected):
    points = [(1, low), (2, high)]
    chart = charts.draw_lines("Loss", "", [charts.Series("a", 1, points)])
    texts = texts_of(chart)
    assert texts[: texts.index("epoch")] == ["1", "2"]
    assert texts[texts.index("epoch") + 1 : -1] == expected
    assert texts[-1] == "Loss"


def test_line_has_a_gap_where_a_number_is_missing():
    points = [(1, 0.5), (2, None), (3, 0.7), (4, 0.8)]
    chart = charts.draw_lines("Loss", "", [charts.Series("a", 1, points)])
    path = re.search(r'<path d="([^"]*)" style="fill: none; stroke: var\(--run1\)', chart)[1]
    assert path.count("L") == 1
    assert [text for *_, text in markers_of(chart)] == [
        "a, epoch 1: 0.5",
        "a, epoch 3: 0.7",
        "a, epoch 4: 0.8",
    ]


@pytest.mark.parametrize("values", [[3.0], [0.0], [2.0, 2.0], [-1.0, 1e9]])
def test_any_numbers_make_a_chart_inside_its_frame(values):
    points = [(at + 1, value) for at, value in enumerate(values)]
    chart = charts.draw_lines("Loss", "", [charts.Series("a", 1, points)], zero=True)
    assert len(markers_of(chart)) == len(values)
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', chart).groups())
    for x, y, _ in markers_of(chart):
        assert 0.15 * width <= x <= 0.98 * width
        assert 0.12 * height <= y <= 0.84 * height


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.99996, 0.99997, (0.99, 1.0)),
        (0.5, 0.5, (0.495, 0.505)),
        (0.001, 0.001, (0.0, 0.01)),
        (0.2, 0.9, (0.2, 0.9)),
    ],
)
def test_range_is_widened_within_its_bounds(low, high, expected):
    assert charts.widen(low, high, least=0.01, bounds=(0, 1)) == pytest.approx(expected)


def test_noise_does_not_fill_the_height_of_a_chart(run):
    noise = {name: {"sign_entropy": 0.99997} for name in LAYERS}
    values = [0.99996 + 1e-6 * epoch for epoch in range(5)]
    write_lines(
        run, *(line(at, sign_entropy=value, layers=noise) for at, value in enumerate(values))
    )
    source = Page(report([run.path])).source
    chart = re.search(r'<svg [^>]*aria-label="Entropy of the signs \(.*?</svg>', source, re.DOTALL)[
        0
    ]
    heights = [y for _, y, _ in markers_of(chart)]
    assert len(heights) == 5
    assert max(heights) - min(heights) < 1
    assert "0.990" in texts_of(chart)
    # The colours of the layers span the same.
    assert "0.990<i></i>0.995" in source


def test_lines_that_lie_on_each_other_alternate_their_colours():
    points = [(epoch, 1 / epoch) for epoch in range(1, 6)]
    others = [(epoch, 0.9 - 0.1 * epoch) for epoch in range(1, 6)]
    series = [
        charts.Series("first", 1, points[:4]),
        charts.Series("longer", 2, points),
        charts.Series("same", 3, points[:4]),
        charts.Series("other", 4, others),
        charts.Series("training of first", 1, others, dashed=True),
        charts.Series("training of same", 3, others, dashed=True),
    ]
    chart = charts.draw_lines("Loss", "", series)
    # Longest first, whole; of the others every third dash, each beside the one before.
    assert lines_of(chart) == [
        (2,),
        (4,),
        (1, 0, 4, 3),
        (1, 16, 8, 16),
        (3, 7, 4, 10),
        (3, 8, 8, 16),
    ]
    # The markers lie on each other like rings.
    radii = {}
    for name, definition in re.findall(r'<path id="(\w+)" d="([^"]*)"', chart):
        for text in re.findall(rf'"#{name}"[^>]*><title>([\w ]+), epoch 1:', chart):
            radii[text] = max(map(float, re.findall(r"-?[\d.]+", definition)))
    assert radii["longer"] > radii["first"] > radii["same"] == radii["other"]


@pytest.mark.slow
def test_histograms_of_the_same_weights_alternate_their_colours(run, trained, tmp_path):
    other = copy(trained, tmp_path / "other")
    source = Page(report([run.path, other.path])).source
    drawn = re.findall(r'<svg [^>]*class="histogram".*?</svg>', source, re.DOTALL)
    assert len(drawn) == len(LAYERS)
    for histogram in drawn:
        # The weights and both thresholds of each run.
        first, second = [(1,), (1, 0, 3, 2), (1, 0, 3, 2)], [(2, 8, 8, 8), *[(2, 5, 3, 7)] * 2]
        assert lines_of(histogram) == [*first, *second]


def test_durations_are_in_units_that_suit_them(run):
    write_lines(run, line(0, seconds=70.2), line(1, seconds=68.0))
    text = Page(report([run.path])).text
    assert "1 min 9 s" in text
    assert "2 min 18 s" in text


def test_heatmap_has_a_pixel_for_each_layer_and_epoch():
    values = np.array([[0.0, 1.0, np.nan], [0.5, 0.25, 0.75]])
    drawn = maps.draw_heatmap("Dead", ["a", "b"], values, first=1, low=0.0, high=1.0)
    picture = tf.io.decode_png(base64.b64decode(re.search('base64,([^"]*)"', drawn)[1])).numpy()
    assert picture.shape == (2, 3, 4)
    assert picture[0, 0].tolist() == [68, 1, 84, 255]
    assert picture[0, 1].tolist() == [253, 231, 36, 255]
    assert picture[0, 2, 3] == 0
    assert picture[1, 0].tolist() == [32, 144, 140, 255]


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
        (["{run}"] * 9, "`RUN` must be 1 to 8 run directories, got 9"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(
    arguments, message, run, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["report", *(text.format(run=run.path) for text in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert sorted(tmp_path.rglob("*")) == before


def test_place_that_cannot_be_written_to_is_refused_first(run, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(report_contents, "read", lambda *_: pytest.fail("runs were read"))
    with pytest.raises(PermissionError, match="cannot be written to; `--out` names another"):
        report([run.path])


def test_command_writes_the_page_and_says_where(run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert cli.main(["report", str(run.path), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"Wrote {out}\n"
    assert "</html>" in out.read_text()


# In a real browser.


@pytest.fixture(scope="module")
def page_of_two(trained, tmp_path_factory):
    directory = tmp_path_factory.mktemp("two")
    names = ("run", "a-run-with-a-rather-long-name-that-has-to-break-somewhere")
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_digits(monkeypatch, test=IMAGES, build=tiny_resnet)
        paths = [copy(trained, directory / name).path for name in names]
        return report(paths, directory / "both.html")


def test_browser_finds_nothing_wrong_with_the_page(browser, page_of_two):
    console, dom = opened(browser, page_of_two)
    assert console == []
    assert dom.count("<svg") == page_of_two.read_text("utf-8").count("<svg")
    broken = page_of_two.with_name("broken.html")
    broken.write_text(page_of_two.read_text("utf-8").replace("</body>", "<script>x()</script>"))
    console, _ = opened(browser, broken)
    assert console  # the page's own policy refuses the script


@pytest.mark.parametrize(
    ("width", "dark", "scripts"),
    [(1280, False, True), (1280, True, True), (500, False, True), (1280, False, False)],
)
def test_page_fits_the_window_and_can_be_read(browser, page_of_two, width, dark, scripts):
    found = measured(browser, page_of_two, scripts=scripts, width=width, dark=dark)
    assert found["window"] == width
    assert found["page"] <= width
    charts = 8 + 2 * len(metrics.METRICS) + len(LAYERS)
    assert found["plots"] == (charts if scripts else 0)
    if scripts:
        assert re.fullmatch(r"epoch 3(.*, (training|test)0\.(6667|7333)){4}", found["values"])
    assert all(min(size) > 0 for size in found["sizes"])
    assert found["outside"] == []
    assert found["overlapping"] == []
    assert contrast(found["ink"], found["paper"]) > 7
    # WCAG asks for 3 where a shape has to be distinct from its background.
    assert min(contrast(colour, found["paper"]) for colour in found["runs"]) > 3
    lightness = int(re.search(r"\d+", found["paper"])[0])
    assert (lightness < 60) if dark else (lightness > 200)
