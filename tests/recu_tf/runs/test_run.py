import json

import pytest
import tensorflow as tf
from small_run import CONFIG

from recu_tf.runs import Run
from recu_tf.runs.atomic_write import write_aside
from recu_tf.runs.run_config import PARTIAL_CONFIG


def test_run_directory_is_created_and_opened(tmp_path):
    run = Run.create(tmp_path / "results" / "one", CONFIG)
    config = json.loads((run.path / "config.json").read_text())
    assert config["format"] == 1
    assert set(config["versions"]) >= {"python", "recu_tf", "tensorflow", "larq"}
    opened = Run.open(run.path)
    assert opened.config == config
    assert (opened.normalization.mean, opened.normalization.std) == ((0.5, 0.5), (0.25, 0.25))


def test_directory_that_holds_a_run_is_refused_with_advice(tmp_path):
    Run.create(tmp_path / "one", CONFIG)
    with pytest.raises(
        FileExistsError, match=r"already holds a run\. Train it further with --resume"
    ):
        Run.create(tmp_path / "one", CONFIG)


def test_directory_inside_of_a_run_is_refused(tmp_path):
    Run.create(tmp_path / "run", {})
    with pytest.raises(FileExistsError, match=r"stage1 lies in .*run, which holds a run"):
        Run.check_free(tmp_path / "run" / "stage1")


def test_directory_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="exists and is not an empty directory"):
        Run.create(tmp_path, CONFIG)
    with pytest.raises(FileExistsError, match="exists and is not an empty directory"):
        Run.create(tmp_path / "thesis.tex", CONFIG)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, FileNotFoundError, "is not a run directory: it has no config.json"),
        ("{", ValueError, "config.json is not valid JSON"),
        ('{"format": 2}', ValueError, "must have format 1, .* got 2"),
        ('{"format": 1, "versions": {}, "num_classes": 2}', ValueError, "lacks settings, class_"),
        ("[]", ValueError, "must have format 1, .* got None"),
        ("[" * 100_000, ValueError, "config.json is not valid JSON: its JSON is nested deeper"),
        ('{"a":' * 100_000, ValueError, "config.json is not valid JSON: its JSON is nested deeper"),
    ],
)
def test_directory_without_a_valid_config_is_refused(text, error, message, tmp_path):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(error, match=message):
        Run.open(tmp_path)


def test_file_in_the_place_of_a_directory_is_named_as_one(tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    file = run.path / "config.json"
    with pytest.raises(FileNotFoundError, match=r"config\.json is a file, where a run directory"):
        Run.open(file)


def make_model():
    return tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])


def test_best_model_is_kept_when_the_last_is_saved(tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    network = make_model()
    run.save_model(network, "best")
    expected = network.get_weights()[0].tolist()
    network.layers[0].kernel.assign([[2.0], [2.0]])
    run.save_model(network, "last")
    assert run.load_model("best").get_weights()[0].tolist() == expected
    assert run.load_model("last").get_weights()[0].tolist() == [[2], [2]]
    assert sorted(p.name for p in run.path.iterdir()) == ["best.keras", "config.json", "last.keras"]


def test_missing_and_damaged_models_are_refused(tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    with pytest.raises(FileNotFoundError, match="stopped before its first epoch ended"):
        run.load_model("best")
    run.append_metrics({"epoch": 0, "val_accuracy": 0.5})
    with pytest.raises(FileNotFoundError, match=r"does not exist, though the run has 1 epoch\.$"):
        run.load_model("best")
    run.save_model(make_model(), "best")
    run.model_path("best").write_bytes(run.model_path("best").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"best\.keras is damaged"):
        run.load_model("best")
    with pytest.raises(ValueError, match="`which` must be one of best, last, got 'worst'"):
        run.load_model("worst")


def test_code_in_a_model_file_is_refused_and_not_executed(tmp_path):
    run = Run.create(tmp_path / "run", CONFIG)
    marker = tmp_path / "executed"
    lines = f"open({str(marker)!r}, 'w')"
    network = tf.keras.Sequential(
        [tf.keras.Input((2,)), tf.keras.layers.Lambda(eval(f"lambda x: ({lines}, x)[1]"))]
    )
    marker.unlink()
    run.save_model(network, "best")
    marker.unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r"best\.keras is damaged.*[Ll]ambda"):
        run.load_model("best")
    assert not marker.exists()


@pytest.mark.parametrize(
    "normalization", [None, {}, {"mean": 0.3, "std": 0.3}, {"mean": [0.3], "std": [1, 1]}]
)
def test_damaged_normalization_is_refused(normalization, tmp_path):
    run = Run.create(tmp_path / "run", {**CONFIG, "normalization": normalization})
    with pytest.raises(ValueError, match=r"`normalization` in .* must have a mean and a std"):
        Run.open(run.path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"class_names": 5},
            r"`class_names` in .*config\.json must be a list of strings or null, got 5",
        ),
        ({"class_names": [{}]}, r"`class_names` in .* must be a list of strings or null"),
        (
            {"input_shape": {"a": 1}},
            r"`input_shape` in .* must be a list of positive whole numbers",
        ),
        ({"input_shape": [2.5]}, r"`input_shape` in .* must be a list of positive whole numbers"),
        ({"num_classes": "1"}, r"`num_classes` a positive whole number, got \[2\] and '1'"),
    ],
)
def test_values_of_other_types_are_refused(wrong, message, tmp_path):
    run = Run.create(tmp_path / "run", {**CONFIG, **wrong})
    with pytest.raises(ValueError, match=message):
        Run.open(run.path)


def test_model_that_does_not_match_the_config_is_refused(tmp_path):
    run = Run.create(tmp_path / "run", {**CONFIG, "num_classes": 7})
    run.save_model(make_model(), "best")
    with pytest.raises(ValueError, match=r"best\.keras does not hold the network of config"):
        run.load_model("best")


def test_failed_write_leaves_the_file_before_it(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("good")

    def fail(aside):
        aside.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_aside(path, fail)
    assert path.read_text() == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_run_killed_while_its_config_was_written_can_be_created_again(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / PARTIAL_CONFIG).write_text('{"format"')
    Run.create(tmp_path / "run", {"settings": {}})
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_incomplete_line_of_metrics_is_skipped_and_removed(tmp_path):
    run = Run.create(tmp_path / "run", {})
    assert run.metrics() == []
    for epoch in range(3):
        run.append_metrics({"epoch": epoch})
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "lo')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl, line 4, is damaged and was skipped"):
        assert [line["epoch"] for line in run.metrics()] == [0, 1, 2]
    with pytest.warns(UserWarning, match="line 4, is damaged"):
        run.remove_metrics_from(2)
    assert (run.path / "metrics.jsonl").read_text() == '{"epoch": 0}\n{"epoch": 1}\n'


@pytest.mark.parametrize(
    "damage",
    [b"[1]\n", b'{"loss": 1}\n', b"\x00\xff\n", b'{"epoch": 1, "lo\n', b"[" * 100_000 + b"\n"],
)
def test_damaged_line_of_metrics_is_named_and_skipped(damage, tmp_path):
    run = create_run_with_lines(tmp_path, b'{"epoch": 0}\n' + damage + b'{"epoch": 2}\n')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl, line 2, is damaged and was skipped"):
        assert [line["epoch"] for line in run.metrics()] == [0, 2]


def create_run_with_lines(directory, lines):
    run = Run.create(directory / "run", {})
    (run.path / "metrics.jsonl").write_bytes(lines)
    return run
