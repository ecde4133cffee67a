"""Tests of a training that JAX runs: it is the one that TensorFlow would have run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import recu_tf
from experiments import jax_training
from experiments.jax_training.job_files import Job, write_images, write_job
from recu_tf import data
from recu_tf.training.step import Learner

RUN_JOBS = Path(jax_training.__file__).with_name("run_jobs.py")
JAX = "jax==0.10.2"  # with Python 3.11
EPOCHS, BATCH_SIZE, TRAINING = 3, 20, 64
RATES = np.array([[0.2, 0.1, 0.05]] * EPOCHS, np.float32)
TAUS = np.array([0.85, 0.9, 0.95], np.float32)


@pytest.fixture(scope="module")
def jax_python(tmp_path_factory) -> str:
    """Python with JAX and NumPy alone; JAX needs a newer NumPy than Larq allows."""
    environment = tmp_path_factory.mktemp("jax")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = str(environment / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", JAX], check=True)
    return python


def make_learner() -> Learner:
    """A small network with ReCU; smooth activations, so that rounding changes little."""
    tf.keras.utils.set_random_seed(0)
    network = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            recu_tf.layers.BinaryConv2D(4, 3, kernel_quantizer="recu"),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Activation("tanh"),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(3),
        ]
    )
    learner = Learner(network)
    optimizer = recu_tf.optimizers.SGD(0.1, nesterov=True, l2=1e-3)
    optimizer.build(network.trainable_variables)
    learner.compile(optimizer)
    return learner


def make_job(learner: Learner, pixels: np.ndarray) -> Job:
    def train(images, labels):
        results = learner.train_step((images, labels))
        return results["loss"], results["accuracy"]

    return Job(
        "small",
        learner.network,
        train,
        learner.optimizer.learning_rate,
        [variable for metric in learner.metrics for variable in metric.variables],
        data.DATASETS["cifar10"].normalization,
        BATCH_SIZE,
        seed=5,
        padding=1,
        rates=RATES,
        taus=TAUS,
        training=np.arange(TRAINING),
        evaluated=np.arange(TRAINING, len(pixels)),
        settings={},
    )


def call(python: str, code: str, *arguments: object) -> None:
    """Runs code that knows `run_jobs` and its arguments as paths, in `paths`."""
    begin = "import json, sys, numpy, pathlib; sys.path.insert(0, sys.argv[1]); import run_jobs;"
    begin += "paths = list(map(pathlib.Path, sys.argv[2:]));"
    subprocess.run([python, "-c", begin + code, RUN_JOBS.parent, *map(str, arguments)], check=True)


def train_one_epoch(python: str, folder: Path, out: Path) -> None:
    """Begins the job, and stops it as if its time were over after the first epoch."""
    out.mkdir()
    code = "trainer = run_jobs.Trainer(*paths, float('inf'));"
    code += "run_jobs.print = lambda *_, **__: setattr(trainer, 'deadline', 0);"
    call(python, code + "trainer.train('small')", folder, out)


def draw_batches(python: str, folder: Path, epoch: int) -> list[np.ndarray]:
    """The batches that `run_jobs.py` draws in an epoch."""
    code = "job = json.loads(paths[0].read_text());"
    code += f"drawn = run_jobs.draw_epoch(job, {epoch}, numpy.arange({TRAINING}));"
    code += "numpy.savez(paths[1], *drawn)"
    call(python, code, folder / "small" / "job.json", folder / "batches.npz")
    with np.load(folder / "batches.npz") as file:
        return [file[key] for key in file]


@pytest.mark.slow
def test_jax_trains_as_tensorflow_does_and_goes_on_where_it_stopped(tmp_path, jax_python):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, TRAINING + 500)
    pixels = random.integers(0, 100, (len(labels), 8, 8, 3)) + 50 * labels[:, None, None, None]
    pixels = pixels.astype(np.uint8)
    learner = make_learner()
    job = make_job(learner, pixels)
    write_job(tmp_path, job)
    write_images(tmp_path / "images.npz", [(pixels, labels)])
    out = tmp_path / "out"
    train_one_epoch(jax_python, tmp_path, out)
    assert len((out / "small.jsonl").read_text().splitlines()) == 1
    subprocess.run([jax_python, RUN_JOBS, tmp_path, out, "small"], check=True)
    lines = [json.loads(line) for line in (out / "small.jsonl").read_text().splitlines()]
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
    losses = []
    for epoch, tau in enumerate(TAUS):
        learner.network.layers[0].kernel_quantizer.tau.assign(tau)
        for step, (order, shifts, flips) in enumerate(
            zip(*draw_batches(jax_python, tmp_path, epoch), strict=True)
        ):
            crops = [
                padded[index, top : top + 8, left : left + 8][:, :: -1 if flip else 1]
                for index, (top, left), flip in zip(order, shifts, flips, strict=True)
            ]
            learner.reset_metrics()
            learner.optimizer.learning_rate.assign(RATES[epoch, step])
            batch = job.normalization(np.stack(crops)), labels[order]
            losses.append(float(learner.train_step(batch)["loss"]))
    described = json.loads((tmp_path / "small" / "job.json").read_text())
    with np.load(out / "small.npz") as file:
        trained = [file[key] for key in described["weights"]]
    # Float32 in two libraries: a step rounds differently, and nine steps add that up.
    for ours, theirs in zip(learner.network.get_weights(), trained, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-3)
    logits = learner.predict(job.normalization(pixels[TRAINING:]), verbose=0)
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert losses[0] > losses[-1]
    assert lines[-1]["top_1"] == pytest.approx(
        100 * np.mean(logits.argmax(1) == labels[TRAINING:]), abs=0.41
    ), "two of 500 images may lie on the border"
