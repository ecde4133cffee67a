"""Time and memory of a training step with ReCU's quantizers, beside other ways to train it.

A CIFAR network takes the same step in turns in processes of their own: forward, cross-entropy,
gradients, SGD with momentum and L2, on a fixed batch of random images. Beside it are the same
network with Larq's `approx_sign` and `ste_sign`, which have no standardisation, no clamp and no
scale; the float network of the same layers, which has no quantizers at all and is the floor; and
the published implementation in PyTorch, see `published_step.py`.
"""

from collections.abc import Callable
from functools import partial

import larq as lq
import numpy as np
import tensorflow as tf

from experiments.benchmarks import published_step
from experiments.benchmarks.benchmark_networks import CIFAR, build_network, name_network
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.measured_tables import Table, compare_numbers, compare_turns
from experiments.benchmarks.turn_workers import measure_in_workers
from experiments.quiet import quiet_standard_error
from recu_tf import choices, optimizers

__all__ = [
    "FLOAT",
    "LARQ",
    "OURS",
    "PUBLISHED",
    "larq_baseline",
    "measure_training_steps",
    "trace_step",
]

OURS, LARQ, FLOAT, PUBLISHED = "ReCU", "Larq's quantizers", "float twin", "published, PyTorch"
# From the networks to the number of turns; each takes about as long as the others.
NETWORKS = {choices.RESNET20: 13, choices.RESNET18: 5, choices.VGG_SMALL: 5}
TURNS = 5  # of a network that the user names
BATCH_SIZE = 128


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


def trace_step(model: tf.keras.Model, batch_size: int) -> Callable[[], tf.Tensor]:
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

    traced = step.get_concrete_function()
    # As a number, which is there only once the step is done.
    return lambda: traced().numpy()


def make_step(side: str, build: Callable[..., tf.keras.Model], batch_size: int) -> Callable:
    """The step of one side of the comparison, except for the published implementation.

    Args:
        side: `OURS`, `LARQ` or `FLOAT`.
        build: builds the network; takes `precision`.
        batch_size: images per step.
    """
    if side == FLOAT:
        return trace_step(build(precision=choices.FLOAT), batch_size)
    model = build()
    return trace_step(larq_baseline(model) if side == LARQ else model, batch_size)


def measure_training_steps(options: BenchmarkOptions, progress: Progress) -> None:
    """Measures each network, and adds a table of times and one of memory."""
    times = Table("training_time", "Time of a training step", "ms", OURS, [])
    memory = Table("training_memory", "Memory of a training step", "MiB", OURS, [])
    times.note = f"{BATCH_SIZE} images of 32 x 32 on all cores."
    memory.note = (
        "The peak of the resident memory while the steps run, minus what there was before the "
        "first: activations, gradients and momentum, not weights and libraries."
    )
    progress.tables += [times, memory]
    problem = published_step.find_problem(options.published)
    if problem:
        progress.leave_out(PUBLISHED, problem)
    for network in [name for name in options.networks if name in CIFAR] or NETWORKS:
        with progress.attempt(f"training step of {CIFAR[network]}"):
            build = partial(build_network, network)
            sides = {side: (make_step, (side, build, BATCH_SIZE)) for side in (OURS, LARQ, FLOAT)}
            if problem is None:
                arguments = (options.published, network, BATCH_SIZE)
                sides[PUBLISHED] = (published_step.make_published_step, arguments)
            turns, found = measure_in_workers(
                sides, options.repeats or NETWORKS.get(network, TURNS)
            )
            times.rows.append(compare_turns(name_network(network), turns, OURS))
            if None not in found.values():
                sizes = {side: size / 2**20 for side, size in found.items()}
                memory.rows.append(compare_numbers(name_network(network), sizes, OURS))
