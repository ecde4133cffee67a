"""How long the command line and the library take to start, each time in a fresh process."""

import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np

from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.measured_tables import Table, compare_turns
from experiments.benchmarks.turn_workers import measure_wall_time
from export.measurement.latency import take_turns

__all__ = ["TARGET_MS", "measure_start_up"]

TARGET_MS = 500
TURNS, LIBRARY_TURNS = 15, 5
OURS, PYTHON, TARGET = "recu", "python alone", "target"
LIBRARY, NEEDED = "recu_tf", "TensorFlow and Larq"
# What the command `recu` does.
COMMAND = "import sys; from experiments.cli import main; sys.exit(main())"
NEEDED_CODE = "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'; import tensorflow, larq"


def make_start(code: str, arguments: Sequence[str] = ()) -> Callable[[], object]:
    """A function that runs some code in a fresh Python and waits for its end."""
    command = [sys.executable, "-c", code, *arguments]
    return lambda: subprocess.run(command, check=True, capture_output=True)


def measure_start_up(options: BenchmarkOptions, progress: Progress) -> None:
    """Measures `recu --help` beside its target, and `import recu_tf` beside what it imports."""
    with progress.attempt("start of the command line"):
        turns = options.repeats or TURNS
        runs = {OURS: make_start(COMMAND, ["--help"]), PYTHON: make_start("pass")}
        found = take_turns(runs, turns, warm_up=1, measure=measure_wall_time)
        found = {OURS: found[OURS], TARGET: np.full(turns, TARGET_MS), PYTHON: found[PYTHON]}
        table = Table("start_up", "Start of the command line", "ms", OURS, [])
        table.rows.append(compare_turns("`recu --help`", found, OURS))
        progress.tables.append(table)
    with progress.attempt("start of the library"):
        turns = options.repeats or LIBRARY_TURNS
        runs = {LIBRARY: make_start("import recu_tf"), NEEDED: make_start(NEEDED_CODE)}
        found = take_turns(runs, turns, warm_up=1, measure=measure_wall_time)
        table = Table("import_time", "Start of the library", "ms", LIBRARY, [])
        table.rows.append(
            compare_turns("`import recu_tf`", {side: found[side] for side in runs}, LIBRARY)
        )
        progress.tables.append(table)
