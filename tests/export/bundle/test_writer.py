import dataclasses
import functools
import hashlib
import json
import os
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from bundles import NAMES, NORMALIZATION, exported, small_bundle, small_network

from export import exporter
from export.bundle import writer
from export.bundle.writer import FILES, check_free, write
from export.loading.sources import Source
from export.refusals import ExportError


def description(directory):
    return json.loads((directory / "model.json").read_text("utf-8"))


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_folder_holds_everything_and_nothing_else(tmp_path):
    bundle = small_bundle()
    write(tmp_path / "made" / "export", bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["export"]
    files = contents(tmp_path / "made" / "export")
    assert sorted(files) == sorted(FILES)
    assert files["model.tflite"] == bundle.flatbuffer
    assert files["labels.txt"].decode().splitlines() == NAMES
    hashes = description(tmp_path / "made" / "export")["files"]
    assert hashes == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "model.json"
    }


def test_description_says_what_a_program_needs(tmp_path):
    bundle = small_bundle()
    write(tmp_path / "export", bundle)
    model = description(tmp_path / "export")
    assert model["format"] == 1
    assert model["name"] == "a small network"
    age = datetime.now(timezone.utc) - datetime.fromisoformat(model["created"])
    assert -1 <= age.total_seconds() < 300
    (taken,), (given,) = model["inputs"], model["outputs"]
    assert taken == {"name": taken["name"], "shape": [1, 32, 32, 3], "type": "float32"}
    assert given == {"name": given["name"], "shape": [1, 10], "type": "float32"}
    assert model["input"] == {
        "name": taken["name"],
        "shape": [1, 32, 32, 3],
        "type": "float32",
        "values": "normalized",
        "mean": list(NORMALIZATION.mean),
        "std": list(NORMALIZATION.std),
        "resize": {"exact": [32, 32]},
    }
    assert model["output"] == {"name": given["name"], "shape": [1, 10], "kind": "logits"}
    assert model["kernels"] == list(bundle.verification.backends)
    assert model["class_names"] == NAMES
    assert model["accuracy"] == {
        "keras": bundle.verification.keras_accuracy,
        "file": bundle.verification.tflite_accuracy,
        "images": 16,
        "dataset": "cifar10",
    }
    assert model["options"] == bundle.options
    assert model["versions"] == {"tensorflow": "2.19.1"}
    assert model["source"] == "0" * 64


def test_what_is_not_known_is_said_so(tmp_path):
    verification = dataclasses.replace(
        small_bundle().verification, keras_accuracy=None, tflite_accuracy=None
    )
    unknown = small_bundle(
        class_names=None,
        normalization=None,
        dataset=None,
        source_sha256=None,
        verification=verification,
    )
    write(tmp_path / "export", unknown)
    model = description(tmp_path / "export")
    assert model["class_names"] is model["accuracy"] is model["source"] is None
    assert model["input"]["values"] == "unknown"
    assert model["input"]["mean"] is model["input"]["std"] is None
    assert (tmp_path / "export" / "labels.txt").read_text() == "".join(f"{i}\n" for i in range(10))


def test_pixels_as_they_are_and_probabilities_are_said(tmp_path):
    write(
        tmp_path / "export",
        small_bundle(normalization=None, takes_pixels=True, kinds=["probabilities"]),
    )
    model = description(tmp_path / "export")
    assert model["input"]["values"] == "pixels"
    assert model["output"]["kind"] == "probabilities"


def test_names_of_several_lines_keep_their_own_line(tmp_path):
    names = ["two\nlines", "<b>&", "gr\xfcn \u732b", "\ud800", *NAMES[4:]]
    write(tmp_path / "export", small_bundle(class_names=names))
    lines = (tmp_path / "export" / "labels.txt").read_text("utf-8").splitlines()
    assert lines == ["two lines", "<b>&", "gr\xfcn \u732b", "?", *NAMES[4:]]
    assert description(tmp_path / "export")["class_names"] == names


@functools.cache
def bundle_for_images(side):
    inputs = tf.keras.Input((side, side, 3))
    x = tf.keras.layers.Conv2D(4, 3, strides=4)(inputs)
    model = tf.keras.Model(inputs, tf.keras.layers.GlobalAveragePooling2D()(x))
    return exported(model, np.zeros((2, side, side, 3), np.float32), class_names=None)


@pytest.mark.parametrize(
    ("side", "dataset", "resize"),
    [
        (224, "imagenet", {"shorter_side": 256, "crop": [224, 224]}),
        (224, "folder", {"shorter_side": 256, "crop": [224, 224]}),
        (224, None, {"shorter_side": 256, "crop": [224, 224]}),
        (224, "tinyimagenet", {"exact": [224, 224]}),
        (96, None, {"exact": [96, 96]}),
    ],
)
def test_resizing_is_that_of_the_tests(side, dataset, resize):
    bundle = dataclasses.replace(bundle_for_images(side), dataset=dataset)
    assert bundle.resize == resize


def test_earlier_export_is_replaced(tmp_path):
    directory = tmp_path / "export"
    write(directory, small_bundle(name="first"))
    write(directory, small_bundle(name="second"))
    assert description(directory)["name"] == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_empty_directory_and_link_to_an_export_are_taken(tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "export")
    write(tmp_path / "export", small_bundle(name="first"))
    write(tmp_path / "link", small_bundle(name="second"))
    assert (tmp_path / "link").is_symlink()
    assert description(tmp_path / "export")["name"] == "second"


def a_file(path):
    path.write_text("text")


def a_folder_of_photos(path):
    path.mkdir()
    (path / "photo.jpg").write_text("photo")


def another_json(path):
    path.mkdir()
    (path / "model.json").write_text('{"format": 1}')


def an_export_and_notes(path):
    write(path, small_bundle())
    (path / "notes.txt").write_text("notes")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_file, "export is a file; the folder of an export needs another name"),
        (a_folder_of_photos, "exists and is not an earlier export"),
        (another_json, "exists and is not an earlier export"),
        (an_export_and_notes, r"more than an earlier export, which would be lost: notes\.txt"),
    ],
)
def test_what_is_not_an_export_is_left_alone(make, message, tmp_path):
    make(tmp_path / "export")
    before = sorted(tmp_path.rglob("*"))
    for refuse in (check_free, lambda path: write(path, small_bundle())):
        with pytest.raises(FileExistsError, match=message):
            refuse(tmp_path / "export")
    assert sorted(tmp_path.rglob("*")) == before


def test_places_where_no_folder_can_be_made_are_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(NotADirectoryError, match="file is a file"):
        check_free(tmp_path / "file" / "export")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_places_that_nobody_can_write_to_are_refused():
    with pytest.raises(PermissionError, match=r"export cannot be made: /proc cannot be written to"):
        check_free("/proc/x/export")


def test_looking_for_a_place_leaves_nothing_there(tmp_path):
    assert check_free(tmp_path / "some" / "export") == tmp_path / "some" / "export"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_failure_leaves_the_earlier_export_and_nothing_else(failing, tmp_path, monkeypatch):
    directory = tmp_path / "export"
    write(directory, small_bundle(name="first"))
    before = contents(directory)
    original = getattr(os, failing)

    def fail(*arguments):
        # Of the renames, that of the new folder.
        if failing == "fsync" or "partial" in str(arguments[0]):
            raise OSError(28, "No space left on device")
        return original(*arguments)

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="export could not be written: No space left on device"):
        write(directory, small_bundle(name="second"))
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert contents(directory) == before


def kill_between_the_renames(directory):
    """Leaves what a kill just before the second rename leaves."""
    write(directory, small_bundle(name="first"))
    directory.rename(directory.with_name(".export.earlier"))
    partial = directory.with_name(".export.partial")
    partial.mkdir()
    (partial / "model.tflite").write_bytes(b"half")


@pytest.mark.parametrize("empty_directory", [False, True])
def test_kill_between_the_renames_loses_no_export(empty_directory, tmp_path, monkeypatch):
    directory = tmp_path / "export"
    kill_between_the_renames(directory)
    if empty_directory:
        directory.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space left"):
            write(directory, small_bundle(name="second"))
    assert description(directory)["name"] == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_interrupt_between_the_renames_loses_no_export(tmp_path, monkeypatch):
    directory = tmp_path / "export"
    write(directory, small_bundle(name="first"))
    before, rename = contents(directory), os.rename

    def interrupt(source, target):
        if "partial" in str(source):
            raise KeyboardInterrupt("pressed here")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt, match="pressed here"):
            write(directory, small_bundle(name="second"))
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert contents(directory) == before


@pytest.mark.parametrize(
    "failure", [ValueError("no such network."), ExportError("the file differs", "a report")]
)
def test_export_that_fails_after_a_kill_leaves_the_earlier_one(failure, tmp_path, monkeypatch):
    directory = tmp_path / "export"
    kill_between_the_renames(directory)

    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr(exporter, "export_network", fail)
    model = small_network()[0]
    with pytest.raises(type(failure), match="export still holds the earlier export"):
        exporter.export_bundle(Source(model, "small", str(directory)))
    assert description(directory)["name"] == "first"


def test_script_is_in_the_package():
    assert writer.SCRIPT.read_text("utf-8").startswith(
        '"""Runs the network of this folder on images'
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ["cat"]}, "a name for each of the 10 outputs, got 1"),
        (
            {"normalization": type(NORMALIZATION)((0.5,), (0.2,))},
            "a mean and a std for each of 3 channels",
        ),
    ],
)
def test_bundle_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small_bundle(**changes)
