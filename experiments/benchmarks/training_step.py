"""The cost of ReCU's quantizers in a training step, compared with Larq's quantizers.

    python -m experiments.benchmarks.training_step

A CIFAR network and a baseline, which has Larq's `approx_sign` and `ste_sign` instead of ReCU's
quantizers, take the same step in turns: forward, cross-entropy, gradients, SGD with L2. Other
programs on the machine slow both, so trust the ratios. The memory of a step is the peak of the
resident memory while it runs minus the memory before, in a process of its own; Linux only.
"""

import argparse
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import larq as lq
import numpy as np
import tensorflow as tf

from experiments.quiet import quiet_standard_error
from recu_tf import models, optimizers

Build = Callable[[], tf.keras.Model]

MODELS = ("resnet18_1w1a", "resnet20_1w1a")
QUANTIZERS = ("ReCU", "Larq")
WARM_UP = 3
MEMORY_STEPS = 5


def larq_baseline(model: tf.keras.Model) -> tf.keras.Model:
    """The same network with Larq's usual quantizers and the same trainable weights.

    It lacks the `kernel_constraint` that belongs to `ste_sign`, a pass over every kernel, so that
    only the quantizers differ.
    """

    def clone(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, lq.layers.QuantConv2D):
            config |= {"input_quantizer": "approx_sign", "kernel_quantizer": "ste_sign"}
        return type(layer).from_config(config)

    with quiet_standard_error():  # Larq recommends the constraint
        baseline = tf.keras.models.clone_model(model, clone_function=clone)
    for variable, original in zip(
        baseline.trainable_variables, model.trainable_variables, strict=True
    ):
        variable.assign(original)
    return baseline


def training_step(model: tf.keras.Model, batch_size: int) -> Callable[[], tf.Tensor]:
    """A traced training step on a fixed batch of random images, which returns the loss."""
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(batch_size, *model.input_shape[1:])), tf.float32)
    labels = tf.constant(rng.integers(0, model.output_shape[-1], batch_size))
    cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = optimizers.SGD(learning_rate=1e-3, l2=5e-4)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = cross_entropy(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    step.get_concrete_function()  # traces the step
    return step


def step_seconds(steps: list[Callable[[], tf.Tensor]], repeats: int) -> np.ndarray:
    """Times the steps in turns.

    Returns:
        Seconds, shape (repeats, steps).
    """
    seconds = np.empty((WARM_UP + repeats, len(steps)))
    for repeat, row in enumerate(seconds):
        # The order alternates, so that neither step always comes second.
        for index in range(len(steps))[:: 1 if repeat % 2 else -1]:
            start = time.perf_counter()
            steps[index]().numpy()
            row[index] = time.perf_counter() - start
    return seconds[WARM_UP:]


def _resident_bytes(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{field}:\s*(\d+) kB", status)[1])


def step_bytes(build: Build, batch_size: int, quantizers: str) -> int:
    """Bytes of memory of a training step, in a process that has not run a step before."""
    model = build()
    step = training_step(larq_baseline(model) if quantizers == "Larq" else model, batch_size)
    # Not getrusage, whose peak is inherited from the parent process.
    before = _resident_bytes("VmRSS")
    for _ in range(MEMORY_STEPS):
        step().numpy()
    return _resident_bytes("VmHWM") - before


def _in_fresh_process(function: Callable, *arguments):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()


def report(build: Build, batch_size: int, repeats: int) -> str:
    """Measures a network and its baseline.

    Args:
        build: builds the network; a new process must be able to import it.
        batch_size: images per step.
        repeats: number of timed steps of each, at least 2.

    Returns:
        A line of times, with the quartiles of the ratios of consecutive steps, and one of memory.
    """
    model = build()
    steps = [training_step(network, batch_size) for network in (model, larq_baseline(model))]
    seconds = step_seconds(steps, repeats)
    medians = np.median(seconds, axis=0)
    low, middle, high = statistics.quantiles(seconds[:, 0] / seconds[:, 1], n=4)
    memory = [_in_fresh_process(step_bytes, build, batch_size, name) for name in QUANTIZERS]
    return (
        f"time   ReCU {medians[0] * 1e3:.0f} ms, Larq {medians[1] * 1e3:.0f} ms, ratio "
        f"{medians[0] / medians[1]:.3f}; ratio of pairs {middle:.3f} ({low:.3f} to {high:.3f})\n"
        f"memory ReCU {memory[0] / 2**20:.0f} MiB, Larq {memory[1] / 2**20:.0f} MiB, ratio "
        f"{memory[0] / memory[1]:.3f}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Measures each network and prints three lines for it."""
    parser = argparse.ArgumentParser(
        description="Training steps with ReCU's quantizers and Larq's."
    )
    parser.add_argument("--model", nargs="+", choices=models.CIFAR_NETWORKS, default=MODELS)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=21, help="timed steps, at least 2")
    options = parser.parse_args(arguments)
    for name, minimum in (("batch_size", 1), ("repeats", 2)):
        if getattr(options, name) < minimum:
            parser.error(f"`{name}` must be at least {minimum}, got {getattr(options, name)}.")
    for name in options.model:
        build = partial(models.build, name, dataset="cifar10")
        print(f"{name}, batch {options.batch_size}, {options.repeats} repeats", flush=True)
        print(report(build, options.batch_size, options.repeats), flush=True)


if __name__ == "__main__":
    main()
