"""A mistake in an exported folder is said by `predict.py` in a line."""

import json

import pytest
from predictions import program, save_pictures

pytestmark = pytest.mark.usefixtures("without_litert")


def change(folder, **changes):
    description = json.loads((folder / "model.json").read_text())
    for name, value in changes.items():
        part, _, key = name.rpartition("__")
        (description[part] if part else description)[key] = value
    (folder / "model.json").write_text(json.dumps(description))


def damage_model(folder):
    content = bytearray((folder / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.tflite").write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage_model, "model.tflite is damaged or another file: its SHA-256 is not that of"),
        (lambda folder: (folder / "model.tflite").unlink(), "model.tflite cannot be read: No such"),
        (lambda folder: (folder / "model.json").unlink(), "model.json cannot be read: No such"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json is damaged: "),
        (lambda folder: (folder / "model.json").write_text("[]"), "model.json is damaged: "),
        (lambda folder: change(folder, format=9), "model.json must have format 1, got 9"),
        (lambda folder: change(folder, output=None), "model.json is damaged: "),
        (
            lambda folder: change(folder, input__values="unknown"),
            "model.json does not state which values the network takes: add under `input` "
            '`"values": "pixels"`',
        ),
        (
            lambda folder: change(folder, input__shape=[1, 32, 32, 4]),
            "the network takes 4 channels, and images have 1 or 3",
        ),
        (
            lambda folder: change(folder, input__shape=[1, 10]),
            "the network takes shape (1, 10), which is no image",
        ),
        (
            lambda folder: change(folder, input__shape=[1, 16, 16, 3]),
            "model.json is damaged: resize must lead to the size of the input",
        ),
        (
            lambda folder: change(
                folder, input__shape=[1, 16, 16, 3], input__resize={"exact": [16, 16]}
            ),
            "takes [((1, 32, 32, 3), 'float32')], which differs from model.json",
        ),
        (
            lambda folder: change(folder, input__resize={"shorter_side": 16, "crop": [32, 32]}),
            "model.json is damaged: resize must lead to the size of the input",
        ),
        (
            lambda folder: change(folder, input__shape="32"),
            "model.json is damaged: ValueError '32'",
        ),
        (lambda folder: change(folder, input__resize=None), "model.json is damaged: "),
        (lambda folder: change(folder, input__std=[0, 1, 1]), "mean and std must be numbers, one"),
        (lambda folder: change(folder, input__mean=["a", 1, 1]), "model.json is damaged: "),
        (lambda folder: change(folder, class_names=3), "model.json is damaged: TypeError class_n"),
        (lambda folder: change(folder, class_names=["a"]), "class_names must be 10, got 1"),
        (lambda folder: change(folder, outputs=[]), "model.json is damaged: "),
        (
            lambda folder: (folder / "model.json").write_text("[" * 100_000),
            "model.json is damaged: RecursionError",
        ),
        (
            lambda folder: (folder / "model.json").write_text('{"format":' * 100_000),
            "model.json is damaged: RecursionError",
        ),
    ],
)
def test_mistakes_in_the_folder_are_said_in_one_line(spoil, message, folder, tmp_path, capsys):
    (path,) = save_pictures(tmp_path, 1)
    spoil(folder)
    assert program(folder).main([str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err
