"""Trains the trials of the search that have no result yet; several processes share them."""

import argparse
import json
import time
from contextlib import ExitStack
from pathlib import Path

import tensorflow as tf

from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_list import TRIALS
from experiments.speedrun.trial_training import train_trial
from recu_tf import networks
from recu_tf.runs.locking import lock_directory

__all__ = ["RESULTS", "describe_result", "read_results"]

RESULTS = Path(__file__).parent / "results.jsonl"


def read_results(path: Path = RESULTS) -> dict[str, dict]:
    """The lines of all trials that have ended, by name.

    Args:
        path: of the table, a JSON object per line.
    """
    if not path.exists():
        return {}
    return {line["name"]: line for line in map(json.loads, path.read_text().splitlines())}


def describe_result(trial: Trial, lines: list[dict]) -> dict:
    """The line of a trial in the table.

    Args:
        trial: that has ended.
        lines: of its epochs.
    """
    last = lines[-1]
    return {
        "name": trial.name,
        "changes": trial.changes(),
        "epochs": trial.epochs,
        "seed": trial.seed,
        "held_out": trial.held_out,
        # That of the network one would take: the average, where weights are averaged.
        "top_1": last.get("averaged_top_1", last["top_1"]),
        "last_top_1": last["top_1"],
        "training_top_1": last["training_top_1"],
        "seconds": round(sum(line["seconds"] for line in lines)),
        "date": time.strftime("%Y-%m-%d"),
    }


def _train(trial: Trial, options: argparse.Namespace, teacher: tf.keras.Model | None) -> None:
    directory = options.work / trial.name
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_directory(directory))
        except OSError:  # another process trains it
            return
        if trial.name in read_results(options.results):
            return
        lines = train_trial(
            trial,
            directory,
            options.data_path,
            teacher=teacher if trial.needs_teacher else None,
            log=lambda line: print(line, flush=True),
        )
        result = json.dumps(describe_result(trial, lines))
        with options.results.open("a") as file:
            file.write(result + "\n")
        print(result, flush=True)


def main() -> None:
    """Trains the trials that the command line names, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speedrun.search")
    parser.add_argument("names", nargs="*", metavar="TRIAL", help="none means all, in their order")
    parser.add_argument("--data_path", required=True, metavar="DIR", help="that holds CIFAR-10")
    parser.add_argument("--work", type=Path, default=Path("results/speedrun"), metavar="DIR")
    parser.add_argument("--teacher", metavar="NETWORK", help="for trials with a distill_weight")
    parser.add_argument("--threads", type=int, default=0, help="of the process; 0 means all cores")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE")
    options = parser.parse_args()
    for name in options.names:
        if name not in TRIALS:
            parser.error(f"TRIAL must be one of {', '.join(TRIALS)}, got {name}.")
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    teacher = None if options.teacher is None else networks.load(options.teacher).model
    for name in options.names or TRIALS:
        if not TRIALS[name].needs_teacher or teacher is not None:
            _train(TRIALS[name], options, teacher)


if __name__ == "__main__":
    main()
