"""Makes a run directory of a recipe's job that `run_jobs.py` has trained.

    python -m experiments.jax_training.read_result FOLDER JOB OUT RUN

The run can be evaluated, exported and packed as that of any training. Its best network is that of
the last epoch, which `run_jobs.py` keeps.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recu_tf import data, models
from recu_tf.messages import in_one_line
from recu_tf.runs import TEST_IMAGES, Run
from recu_tf.runs.finished_run import write_finished_run
from recu_tf.runs.run_config import list_versions
from recu_tf.settings import Settings

__all__ = ["read_result"]


def read_result(folder: Path, name: str, out: Path, directory: Path) -> Run:
    """Writes a run directory with the network and the metrics of a job, whole or not at all.

    Args:
        folder: of the jobs.
        name: of the job.
        out: where `run_jobs.py` wrote its results.
        directory: of the run, new or empty.

    Raises:
        FileNotFoundError: there is no such job, or no result of it.
        FileExistsError: `directory` is not empty, or lies in a run.
        OSError: it cannot be written.
        ValueError: the job is not that of a recipe, its training has not ended, or another epoch
            than the last is the best.
    """
    Run.check_free(directory.resolve())
    job = json.loads((folder / name / "job.json").read_text())
    if not job["settings"]:
        raise ValueError(f"`name` must be the job of a recipe, got {name}, a trial of the search.")
    settings = Settings.of_config(job["settings"])
    lines = [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]
    if len(lines) != settings.epochs:
        raise ValueError(f"{name} has trained {len(lines)} of {settings.epochs} epochs.")
    best = max(lines, key=lambda line: line["top_1"])
    if best["top_1"] != lines[-1]["top_1"]:
        raise ValueError(f"{name}: the best epoch is {best['epoch']}, and the last was kept.")
    known = data.DATASETS[settings.dataset]
    network = models.build(settings.model, settings.dataset)
    with np.load(out / f"{name}.npz") as file:
        network.set_weights([file[key].astype(np.float32) for key in job["weights"]])
    with np.load(folder / name / "arrays.npz") as file:
        rates, taus, images = file["rates"], file["taus"], len(file["training"])
    config = {
        "settings": asdict(settings),
        "num_classes": network.output_shape[-1],
        "class_names": list(known.class_names),
        "training_images": images,
        "chosen_on": TEST_IMAGES,
        "input_shape": network.input_shape[1:],
        "normalization": asdict(known.normalization),
        "replicas": 1,
        "versions": {**list_versions(), "jax": lines[-1]["jax"]},
    }
    metrics = (
        {
            "epoch": line["epoch"],
            "loss": line["loss"],
            "accuracy": line["training_top_1"] / 100,
            "val_accuracy": line["top_1"] / 100,
            "lr": float(rate[0]),
            "tau": float(tau),
            "seconds": line["seconds"],
        }
        for line, rate, tau in zip(lines, rates, taus, strict=True)
    )
    return write_finished_run(directory, config, network, metrics)


def main(arguments: list[str] | None = None) -> None:
    """Makes a run of a result; a mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m experiments.jax_training.read_result")
    parser.add_argument("folder", type=Path, help="of the jobs")
    parser.add_argument("job", help="its name")
    parser.add_argument("out", type=Path, help="where run_jobs.py wrote its results")
    parser.add_argument("run", type=Path, help="the run directory to make")
    options = parser.parse_args(arguments)
    try:
        run = read_result(options.folder, options.job, options.out, options.run)
    except (ValueError, OSError) as error:
        parser.exit(2, f"read_result: error: {in_one_line(error)}\n")
    print(f"{run.path}: top-1 {run.metrics()[-1]['val_accuracy']:.2%} on {TEST_IMAGES}")


if __name__ == "__main__":
    main()
