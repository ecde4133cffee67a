import pytest

from recu_tf import data, training
from recu_tf.runs.locking import lock_directory
from recu_tf.settings import Settings

TRAINED_ELSEWHERE = "is being trained by another process"


def test_directory_is_trained_by_one_process_at_a_time(tmp_path):
    with (
        lock_directory(tmp_path),
        pytest.raises(OSError, match=TRAINED_ELSEWHERE),
        lock_directory(tmp_path),
    ):
        pass
    with lock_directory(tmp_path):
        pass


@pytest.mark.parametrize("exists", [False, True])
def test_lock_leaves_nothing_where_no_run_was_created(exists, tmp_path):
    directory = tmp_path / "results" / "run"
    if exists:
        directory.mkdir(parents=True)
    with lock_directory(directory):
        assert (directory / ".lock").exists()
    assert list(tmp_path.rglob("*")) == ([directory.parent, directory] if exists else [])


def test_lock_stays_with_a_run(tmp_path):
    with lock_directory(tmp_path / "run"):
        (tmp_path / "run" / "config.json").touch()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [".lock", "config.json"]


def test_directory_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OSError, match="file/run cannot be created"),
        lock_directory(tmp_path / "file" / "run"),
    ):
        pass


@pytest.mark.parametrize("resume", [False, True])
def test_training_takes_the_lock_before_it_reads_or_builds(resume, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "load_training_set", lambda *_, **__: pytest.fail("data was read"))
    settings = Settings(model="resnet20_1w1a", dataset="digits")
    with lock_directory(tmp_path / "run"), pytest.raises(OSError, match=TRAINED_ELSEWHERE):
        training.train(settings, tmp_path / "run", resume=resume)
