import json
import re
from dataclasses import replace
from datetime import datetime, timezone

import pytest
import tensorflow as tf
from bundles import small_bundle
from pages import Page, contrast, measured, opened

from export.bundle.page import render_report
from export.bundle.writer import write
from export.conversion.rewriting import Rewriting
from export.measurement.latency import Latency
from export.proof.auditing import Audit
from export.tflite.flatbuffer import read

CREATED = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
HOSTILE = "<script>alert('x')</script>&\"<img src=x onerror=y>"


def written(path, **changes):
    path.write_text(render_report(small_bundle(**changes), CREATED), "utf-8")
    return Page(path)


@pytest.fixture
def page(tmp_path):
    return written(tmp_path / "report.html")


def test_page_shows_all_of_an_export(page):
    bundle = small_bundle()
    assert page.sections == [
        "use",
        "verification",
        "latency",
        "layers",
        "rewriting",
        "operators",
        "options",
    ]
    for text in (
        "Export of a small network",
        f"float32 is {24_328 / len(bundle.flatbuffer):.1f} times as large (24,328 bytes)",
        "4 of 4 layers that should be binary",
        "passed, on 16 random images",
        "exported in the engine 0.71 ms, float32 1.42 ms",
        f"{bundle.verification.share_within:.1%}",
        f"{bundle.verification.largest_difference:.1e}",
        "resized to 32 \N{MULTIPLICATION SIGN} 32",
        "0.485, 0.456, 0.406",
        "freeze quantized kernels",
        "900 MiB",
        "2.19.1",
        "0" * 64,
        "2026-01-02 03:04 UTC",
        "4 runs on random images, in golden.bin",
    ):
        assert text in page.text, text
    for row in bundle.audit.rows:
        assert row.layer in page.text
        assert row.operator in page.text
    assert f"{bundle.audit.constant_bytes:,}" in page.text


def test_page_needs_nothing_from_outside(page):
    addresses = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in ("src", "href", "action", "data")
    ]
    assert addresses
    assert all(value.startswith(("#", "data:")) for value in addresses)
    assert page.all("script") == [{}]


def test_charts_show_latencies_and_what_each_operator_costs(page):
    found = [json.loads(chart["data-chart"]) for chart in page.all("figure")]
    latencies, macs, weights = found
    ranked = sorted(small_bundle().latencies, key=lambda latency: latency.median_ms)
    assert latencies["names"][0] == "exported, indirect bgemm, 1 thread"
    assert latencies["ends"] == [[latency.min_ms, latency.p95_ms] for latency in ranked]
    bars = [
        next(filter(None, values))
        for values in zip(*(series["y"] for series in latencies["series"]), strict=True)
    ]
    assert bars == [latency.median_ms for latency in ranked]
    audit = small_bundle().audit
    binary, others = (sum(filter(None, series["y"])) for series in macs["series"])
    assert (binary, others) == (audit.binary_macs, audit.float_macs)
    assert len(macs["names"]) == len(audit.rows)
    total = sum(row.constant_bytes or 0 for row in audit.rows)
    assert sum(count or 0 for series in weights["series"] for count in series["y"]) == total


def test_layers_that_are_not_binary_have_their_reasons(tmp_path):
    bundle = small_bundle()
    layers = bundle.audit.expected[1:3]
    lost = dict.fromkeys(layers, "its kernel holds only zeros.")
    page = written(
        tmp_path / "report.html", audit=Audit(bundle.audit.rows, bundle.audit.expected, lost)
    )
    assert "2 of 4 layers that should be binary" in page.text
    assert "2 layers not binary, and why" in page.text
    assert page.text.count("its kernel holds only zeros.") == 1
    assert ", ".join(layers) in page.text
    assert len(page.all("tr", **{"class": "differs"})) == 1


def test_step_that_was_not_done_and_signs_within_rounding_are_shown(tmp_path):
    found = replace(small_bundle().verification, share_within=0.5, taken_apart=True)
    steps = [Rewriting("drop hard tanh before a sign", ("act1", "act2"), 0.25)]
    page = written(tmp_path / "report.html", verification=found, steps=steps)
    assert "not done: it changed the outputs" in page.text
    rewriting = page.source[page.source.index('id="rewriting"') :]
    assert re.findall('scope="col">(.*?)<', rewriting)[:4] == [
        "Step",
        "Outcome",
        "Images unchanged",
        "Layers",
    ]
    assert "act1, act2" in page.text
    assert "very layer is right by itself" in page.text
    assert "passed, layer by layer, on 16 random images" in page.text


def test_int8_is_compared_with_keras_in_int8_and_with_keras_itself(tmp_path):
    found = replace(small_bundle().verification, reference="rounded Keras", keras_agreement=0.875)
    page = written(tmp_path / "report.html", verification=found)
    assert "of rounded Keras" in page.text
    assert "Same top-1 class as Keras" in page.text
    assert "87.5%" in page.text


def test_delegate_comes_first_and_the_speed_is_said(tmp_path):
    latencies = [*small_bundle().latencies, Latency("exported", "delegate", 1, 0.91, 0.95, 0.9)]
    speed = "The file is 1.56 times as fast as float32 here on 1 thread."
    page = written(tmp_path / "report.html", latencies=latencies, speed=speed)
    assert (
        "exported with the delegate 0.91 ms, exported in the engine 0.71 ms, float32 1.42 ms"
        in page.text
    )
    backends = ["delegate", "indirect bgemm", "TFLite with XNNPACK", "optimized"]
    table = page.source[page.source.index('id="latency"') :]
    places = [table.index(f">{backend}<") for backend in backends]
    assert places == sorted(places)
    assert speed in page.text


def test_network_without_a_float32_baseline_has_a_size(tmp_path):
    page = written(tmp_path / "report.html", float_size=None)
    assert "bytes" in page.text
    assert "times as large" not in page.text


def test_what_is_not_known_is_left_out_or_said(tmp_path):
    found = replace(
        small_bundle().verification, agreement=None, keras_accuracy=None, tflite_accuracy=None
    )
    page = written(
        tmp_path / "report.html",
        verification=found,
        latencies=[],
        steps=[],
        peak_memory=None,
        normalization=None,
        source_sha256=None,
        audit=Audit(small_bundle().audit.rows, (), {}),
    )
    assert "latency" not in page.sections
    assert "accuracy" not in page.text
    assert "peak memory" not in page.text
    assert "unknown: nothing states how the network's images were normalised" in page.text
    assert "Nothing of the network had to be rewritten" in page.text
    assert "no layer, and none should be" in page.text
    assert "None" not in page.text


def hostile_bundle():
    bundle = small_bundle()
    rows = tuple(replace(row, layer=HOSTILE) for row in bundle.audit.rows)
    return {
        "name": HOSTILE,
        "audit": Audit(rows, (HOSTILE,), {HOSTILE: HOSTILE}),
        "steps": [Rewriting(HOSTILE, (HOSTILE,), 1.0)],
        "options": {HOSTILE: HOSTILE},
        "versions": {HOSTILE: HOSTILE},
        "latencies": [
            replace(latency, name=HOSTILE, backend=HOSTILE) for latency in bundle.latencies
        ],
        "verification": replace(bundle.verification, source=HOSTILE),
        "class_names": [HOSTILE] * 10,
    }


def test_all_inputs_and_outputs_and_the_backends_are_shown(tmp_path):
    image, numbers = tf.keras.Input((9, 9, 3), 1), tf.keras.Input((7,), 1)
    x = tf.keras.layers.Conv2D(4, 3)(image)
    classes = tf.keras.layers.GlobalAveragePooling2D()(x) + tf.keras.layers.Dense(4)(numbers)
    model = tf.keras.Model([image, numbers], [x, classes])
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    verification = replace(small_bundle().verification, backends=("reference", "indirect bgemm"))
    changes = {"file": read(flatbuffer), "verification": verification, "golden": None}
    bundle = small_bundle(class_names=["a", "b", "c", "d"], dataset=None, **changes)
    assert bundle.labels == ["a", "b", "c", "d"]
    (tmp_path / "all.html").write_text(render_report(bundle, CREATED), "utf-8")
    text = Page(tmp_path / "all.html").text
    times = " \N{MULTIPLICATION SIGN} "
    for sizes in ((1, 9, 9, 3), (1, 7), (1, 7, 7, 4), (1, 4)):
        assert times.join(map(str, sizes)) in text, sizes
    assert "reference, indirect bgemm" in text
    with pytest.raises(ValueError, match="a name for each of the 4 outputs, got 3"):
        small_bundle(class_names=["a", "b", "c"], dataset=None, **changes)
    nameless = small_bundle(class_names=None, normalization=None, dataset=None, **changes)
    write(tmp_path / "export", nameless)
    model = json.loads((tmp_path / "export" / "model.json").read_text("utf-8"))
    assert sorted(map(tuple, (end["shape"] for end in model["inputs"]))) == [(1, 7), (1, 9, 9, 3)]
    assert model["kernels"] == ["reference", "indirect bgemm"]
    assert model["input"]["shape"] == [1, 9, 9, 3]
    assert model["output"]["shape"] == [1, 4]


def test_network_without_an_image_is_shown(tmp_path):
    numbers = tf.keras.Input((7,), 1)
    model = tf.keras.Model(numbers, tf.keras.layers.Dense(2)(numbers))
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    bundle = small_bundle(file=read(flatbuffer), class_names=None, golden=None)
    assert (bundle.values, bundle.resize) == ("unknown", None)
    (tmp_path / "report.html").write_text(render_report(bundle, CREATED), "utf-8")
    assert "float32 1 \N{MULTIPLICATION SIGN} 7" in Page(tmp_path / "report.html").text


def test_text_of_the_model_stays_text(tmp_path):
    page = written(tmp_path / "report.html", **hostile_bundle())
    assert page.all("script") == [{}]
    assert not page.all("img")
    assert page.text.count(HOSTILE) > 20


def test_browser_finds_nothing_wrong_with_the_page(browser, tmp_path):
    for number, changes in enumerate(({}, hostile_bundle())):
        path = tmp_path / f"{number}.html"
        written(path, **changes)
        console, dom = opened(browser, path)
        assert console == []
        assert dom.count("<tr") == path.read_text("utf-8").count("<tr")
    broken = tmp_path / "broken.html"
    broken.write_text(path.read_text("utf-8").replace("</body>", "<script>x()</script>"), "utf-8")
    console, _ = opened(browser, broken)
    assert console  # the page's own policy refuses the script


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (500, False)])
def test_page_fits_the_window_and_can_be_read(browser, tmp_path, width, dark):
    written(tmp_path / "report.html", name="a_long_name" * 20)
    found = measured(browser, tmp_path / "report.html", width=width, dark=dark)
    assert found["window"] == width
    assert found["page"] <= width
    assert contrast(found["ink"], found["paper"]) > 7
    lightness = int(re.search(r"\d+", found["paper"])[0])
    assert (lightness < 60) if dark else (lightness > 200)
