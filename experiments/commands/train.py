"""`recu train`: the published options, recipes, and the options added here."""

import argparse
import itertools
import shlex
from pathlib import Path

from experiments import published
from experiments.options import DATASETS, MODELS, Parser, milestones
from experiments.recipes import DATASET_DEFAULTS, RECIPES

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "choose_gpus", "resolve", "run"]

NAME = "train"
HELP = "train a network as published and keep it in a run directory"
DESCRIPTION = (
    "Trains a network as published (L2 in the gradient, learning rate per epoch, the exponential "
    "tau schedule) and keeps it in RESULTS_DIR/SAVE. The options are those of the published "
    "command line, and may be written with - for _. A loss that is not finite has exit code 3."
)

NEXT = ("evaluate", "export", "report")
OWN_SUFFIXES = (".keras", ".tflite")
LR_TYPES = ("cos", "step", "linear")
OPTIMIZERS = ("sgd", "adam")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
USUAL_LR = {"sgd": 0.1, "adam": 1e-3}
STRATEGIES = ("auto", "single", "mirrored", "multiworker")


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu train`."""
    _add_what(parser)
    _add_how(parser)
    _add_where(parser)


def _add_what(parser: Parser) -> None:
    option, setting = parser.option, parser.setting
    option(
        "--recipe",
        metavar="NAME",
        choices=tuple(RECIPES),
        help="begin with the settings of a published result (recu recipes lists them); other "
        "options override them",
    )
    setting("--model", "-a", choices=MODELS, default="resnet18_1w1a", help="network to train")
    setting("--dataset", choices=DATASETS, default="cifar10", help="images to train on")
    setting(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets (cifar10, cifar100, "
        "imagenet), or a folder of images, one per class (imagenet, tinyimagenet, folder; JPEG, "
        "PNG, BMP and GIF; a rotation noted in EXIF is not applied)",
    )
    option(
        "--init_from",
        metavar="RUN_OR_CHECKPOINT",
        help="run directory, .keras file or published checkpoint to start from with fresh "
        'schedules: the published "finetune"; None means random weights',
    )
    setting(
        "--teacher",
        metavar="RUN",
        help="run directory or .keras file of a network whose softmax takes the labels' place",
    )
    option("--stage1", metavar="FILE", help="refused: --init_from takes its place")
    option(
        "--evaluate",
        "-e",
        metavar="FILE",
        help="evaluate this instead of training, as recu evaluate FILE does",
    )
    option(
        "--resume",
        action="store_true",
        help="go on with the run in RESULTS_DIR/SAVE as if it had not been interrupted; its "
        "settings need not be given again; with other --epochs, --lr or --lr_decay_step the epochs "
        "to come follow the new schedules; where there is none, begin it",
    )
    option(
        "--dry_run",
        action="store_true",
        help="build everything, print settings, memory and the time of an epoch, and stop",
    )
    option("--results_dir", metavar="DIR", default="results", help="directory of all runs")
    option(
        "--save", metavar="NAME", help="name of this run in it; None means RECIPE or MODEL_DATASET"
    )


def _add_how(parser: Parser) -> None:
    setting, switch = parser.setting, {"action": argparse.BooleanOptionalAction}
    setting("--epochs", type=int, default=600, help="passes over the training images")
    setting(
        "--start_epoch",
        type=int,
        default=0,
        help="epoch of the schedules to begin with, from 0; -1 means 0 as well",
    )
    setting(
        "--batch_size",
        "-b",
        type=int,
        default=256,
        help="images per training step, of all devices together",
    )
    setting("--batch_size_test", "-bt", type=int, default=128, help="images per evaluation step")
    setting("--optimizer", choices=OPTIMIZERS, default="sgd", help="with momentum, or Adam")
    setting("--lr", type=float, default=0.1, help="learning rate at its highest")
    setting("--momentum", type=float, default=0.9, help="momentum of SGD, in [0, 1)")
    setting("--weight_decay", type=float, default=5e-4, help="L2, added to the gradients")
    setting("--lr_type", choices=LR_TYPES, default="cos", help="how the learning rate falls")
    setting(
        "--lr_decay_step",
        type=milestones,
        nargs="+",
        default=(),
        metavar="EPOCH",
        help="for --lr_type step: the epochs at which it is divided by 10, as in 30 60 90",
    )
    setting(
        "--warm_up",
        default=False,
        help="let the learning rate rise over the first five epochs",
        **switch,
    )
    setting("--tau_min", type=float, default=0.85, help="temperature of the first epoch")
    setting("--tau_max", type=float, default=0.99, help="temperature the last one comes close to")
    setting(
        "--seed",
        type=int,
        default=0,
        help="decides weights, order and augmentation; every number does, 0 too",
    )
    setting(
        "--skip_broken",
        action="store_true",
        default=False,
        help="leave images that cannot be read out and count them, instead of stopping",
    )
    setting(
        "--diagnostics",
        default=True,
        help="measure dead weights, flips, quantisation error and entropy after each epoch",
        **switch,
    )


def _add_where(parser: Parser) -> None:
    option, setting = parser.option, parser.setting
    option(
        "--gpus",
        "--gpu",
        metavar="NUMBERS",
        help="GPUs to use, as in 0,1; None means all; without a GPU the CPU is used",
    )
    setting(
        "--strategy",
        choices=STRATEGIES,
        default="auto",
        help="one device, all visible GPUs, or the processes of TF_CONFIG; auto means whatever "
        "there is",
    )
    setting(
        "--sync_batch_norm",
        action="store_true",
        default=False,
        help="take the statistics of batch norms over all devices; each its own, as published, "
        "otherwise",
    )
    setting(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="type that the layers compute in; replaces --type",
    )
    setting("--jit", action="store_true", default=False, help="compile the training step with XLA")
    setting(
        "--steps_per_execution",
        type=int,
        default=1,
        help="steps that run without coming back to Python",
    )
    setting(
        "--workers",
        type=int,
        help="threads of the input pipeline; none and 0 leave their number to tf.data",
    )
    option(
        "--print_freq",
        "-p",
        type=int,
        default=100,
        help="steps between lines within an epoch; 0 prints none",
    )
    option(
        "--time_estimate",
        type=int,
        choices=(0, 1),
        default=1,
        help="print when the training will have ended; 0 does not",
    )
    option(
        "--use_dali",
        action="store_true",
        help="changes nothing, and says so: tf.data decodes and crops in one step, always",
    )
    option(
        "--type",
        metavar="TENSOR",
        help="changes nothing, and says so: --precision and --gpus replace it",
    )


def _given(options: argparse.Namespace, names: list[str]) -> dict:
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    if "lr_decay_step" in given:
        given["lr_decay_step"] = tuple(itertools.chain(*given["lr_decay_step"]))
    if given.get("start_epoch") == -1:
        given["start_epoch"] = 0
    if given.get("workers") == 0:
        given["workers"] = None
    return given


def _directory(options: argparse.Namespace, settings: dict) -> Path:
    name = options.save
    if name is None:
        name = options.recipe or f"{settings['model']}_{settings['dataset']}"
    if not Path(name).parts or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"--save must be a name inside --results_dir, got {name!r}.")
    return Path(options.results_dir) / name


def resolve(options: argparse.Namespace):
    """The settings and the run directory that the options mean.

    What is given overrides the recipe, and that the run to resume or to start from, or else the
    defaults, which for ImageNet are those of its published folder.

    Returns:
        The `Settings` and the path of the run directory.

    Raises:
        ValueError: settings that cannot be, or a recipe without what it needs.
        FileNotFoundError: there is no run to start from.
    """
    from recu_tf import runs
    from recu_tf.settings import Settings
    from recu_tf.training.changes import SCHEDULE_SETTINGS

    names = list(Settings.__dataclass_fields__)
    recipe = RECIPES[options.recipe] if options.recipe else None
    given = {**(recipe.settings if recipe else {}), **_given(options, names)}
    inherited = {}
    if options.init_from is not None and Path(options.init_from).is_dir():
        start = Settings.of_run(runs.Run.open(options.init_from))
        inherited = {name: getattr(start, name) for name in ("model", "dataset", "data_path")}
    defaults = {name: field.default for name, field in Settings.__dataclass_fields__.items()}
    dataset = {**defaults, **inherited, **given}["dataset"]
    chosen = {**defaults, **DATASET_DEFAULTS.get(dataset, {}), **inherited, **given}
    directory = _directory(options, chosen)
    if options.resume and (directory / "config.json").exists():
        kept = Settings.of_run(runs.Run.open(directory))
        # A recipe does not take back an extension of the run: options alone restate schedules.
        again = {
            n: v for n, v in given.items() if n not in SCHEDULE_SETTINGS or hasattr(options, n)
        }
        return Settings(**{**vars(kept), **again}), directory
    for name in recipe.needs if recipe else ():
        if not (options.init_from if name == "init_from" else chosen[name]):
            raise ValueError(f"--recipe {options.recipe} needs --{name}, which was not given.")
    return Settings(**chosen), directory


def choose_gpus(text: str | None) -> None:
    """Makes only these GPUs visible, as in "0,1"; says so where there is none at all.

    Raises:
        ValueError: no such GPU.
    """
    import tensorflow as tf

    if text is None:
        return
    gpus = tf.config.list_physical_devices("GPU")
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--gpus must be numbers separated by commas, got {text!r}.") from None
    if not gpus:
        print("No GPU is visible here: using the CPU.")
        return
    if not all(0 <= number < len(gpus) for number in numbers):
        raise ValueError(f"--gpus must be numbers from 0 to {len(gpus) - 1}, got {text!r}.")
    tf.config.set_visible_devices([gpus[number] for number in numbers], "GPU")


def _resuming(options: argparse.Namespace, directory: Path) -> str:
    """The command that goes on with a run."""
    name = directory.relative_to(options.results_dir)
    where = ["--results_dir", options.results_dir, "--save", str(name)]
    gpus = [] if options.gpus is None else ["--gpus", options.gpus]
    return shlex.join(["recu", "train", "--resume", *where, *gpus])


def run(options: argparse.Namespace) -> None:
    """Trains, or evaluates or measures where --evaluate or --dry_run is given."""
    published.check(options)
    for line in published.notes(options):
        print(line)
    choose_gpus(options.gpus)
    if options.evaluate is not None:
        from experiments.network_evaluation import evaluate

        names = ("model", "dataset", "data_path", "batch_size_test")
        told = {name: getattr(options, name, None) for name in names}
        if Path(options.evaluate).is_dir() or Path(options.evaluate).suffix in OWN_SUFFIXES:
            told["model"] = None  # they know their network
        print(evaluate(options.evaluate, **told))
        return
    settings, directory = resolve(options)
    if options.dry_run:
        from experiments.dry_run import dry_run

        print(dry_run(settings, options.init_from))
        return
    if options.resume and not (directory / "config.json").exists():
        print(f"There is no run in {directory} to resume: it begins now.")
    from recu_tf import runs, training
    from recu_tf.training.errors import LossNotFinite, TrainingInterrupted

    before = 0
    if options.resume and (directory / "config.json").exists():
        before = len(runs.Run.open(directory).metrics())
    try:
        trained = training.train(
            settings,
            directory,
            init_from=options.init_from,
            resume=options.resume,
            print_freq=options.print_freq,
            time_estimate=bool(options.time_estimate),
        )
    except TrainingInterrupted as error:
        error.args = (f"{error}. To resume: {_resuming(options, directory)}",)
        raise
    except LossNotFinite as error:
        lr = min(settings.lr / 10, USUAL_LR[settings.optimizer])
        again = f"{_resuming(options, directory)} --lr {lr:g}"
        error.args = (
            f"{error} To resume: {again}. If the loss had grown long before, begin anew with that "
            "--lr and another --save.",
        )
        raise
    # Another process is the chief, or the metrics are lost.
    if trained is None or not trained.metrics():
        return
    if len(trained.metrics()) == before:
        print(f"All {settings.epochs} epochs had been trained before; a larger --epochs adds some.")
    best = max(trained.metrics(), key=lambda line: line["val_accuracy"])
    print(f"Best epoch {best['epoch'] + 1}: top-1 {best['val_accuracy']:.2%} on the test images")
    if options.recipe:
        print(f"Published: top-1 {RECIPES[options.recipe].top_1} % with this recipe")
    print(f"Next: {', '.join(f'recu {name} {trained.path}' for name in NEXT)}")
