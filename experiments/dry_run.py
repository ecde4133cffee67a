"""`recu train --dry-run`: the settings, memory and time of a training, without writing a run."""

import argparse
import contextlib
import io
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

from tabulate import tabulate

from recu_tf import larq_summary
from recu_tf.durations import format_duration
from recu_tf.messages import format_count
from recu_tf.settings import Settings
from recu_tf.training.errors import explain_errors
from recu_tf.training.setup import prepare

__all__ = ["dry_run", "dry_run_stages"]

STEPS = 5


def _median_seconds(process: Callable[[object], object], batches: Iterable[object]) -> float:
    """The median time to process a batch, without the first, which is traced."""
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        process(batch)
        seconds.append(time.perf_counter() - start)
    if not seconds:
        raise ValueError("`data_path`: none of the test images can be read.")
    return statistics.median(seconds[1:] or seconds)


def _rows(settings: Settings) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in asdict(settings).items()]


def dry_run(
    settings: Settings,
    *,
    init_from: str | os.PathLike | None = None,
    stage1: str | os.PathLike | None = None,
) -> str:
    """Builds everything that a training needs and trains a few steps.

    Args:
        settings: what to train and how.
        init_from: weights to start from, see `recu_tf.training.train`.
        stage1: network of the first stage to start from, see there.

    Returns:
        The settings, Larq's memory report, and the time of a step, an epoch and the training.

    Raises:
        FileNotFoundError, ImportError, OSError, ValueError: see `recu_tf.training.setup.prepare`.
    """
    # At least ten epochs, because a shorter training may have too few steps to measure.
    longer = replace(settings, epochs=max(settings.epochs, 10), steps_per_execution=1)
    prepared = prepare(longer, init_from=init_from, stage1=stage1)
    learner, strategy = prepared.learner, prepared.strategy
    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        larq_summary.summary(prepared.saved_network)
    with explain_errors(strategy):
        step, batches = learner.make_train_function(), iter(prepared.batches())
        seconds = _median_seconds(lambda _: step(batches), range(STEPS + 1))
        test = prepared.images.validation.take(STEPS + 1)
        test_seconds = _median_seconds(lambda batch: learner.test_on_batch(*batch), test)
    images, chosen_on = prepared.images.validation_count, prepared.images.chosen_on
    test_steps = -(-images // settings.batch_size_test)
    epoch = prepared.steps * seconds + test_steps * test_seconds
    epochs = settings.epochs - settings.start_epoch
    return "\n".join(
        [
            tabulate(_rows(settings), tablefmt="plain", disable_numparse=True),
            "",
            report.getvalue().rstrip(),
            "",
            f"{prepared.images.training.count:,} training images in {prepared.steps:,} steps of "
            f"{settings.batch_size}, on {format_count(strategy.num_replicas_in_sync, 'device')}; "
            f"{images:,} {chosen_on}",
            f"{format_duration(seconds)} a step (median of {STEPS}), {format_duration(epoch)} "
            f"an epoch with its evaluation, {format_duration(epochs * epoch)} for "
            f"{format_count(epochs, 'epoch')}",
            "Nothing was written.",
        ]
    )


def dry_run_stages(trainings: list[tuple[argparse.Namespace, Settings, Path]]) -> None:
    """Prints `dry_run` of each training of a command, each without the network of the one before.

    Args:
        trainings: the options of `recu train`, settings and directory of each.

    Raises:
        FileNotFoundError, ImportError, OSError, ValueError: see `dry_run`.
    """
    for number, (options, settings, _) in enumerate(trainings, 1):
        stage1 = options.stage1
        if number > 1:
            print(f"\nStage {number}, without its stage1, which is not trained yet:\n")
            stage1 = None
        print(dry_run(settings, init_from=options.init_from, stage1=stage1))
