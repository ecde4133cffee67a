"""Runs to report on: their lines of metrics, their settings and their networks."""

import json
import shutil

from recu_tf import metrics, runs
from recu_tf.runs import run as run_module

LAYERS = ["layer1.0.conv1", "layer1.0.conv2"]
# Test images of `few_digits`.
IMAGES = 10
_loaded = {}


def line(epoch, **more):
    """A line of metrics.jsonl, with diagnostics that depend on the epoch."""
    values = dict.fromkeys(metrics.METRICS, 0.5 / (epoch + 1))
    return {
        "epoch": epoch,
        "loss": 2 / (epoch + 1),
        "val_loss": 2.2 / (epoch + 1),
        "accuracy": 0.2 * epoch,
        "val_accuracy": 0.19 * epoch,
        "lr": 0.1,
        "tau": 0.9,
        "seconds": 1.5,
        **values,
        "layers": {
            name: {metric: value / (at + 1) for metric, value in values.items()}
            for at, name in enumerate(LAYERS)
        },
        **more,
    }


def write_lines(run, *lines):
    """Replaces the lines of metrics.jsonl; one may be text as it is."""
    texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
    (run.path / "metrics.jsonl").write_text("\n".join(texts) + "\n")


def change_config(run, **settings):
    """Changes settings that the run records."""
    config = json.loads((run.path / "config.json").read_text())
    config["settings"].update(settings)
    (run.path / "config.json").write_text(json.dumps(config))


def copy_run(trained, path):
    """A copy of the run of a training, with diagnostics of five epochs."""
    shutil.copytree(trained.path, path)
    run = runs.Run.open(path)
    change_config(run, epochs=5)
    write_lines(run, *(line(epoch) for epoch in range(5)))
    return runs.Run.open(path)


def load_models_once(monkeypatch):
    """Loads each file of a network once; no test changes what is loaded.

    Loading takes most of a report's time.
    """
    load = run_module.load_keras

    def load_once(path):
        content = path.read_bytes()
        if content not in _loaded:
            _loaded[content] = load(path)
        return _loaded[content]

    monkeypatch.setattr(run_module, "load_keras", load_once)
