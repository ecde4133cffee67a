"""The subcommands of `recu`: their options, and what each runs.

What a subcommand needs is imported when it runs: `--help` takes neither TensorFlow nor the library.
"""

import argparse
from pathlib import Path

from experiments.commands import export, train, verify
from experiments.options import DATASETS, MODELS, Parser
from experiments.recipes import RECIPES

__all__ = ["command_parser", "print_recipes"]


def _add_evaluate_arguments(parser: Parser) -> None:
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a run directory, a .keras file, a SavedModel directory, a published checkpoint "
        "(.pth.tar, .pth) or a .tflite file",
    )
    parser.which()
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


def command_parser() -> Parser:
    """The parser of `recu`. What it parses has the command as `run`, which takes all options."""
    parser = Parser(prog="recu", description="Binary neural networks with ReCU, on Larq.")
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    trainer = subparsers.add_parser(
        "train",
        help="train a network as published and keep it in a run directory",
        description="Trains a network as published (L2 in the gradient, learning rate per epoch, "
        "the exponential tau schedule) and keeps it in RESULTS_DIR/SAVE. The options are those of "
        "the published command line, with - for _ too; a loss that is not finite has exit code 3.",
    )
    train.add_arguments(trainer)
    trainer.set_defaults(run=train.train)

    recipe_list = subparsers.add_parser(
        "recipes",
        help="list the published recipes",
        description="Lists the published recipes, their accuracies in percent and their settings.",
    )
    recipe_list.set_defaults(run=print_recipes)

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
        description="Prints Larq's report: bits, memory and multiply-accumulates per layer; the "
        "temperatures of quantizers, which no exported file holds, are left out.",
    )
    summary.add_argument(
        "path",
        metavar="MODEL",
        help="a run directory, a .keras file, a .h5 file, a SavedModel directory, a published "
        "checkpoint (.pth.tar, .pth), a .tflite file, whose operators are listed, or one of "
        f"{', '.join(MODELS)}",
    )
    summary.which()
    summary.option(
        "--model",
        "-a",
        choices=MODELS,
        help="of a checkpoint: network; None means to tell by the tensors",
    )
    summary.option(
        "--dataset",
        choices=[name for name in DATASETS if name != "folder"],
        default=None,
        help="of a name or a checkpoint: decides the variant and the number of classes; None means "
        "cifar10, imagenet for networks that have no other variant, or to tell by the tensors",
    )
    summary.set_defaults(run=_summary)

    report = subparsers.add_parser(
        "report",
        help="write an HTML page about one run or several side by side",
        description="Writes one HTML file with everything in it: curves, the layers over the "
        "epochs, weights, memory, a confusion matrix and settings, and what differs between runs.",
    )
    report.add_argument("directories", metavar="RUN", nargs="+", help="a run directory")
    report.option("--out", metavar="FILE", help="page to write; None means report.html in RUN")
    report.option(
        "--data_path",
        metavar="DIR",
        help="where the test images lie; None means where the training found them",
    )
    report.set_defaults(run=_report)

    exporter = subparsers.add_parser(
        "export",
        help="write a folder with a TFLite file for Larq Compute Engine that is proved",
        description="Converts a trained network for Larq Compute Engine, proves that the file "
        "computes what the network computes, and writes a folder: model.tflite, labels.txt, "
        "model.json, report.html and predict.py, which needs neither TensorFlow nor this project. "
        "Where the file cannot be proved, nothing is written, an earlier folder stays and the exit "
        "code is 1.",
    )
    export.add_arguments(exporter)
    exporter.set_defaults(run=export.run)

    verifier = subparsers.add_parser(
        "verify",
        help="check a folder of recu export again",
        description="Checks a folder that recu export wrote: the SHA-256 of its files, its golden "
        "sample with every backend of the engine that can run it, and, where the network is at "
        "hand, the outputs against Keras as at the export. The exit code is 1 where something "
        "differs.",
    )
    verify.add_arguments(verifier)
    verifier.set_defaults(run=verify.run)

    benchmark = subparsers.add_parser(
        "benchmark",
        help="measure latency and memory of TFLite files and networks on this machine",
        description="Measures latency and memory of TFLite files with every backend of the "
        "interpreters, all in turns. Of a network its binary file, its float32 and its int8 twin "
        "are measured; a file is compared with the others given.",
    )
    benchmark.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a .tflite file, a folder with a model.tflite in it, a run directory, a .keras file, "
        "a .h5 file or a SavedModel directory",
    )
    benchmark.option(
        "--threads", metavar="N", type=int, nargs="+", default=[1, 2], help="numbers of threads"
    )
    benchmark.option("--repeats", metavar="N", type=int, default=50, help="times each is timed")
    benchmark.option(
        "--json", metavar="FILE", help="where to write all numbers; None means nowhere"
    )
    benchmark.set_defaults(run=_benchmark)

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


def print_recipes(options: argparse.Namespace) -> None:
    """Prints the recipes, for which TensorFlow is not needed."""
    print(f"{'recipe':<28} {'top-1':>6} {'top-5':>6}  settings")
    for name, recipe in RECIPES.items():
        flags = [
            f"--{key}" if value is True else f"--{key} {value}"
            for key, value in recipe.settings.items()
        ]
        needed = [f"--{need} ..." for need in recipe.needs]
        top_5 = "" if recipe.top_5 is None else f"{recipe.top_5:.2f}"
        print(f"{name:<28} {recipe.top_1:>6.2f} {top_5:>6}  {' '.join(flags + needed)}")


def _import(options: argparse.Namespace) -> None:
    from recu_tf.pytorch import importing

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
    from experiments.commands.evaluate import evaluate

    names = ("path", "which", "model", "dataset", "data_path", "batch_size_test")
    print(evaluate(**{name: getattr(options, name) for name in names}))


def _summary(options: argparse.Namespace) -> None:
    from experiments.commands.summary import summary

    summary(options.path, options.which, options.model, options.dataset)


def _report(options: argparse.Namespace) -> None:
    from experiments import report

    print(f"Wrote {report.report(options.directories, options.out, options.data_path)}")


def _benchmark(options: argparse.Namespace) -> None:
    from experiments.commands import benchmark

    print(benchmark.measure(options.files, options.threads, options.repeats, options.json))


def _demo(options: argparse.Namespace) -> None:
    from experiments.commands import demo

    print(demo.demo(Path(options.results_dir), options.epochs))
