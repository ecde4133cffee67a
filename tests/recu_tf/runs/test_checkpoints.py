import numpy as np
import pytest

from recu_tf.runs import checkpoints
from recu_tf.runs.checkpoints import Checkpoint


def make_checkpoint(epoch, step=0):
    arrays = {"network/0": np.full(1000, epoch, np.float32), "optimizer/0": np.int64(step)}
    return Checkpoint(epoch, step, arrays, {"best": 0.5})


def test_checkpoint_is_loaded_as_it_was_saved(tmp_path):
    checkpoints.save(tmp_path / "checkpoints", make_checkpoint(3, 17))
    loaded = checkpoints.load_newest(tmp_path / "checkpoints")
    assert (loaded.epoch, loaded.step, loaded.progress) == (3, 17, {"best": 0.5})
    np.testing.assert_array_equal(
        loaded.arrays["network/0"], make_checkpoint(3, 17).arrays["network/0"]
    )
    assert loaded.arrays["optimizer/0"].dtype == np.int64


def test_two_newest_are_kept(tmp_path):
    for epoch, step in ((0, 5), (1, 0), (9, 0), (10, 0)):
        checkpoints.save(tmp_path, make_checkpoint(epoch, step))
    assert [path.stem for path in sorted(tmp_path.iterdir())] == [
        "000009-00000000",
        "000010-00000000",
    ]
    assert checkpoints.load_newest(tmp_path).epoch == 10


def test_missing_directory_holds_no_checkpoint(tmp_path):
    assert checkpoints.load_newest(tmp_path / "missing") is None


@pytest.mark.parametrize("share", [0, 0.3, 0.999])
def test_truncated_newest_falls_back_with_a_warning(share, tmp_path):
    for epoch in (1, 2):
        path = checkpoints.save(tmp_path, make_checkpoint(epoch))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.warns(UserWarning, match="000002-00000000.npz is damaged and was skipped"):
        assert checkpoints.load_newest(tmp_path).epoch == 1
    # It is gone, so the next one saved does not push out the good one.
    assert not path.exists()


def test_changed_byte_is_noticed(tmp_path):
    for epoch in (1, 2):
        path = checkpoints.save(tmp_path, make_checkpoint(epoch))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged and was skipped"):
        assert checkpoints.load_newest(tmp_path).epoch == 1


def test_partial_file_of_a_killed_process_is_no_checkpoint(tmp_path):
    (tmp_path / ".000001-00000000.partial.npz").write_bytes(b"PK")
    (tmp_path / "000009-00000000.npz").mkdir()
    assert checkpoints.load_newest(tmp_path) is None
    path = checkpoints.save(tmp_path, make_checkpoint(1))
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "000009-00000000.npz"]


def test_checkpoints_that_are_all_damaged_are_refused_and_kept(tmp_path):
    path = checkpoints.save(tmp_path, make_checkpoint(1))
    path.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(ValueError, match=r"Every checkpoint in .* is damaged"),
    ):
        checkpoints.load_newest(tmp_path)
    assert path.exists()


def test_pickles_are_not_executed(tmp_path):
    np.savez(tmp_path / "000001-00000000.npz", x=np.array([object()]))
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(ValueError, match="Every checkpoint"),
    ):
        checkpoints.load_newest(tmp_path)


def test_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    good = checkpoints.save(tmp_path, make_checkpoint(1))
    write = checkpoints._write

    def write_half(path, arrays):
        write(path, arrays)
        path.write_bytes(path.read_bytes()[:500])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_write", write_half)
    with pytest.raises(OSError, match=r"000002-00000000\.npz could not be written: No space left"):
        checkpoints.save(tmp_path, make_checkpoint(2))
    assert list(tmp_path.iterdir()) == [good]
    assert checkpoints.load_newest(tmp_path).epoch == 1
