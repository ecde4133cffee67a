"""How the training step of a ResNet-20 grows with the batch, the width and the size of the images.

All steps are in one process and take turns, with ReCU and without quantizers.
"""

from dataclasses import replace

import tensorflow as tf

from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.measured_tables import Row, Table, compare_turns
from experiments.benchmarks.training_step import FLOAT, OURS, trace_step
from experiments.benchmarks.turn_workers import measure_wall_time, run_alone
from export.measurement.latency import take_turns
from recu_tf import choices
from recu_tf.models import resnet20

__all__ = ["AXES", "build_scaled", "measure_growth"]

TURNS = 5
BATCH_SIZE, WIDTH, SIZE = 32, 16, 32
AXES = {
    "batch": (16, 32, 64, 128, 256),
    "width": (8, 16, 32, 64),
    "image size": (16, 32, 64),
}
UNITS = {"batch": "images", "width": "channels", "image size": "pixels"}


def build_scaled(width: int, size: int, precision: str = choices.BINARY) -> tf.keras.Model:
    """A ResNet-20 of another width, for square images of another size.

    Args:
        width: channels of its first stage; 16 as published.
        size: height and width of the images.
        precision: see `recu_tf.models.build`.
    """
    stages = [(blocks, filters * width // WIDTH) for blocks, filters in resnet20.stages]
    return replace(resnet20, stages=stages)((size, size, 3), precision=precision)


def time_steps(axes: dict[str, tuple[int, ...]], turns: int) -> list[tuple[str, Row]]:
    """Times the steps at all points of the axes, in turns.

    Args:
        axes: see `AXES`.
        turns: number of turns of each.

    Returns:
        For each point its axis and its comparison.
    """
    steps = {}
    for axis, points in axes.items():
        for point in points:
            batch, width, size = (
                point if axis == name else default
                for name, default in (("batch", BATCH_SIZE), ("width", WIDTH), ("image size", SIZE))
            )
            for side, precision in ((OURS, choices.BINARY), (FLOAT, choices.FLOAT)):
                step = trace_step(build_scaled(width, size, precision), batch)
                steps[axis, point, side] = step
    found = take_turns(steps, turns, warm_up=1, measure=measure_wall_time)
    return [
        (
            axis,
            compare_turns(
                f"{point} {UNITS[axis]}",
                {side: found[axis, point, side] for side in (OURS, FLOAT)},
                OURS,
            ),
        )
        for axis, points in axes.items()
        for point in points
    ]


def measure_growth(
    options: BenchmarkOptions, progress: Progress, axes: dict[str, tuple[int, ...]] = AXES
) -> None:
    """Measures all points and adds a table for each axis."""
    with progress.attempt("growth of the step with batch, width and image size"):
        rows = run_alone(time_steps, axes, options.repeats or TURNS)
        for axis in axes:
            key = f"growth_{axis.replace(' ', '_')}"
            title = f"ResNet-20: the step by {axis}"
            table = Table(key, title, "ms", OURS, [row for name, row in rows if name == axis])
            fixed = {
                "batch": f"a batch of {BATCH_SIZE}",
                "width": f"{WIDTH} channels in the first stage",
                "image size": f"images of {SIZE} x {SIZE}",
            }
            others = [text for name, text in fixed.items() if name != axis]
            table.note = f"With {' and '.join(others)}."
            progress.tables.append(table)
