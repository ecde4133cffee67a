import json

import pytest
from complaints import complaint
from delegates import hide_delegate, needs_delegate
from tiny_files import binary_file, binary_model, damaged, float_file

from experiments import cli
from experiments.commands.parser import command_parser
from experiments.declarations import FOLDER_OR_NETWORK
from experiments.tflite_benchmark import benchmark_files, benchmark_run
from experiments.tflite_benchmark.benchmark_text import UNRELATED
from export import runtime
from export.runtime import delegate_facts
from export.tflite.backends import BACKENDS, find_backends
from recu_tf import runs


@pytest.fixture
def files(tmp_path):
    """A binary file and a float32 file."""
    paths = [tmp_path / "binary.tflite", tmp_path / "float.tflite"]
    for path, flatbuffer in zip(paths, (binary_file(), float_file()), strict=True):
        path.write_bytes(flatbuffer)
    return list(map(str, paths))


def test_files_are_measured_compared_and_written_as_json(files, tmp_path, capsys, monkeypatch):
    hide_delegate(monkeypatch)
    path = tmp_path / "numbers.json"
    flags = ["--threads", "1", "2", "--repeats", "2", "--json", str(path)]
    assert cli.main(["benchmark", *files, *flags]) == 0
    printed = capsys.readouterr().out
    assert f"{files[0]}: {len(binary_file()):,} bytes" in printed
    for threads in ("1 thread", "2 threads"):
        assert printed.count(f"  fastest, {threads}\n") == 2  # of two files
    assert f"{files[0]} on 2 threads is " in printed
    assert printed.count(UNRELATED) == 1
    assert f"Where the time of {files[0]} goes (1 thread, " in printed
    missing = "The delegate is missing: absent/librecu_delegate.so does not exist: "
    assert sum(line.startswith(missing) for line in printed.splitlines()) == 1
    assert f" times as fast as {files[1]} here on 1 thread: " in printed.splitlines()[-1]
    values = json.loads(path.read_text())
    assert values["machine"]["cores"] >= 1
    assert values["machine"]["versions"]["larq-compute-engine"]
    assert [file["bytes"] for file in values["files"]] == [len(binary_file()), len(float_file())]
    assert [file["binary"] for file in values["files"]] == [True, False]
    assert list(values["files"][0]["memory_bytes"]) == list(BACKENDS)
    count = sum(len(find_backends(flatbuffer)) for flatbuffer in (binary_file(), float_file()))
    assert len(values["latencies"]) == 2 * count
    threads = [comparison["binary"]["threads"] for comparison in values["comparisons"]]
    assert threads == [1, 2]
    (breakdown,) = values["breakdowns"]
    for latency in [values["comparisons"][0]["other"], *values["latencies"]]:
        assert list(latency) == ["name", "kernel", "threads", "median_ms", "p95_ms", "min_ms"]
    assert breakdown["kernel"] in BACKENDS
    assert sum(sum(part["operators"].values()) for part in breakdown["parts"]) > 4
    assert values["delegate"]["runtime"] is None
    assert values["profiles"] == []
    assert not list(tmp_path.glob("*partial*"))


@needs_delegate
def test_delegate_is_measured_first_and_step_by_step(files, tmp_path, capsys):
    path = tmp_path / "numbers.json"
    flags = ["--threads", "2", "1", "--repeats", "2", "--json", str(path), "--profile"]
    assert cli.main(["benchmark", *files, *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    (file,) = (number for number, line in enumerate(lines) if line.startswith(f"{files[0]}: "))
    assert [line.split()[:2] for line in lines[file + 2 : file + 4]] == [
        ["delegate", "2"],
        ["delegate", "1"],
    ]
    for threads in ("1 thread", "2 threads"):
        start = f"Where the time of {files[0]} goes ({threads}, delegate ("
        assert sum(line.startswith(start) for line in lines) == 1
    assert sum("binary convolution 3x3/1 of 8x8x32 to 16" in line for line in lines) == 2
    assert lines[-1].startswith(f"{files[0]} is ")
    assert f" times as fast as {files[1]} here on 1 thread: " in lines[-1]
    values = json.loads(path.read_text())
    assert " in " in values["delegate"]["runtime"]
    assert [profile["threads"] for profile in values["profiles"]] == [1, 2]
    assert values["profiles"][0]["steps"][-1]["macs"] == 8 * 8 * 16 * 3 * 3 * 32
    assert values["sentences"] == [lines[-1]]


@needs_delegate
def test_chosen_backends_of_the_delegate_are_measured(files, capsys):
    chosen = delegate_facts.name_backend(runtime.delegate())
    flags = ["--threads", "1", "--repeats", "1", "--delegate_backends", "portable", chosen]
    assert cli.main(["benchmark", files[0], *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    (file,) = (number for number, line in enumerate(lines) if line.startswith(f"{files[0]}: "))
    for line, name in zip(lines[file + 2 : file + 4], ["portable", chosen], strict=True):
        assert line.startswith(f"  delegate {name} ")
    assert "delegate (portable) in " in "\n".join(lines[:file])
    assert f"Where the time of {files[0]} goes (1 thread, " in "\n".join(lines)


@needs_delegate
def test_backends_that_the_delegate_lacks_are_refused(files, capsys, monkeypatch):
    monkeypatch.setattr(benchmark_run, "find_files", lambda paths: pytest.fail("worked"))
    flags = [files[0], "--delegate_backends"]
    error = complaint(capsys, "benchmark", *flags, "portable", "SSE")
    assert (
        "`delegate_backends` must be backends of the delegate that this processor has, s" in error
    )
    assert "got 'SSE'" in error
    error = complaint(capsys, "benchmark", *flags, "portable", "portable")
    assert "must name each once, got portable, portable" in error
    hide_delegate(monkeypatch)
    error = complaint(capsys, "benchmark", *flags, "portable")
    assert "`delegate_backends` needs the delegate: absent/librecu_delegate.so does not" in error


def test_network_is_measured_with_its_baselines(tmp_path, capsys):
    path = tmp_path / "network.keras"
    binary_model().save(path)
    assert cli.main(["benchmark", str(path), "--threads", "1", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"\n{path}: " in printed
    for baseline in ("float32", "int8"):
        assert f" {path} ({baseline}): " in printed
    assert printed.count(" on 1 thread is ") == 2
    assert UNRELATED not in printed
    assert f"\n{path} is " in printed
    assert " times as fast as float32 here on 1 thread: " in printed.splitlines()[-1]


@pytest.mark.slow
def test_exported_folder_is_compared_with_the_network_beside_it(tmp_path, capsys):
    binary_model().save(tmp_path / "network.keras")
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(binary_file())
    description = {"format": 1, "files": {}, "options": {}, "network": "../network.keras"}
    (folder / "model.json").write_text(json.dumps(description), "utf-8")
    assert cli.main(["benchmark", str(folder), "--threads", "1", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"{folder / 'model.tflite'}: {len(binary_file()):,} bytes" in printed
    assert f" {folder} (float32): " in printed
    assert " as float32 here on 1 thread: " in printed.splitlines()[-1]


def test_run_is_measured_by_the_file_it_was_exported_to(tmp_path, capsys, monkeypatch):
    hide_delegate(monkeypatch)
    # How baselines are made is tested above.
    baselines = {"float32": float_file(), "int8": float_file()}
    monkeypatch.setattr(benchmark_files, "convert_baselines", lambda model: baselines)
    config = {
        "settings": {},
        "num_classes": 3,
        "class_names": None,
        "input_shape": [8, 8, 3],
        "normalization": {"mean": [0, 0, 0], "std": [1, 1, 1]},
    }
    run = runs.Run.create(tmp_path / "run", config)
    run.save_model(binary_model(), "best")
    (run.path / "model.tflite").write_bytes(binary_file(96))
    assert cli.main(["benchmark", str(run.path), "--threads", "1", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"\n{run.path / 'model.tflite'}: {len(binary_file(96)):,} bytes" in printed
    assert f"\n{run.path} (float32): " in printed
    assert "1 LceBconv2d" in printed


@pytest.mark.parametrize(("inside", "load"), [("model.tflite", 0), ("export/model.tflite", 999)])
def test_folder_of_a_file_is_measured(inside, load, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0, 0))
    path = tmp_path / inside
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(float_file())
    assert cli.main(["benchmark", str(tmp_path), "--threads", "1", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert f"{path}: {len(float_file()):,} bytes" in printed
    assert "Where the time" not in printed
    assert ("The machine does other work" in printed) == (load > 0)


def test_backend_that_cannot_run_a_file_is_listed(tmp_path, capsys):
    path = tmp_path / "grouped.tflite"
    path.write_bytes(binary_file(64, groups=2))
    assert cli.main(["benchmark", str(path), "--threads", "1", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert "was not compared with float32" in printed.splitlines()[-1]
    assert "\n  optimized cannot run it: " in printed
    assert "Grouped binary convolutions are not supported with this kernel" in printed
    (row,) = [line for line in printed.splitlines() if line.startswith("  reference ")]
    assert row.endswith("fastest") or printed.count("  fastest\n") == 1


def test_help_names_all_that_can_be_measured():
    parser = command_parser()._subparsers._group_actions[0].choices["benchmark"]
    (action,) = (action for action in parser._actions if action.dest == "files")
    assert action.help.startswith(FOLDER_OR_NETWORK)
    assert "the name of a network" in action.help


def test_bad_arguments_are_refused_before_any_work(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark_run, "find_files", lambda paths: pytest.fail("worked"))
    file = files[0]
    for flags, expected in [
        (["nowhere.tflite"], "nowhere.tflite does not exist; NETWORK must be a folder with a "),
        ([file, str(tmp_path / "." / "binary.tflite")], f"each file once, got {file} twice"),
        ([file, "--threads", "0"], "`threads` must be numbers from 1 to 256, each given once, got"),
        ([file, "--threads", "1000"], "`threads` must be numbers from 1 to 256, each given once"),
        ([file, "--threads", "2", "2"], "each given once, got 2 2"),
        ([file, "--repeats", "0"], "`repeats` must be at least 1, got 0"),
        ([file, "--json", str(tmp_path)], "`json` must be a file in a directory that exists, got"),
        ([file, "--json", f"{tmp_path}/no/a.json"], "`json` must be a file in a directory that ex"),
        ([file, "--json", file], "`json` must not be one of the files to measure"),
    ]:
        assert expected in complaint(capsys, "benchmark", *flags)


def test_what_cannot_be_measured_is_refused_by_name(files, tmp_path, capsys):
    for number, flatbuffer in enumerate(damaged(binary_file())):
        path = tmp_path / f"damaged{number}.tflite"
        path.write_bytes(flatbuffer)
        assert f"{path} is damaged or no TFLite file" in complaint(capsys, "benchmark", str(path))
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    for name in ("empty", "notes.txt"):
        error = complaint(capsys, "benchmark", str(tmp_path / name))
        assert f"{name} must be a folder with a model.tflite in it, a .tflite file, a" in error
    inside = tmp_path / "empty" / "model.tflite"
    inside.write_bytes(float_file())
    error = complaint(capsys, "benchmark", str(inside.parent), str(inside))
    assert f"FILE must name each file once, got {inside} twice" in error
