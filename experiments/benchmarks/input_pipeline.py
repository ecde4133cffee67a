"""How many CIFAR images a second the training pipeline augments and normalises.

    python -m experiments.benchmarks.input_pipeline

50,000 random images of 32 x 32 take the place of CIFAR's, batch 256, crops and flips as in
training. An epoch is timed from its first batch to its last; median of the repeats.
"""

import statistics
import time

import numpy as np

from recu_tf.data import DATASETS, training_batches

IMAGES = 50_000
REPEATS = 7


def main() -> None:
    """Measures and prints one line."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, IMAGES)
    cifar10 = DATASETS["cifar10"]
    batches, steps = training_batches(
        images, labels, cifar10.normalization, 256, REPEATS + 1, seed=0, flip=cifar10.flip
    )
    rates = []
    start = time.perf_counter()
    for step, _ in enumerate(batches, start=1):
        if step % steps == 0:
            now = time.perf_counter()
            rates.append(IMAGES / (now - start))
            start = now
    rates = rates[1:]  # the first epoch traces and warms up
    print(
        f"{statistics.median(rates):,.0f} images/s "
        f"(median of {REPEATS} epochs, {min(rates):,.0f} to {max(rates):,.0f})"
    )


if __name__ == "__main__":
    main()
