"""Training a trial, epoch by epoch, from its last checkpoint on."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_images import augment_epoch, load_images
from experiments.speedrun.trial_network import build_network, whiten_stem
from experiments.speedrun.trial_schedules import learning_rate, temperature
from experiments.speedrun.trial_step import NORMALIZATION, SIZE, Learning
from recu_tf import models
from recu_tf.runs.atomic_write import write_aside

__all__ = ["CHECKPOINT", "train_trial"]

CHECKPOINT = "checkpoint.npz"
WHITENED_ON = 2000  # images for the main axes of patches


@dataclass(frozen=True)
class Epoch:
    """What an epoch of a trial trains.

    Attributes:
        precision: of the network.
        size: side length of the images.
        first: the first epoch of its stage.
        length: epochs of its stage.
    """

    precision: str
    size: int
    first: int
    length: int


class Average:
    """The running mean of the weights of many steps."""

    def __init__(self, values: Sequence[np.ndarray] = (), count: int = 0):
        self.values, self.count = list(values), count

    def add(self, variables: Sequence[tf.Variable]) -> None:
        """Adds the present values of the variables."""
        new = [variable.numpy() for variable in variables]
        self.count += 1
        old = self.values or new
        self.values = [a + (b - a) / self.count for a, b in zip(old, new, strict=True)]


def train_trial(
    trial: Trial,
    directory: Path,
    data_path: str,
    *,
    teacher: tf.keras.Model | None = None,
    log: Callable[[str], object] = print,
) -> list[dict]:
    """Trains a trial to its end.

    Args:
        trial: to train.
        directory: for its checkpoint, written after each epoch.
        data_path: data directory of tensorflow-datasets.
        teacher: from the same images to logits.
        log: is called with a line per epoch.

    Returns:
        For each epoch its `epoch`, `loss`, `training_top_1`, `top_1` (in percent) and `seconds`;
        with a mean teacher its `mean_top_1`; for the last also `averaged_top_1`, if weights are
        averaged.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tf.keras.utils.set_random_seed(trial.seed)
    pixels, labels, *evaluated_on = load_images(trial, data_path)
    plan = _plan(trial)
    lines, learning, average = _restore(trial, plan, directory / CHECKPOINT, teacher)
    for number in range(len(lines), trial.epochs):
        epoch = plan[number]
        before = plan[number - 1] if number else None
        if learning is None or (before.precision, before.size) != (epoch.precision, epoch.size):
            learning = _begin(trial, epoch, learning, teacher)
            if not number and trial.whitened_stem:
                whiten_stem(learning.network, NORMALIZATION(pixels[:WHITENED_ON]).numpy())
        started = time.perf_counter()
        loss, right = _train_epoch(trial, epoch, number, learning, pixels, labels, average)
        seconds = time.perf_counter() - started
        full = learning if epoch.size == SIZE else _begin(trial, plan[-1], learning, None)
        line = {
            "epoch": number,
            "loss": round(loss, 4),
            "training_top_1": round(100 * right, 2),
            "top_1": round(100 * full.evaluate(*evaluated_on), 2),
            "seconds": round(seconds, 1),
        }
        if learning.mean_network is not None:
            line["mean_top_1"] = round(100 * full.evaluate(*evaluated_on, mean=True), 2)
        if average.count and number == trial.epochs - 1:
            line["averaged_top_1"] = _evaluate_average(learning, average, pixels, evaluated_on)
        lines.append(line)
        _save(directory / CHECKPOINT, learning, lines, average)
        log(f"{trial.name} {json.dumps(line)}")
    return lines


def _plan(trial: Trial) -> list[Epoch]:
    first = trial.first_epochs if trial.first_stage else 0
    rest = trial.epochs - first
    sizes = [trial.small_size if number < trial.small_epochs else SIZE for number in range(rest)]
    return [
        *[Epoch(trial.first_stage, SIZE, 0, first)] * first,
        *(Epoch("binary", size, first, rest) for size in sizes),
    ]


def _begin(
    trial: Trial, epoch: Epoch, before: Learning | None, teacher: tf.keras.Model | None
) -> Learning:
    """The network of an epoch, with the weights of the one before."""
    learning = Learning(trial, epoch.precision, epoch.size, teacher)
    if before is None:
        return learning
    if before.precision == epoch.precision:
        learning.take_over(before)
        return learning
    if trial.first_starts:
        second = models.build_second_stage(before.network, trial.model, "cifar10")
        learning.network.set_weights(second.get_weights())
    if trial.first_teaches:
        learning.teacher = before.network
    return learning


def _train_epoch(
    trial: Trial,
    epoch: Epoch,
    number: int,
    learning: Learning,
    pixels: np.ndarray,
    labels: np.ndarray,
    average: Average,
) -> tuple[float, float]:
    """The mean loss and top-1 of the batches of an epoch."""
    passed = number - epoch.first
    in_first = epoch.precision == trial.first_stage
    scheduled = replace(trial, lr=trial.first_lr or trial.lr) if in_first else trial
    learning.set_temperature(temperature(trial, passed, epoch.length))
    images, order = augment_epoch(trial, pixels, number)
    targets = labels[order]
    steps = -(-len(images) // trial.batch_size)
    results = []
    for step in range(steps):
        chosen = slice(step * trial.batch_size, (step + 1) * trial.batch_size)
        batch = NORMALIZATION(images[chosen])
        if epoch.size != SIZE:
            batch = tf.image.resize(batch, [epoch.size] * 2, antialias=True)
        rate = learning_rate(scheduled, passed + step / steps, epoch.length)
        results.append(learning.step(batch, targets[chosen], rate))
        if number + step / steps >= trial.average_from * trial.epochs:
            average.add(learning.variables)
    loss, right = np.mean(results, axis=0)
    return float(loss), float(right)


def _evaluate_average(
    learning: Learning, average: Average, pixels: np.ndarray, evaluated_on: list[np.ndarray]
) -> float:
    """The top-1 of the averaged weights in percent; the network has its own again afterwards."""
    kept = learning.network.get_weights()
    for variable, value in zip(learning.variables, average.values, strict=True):
        variable.assign(value)
    order = np.random.default_rng(learning.trial.seed).permutation(len(pixels))
    learning.reestimate(pixels[order])
    top_1 = learning.evaluate(*evaluated_on)
    learning.network.set_weights(kept)
    return round(100 * top_1, 2)


def _save(path: Path, learning: Learning, lines: list[dict], average: Average) -> None:
    arrays = {"lines": json.dumps(lines), "count": learning.count.numpy()}
    arrays |= {"averaged": average.count}
    lists = {"weight": learning.network.get_weights(), "average": average.values}
    if learning.mean_network is not None:
        lists["mean"] = learning.mean_network.get_weights()
    if learning.trial.first_teaches and learning.teacher is not None:
        lists["teacher"] = learning.teacher.get_weights()
    lists |= {f"slot{number}": slot for number, slot in enumerate(learning.slots)}
    for name, values in lists.items():
        arrays |= {f"{name}/{index}": np.asarray(value) for index, value in enumerate(values)}

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            np.savez(file, **arrays)

    write_aside(path, write)


def _restore(
    trial: Trial, plan: list[Epoch], path: Path, teacher: tf.keras.Model | None
) -> tuple[list[dict], Learning | None, Average]:
    """The lines, the network and the average of a checkpoint, if there is one."""
    if not path.exists():
        return [], None, Average()
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    lines = json.loads(str(arrays["lines"]))
    epoch = plan[len(lines) - 1]
    learning = Learning(trial, epoch.precision, epoch.size, teacher)

    def read(name: str, count: int) -> list[np.ndarray]:
        return [arrays[f"{name}/{index}"] for index in range(count)]

    learning.network.set_weights(read("weight", len(learning.network.weights)))
    if "teacher/0" in arrays:
        learning.teacher = build_network(trial, trial.first_stage)
        learning.teacher.set_weights(read("teacher", len(learning.teacher.weights)))
    if learning.mean_network is not None:
        learning.mean_network.set_weights(read("mean", len(learning.mean_network.weights)))
    learning.count.assign(arrays["count"])
    for number, slot in enumerate(learning.slots):
        for variable, value in zip(slot, read(f"slot{number}", len(slot)), strict=True):
            variable.assign(value)
    averaged = int(arrays["averaged"])
    values = read("average", len(learning.variables)) if averaged else []
    return lines, learning, Average(values, averaged)
