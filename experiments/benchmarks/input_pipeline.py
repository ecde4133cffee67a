"""Speed of the input pipelines, and their share of a training step.

- CIFAR: 50,000 random images of 32 x 32 in batches of 256, cropped and flipped as in training, and
  what they add to a ResNet-20 training step.
- ImageNet: JPEGs of 500 x 375, cropped, resized and flipped, on all cores; and on one core, in
  processor time, beside Pillow and NumPy doing what torchvision does.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.measured_tables import Row, Table, compare_turns
from experiments.benchmarks.photographs import write_photographs
from experiments.benchmarks.pillow_pipeline import load_batch
from experiments.benchmarks.turn_workers import (
    measure_in_workers,
    measure_processor_time,
    measure_wall_time,
    run_alone,
)
from export.measurement.latency import take_turns
from recu_tf import data, models, optimizers
from recu_tf.data.memory.batches import make_training_batches
from recu_tf.data.sampling import Sampler

__all__ = ["measure_input_pipelines"]

CIFAR_IMAGES, CIFAR_BATCH = 50_000, 256
PHOTOGRAPHS, PHOTOGRAPH_BATCH = 256, 32
# The start of a pipeline, which a training pays once, takes as long as so many photographs. With
# several passes over them in a turn it hardly counts.
PHOTOGRAPH_EPOCHS = 8
TURNS, PHOTOGRAPH_TURNS = 7, 5
SHARE_TURNS = 5
# A batch takes less than the shortest time that processor time can be trusted with.
BATCHES = 20

OURS, PILLOW = "this project", "Pillow and NumPy"
ALONE, WITHOUT, WITH = "pipeline alone", "step, same batch again", "step, with the pipeline"


def make_cifar_batches(count: int = CIFAR_IMAGES, epochs: int = 1) -> tf.data.Dataset:
    """Batches of 256, of so many random images instead of CIFAR's."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, count)
    cifar10 = data.DATASETS["cifar10"]
    sampler = Sampler(count, CIFAR_BATCH, epochs, seed=0)
    return make_training_batches(images, labels, cifar10.normalization, cifar10.flip, sampler)


def make_photograph_batches(folder: str) -> tf.data.Dataset:
    """Batches of 32 with ImageNet's augmentation, of all photographs several times."""
    training_set = data.load_training_set("folder", folder)
    return training_set.batches(PHOTOGRAPH_BATCH, PHOTOGRAPH_EPOCHS, seed=0)


def make_epochs(make_batches: Callable[..., tf.data.Dataset], *arguments) -> Callable[[], None]:
    """A function that takes all batches. It begins anew each time, so that none is made ahead."""
    batches = make_batches(*arguments)

    def take_all() -> None:
        for _ in batches:
            pass

    return take_all


def make_pillow_epochs(folder: str) -> Callable[[], None]:
    """The same as `make_photograph_batches` with Pillow and NumPy."""
    paths = sorted(str(path) for path in Path(folder).glob("train/*/*.jpg"))
    rng = np.random.default_rng(0)

    def take_all() -> None:
        for _ in range(PHOTOGRAPH_EPOCHS):
            load_batch(paths, rng)

    return take_all


def _in_images_per_second(
    milliseconds: dict[str, np.ndarray], images: int
) -> dict[str, np.ndarray]:
    return {side: 1e3 * images / values for side, values in milliseconds.items()}


def compare_shares(turns: int) -> list[Row]:
    """The pipeline beside a ResNet-20 training step, in processor time and in wall-clock time."""
    model = models.build("resnet20_1w1a", "cifar10")
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.SGD(0.1, 0.9, l2=5e-4), loss)
    batches = iter(make_cifar_batches(epochs=1000))
    fixed = next(batches)
    work = {
        WITH: lambda: model.train_on_batch(*next(batches)),
        WITHOUT: lambda: model.train_on_batch(*fixed),
        ALONE: lambda: [next(batches) for _ in range(BATCHES)],
    }
    rows = []
    for name, measure in (
        ("processor time", measure_processor_time),
        ("wall-clock time", measure_wall_time),
    ):
        found = take_turns(work, turns, warm_up=1, measure=measure)
        found[ALONE] = found[ALONE] / BATCHES
        if measure is measure_wall_time:
            # Alone it works ahead, so that a batch is there when it is asked for.
            both = {side: found[side] for side in (WITH, WITHOUT)}
            rows.append(compare_turns(name, both, WITH))
        else:
            rows.append(compare_turns(name, {side: found[side] for side in work}, None))
    return rows


def measure_input_pipelines(options: BenchmarkOptions, progress: Progress) -> None:
    """Measures all pipelines and adds a table of images per second and one of shares."""
    rates = Table(
        "input_rates", "Input pipelines", "images per second", OURS, [], more_is_better=True
    )
    rates.note = (
        "CIFAR's are 50,000 images of 32 x 32, cropped and flipped; ImageNet's are JPEGs of "
        "500 x 375, cropped, resized to 224 x 224 and flipped."
    )
    progress.tables.append(rates)
    cores = os.cpu_count()

    def compare(name: str, images: int, sides: dict, turns: int, **where) -> None:
        with progress.attempt(f"input pipeline of {name}"):
            turns = options.repeats or turns
            milliseconds, _ = measure_in_workers(sides, turns, warm_up=1, **where)
            found = _in_images_per_second(milliseconds, images)
            rates.rows.append(compare_turns(name, found, OURS, more_is_better=True))

    in_memory = {OURS: (make_epochs, (make_cifar_batches,))}
    compare(f"CIFAR, {cores} cores", CIFAR_IMAGES, in_memory, TURNS)
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder) / "train" / "photograph", PHOTOGRAPHS)
        images = PHOTOGRAPHS * PHOTOGRAPH_EPOCHS
        ours = {OURS: (make_epochs, (make_photograph_batches, folder))}
        compare(f"ImageNet, {cores} cores", images, ours, PHOTOGRAPH_TURNS)
        both = {**ours, PILLOW: (make_pillow_epochs, (folder,))}
        where = {"measure": measure_processor_time, "core": min(os.sched_getaffinity(0))}
        compare("ImageNet, one core", images, both, PHOTOGRAPH_TURNS, **where)
    with progress.attempt("input pipeline's share of a training step"):
        shares = Table("input_share", "CIFAR's pipeline beside the step it feeds", "ms", WITH, [])
        shares.note = (
            f"A batch of {CIFAR_BATCH} images, and a ResNet-20 training step on it. The pipeline "
            "works ahead while the step runs."
        )
        shares.rows = run_alone(compare_shares, options.repeats or SHARE_TURNS)
        progress.tables.append(shares)
