import pickle
import sys

import numpy as np
import pytest
from conftest import need, shared
from published_weights import CHECKPOINT, Malicious

from recu_tf import pytorch


def torch():
    return need("torch")


def test_checkpoint_of_an_old_torch_is_read():
    torch()
    state_dict, metadata = pytorch.read_checkpoint(shared(*CHECKPOINT))
    assert metadata == {"epoch": 20, "model": "resnet20_1w1a", "best_prec1": 69.21}
    assert state_dict["layer1.0.conv1.tau"].shape == (1,)
    assert {type(value) for value in state_dict.values()} == {np.ndarray}
    assert pytorch.infer_network(state_dict) == ("resnet20_1w1a", "cifar10")


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_either_format_are_read(zipped, tmp_path):
    save = torch().save
    tensors = {
        "half": torch().tensor([1.5], dtype=torch().bfloat16),
        "sparse": torch().eye(2).to_sparse(),
        "count": torch().tensor(3),
    }
    for number, content in enumerate(
        [tensors, {"state_dict": tensors, "epoch": 7, "best_prec1": torch().tensor(61.5), "x": [1]}]
    ):
        path = tmp_path / f"{number}.pth"
        save(content, path, _use_new_zipfile_serialization=zipped)
        state_dict, metadata = pytorch.read_checkpoint(path)
        assert state_dict["half"].dtype == np.float32
        assert state_dict["half"].tolist() == [1.5]
        assert state_dict["sparse"].tolist() == [[1, 0], [0, 1]]
        assert metadata == ({} if number == 0 else {"epoch": 7, "best_prec1": 61.5})


@pytest.mark.parametrize("kind", ["zip", "old", "pickle", "pickle2"])
def test_code_in_a_checkpoint_is_refused_and_not_executed(kind, tmp_path):
    path, mark = tmp_path / "evil.pth", tmp_path / "executed"
    content = {"state_dict": {"a": torch().zeros(1)}, "epoch": Malicious(mark)}
    if kind.startswith("pickle"):
        path.write_bytes(pickle.dumps(content["epoch"], protocol=2 if kind == "pickle2" else None))
    else:
        torch().save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(
        ValueError, match=r"evil\.pth (was refused and nothing in it was exec|is dam)"
    ):
        pytorch.read_checkpoint(path)
    assert not mark.exists()
    if kind in ("zip", "old"):
        with pytest.raises(ValueError, match=r"it asks for posix\.mkdir"):
            pytorch.read_checkpoint(path)
        # It would have been executed by a reader that is less careful.
        torch().load(path, weights_only=False)
        assert mark.exists()


@pytest.mark.parametrize("length", [0, 1, 100, 50000])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_file_is_refused(length, zipped, tmp_path):
    path = tmp_path / "short.pth"
    torch().save(
        {"state_dict": {"a": torch().zeros(20000)}}, path, _use_new_zipfile_serialization=zipped
    )
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"short\.pth (is damaged or was not written|was refused)"):
        pytorch.read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a checkpoint"),
        ({}, "`state_dict` in .* must hold tensors by name, but holds none"),
        ({"state_dict": {}}, "`state_dict` in .* must hold tensors by name, but holds none"),
        ({"epoch": 3}, "must hold a `state_dict` of tensors; these are not tensors: epoch"),
    ],
)
def test_file_without_a_state_dict_is_refused(content, message, tmp_path):
    torch().save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=message):
        pytorch.read_checkpoint(tmp_path / "a.pth")


def test_other_files_and_directories_are_refused(tmp_path):
    torch()
    (tmp_path / "text.pth").write_text("epoch,loss\n1,2\n")
    with pytest.raises(ValueError, match=r"text\.pth is damaged or was not written by torch.save"):
        pytorch.read_checkpoint(tmp_path / "text.pth")
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(
            FileNotFoundError, match="is not a file: there is no checkpoint to read"
        ):
            pytorch.read_checkpoint(path)


def test_missing_or_unsafe_torch_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.pth").touch()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"not installed: pip install 'recu_tf\[torch\]'"):
        pytorch.read_checkpoint(tmp_path / "a.pth")
    monkeypatch.setitem(sys.modules, "torch", type("Torch", (), {"__version__": "2.9.1+cpu"}))
    with pytest.raises(ImportError, match=r"torch must be 2\.10 or newer .* got 2\.9\.1\+cpu"):
        pytorch.read_checkpoint(tmp_path / "a.pth")
