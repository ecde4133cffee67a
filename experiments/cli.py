"""The command `recu`.

Parsing and `--help` import neither TensorFlow nor the library: that takes seconds. What a
subcommand needs is imported when it runs. Mistakes that a user can make come out as one line on
standard error and exit code 2; an export that could not be proved has exit code 1.
"""

import argparse
import os
import sys
from pathlib import Path

from experiments.quiet import quiet_standard_error

# Written here, not imported, so that --help stays fast; a test compares them with the library's.
MODELS = (
    "resnet20_1w1a",
    "resnet18_1w1a",
    "resnet18A_1w1a",
    "resnet18B_1w1a",
    "resnet18C_1w1a",
    "vgg_small_1w1a",
    "resnet34_1w1a",
    "two_stage_resnet18_1w1a",
    "two_stage_resnet34_1w1a",
)
DATASETS = ("digits", "cifar10", "cifar100", "imagenet", "tinyimagenet", "folder")
TRAINABLE = ("digits", "cifar10", "cifar100")
DEFAULT_MODEL, DEFAULT_DATASET = "resnet20_1w1a", "digits"
LR_TYPES = ("cos", "step", "linear")


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line and knows each option with - for _ as well."""

    def __init__(self, **kwargs):
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **kwargs
        )

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")

    def option(self, *names: str, **kwargs) -> None:
        """Adds an option under its published name, --like_this, and as --like-this."""
        hyphens = [name.replace("_", "-") for name in names if "_" in name]
        self.add_argument(*names, *hyphens, **kwargs)


def _milestones(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be epochs separated by commas, got {text!r}"
        ) from None


def _add_train(subparsers) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train a network as published and keep it in a run directory",
        description="Trains a network as published (SGD with L2 in the gradient, warm-up and "
        "cosine per epoch, the exponential tau schedule) and keeps it in RESULTS_DIR/SAVE.",
    )
    option = parser.option
    # Suppressed: what is not given is that of --init_from, if there is one.
    unless_given = {"default": argparse.SUPPRESS}
    option(
        "--model",
        "-a",
        choices=MODELS,
        help=f"network to train (default: {DEFAULT_MODEL}, or that of --init_from)",
        **unless_given,
    )
    option(
        "--dataset",
        choices=TRAINABLE,
        help="images; digits need no download "
        f"(default: {DEFAULT_DATASET}, or those of --init_from)",
        **unless_given,
    )
    option(
        "--data_path",
        metavar="DIR",
        help="data directory of tensorflow-datasets where CIFAR lies or is to be put (default: "
        "its usual one, or that of --init_from)",
        **unless_given,
    )
    option(
        "--init_from",
        metavar="RUN",
        help="run directory, trained or imported, to start from with fresh schedules: the "
        'published "finetune"; None means random weights',
    )
    option("--results_dir", metavar="DIR", default="results", help="directory of all runs")
    option("--save", metavar="NAME", help="name of this run in it; None means MODEL_DATASET")
    option("--epochs", type=int, default=600, help="passes over the training images")
    option("--batch_size", "-b", type=int, default=256, help="images per training step")
    option("--batch_size_test", "-bt", type=int, default=256, help="images per evaluation step")
    option("--lr", type=float, default=0.1, help="learning rate at its highest")
    option("--momentum", type=float, default=0.9, help="momentum of SGD, in [0, 1)")
    option("--weight_decay", type=float, default=5e-4, help="L2, added to every gradient")
    option("--lr_type", choices=LR_TYPES, default="cos", help="how the learning rate falls")
    option(
        "--lr_decay_step",
        type=_milestones,
        default=(),
        metavar="EPOCHS",
        help="for --lr_type step: the epochs at which it is divided by 10, as in 30,60,90",
    )
    option(
        "--warm_up",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let the learning rate rise over the first five epochs",
    )
    option("--tau_min", type=float, default=0.85, help="temperature of the first epoch")
    option("--tau_max", type=float, default=0.99, help="temperature the last one comes close to")
    option("--seed", type=int, default=0, help="decides weights, order and augmentation")
    parser.set_defaults(run=_train)


def _add_run_arguments(parser: _Parser) -> None:
    parser.add_argument("directory", metavar="RUN", help="a run directory made by recu train")
    parser.option(
        "--which",
        choices=("best", "last"),
        default="best",
        help="model of the epoch with the best top-1, or of the last epoch",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets, or a folder of "
        "images; None means that of the training (digits come with scikit-learn and have none)",
    )


def _add_evaluate_arguments(parser: _Parser) -> None:
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a run directory, a .keras file, a SavedModel directory, a published checkpoint "
        "(.pth.tar, .pth) or a .tflite file",
    )
    parser.option(
        "--which",
        choices=("best", "last"),
        help="of a run directory: model of the epoch with the best top-1, or of the last epoch; "
        "None means best",
    )
    parser.option(
        "--model",
        "-a",
        choices=MODELS,
        help="of a checkpoint: network; None means to tell by the tensors",
    )
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="images, normalised as is usual for them; None means those of the run, or of the "
        "checkpoint by its number of classes",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets, or a folder of "
        "images; None means that of the run, or the usual place",
    )
    parser.option(
        "--batch_size_test", "-bt", type=int, help="images per step; None means the run's, or 256"
    )


def _parser() -> _Parser:
    parser = _Parser(prog="recu", description="Binary neural networks with ReCU, on Larq.")
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    _add_train(subparsers)

    evaluate = subparsers.add_parser(
        "evaluate",
        help="print top-1, top-5 and loss of a network on the test images",
        description="Prints top-1, top-5 and loss of a trained network on all test images. A run, "
        "or a file in one, tells its data set and normalisation; elsewhere --dataset does. A "
        "SavedModel's graph can read and write files: load those only that you would run.",
    )
    _add_evaluate_arguments(evaluate)
    evaluate.set_defaults(run=_evaluate)

    importer = subparsers.add_parser(
        "import",
        help="make a run directory of a published PyTorch checkpoint",
        description="Makes a run directory of a published PyTorch checkpoint (.pth.tar) that "
        "evaluate, export, summary and train --init_from take like any other. The file is read as "
        "data only: one that wants to run code is refused. The optimizer's momentum stays behind.",
    )
    importer.add_argument("checkpoint", metavar="CHECKPOINT", help="file that torch.save wrote")
    importer.option("--out", metavar="RUN", required=True, help="run directory to make")
    importer.option(
        "--model", "-a", choices=MODELS, help="network; None means to tell by the tensors"
    )
    importer.option(
        "--dataset",
        choices=DATASETS,
        help="data set it was trained on; None means to tell by the number of classes",
    )
    importer.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies, for evaluate and export; None means the usual place",
    )
    importer.set_defaults(run=_import)

    summary = subparsers.add_parser(
        "summary",
        help="print Larq's memory report of a network",
        description="Prints Larq's report: bits, memory and multiply-accumulates per layer.",
    )
    summary.add_argument(
        "model", metavar="MODEL", help=f"a run directory, or one of {', '.join(MODELS)}"
    )
    summary.option(
        "--dataset",
        choices=[name for name in DATASETS if name != "folder"],
        default=None,
        help="decides the variant and the number of classes; None means cifar10, or imagenet for "
        "networks that have no other variant; a run knows its own",
    )
    summary.set_defaults(run=_summary)

    export = subparsers.add_parser(
        "export",
        help="write a TFLite file for Larq Compute Engine and prove it",
        description="Writes RUN/model.tflite for Larq Compute Engine and proves that it computes "
        "what the trained network computes. Where it does not, no file is left and the exit code "
        "is 1.",
    )
    _add_run_arguments(export)
    export.set_defaults(run=_export)

    demo = subparsers.add_parser(
        "demo",
        help="train, export and prove a ResNet-20 on handwritten digits",
        description="Trains a ResNet-20 on handwritten digits in RESULTS_DIR/demo, exports it, "
        "proves the file and prints what was won.",
    )
    demo.option("--results_dir", metavar="DIR", default="results", help="directory of all runs")
    demo.option("--epochs", type=int, default=30, help="passes over the training images")
    demo.set_defaults(run=_demo)
    return parser


def _train(options: argparse.Namespace) -> None:
    from recu_tf import runs, training

    inherited = {"model": DEFAULT_MODEL, "dataset": DEFAULT_DATASET, "data_path": None}
    if options.init_from is not None:
        start = training.Settings.of_run(runs.Run.open(options.init_from))
        inherited = {name: getattr(start, name) for name in inherited}
    if inherited["dataset"] not in TRAINABLE and not hasattr(options, "dataset"):
        raise ValueError(
            f"--dataset must be one of {', '.join(TRAINABLE)}, got {inherited['dataset']!r} from "
            "--init_from."
        )
    given = {**inherited, **vars(options)}
    names = training.Settings.__dataclass_fields__
    settings = training.Settings(**{name: given[name] for name in names})
    name = f"{settings.model}_{settings.dataset}" if options.save is None else options.save
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"--save must be a name inside --results_dir, got {name!r}.")
    directory = Path(options.results_dir) / name
    run = training.train(settings, directory, options.init_from)
    best = max(run.metrics(), key=lambda line: line["val_accuracy"])
    print(f"Best epoch {best['epoch'] + 1}: top-1 {best['val_accuracy']:.2%} on the test images")
    print(f"Next: recu evaluate {run.path}, recu export {run.path}")


def _import(options: argparse.Namespace) -> None:
    from recu_tf import importing

    run = importing.import_checkpoint(
        options.checkpoint, options.out, options.model, options.dataset, options.data_path
    )
    kept, settings = run.config["imported"], run.config["settings"]
    noted = [f"{name} {kept[name]}" for name in ("epoch", "best_prec1") if name in kept]
    print(
        f"Imported {kept['file']}: {settings['model']} for {settings['dataset']}"
        + (f", {', '.join(noted)}" if noted else "")
    )
    print("The optimizer's momentum was left behind: further training starts its own.")
    print(f"Next: recu evaluate {run.path}, recu export {run.path}")


def _evaluate(options: argparse.Namespace) -> None:
    from experiments.evaluate import evaluate

    names = ("path", "which", "model", "dataset", "data_path", "batch_size_test")
    print(evaluate(**{name: getattr(options, name) for name in names}))


def _summary(options: argparse.Namespace) -> None:
    import larq as lq

    from recu_tf import models, runs

    if options.model in MODELS:
        small = options.model in models.CIFAR_NETWORKS
        model = models.build(options.model, options.dataset or ("cifar10" if small else "imagenet"))
    elif Path(options.model).exists():
        model = runs.Run.open(options.model).load_model()
    else:
        raise ValueError(
            f"MODEL must be a run directory or one of {', '.join(MODELS)}, got {options.model!r}."
        )
    lq.models.summary(model)


def _export(options: argparse.Namespace) -> None:
    import export
    from recu_tf import runs

    run = runs.Run.open(options.directory)
    with quiet_standard_error():
        report = export.export_run(run, options.which, options.data_path)
    print(report)


def _demo(options: argparse.Namespace) -> None:
    from experiments import demo

    print(demo.demo(Path(options.results_dir), options.epochs))


def _prepare_tensorflow() -> None:
    # TensorFlow switches oneDNN on by itself only for some processors; convolutions on the others
    # gain as well (a training step takes 0.6 times as long on an EPYC with AVX2).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Errors that matter arrive as Python exceptions; the rest is about GPUs that are not there.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_standard_error():
        import recu_tf  # noqa: F401


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code: 0; 1 for an export that could not be proved; 2 for a user's mistake; 130
        when interrupted.

    Raises:
        SystemExit: arguments that cannot be parsed (2), or after --help (0).
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.version:
        from importlib import metadata

        print(f"recu_tf {metadata.version('recu_tf')}")
        return 0
    if not hasattr(options, "run"):
        parser.error("a COMMAND is needed: train, evaluate, import, summary, export or demo")
    try:
        _prepare_tensorflow()
        options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"recu: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Exception as error:
        # Exceptions that choose their own exit code have a report to show; others are bugs.
        if not hasattr(error, "exit_code"):
            raise
        print(f"recu: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("recu: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
