import json
import re
import subprocess

import pytest

from experiments.benchmarks import __main__ as command
from experiments.benchmarks import parts
from experiments.benchmarks.benchmark_progress import BenchmarkOptions
from experiments.benchmarks.measured_tables import Table, compare_numbers
from experiments.benchmarks.parts import Part, find_commit, measure_part
from experiments.machine import describe_machine


def measure_a_little(options, progress):
    rows = [compare_numbers("A", {"ours": options.repeats, "B": 2}, "ours")]
    progress.tables += [
        Table("start_up", "Start", "ms", "ours", rows),
        Table("empty", "Nothing", "ms", "ours", []),
    ]
    raise RuntimeError("broke off")


def test_part_that_breaks_off_keeps_what_it_has(monkeypatch):
    monkeypatch.setitem(parts.PARTS, "start", Part("Start", measure_a_little))
    part = measure_part("start", BenchmarkOptions(repeats=1), describe_machine())
    assert [table["key"] for table in part["tables"]] == ["start_up"]
    assert part["left_out"] == {"Start": "failed: RuntimeError: broke off"}
    assert part["machine"]["versions"]["larq"]
    assert part["seconds"] >= 0
    json.dumps(part)


def test_folder_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "TREE", tmp_path)
    assert find_commit() is None


def test_commit_is_dirty_where_files_but_results_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "TREE", tmp_path)
    code, results = tmp_path / "code.py", tmp_path / parts.RESULTS / "benchmarks.md"
    results.parent.mkdir(parents=True)
    for file in (code, results):
        file.write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init"], ["add", "."], ["commit", "-m", "First"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    commit = find_commit()
    assert re.fullmatch(r"[0-9a-f]{7,}", commit)
    results.write_text("2")
    assert find_commit() == commit
    code.write_text("2")
    assert find_commit() == f"{commit}-dirty"


def test_measured_parts_take_the_place_of_earlier_ones(tmp_path, monkeypatch):
    monkeypatch.setitem(parts.PARTS, "start", Part("Start", measure_a_little))
    arguments = ["--only", "start", "--out", str(tmp_path / "results")]
    command.main([*arguments, "--repeats", "1"])
    command.main([*arguments, "--repeats", "7"])
    numbers = json.loads((tmp_path / "results" / "benchmarks.json").read_text())
    assert list(numbers) == ["start"]
    assert numbers["start"]["tables"][0]["rows"][0]["medians"]["ours"] == 7
    page = (tmp_path / "results" / "benchmarks.md").read_text()
    assert "| A    | 7.00   | **2.00 (0.29)** |" in page


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--only", "nothing"], "invalid choice: 'nothing'"),
        (["--networks", "lenet"], "--networks must be among zoo, resnet20_1w1a"),
        (
            ["--networks", "zoo/QuickNet"],
            "--networks must have one of resnet20_1w1a, resnet18A_1w1a, resnet18B_1w1a, "
            "resnet18C_1w1a, resnet18_1w1a, vgg_small_1w1a for the part training, got zoo/QuickNet",
        ),
        (["--published", "absent"], "absent is no checkout of the published implementation"),
        (["--out", __file__], "--out must be a directory, or one that can be made"),
        (["--out", f"{__file__}/in"], "--out must be a directory, or one that can be made"),
        (["--repeats", "0"], "must be a whole number from 1, got '0'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_measured(arguments, complaint, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{broken", "[]", '{"start": 3}'])
def test_damaged_numbers_of_an_earlier_run_are_refused_first(content, tmp_path, capsys):
    (tmp_path / "benchmarks.json").write_text(content)
    with pytest.raises(SystemExit, match="2"):
        command.main(["--only", "start", "--out", str(tmp_path)])
    assert (
        "--out must be a directory without a damaged benchmarks.json: " in capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["benchmarks.json"]
