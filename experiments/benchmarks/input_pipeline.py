"""Speed of the input pipeline, and its share of a training step.

    python -m experiments.benchmarks.input_pipeline

There are three measurements. Whatever is compared runs in turns; the medians of the repeats are
printed.

- CIFAR: 50,000 random images of 32 x 32 in batches of 256, cropped and flipped as in training. The
  processor time of a batch as a share of that of a ResNet-20 training step, and the time of a step
  with the pipeline and with the same batch every time.
- JPEGs of 500 x 375, cropped, resized and flipped as for ImageNet, on all cores.
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
from experiments.benchmarks.pillow_pipeline import load_batch
from recu_tf import data, models, optimizers
from recu_tf.data.memory.batches import make_training_batches
from recu_tf.data.sampling import Sampler

CIFAR_IMAGES = 50_000
PHOTOGRAPHS = 256
REPEATS = 9


def processor_time(work: Callable[[], object]) -> float:
    """Seconds of processor time, including what the work started in the background."""
    start = time.process_time()
    work()
    before = -math.inf
    while time.process_time() - before > 0.005:
        before = time.process_time()
        time.sleep(0.2)
    return time.process_time() - start


def wall_time(work: Callable[[], object]) -> float:
    """Seconds of wall-clock time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_in_turns(
    work: dict[str, Callable[[], object]], measure: Callable[[Callable], float]
) -> dict[str, list[float]]:
    """Seconds of each repeat by name. The functions run in turns; a first turn warms up."""
    seconds = {name: [] for name in work}
    for _ in range(REPEATS + 1):
        for name, function in work.items():
            seconds[name].append(measure(function))
    return {name: values[1:] for name, values in seconds.items()}


def cifar_batches() -> tf.data.Dataset:
    """An endless stream of batches of 256, of random images instead of CIFAR's."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (CIFAR_IMAGES, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, CIFAR_IMAGES)
    cifar10 = data.DATASETS["cifar10"]
    sampler = Sampler(CIFAR_IMAGES, 256, epochs=1000, seed=0)
    return make_training_batches(images, labels, cifar10.normalization, cifar10.flip, sampler)


def measure_cifar() -> None:
    """Prints the images per second and the shares of a ResNet-20 training step."""
    batches, steps = iter(cifar_batches()), math.ceil(CIFAR_IMAGES / 256)

    def epoch():
        for _ in range(steps):
            next(batches)

    rates = [CIFAR_IMAGES / seconds for seconds in measure_in_turns({"": epoch}, wall_time)[""]]
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
        turns = measure_in_turns(work, measure)
        each = {key: statistics.median(values) for key, values in turns.items()}
        share = each["pipeline"] / 20 / (each["without"] / 2)
        more = statistics.median(
            with_pipeline / without - 1
            for with_pipeline, without in zip(turns["with pipeline"], turns["without"], strict=True)
        )
        print(
            f"ResNet-20, {name} time: {each['without'] / 2 * 1000:.0f} ms per step; the pipeline "
            f"alone takes {share:.1%} of it, and lengthens a step by {more:+.1%}"
        )


def measure_photographs(folder: Path) -> None:
    """Prints the images per second of ImageNet's augmentation."""
    training = data.load_training_set("folder", str(folder))
    batches = iter(training.batches(PHOTOGRAPHS, 1000, seed=0))
    seconds = measure_in_turns({"": lambda: [next(batches) for _ in range(4)]}, wall_time)[""]
    rates = [4 * PHOTOGRAPHS / repeat for repeat in seconds]
    print(
        f"JPEG 500 x 375: {statistics.median(rates):,.0f} images/s on {os.cpu_count()} cores "
        f"(median of {REPEATS}, {min(rates):,.0f} to {max(rates):,.0f})"
    )


def measure_against_pillow(folder: Path) -> None:
    """Prints the speed per core and the ratio; this process has to run on one core."""
    training = data.load_training_set("folder", str(folder))
    batches = iter(training.batches(PHOTOGRAPHS, 1000, seed=0))
    paths = sorted(str(path) for path in folder.glob("train/*/*.jpg"))
    rng = np.random.default_rng(0)
    work = {"here": lambda: next(batches), "Pillow": lambda: load_batch(paths, rng)}
    turns = measure_in_turns(work, processor_time)
    ratios = [pillow / here for pillow, here in zip(turns["Pillow"], turns["here"], strict=True)]
    here, pillow = (PHOTOGRAPHS / statistics.median(turns[name]) for name in ("here", "Pillow"))
    print(
        f"Per core: {here:,.0f} images/s, Pillow and NumPy {pillow:,.0f}: "
        f"{statistics.median(ratios):.2f} times "
        f"(median of {REPEATS}, {min(ratios):.2f} to {max(ratios):.2f})"
    )


def run_on_one_core(folder: str) -> None:
    """Runs this module in a process on a single core, set before TensorFlow counts the cores."""
    core = min(os.sched_getaffinity(0))
    subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.input_pipeline", folder],
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        check=True,
    )


def main() -> None:
    """Runs all measurements, the last in a process of its own on one core."""
    if len(sys.argv) > 1:
        measure_against_pillow(Path(sys.argv[1]))
        return
    measure_cifar()
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder) / "train" / "photograph", PHOTOGRAPHS)
        measure_photographs(Path(folder))
        run_on_one_core(folder)


if __name__ == "__main__":
    main()
