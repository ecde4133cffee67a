import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from recu_tf import choices, data, pretrained

NAMES = {"cifar10-resnet20", "cifar10-vgg-small", "digits-resnet20"}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A copy of the weights and their index, which a test may change."""
    shutil.copytree(pretrained.FOLDER, tmp_path / "weights")
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "weights")
    return tmp_path / "weights"


def test_every_network_has_its_file_and_no_file_is_without():
    assert set(pretrained.NAMES) == NAMES
    files = [entry.path for entry in pretrained.list_all().values()]
    assert {*files, pretrained.FOLDER / "index.json"} == set(pretrained.FOLDER.iterdir())
    # What may be added to the size of an installation.
    assert sum(path.stat().st_size for path in files) <= 2**20


@pytest.mark.parametrize("name", sorted(NAMES))
def test_index_says_what_the_network_is(name):
    entry = pretrained.find(name)
    assert entry == pretrained.find(f"pretrained/{name}")
    assert entry == pretrained.find_weights(entry.model, entry.dataset)
    assert entry.model in choices.MODELS
    assert entry.class_names == data.DATASETS[entry.dataset].class_names
    assert entry.num_classes == len(entry.class_names)
    assert 0.5 < entry.top_1 <= entry.top_5 <= 1
    assert entry.measured_on.startswith(f"{entry.test_images:,} test images of {entry.dataset}, ")
    assert entry.command.startswith("recu train ")
    assert f"--seed {entry.seed}" in entry.command


@pytest.mark.parametrize("name", sorted(NAMES))
def test_file_is_the_one_of_the_index_and_holds_arrays_only(name):
    entry = pretrained.find(name)
    content = pretrained.read(entry)
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    with np.load(entry.path, allow_pickle=False) as arrays:
        assert {array.dtype.kind for array in arrays.values()} == {"b", "u", "f"}


def test_damaged_file_is_refused(folder):
    entry = pretrained.find("digits-resnet20")
    content = bytearray(entry.path.read_bytes())
    content[1000] ^= 1
    entry.path.write_bytes(content)
    with pytest.raises(ValueError, match=r"digits-resnet20\.npz is damaged: its SHA-256 is not"):
        pretrained.read(entry)
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        pretrained.read(replace(entry, file="none.npz"))


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"a": {"file": "a.npz"}})])
def test_damaged_index_is_refused(folder, text):
    (folder / "index.json").write_text(text)
    with pytest.raises(ValueError, match=r"index\.json is damaged, install recu_tf again: "):
        pretrained.list_all()


def test_what_there_is_not_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"must be one of cifar10-resnet20, .*, got 'cifar10'"):
        pretrained.find("cifar10")
    with pytest.raises(ValueError, match=r"no resnet18_1w1a trained on cifar10 .* resnet20_1w1a"):
        pretrained.find_weights("resnet18_1w1a", "cifar10")
