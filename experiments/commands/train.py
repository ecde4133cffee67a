"""`recu train`: the published options, recipes, and the options added here."""

from __future__ import annotations

import argparse
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import published_flags
from experiments.declarations import LOGS, NETWORK, SETTINGS
from experiments.options import Parser, positive_integer
from experiments.recipes import RECIPES

if TYPE_CHECKING:
    from recu_tf.runs import Run
    from recu_tf.settings import Settings

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "train"
HELP = "train a network as published and keep it in a run directory"
DESCRIPTION = (
    "Trains a network as published (L2 in the gradient, learning rate per epoch, the exponential "
    "tau schedule) and keeps it in RESULTS_DIR/SAVE. The options are those of the published "
    "command line, and may be written with - for _. A loss that is not finite has exit code 3."
)
NEXT = ("evaluate", "export", "report")
USUAL_LR = {"sgd": 0.1, "adam": 1e-3}


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu train`: those of the run, and one for each setting."""
    parser.option(
        "--recipe",
        metavar="NAME",
        choices=tuple(RECIPES),
        help="start with the settings of a recipe, which recu recipes lists; other options "
        "override them, in each stage of a recipe with two",
    )
    parser.option("--results_dir", metavar="DIR", default="results", help="directory of all runs")
    parser.option(
        "--save",
        metavar="NAME",
        help="name of this run in RESULTS_DIR; a recipe with two stages trains SAVE/stage1 and "
        "SAVE/stage2",
        if_omitted="RECIPE or MODEL_DATASET",
    )
    parser.option(
        "--resume",
        action="store_true",
        help="continue the run in RESULTS_DIR/SAVE as if it had not been interrupted, or start it "
        "if there is none; the settings of a single run need not be given again; --epochs, --lr "
        "and --lr_decay_step change the schedules of the remaining epochs",
    )
    parser.option(
        "--init_from",
        metavar="NETWORK",
        help="network whose weights are trained further with fresh schedules, the published "
        f'"finetune": {NETWORK}',
        if_omitted="random weights",
    )
    parser.option(
        "--stage1",
        metavar="NETWORK",
        help="network of a first stage, with binary activations and real kernels, from whose "
        f"weights the second begins, with new alphas: {NETWORK}",
        if_omitted="none",
    )
    parser.option(
        "--seeds",
        type=positive_integer,
        help="train N runs, SAVE/seedS for the seeds S = SEED, SEED + 1, ..., and print the best "
        "top-1 of each, their mean and their standard deviation; --resume with the whole command "
        "continues them",
        if_omitted="one run, SAVE",
    )
    parser.option(
        "--evaluate",
        "-e",
        metavar="FILE",
        help="evaluate FILE instead of training, as recu evaluate FILE does",
    )
    parser.option(
        "--dry_run",
        action="store_true",
        help="build everything, print settings, memory and the time of an epoch, and stop",
    )
    parser.option(
        "--gpus",
        "--gpu",
        metavar="NUMBERS",
        help="GPUs to use, as in 0,1; without a GPU the CPU is used",
        if_omitted="all",
    )
    parser.option(
        "--print_freq",
        "-p",
        type=int,
        default=100,
        help="steps between progress lines within an epoch; 0 prints none",
    )
    parser.option(
        "--time_estimate",
        type=int,
        choices=(0, 1),
        default=1,
        help="1 prints when the training is expected to end",
    )
    parser.option(
        "--log",
        choices=LOGS,
        help="log settings, the numbers of each epoch and the best epoch to MLflow or Weights & "
        "Biases too, to the place that its environment variables name; a run that is resumed goes "
        "on there",
        if_omitted="TensorBoard alone",
    )
    for field in SETTINGS.values():
        parser.setting(field)
    published_flags.add_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Trains, or with --evaluate or --dry_run evaluates or measures."""
    from experiments.visible_gpus import choose_gpus

    published_flags.check(options)
    for line in published_flags.notes(options):
        print(line)
    choose_gpus(options.gpus)
    if options.evaluate is not None:
        _evaluate(options)
        return
    from experiments.stages import list_stages
    from experiments.training_settings import resolve
    from recu_tf.runs import Run
    from recu_tf.training.tracking import check_log

    check_log(options.log)
    if options.seeds is not None and not options.dry_run:
        from experiments.seeds import train_seeds

        whole = _repeat_command(options)
        print(train_seeds(options, partial(_train_stages, whole=whole, last_alone=False)))
        return
    trainings = [(stage, *resolve(stage)) for stage in list_stages(options)]
    if options.dry_run:
        from experiments.dry_run import dry_run_stages

        dry_run_stages(trainings)
        return
    for _, _, directory in trainings:
        if not options.resume:
            Run.check_free(directory)
    # Resumed by itself, the last stage needs no settings; one before needs those of all.
    _train_stages(trainings, _repeat_command(options), last_alone=True)


def _train_stages(
    trainings: list[tuple[argparse.Namespace, Settings, Path]], whole: str, *, last_alone: bool
) -> Run | None:
    """Trains one run after the other, and returns the last.

    Args:
        trainings: the options, settings and directory of each.
        whole: the command that resumes all of them, and what comes after.
        last_alone: whether nothing comes after the last.
    """
    trained = None
    for number, (stage, settings, directory) in enumerate(trainings, 1):
        if len(trainings) > 1:
            print(f"Stage {number} of {len(trainings)}: {directory}", flush=True)
        alone = last_alone and number == len(trainings)
        trained = _train(stage, settings, directory, None if alone else whole)
    return trained


def _evaluate(options: argparse.Namespace) -> None:
    from experiments.network_evaluation import evaluate
    from recu_tf.networks import find_format

    names = ("model", "dataset", "data_path", "batch_size_test")
    given = {name: getattr(options, name, None) for name in names}
    if find_format(options.evaluate) != "checkpoint":
        # Other formats define their network, which --model must not name again.
        given["model"] = None
    print(evaluate(options.evaluate, **given))


def _train(
    options: argparse.Namespace, settings: Settings, directory: Path, whole: str | None
) -> Run | None:
    """Trains a run; `whole` is the command that resumes it and trains those after it."""
    from recu_tf import runs, training
    from recu_tf.runs.directories import has_run
    from recu_tf.training.errors import LossNotFinite, TrainingInterrupted

    epochs_before = 0
    if options.resume and has_run(directory):
        epochs_before = len(runs.Run.open(directory).metrics())
    elif options.resume:
        starts = options.recipe or options.init_from or options.stage1
        if not starts and not any(hasattr(options, name) for name in SETTINGS):
            raise ValueError(
                f"--resume: there is no run in {directory}, and no settings were given to start "
                "one."
            )
        print(f"There is no run in {directory} to resume: it starts now.")
    try:
        trained = training.train(
            settings,
            directory,
            init_from=options.init_from,
            stage1=options.stage1,
            resume=options.resume,
            print_freq=options.print_freq,
            time_estimate=bool(options.time_estimate),
            log=options.log,
        )
    except TrainingInterrupted as error:
        error.args = (f"{error}. To resume: {whole or _resume_command(options, directory)}",)
        raise
    except LossNotFinite as error:
        lr = min(settings.lr / 10, USUAL_LR[settings.optimizer])
        then = f", then {whole}" if whole else ""
        error.args = (
            f"{error} To resume: {_resume_command(options, directory)} --lr {lr:g}{then}. If the "
            "loss had been growing long before, start again with that --lr and another --save.",
        )
        raise
    # Another process is the chief, or the metrics are lost.
    if trained is None or not trained.metrics():
        return None
    if len(trained.metrics()) == epochs_before:
        print(
            f"All {settings.epochs} epochs had been trained before; a larger --epochs trains more."
        )
    _print_result(trained, options.recipe)
    return trained


def _resume_command(options: argparse.Namespace, directory: Path) -> str:
    name = directory.relative_to(options.results_dir)
    where = ["--results_dir", options.results_dir, "--save", str(name)]
    gpus = [] if options.gpus is None else ["--gpus", options.gpus]
    log = [] if options.log is None else ["--log", options.log]
    return _command(["train", "--resume", *where, *gpus, *log])


def _repeat_command(options: argparse.Namespace) -> str:
    """The whole command that was given, to be resumed."""
    given = [argument for argument in options.arguments if argument != "--resume"]
    return _command([*given, "--resume"])


def _command(arguments: list[str]) -> str:
    return shlex.join(["recu", *arguments])


def _print_result(trained: Run, recipe: str | None) -> None:
    best = trained.find_best_epoch()
    print(
        f"Best epoch {best['epoch'] + 1}: top-1 {best['val_accuracy']:.2%} on the "
        f"{trained.chosen_on}"
    )
    test = trained.config.get("test")
    if test:
        print(f"Its model on {test['images']:,} test images: top-1 {test['top_1']:.2%}")
    if recipe and RECIPES[recipe].top_1 is not None:
        print(f"Published: top-1 {RECIPES[recipe].top_1} % with this recipe")
    print(f"Next: {', '.join(f'recu {name} {trained.path}' for name in NEXT)}")
