import re
import subprocess
from pathlib import Path

import pytest

import recu_tf
from experiments.release import release_check

TREE = Path(recu_tf.__file__).parents[1]


def test_each_package_meets_both_versions_and_the_sdist_also_no_compiler():
    environments = release_check.list_environments("2.16", "2.21")
    # A wheel that was built elsewhere has the delegate, with a compiler and without.
    assert {environment[1:3] + environment[4:] for environment in environments} == {
        ("wheel", "2.21", True),
        ("wheel", "2.16", True),
        ("sdist", "2.16", True),
        ("sdist", "2.21", False),
    }
    assert len({environment.name for environment in environments}) == len(environments)


@pytest.fixture
def record(monkeypatch, tmp_path):
    """Commands, which do nothing, and the variables that they would run with."""
    commands = []
    monkeypatch.setattr(release_check, "ROOT", tmp_path / "release-check")
    monkeypatch.setenv("CXX", "c++")

    def run(command, check, **options):
        commands.append((command, options.get("env", {})))
        if "build" in command and "--outdir" in command:
            dist = Path(command[command.index("--outdir") + 1])
            dist.mkdir(exist_ok=True)
            for name in ("recu_tf-1.tar.gz", "recu_tf-1.whl", "recu_runtime-1.whl"):
                (dist / name).touch()

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_everything_is_built_installed_and_tried(record, tmp_path, capsys):
    assert release_check.main(["2.16", "2.21"]) == 0
    tried = [command for command, _ in record if "experiments.release.smoke_test" in command]
    # Without a compiler, before and after the export's packages are installed.
    assert [command[-1] for command in tried] == [*["compiled"] * 3, "missing", "missing"]
    without = next(variables for command, variables in record if "missing" in command)
    assert without["PATH"] == str(tmp_path / "release-check/no-compiler/bin")
    assert "CXX" not in without
    assert record[-1][0][-1] == "delegate"
    assert not (tmp_path / "release-check").exists()
    assert capsys.readouterr().out.endswith("All environments pass.\n")


def test_first_failure_ends_it_and_its_environment_stays(record, monkeypatch, tmp_path, capsys):
    work = subprocess.run

    def run(command, check, **options):
        work(command, check, **options)
        if "compiled" in command:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", run)
    assert release_check.main(["2.16", "2.21"]) == 1
    assert record[-1][0][-1] == "compiled"
    assert (tmp_path / "release-check").exists()
    assert re.fullmatch(r"error: .* --delegate compiled failed \(1\)\n", capsys.readouterr().err)


def test_makefile_tries_the_versions_that_may_be_installed():
    makefile = (TREE / "Makefile").read_text("utf-8")
    assert "\n\t$(PYTHON) -m experiments.release.release_check $(VERSIONS)\n" in makefile
