import sys
from pathlib import Path

import pytest

import recu_tf
from experiments.release import smoke_test


def test_project_that_was_not_installed_into_the_environment_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"recu_tf must lie in .*, got .*"):
        smoke_test.check_installation()


def test_delegate_has_to_be_as_expected():
    library = Path(recu_tf.__file__).parents[1] / "export/runtime/librecu_delegate.so"
    states = ("compiled", "missing") if library.exists() else ("missing", "compiled")
    smoke_test.check_delegate(states[0])
    with pytest.raises(RuntimeError, match=f"should be {states[1]}, but is {states[0]}"):
        smoke_test.check_delegate(states[1])


@pytest.mark.slow
def test_network_is_trained_and_exported(tmp_path, capfd):
    smoke_test.check_pretrained_networks()
    run = smoke_test.train_network(tmp_path / "run")
    smoke_test.export_network(run, tmp_path / "export")
    assert (tmp_path / "export" / "model.tflite").exists()
    assert "exported; " in capfd.readouterr().out
