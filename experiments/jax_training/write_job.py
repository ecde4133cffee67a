"""Writes a training of a recipe, or a trial of the search, as a job for `run_jobs.py`.

    python -m experiments.jax_training.write_job FOLDER --recipe cifar10-resnet20 --data_path DIR
    python -m experiments.jax_training.write_job FOLDER --trial long --data_path DIR

Options of `recu train` override the recipe's. The first job of a folder writes the images as well.
"""

import argparse
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from experiments.jax_training.job_files import Job, write_images, write_job
from experiments.options import Parser
from experiments.recipes import RECIPES
from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_list import TRIALS
from experiments.speedrun.trial_schedules import learning_rate, temperature
from experiments.speedrun.trial_step import NORMALIZATION, Learning
from experiments.training_settings import list_given
from recu_tf import data, schedules
from recu_tf.choices import STEPWISE_LR_TYPES
from recu_tf.data.held_out import choose_held_out
from recu_tf.messages import in_one_line
from recu_tf.settings import Settings
from recu_tf.training.setup import prepare

__all__ = ["make_recipe_job", "make_trial_job"]

IMAGES = "images.npz"
# Of a recipe, what a job can have otherwise.
OPTIONS = (
    "input_quantizer",
    "epochs",
    "batch_size",
    "crop_padding",
    "optimizer",
    "lr",
    "momentum",
    "nesterov",
    "kernel_lr_factor",
    "weight_decay",
    "batch_norm_gamma",
    "batch_norm_momentum",
    "lr_type",
    "lr_decay_step",
    "warm_up",
    "tau_min",
    "tau_max",
    "seed",
)


def make_recipe_job(name: str, settings: Settings, counts: tuple[int, int]) -> Job:
    """The job that trains what `recu train` does, with its network and training step.

    Args:
        name: of the job.
        settings: of the training, on CIFAR.
        counts: of the training and the test images, which follow each other in the file of images.
    """
    learner = prepare(settings).learner
    epochs, steps = range(settings.epochs), counts[0] // settings.batch_size
    schedule = settings.learning_rate_schedule
    # All other rates change from epoch to epoch alone.
    share = float(settings.lr_type in STEPWISE_LR_TYPES) / steps
    rates = [
        [
            schedules.learning_rate(epoch + share * step, settings.epochs, **schedule)
            for step in range(steps)
        ]
        for epoch in epochs
    ]
    tau_range = settings.tau_min, settings.tau_max
    taus = [schedules.exponential_tau(epoch, settings.epochs, *tau_range) for epoch in epochs]

    def train(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        results = learner.train_step((images, labels))
        return results["loss"], results["accuracy"]

    return Job(
        name,
        learner.network,
        train,
        learner.optimizer.learning_rate,
        [variable for metric in learner.metrics for variable in metric.variables],
        data.DATASETS[settings.dataset].normalization,
        settings.batch_size,
        settings.seed,
        settings.crop_padding,
        np.array(rates, np.float32),
        np.array(taus, np.float32),
        np.arange(counts[0]),
        np.arange(counts[0], sum(counts)),
        asdict(settings),
    )


def make_trial_job(trial: Trial, labels: np.ndarray) -> Job:
    """The job that trains a trial of the search.

    Args:
        trial: of a single stage, without a teacher from outside and without averaged weights.
        labels: of the training images.

    Raises:
        ValueError: the trial needs more than its own training step.
    """
    alone = replace(
        trial,
        first_stage=None,
        average_from=1.0,
        alternating_flips=False,
        small_epochs=0,
        whitened_stem=False,
    )
    if alone != trial or trial.needs_teacher:
        raise ValueError(f"`trial` must need its training step alone, got {trial.name}.")
    tf.keras.utils.set_random_seed(trial.seed)
    learning = Learning(trial)
    rate, right, count = (tf.Variable(0.0, trainable=False) for _ in range(3))
    held_out = choose_held_out(labels, trial.held_out)
    training = np.flatnonzero(~held_out)
    epochs, steps = range(trial.epochs), len(training) // trial.batch_size
    rates = [
        [learning_rate(trial, epoch + step / steps, trial.epochs) for step in range(steps)]
        for epoch in epochs
    ]

    def train(images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss, top_1 = learning.step(images, targets, rate)
        right.assign_add(top_1)
        count.assign_add(1.0)
        return loss, right / count

    return Job(
        trial.name,
        learning.network,
        train,
        rate,
        [right, count],
        NORMALIZATION,
        trial.batch_size,
        trial.seed,
        trial.padding,
        np.array(rates, np.float32),
        np.array([temperature(trial, epoch, trial.epochs) for epoch in epochs], np.float32),
        training,
        np.flatnonzero(held_out),
        {},
    )


def main(arguments: list[str] | None = None) -> None:
    """Writes a job, named after its recipe or trial or as --save says; a mistake is one line."""
    parser = Parser(prog="python -m experiments.jax_training.write_job")
    parser.add_argument("folder", type=Path, help="of the jobs, which share its images")
    chosen = parser.add_mutually_exclusive_group(required=True)
    recipes = [
        name
        for name, recipe in RECIPES.items()
        if recipe.settings["dataset"] == "cifar10" and not (recipe.needs or recipe.stages)
    ]
    chosen.add_argument("--recipe", choices=recipes, metavar="NAME", help=", ".join(recipes))
    chosen.add_argument(
        "--trial", choices=TRIALS, metavar="NAME", help="of experiments/speedrun/trial_list.py"
    )
    parser.option("--data_path", required=True, metavar="DIR", help="that holds CIFAR-10")
    parser.option("--save", metavar="NAME", help="of the job", if_omitted="that of RECIPE or TRIAL")
    for field in fields(Settings):
        if field.name in OPTIONS:
            parser.setting(field)
    options = parser.parse_args(arguments)
    try:
        job = _write(options)
    except (ValueError, OSError, ImportError) as error:
        parser.error(in_one_line(error))
    print(f"{options.folder / job.name}: {len(job.taus)} epochs of {job.rates.shape[1]} steps")


def _write(options: argparse.Namespace) -> Job:
    """Writes the job and, if it is the first of its folder, the images."""
    name = options.save or options.recipe or options.trial
    directory = options.folder / name
    if Path(name).name != name:
        raise ValueError(f"--save must be a name inside {options.folder}, got {name!r}.")
    if directory.exists():
        raise FileExistsError(f"{directory} exists; choose another name with --save.")
    given = list_given(options)
    others = [name for name in given if name in OPTIONS]
    if options.trial and others:
        raise ValueError(f"--{others[0]} is for a recipe, got the trial {options.trial}.")
    settings = None if options.trial else Settings(**{**RECIPES[options.recipe].settings, **given})
    splits = [
        data.load("cifar10", split, options.data_path, normalized=False)
        for split in ("train", "test")
    ]
    if settings is None:
        job = replace(make_trial_job(TRIALS[options.trial], splits[0][1]), name=name)
    else:
        counts = tuple(len(labels) for _, labels in splits)
        job = make_recipe_job(name, settings, counts)
    write_job(options.folder, job)
    if not (options.folder / IMAGES).exists():
        write_images(options.folder / IMAGES, splits)
    return job


if __name__ == "__main__":
    main()
