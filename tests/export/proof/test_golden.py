import hashlib
import json
import struct

import numpy as np
import pytest
import tensorflow as tf
from bundles import small_bundle, small_network
from delegates import needs_delegate
from tiny_files import binary_file

from export.bundle.writer import check_free, write
from export.proof import golden
from export.runtime import predict
from export.tflite.backends import BACKENDS


def read_description(folder):
    return json.loads((folder / "model.json").read_text("utf-8"))


def floats(content, end, run):
    """The numbers of one run, as a program without NumPy reads them."""
    count = np.prod(end["shape"][1:])
    return struct.unpack_from(f"<{count}f", content, end["offset"] + 4 * count * run)


def test_sample_is_read_without_numpy_and_is_what_keras_gives(folder):
    model, images = small_network()
    described = read_description(folder)["golden"]
    content = (folder / described["file"]).read_bytes()
    assert len(content) == described["runs"] * 4 * (32 * 32 * 3 + 10)
    assert len(content) <= golden.MOST_BYTES
    (taken,), (given,) = described["inputs"], described["outputs"]
    assert (taken["shape"], given["shape"]) == ([4, 1, 32, 32, 3], [4, 1, 10])
    assert (taken["type"], given["type"]) == ("float32", "float32")
    within = 0
    for run in range(described["runs"]):
        pixels = np.reshape(floats(content, taken, run), (1, 32, 32, 3))
        assert any((pixels == image).all() for image in images)
        difference = model(pixels.astype("float32")) - np.array([floats(content, given, run)])
        within += np.abs(difference).max() <= given["tolerance"]
    assert within >= described["enough"] == 3


def test_hash_of_the_sample_is_in_the_description(folder):
    digest = hashlib.sha256((folder / "golden.bin").read_bytes()).hexdigest()
    assert read_description(folder)["files"]["golden.bin"] == digest


@pytest.mark.parametrize("backend", BACKENDS)
def test_sample_is_repeated_with_every_backend(backend, folder):
    passed, outcome = predict.run_self_test(folder, name="engine", options=BACKENDS[backend])
    assert passed
    assert outcome.startswith("self-test passed: 4 of 4 runs within the tolerance (3 are enough)")


def test_other_numbers_fail(folder):
    bundle = small_bundle()
    (outputs,) = bundle.golden.outputs
    changed = outputs.copy()
    changed[:2, 0, 3] += 2 * bundle.golden.tolerances[0]
    write(folder, small_bundle(golden=with_outputs(bundle.golden, changed)))
    passed, outcome = predict.run_self_test(folder)
    assert not passed
    assert outcome.startswith("self-test FAILED: 2 of 4 runs within the tolerance (3 are enough)")
    changed[:] = np.nan
    write(folder, small_bundle(golden=with_outputs(bundle.golden, changed)))
    passed, outcome = predict.run_self_test(folder)
    assert not passed
    assert "largest difference inf" in outcome


def with_outputs(sample, outputs):
    return golden.Golden(
        sample.inputs, (outputs,), sample.tolerances, sample.enough, sample.backend, sample.source
    )


def cut(folder):
    (folder / "golden.bin").write_bytes((folder / "golden.bin").read_bytes()[:-4])


def with_changes(**changes):
    def change(folder):
        described = read_description(folder)
        for name, value in changes.items():
            end, _, key = name.rpartition("__")
            (described["golden"][end][0] if end else described["golden"])[key] = value
        (folder / "model.json").write_text(json.dumps(described))

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "golden.bin is damaged: its SHA-256 is not that of model.json"),
        (
            lambda folder: (folder / "golden.bin").unlink(),
            "golden.bin cannot be read: No such file",
        ),
        (with_changes(runs=5), "golden.bin is damaged: it does not fit model.json"),
        (with_changes(enough=0), "golden.bin is damaged: it does not fit model.json"),
        (with_changes(inputs=3), "golden.bin is damaged: "),
        (with_changes(inputs__shape=[4, 1, 32, 32, 4]), "golden.bin is damaged: "),
        (
            with_changes(inputs__shape=[4, 1, 32, 96]),
            "golden.bin is damaged: it belongs to another network",
        ),
        (with_changes(inputs__type="object"), "golden.bin is damaged: "),
        (with_changes(outputs__offset=10**9), "golden.bin is damaged: "),
        (with_changes(outputs__offset=-40), "golden.bin is damaged: "),
        (with_changes(outputs__tolerance=None), "golden.bin is damaged: "),
    ],
)
def test_damaged_samples_are_refused(spoil, message, folder):
    spoil(folder)
    with pytest.raises(predict.Refused, match=message) as refused:
        predict.run_self_test(folder)
    assert "\n" not in str(refused.value)


def test_folder_without_a_sample_says_so(tmp_path):
    write(tmp_path / "export", small_bundle(golden=None))
    assert not (tmp_path / "export" / "golden.bin").exists()
    with pytest.raises(predict.Refused, match="the folder holds no golden sample"):
        predict.run_self_test(tmp_path / "export")
    check_free(tmp_path / "export")


def pooled(side):
    inputs = tf.keras.Input((side, side, 3))
    outputs = tf.keras.layers.AveragePooling2D(side)(inputs)
    return tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(inputs, outputs)).convert()


@pytest.mark.parametrize(("side", "runs"), [(32, 4), (84, 3), (224, 1), (1200, None)])
def test_sample_is_small(side, runs):
    images = np.random.default_rng(0).random((8, side, side, 3), "float32")
    sample = golden.make_golden_sample(pooled(side), images, source="random images", tolerance=1e-3)
    assert (sample and sample.runs) == runs


def test_image_with_far_larger_outputs_does_not_widen_the_tolerance():
    images = np.random.default_rng(0).random((8, 32, 32, 3), "float32")
    options = {"source": "random images", "tolerance": 1e-3}
    usual = golden.make_golden_sample(pooled(32), images, **options)
    images[2] *= 100
    outlying = golden.make_golden_sample(pooled(32), images, **options)
    assert outlying.outputs[0].max() > 50 * usual.outputs[0].max()
    # At most ten times as far from the others as the median image.
    assert outlying.tolerances[0] < 20 * usual.tolerances[0]


@needs_delegate
def test_images_that_the_delegate_differs_on_are_left_out(monkeypatch):
    flatbuffer = binary_file()
    images = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
    original, calls = golden.make_predict, []

    def differing(interpreter):
        predict = original(interpreter)

        def run(values):
            calls.append(values)
            outputs = predict(values)
            return [array + (len(calls) == 2) for array in outputs]

        return run

    monkeypatch.setattr(golden, "make_predict", differing)
    sample = golden.make_golden_sample(flatbuffer, images, source="random images", tolerance=1e-3)
    np.testing.assert_array_equal(sample.inputs[0][:, 0], images[[0, 2, 3, 4]])
    assert sample.backend == "reference"


def test_images_that_backends_differ_on_are_left_out(monkeypatch):
    flatbuffer = binary_file()
    images = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
    original = golden._run

    def differing(engine, inputs):
        outputs = original(engine, inputs)
        # Of the second and third run, another backend each time: as if a sign had turned.
        engines.append(engine)
        if len(engines) in (2, 3):
            outputs[0][len(engines) - 1] += 1
        return outputs

    engines = []
    monkeypatch.setattr(golden, "_run", differing)
    sample = golden.make_golden_sample(flatbuffer, images, source="random images", tolerance=1e-3)
    np.testing.assert_array_equal(sample.inputs[0][:, 0], images[[0, 3, 4, 5]])
    assert sample.backend == "reference"
    monkeypatch.setattr(golden, "_run", lambda *run: [v * np.nan for v in original(*run)])
    assert (
        golden.make_golden_sample(flatbuffer, images, source="random images", tolerance=1e-3)
        is None
    )


def test_few_images_are_repeated_to_fill_a_batch():
    images = np.arange(3, dtype="float32").reshape(3, 1)
    np.testing.assert_array_equal(golden._take_batches(images, (4, 1), 8)[:, :, 0], [[0, 1, 2, 0]])
    np.testing.assert_array_equal(golden._take_batches(images, (1, 1), 2)[:, :, 0], [[0], [1]])
