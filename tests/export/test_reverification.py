import hashlib
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from delegates import hide_delegate, needs_delegate
from PIL import Image
from tiny_files import binary_model

from experiments import cli
from export.bundle import integrity
from export.tflite.backends import BACKENDS, DELEGATE

L = tf.keras.layers


def save(path, seed):
    tf.keras.utils.set_random_seed(seed)
    layers = [L.Conv2D(4, 3, 2, activation="relu"), L.Flatten(), L.Dense(5)]
    tf.keras.Sequential([tf.keras.Input((8, 8, 3)), *layers]).save(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network and its export beside it, and another network of the same layers."""
    directory = tmp_path_factory.mktemp("made")
    save(directory / "a.keras", 0)
    save(directory / "other.keras", 1)
    assert cli.main(["export", str(directory / "a.keras")]) == 0
    return directory


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path / "place")
    return tmp_path / "place"


def verified(capsys, *arguments):
    capsys.readouterr()
    code = cli.main(["verify", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def failure(capsys, *arguments):
    code, out, error = verified(capsys, *arguments)
    assert (code, out) == (1, "")
    return error


def complaint(capsys, *arguments):
    code, out, error = verified(capsys, *arguments)
    assert (code, out, error.count("\n")) == (2, "", 1)
    return error


def describe(folder, change):
    description = json.loads((folder / "model.json").read_text("utf-8"))
    change(description)
    (folder / "model.json").write_text(json.dumps(description))


def test_export_is_compared_with_the_network_beside_it(place, capsys):
    code, out, _ = verified(capsys, place / "a_export")
    assert code == 0
    assert out.startswith("Files: 5 as model.json says\nGolden sample:\n")
    assert "self-test passed: 4 of 4 runs" in out
    assert f"Network: {place / 'a.keras'}, the one exported" in out
    assert "Verification on 256 random images" in out
    assert out.endswith("Outcome: passed\n")


def test_export_that_a_killed_process_left_aside_is_put_back(place, capsys):
    """As `write` renames it, just before the new one gets its name."""
    (place / "a_export").rename(place / ".a_export.earlier")
    code, out, _ = verified(capsys, place / "a_export")
    assert (code, out.splitlines()[0]) == (0, "Files: 5 as model.json says")
    assert not (place / ".a_export.earlier").exists()


def test_golden_sample_runs_with_each_backend_that_can(place, capsys):
    names = ["reference", "indirect bgemm"]
    describe(
        place / "a_export", lambda description: description.update(kernels=names, network=None)
    )
    code, out, _ = verified(capsys, place / "a_export")
    assert code == 0
    found = [line.split(":")[0].strip() for line in out.splitlines() if "self-test" in line]
    assert found == [name for name in BACKENDS if name in names]


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    """The export of a network with a binary convolution."""
    path = tmp_path_factory.mktemp("binary") / "b.keras"
    binary_model().save(path)
    assert cli.main(["export", str(path)]) == 0
    return path.with_name("b_export")


@pytest.mark.slow
@needs_delegate
def test_export_is_checked_with_the_delegate_too(binary, capsys):
    assert json.loads((binary / "model.json").read_text())["kernels"] == [DELEGATE, *BACKENDS]
    code, out, _ = verified(capsys, binary)
    assert code == 0
    assert re.search(r"\n  delegate: self-test passed: 4 of 4 runs .* with the delegate\n", out)
    assert "  verified with Larq Compute Engine and the delegate in " in out


@needs_delegate
def test_golden_sample_that_the_delegate_does_not_repeat_fails(binary, capsys, monkeypatch):
    original = integrity.make_predict

    def faulty(interpreter):
        predict = original(interpreter)
        return lambda values: [array + 1 for array in predict(values)]

    monkeypatch.setattr(integrity, "make_predict", faulty)
    error = failure(capsys, binary)
    assert re.search("b_export FAILED: delegate: self-test FAILED: 0 of 4 runs", error)
    assert "optimized" not in error


@needs_delegate
def test_golden_sample_is_not_run_where_the_delegate_was_not_compiled(binary, capsys, monkeypatch):
    hide_delegate(monkeypatch)
    code, out, _ = verified(capsys, binary)
    assert code == 0
    assert re.search(r"\n  delegate: not run, .*compile_delegate", out)
    assert "  the delegate did not run: " in out
    assert "  reference: self-test passed: 4 of 4 runs" in out


def test_network_that_is_gone_or_changed_is_not_compared(place, capsys):
    (place / "other.keras").replace(place / "a.keras")
    code, out, _ = verified(capsys, place / "a_export")
    assert code == 0
    assert f"{place / 'a.keras'} has changed since it was exported" in out
    assert out.endswith("Outcome: passed, without a comparison with the network\n")
    (place / "a.keras").unlink()
    code, out, _ = verified(capsys, place / "a_export")
    assert code == 0
    assert "Network: not at hand" in out
    error = complaint(capsys, place / "a_export", "--dataset", "digits")
    assert "`dataset`, `data_path` and `images` need `network`" in error


def test_another_network_fails(place, capsys):
    error = failure(capsys, place / "a_export", "--network", place / "other.keras")
    assert f"FAILED against {place / 'other.keras'} (by its SHA-256 another file than" in error
    assert "the file does not compute what the model does" in error
    assert "Verification on 256 random images" in error


def test_every_damaged_file_is_named(place, capsys):
    folder = place / "a_export"
    (folder / "labels.txt").write_text("cat\n")
    (folder / "report.html").unlink()
    content = bytearray((folder / "model.tflite").read_bytes())
    content[-40] ^= 1
    (folder / "model.tflite").write_bytes(content)
    assert failure(capsys, folder) == (
        f"recu: {folder} FAILED: labels.txt is damaged or another file, model.tflite is damaged "
        "or another file, report.html is missing\n"
    )


def test_golden_sample_that_comes_out_otherwise_fails(place, capsys):
    folder = place / "a_export"
    content = np.fromfile(folder / "golden.bin", "<f4")
    content[-20:] += 1
    content.tofile(folder / "golden.bin")
    digest = hashlib.sha256(content.tobytes()).hexdigest()
    describe(folder, lambda description: description["files"].update({"golden.bin": digest}))
    error = failure(capsys, folder)
    assert "a_export FAILED: " in error
    assert "self-test FAILED: 0 of 4 runs" in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda description: description.update(format=7),
            "must describe an export, in format 1",
        ),
        (
            lambda description: description.update(files=[]),
            "model.json is damaged: files cannot be used",
        ),
        (
            lambda description: description.update(network=3),
            "model.json is damaged: network cannot be used",
        ),
        (
            lambda description: description["files"].update({"../a.keras": ""}),
            "'../a.keras' cannot be in an",
        ),
        (
            lambda description: description.update(golden=3),
            "model.json is damaged: golden cannot be used",
        ),
        (lambda description: description["golden"].update(inputs=3), "golden.bin is damaged"),
        (
            lambda description: description.update(comparison=3),
            "model.json is damaged: comparison cannot be",
        ),
        (
            lambda description: description["comparison"].update(dataset="mnist"),
            "there is no data set 'mnist'",
        ),
        (
            lambda description: description["comparison"].update(normalization={"mean": 3}),
            "`comparison` and `class_names` of model.json cannot be used",
        ),
        (lambda description: description.update(inputs=3), "model.json is damaged: TypeError"),
        (
            lambda description: description["options"].update(batch_size="x"),
            "`batch_size` must be a whole number",
        ),
    ],
)
def test_damaged_descriptions_are_refused_in_one_line(change, message, place, capsys):
    describe(place / "a_export", change)
    assert message in complaint(capsys, place / "a_export")


def test_what_is_no_export_is_refused_in_one_line(place, capsys):
    assert "is not an export: it has no model.json" in complaint(capsys, place)
    assert "is not an export: it has no model.json" in complaint(capsys, place / "nowhere")
    missing = place / "nowhere.keras"
    assert "does not exist" in complaint(capsys, place / "a_export", "--network", missing)
    (place / "a_export" / "model.json").write_text("[" * 100_000)
    assert "nested deeper than 200 levels" in complaint(capsys, place / "a_export")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--input", "uint8")])
def test_comparison_is_repeated_with_the_options_of_the_export(more, place, capsys):
    options = ("--mean", "0.5,0.4,0.3", "--std", "0.2", "--images", str(place / "images"), *more)
    for seed in range(6):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        (place / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place / "images" / f"{seed}.png")
    assert cli.main(["export", str(place / "a.keras"), *options]) == 0
    code, out, _ = verified(capsys, place / "a_export", "--images", place / "images")
    assert code == 0
    assert re.search(r"Verification on 6 images .*passed", out)
    code, out, _ = verified(capsys, place / "a_export")
    assert code == 0
    assert "images of a folder: nothing was compared with it (--images DIR names the folder)" in out
    wrong = {"mean": [0.0] * 3, "std": [1.0] * 3}
    describe(
        place / "a_export",
        lambda description: description["comparison"].update(normalization=wrong),
    )
    # A file that normalises pixels itself computes something else. For other files the description
    # that predict.py reads differs from the comparison.
    failure(capsys, place / "a_export", "--images", place / "images")


def test_several_inputs_and_outputs_are_compared_again(place, capsys):
    numbers, image = tf.keras.Input((6,), name="row"), tf.keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(6, 3, name="map")(image)
    classes = L.Dense(4, name="classes")(L.GlobalAveragePooling2D()(x) * numbers)
    tf.keras.Model([numbers, image], [x, classes]).save(place / "two.keras")
    assert cli.main(["export", str(place / "two.keras")]) == 0
    code, out, _ = verified(capsys, place / "two_export")
    assert code == 0
    assert "self-test passed: 4 of 4 runs" in out
    assert out.endswith("Outcome: passed\n")
    description = json.loads((place / "two_export" / "model.json").read_text("utf-8"))
    assert [end["shape"] for end in description["inputs"]] == [[1, 6], [1, 8, 8, 3]]
    assert [end["shape"] for end in description["outputs"]] == [[1, 6, 6, 6], [1, 4]]
    assert (description["input"]["name"], description["output"]["name"]) == ("image", "classes")


def test_failed_export_leaves_the_earlier_one(place, capsys, monkeypatch):
    before = {path.name: path.read_bytes() for path in (place / "a_export").iterdir()}
    model = tf.keras.models.load_model(place / "a.keras")
    model.layers[-1].kernel.assign(tf.fill([36, 5], np.nan))
    model.save(place / "a.keras")
    assert cli.main(["export", str(place / "a.keras")]) == 2
    erf = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), L.Conv2D(4, 3), L.Flatten(), L.Dense(5)])
    outputs = tf.math.erf(erf.output)
    tf.keras.Model(erf.inputs, outputs).save(place / "a.keras")
    capsys.readouterr()
    assert cli.main(["export", str(place / "a.keras")]) == 2
    error = capsys.readouterr().err
    assert "which only TensorFlow has" in error
    assert "a_export still holds the earlier export, of the network as it was then." in error
    assert {path.name: path.read_bytes() for path in (place / "a_export").iterdir()} == before


def test_description_that_is_not_of_the_network_fails(place, capsys):
    def blur(description):
        description["input"] |= {"values": "normalized", "mean": [0.5] * 3, "std": [0.5] * 3}
        description["output"]["kind"] = "probabilities"
        description["class_names"] = [*"abcde"]

    describe(place / "a_export", blur)
    error = failure(capsys, place / "a_export")
    assert "mean and std, kind, class_names of model.json are not those of the network" in error
