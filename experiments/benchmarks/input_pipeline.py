"""How fast training images come, and what share of a training step they take.

    python -m experiments.benchmarks.input_pipeline

Three measurements; those that compare take turns, and the medians of the repeats are given.

- CIFAR: 50,000 random images of 32 x 32 in batches of 256, cropped and flipped as in training; and
  the processor time that a batch takes as a share of that of a training step of ResNet-20, and the
  time per step with the pipeline and with one batch over and over.
- JPEGs of 500 x 375, cropped, resized and flipped as ImageNet's, all cores.
- The same on one core, in processor time, against Pillow and NumPy doing what torchvision does.
"""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from experiments.benchmarks.photographs import write_photographs
from experiments.benchmarks.pillow_pipeline import pillow_batch
from recu_tf import data, models, optimizers
from recu_tf.data.memory.batches import make_training_batches
from recu_tf.data.sampling import Sampler

CIFAR_IMAGES = 50_000
PHOTOGRAPHS = 256
REPEATS = 9


def processor_time(work: Callable[[], object]) -> float:
    """Seconds of processor time, until what the work has set off in the background is done too."""
    start = time.process_time()
    work()
    before = -math.inf
    while time.process_time() - before > 0.005:
        before = time.process_time()
        time.sleep(0.2)
    return time.process_time() - start


def wall_time(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_of_turns(
    work: dict[str, Callable[[], object]], measure: Callable[[Callable], float]
) -> dict[str, list[float]]:
    """Measures each, one after the other, again and again; once more at first to warm up."""
    seconds = {name: [] for name in work}
    for _ in range(REPEATS + 1):
        for name, one in work.items():
            seconds[name].append(measure(one))
    return {name: values[1:] for name, values in seconds.items()}


def cifar_batches() -> tf.data.Dataset:
    """Batches of 256 without end, from random images in the place of CIFAR's."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (CIFAR_IMAGES, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, CIFAR_IMAGES)
    cifar10 = data.DATASETS["cifar10"]
    sampler = Sampler(CIFAR_IMAGES, 256, epochs=1000, seed=0)
    return make_training_batches(images, labels, cifar10.normalization, cifar10.flip, sampler)


def measure_cifar() -> None:
    """Images a second, and shares of ResNet-20's training step."""
    batches, steps = iter(cifar_batches()), math.ceil(CIFAR_IMAGES / 256)

    def epoch():
        for _ in range(steps):
            next(batches)

    rates = [CIFAR_IMAGES / one for one in median_of_turns({"": epoch}, wall_time)[""]]
    print(
        f"CIFAR: {statistics.median(rates):,.0f} images/s "
        f"(median of {REPEATS} epochs, {min(rates):,.0f} to {max(rates):,.0f})"
    )
    model = models.build("resnet20_1w1a", "cifar10")
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.SGD(0.1, 0.9, l2=5e-4), loss)
    fixed = next(batches)

    def step(next_batch):
        return lambda: [model.train_on_batch(*next_batch()) for _ in range(2)]

    work = {
        "pipeline": lambda: [next(batches) for _ in range(20)],
        "with pipeline": step(lambda: next(batches)),
        "without": step(lambda: fixed),
    }
    for name, measure in (("processor", processor_time), ("wall", wall_time)):
        turns = median_of_turns(work, measure)
        each = {key: statistics.median(values) for key, values in turns.items()}
        share = each["pipeline"] / 20 / (each["without"] / 2)
        more = statistics.median(
            one / other - 1
            for one, other in zip(turns["with pipeline"], turns["without"], strict=True)
        )
        print(
            f"ResNet-20, {name} time: {each['without'] / 2 * 1000:.0f} ms a step, the pipeline "
            f"alone {share:.1%} of it; a step with it takes {more:+.1%}"
        )


def measure_photographs(folder: Path) -> None:
    """Images a second of ImageNet's augmentation."""
    training = data.load_training_set("folder", str(folder))
    batches = iter(training.batches(PHOTOGRAPHS, 1000, seed=0))
    seconds = median_of_turns({"": lambda: [next(batches) for _ in range(4)]}, wall_time)[""]
    rates = [4 * PHOTOGRAPHS / one for one in seconds]
    print(
        f"JPEG 500 x 375: {statistics.median(rates):,.0f} images/s on {os.cpu_count()} cores "
        f"(median of {REPEATS}, {min(rates):,.0f} to {max(rates):,.0f})"
    )


def measure_against_pillow(folder: Path) -> None:
    """The ratio per core; this process runs on one."""
    training = data.load_training_set("folder", str(folder))
    batches = iter(training.batches(PHOTOGRAPHS, 1000, seed=0))
    paths = sorted(str(path) for path in folder.glob("train/*/*.jpg"))
    rng = np.random.default_rng(0)
    work = {"here": lambda: next(batches), "Pillow": lambda: pillow_batch(paths, rng)}
    turns = median_of_turns(work, processor_time)
    ratios = [one / other for one, other in zip(turns["Pillow"], turns["here"], strict=True)]
    here, pillow = (PHOTOGRAPHS / statistics.median(turns[name]) for name in ("here", "Pillow"))
    print(
        f"Per core: {here:,.0f} images/s, Pillow and NumPy {pillow:,.0f}: "
        f"{statistics.median(ratios):.2f} times "
        f"(median of {REPEATS}, {min(ratios):.2f} to {max(ratios):.2f})"
    )


def one_core(folder: str) -> None:
    """Starts this module again on a single core, before TensorFlow counts them."""
    core = min(os.sched_getaffinity(0))
    subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.input_pipeline", folder],
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        check=True,
    )


def main() -> None:
    """Measures and prints a line each; the last in a process of its own, kept to one core."""
    if len(sys.argv) > 1:
        measure_against_pillow(Path(sys.argv[1]))
        return
    measure_cifar()
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder) / "train" / "photograph", PHOTOGRAPHS)
        measure_photographs(Path(folder))
        one_core(folder)


if __name__ == "__main__":
    main()
