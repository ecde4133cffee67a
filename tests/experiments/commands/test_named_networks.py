"""Networks that commands take by their names."""

import json

import pytest
from complaints import complaint
from conftest import few_digits, tiny_resnet

from experiments import cli
from experiments.tflite_benchmark import benchmark_files

SMALL = "zoo/QuickNetSmall"


@pytest.fixture(autouse=True)
def _tiny_network(monkeypatch, tmp_path):
    few_digits(monkeypatch, build=tiny_resnet)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def weights(small_quicknet):
    return small_quicknet[1]


def test_summary_of_a_name_has_recu_or_the_quantizers_of_larq_zoo(weights, capsys):
    reports = []
    for options in ([], ["--weights", str(weights)]):
        assert cli.main(["summary", SMALL, "--dataset", "digits", *options]) == 0
        reports.append(capsys.readouterr().out)
    for report in reports:
        assert "quicknet_small" in report
    totals = [
        next(line for line in report.splitlines() if "Total params" in line) for report in reports
    ]
    assert totals[0] == totals[1]


def test_evaluation_takes_the_images_of_a_data_set(weights, capsys):
    options = ["--weights", str(weights), "--dataset", "digits"]
    assert cli.main(["evaluate", SMALL, *options]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{SMALL} on 10 test images of digits"
    assert [line.split()[0] for line in printed[1:]] == ["top-1", "top-5", "loss"]


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_untrained_network_is_exported_into_the_working_directory(tmp_path, capsys):
    flags = ["--no-check_accuracy", "--dataset", "digits"]
    assert cli.main(["export", "resnet20_1w1a", *flags]) == 0
    folder = tmp_path / "resnet20_1w1a_export"
    assert f"Written: {folder}" in capsys.readouterr().out
    description = json.loads((folder / "model.json").read_text())
    assert description["source"] is None
    assert len(description["class_names"]) == 10


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_name_is_measured_as_binary_file_and_baselines():
    files = benchmark_files.find_files(["resnet20_1w1a"])
    assert [file.name for file in files] == [
        "resnet20_1w1a",
        "resnet20_1w1a (float32)",
        "resnet20_1w1a (int8)",
    ]
    assert [file.binary for file in files] == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (f"evaluate {SMALL}", "without trained weights; its `weights` must be given."),
        ("evaluate resnet18_1w1a", "without trained weights; name a trained one."),
        (f"evaluate {SMALL} --weights none.h5", '`weights` must be "imagenet" or the path of'),
        ("summary zoo/XNORNet --dataset digits", "zoo/XNORNet takes images of at least 217x217"),
        ("summary zoo/QuickNet18", "NETWORK must be a .tflite file"),
        (f"benchmark {SMALL} zoo/QuickNet --weights a.h5", "`weights` is for the name of one"),
        ("benchmark resnet20_1w1a --weights a.h5", "`weights` must be one of cifar10, digits, who"),
    ],
)
def test_mistakes_are_refused_in_one_line(arguments, message, capsys):
    assert message in complaint(capsys, *arguments.split())
