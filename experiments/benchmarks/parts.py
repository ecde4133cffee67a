"""The parts of the benchmarks: what each is called, and what measures it."""

import subprocess
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from experiments.benchmarks.benchmark_networks import CIFAR, list_networks
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.conversion_time import measure_conversion_times
from experiments.benchmarks.inference import measure_inference
from experiments.benchmarks.input_pipeline import measure_input_pipelines
from experiments.benchmarks.start_up import measure_start_up
from experiments.benchmarks.step_growth import measure_growth
from experiments.benchmarks.training_step import measure_training_steps

__all__ = ["PARTS", "RESULTS", "TREE", "Part", "measure_part"]

TREE = Path(__file__).parents[2]
RESULTS = "experiments/results"  # in the tree, where results go unless told otherwise
# Whose versions are kept where they are installed, beside those that every measurement keeps.
PACKAGES = ("larq", "larq-zoo", "torch", "onnxruntime", "openvino", "tf2onnx", "ai-edge-litert")


class Part(NamedTuple):
    """A part.

    Attributes:
        title: its heading on the page.
        measure: adds its tables to a `Progress`.
        networks: the names that `BenchmarkOptions.networks` may have for it; none where it measures
            none by name.
    """

    title: str
    measure: Callable[[BenchmarkOptions, Progress], None]
    networks: tuple[str, ...] = ()


PARTS = {
    "training": Part("Training", measure_training_steps, tuple(CIFAR)),
    "growth": Part("Growth of the training step", measure_growth),
    "input": Part("Input pipelines", measure_input_pipelines),
    "start": Part("Start", measure_start_up),
    "conversion": Part("Conversion", measure_conversion_times, tuple(list_networks())),
    "inference": Part("Exported networks", measure_inference, tuple(list_networks())),
}


def find_commit() -> str | None:
    """The commit that is measured, with "-dirty" where files differ from it; None without Git."""
    git = ["git", "-C", str(TREE)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        # What another part wrote there changes nothing of what is measured.
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ".", f":!{RESULTS}"])
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed.returncode else commit


def _list_versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def measure_part(
    name: str, options: BenchmarkOptions, machine: Mapping[str, object]
) -> dict[str, object]:
    """Measures a part, and whatever of it fails leaves out.

    Args:
        name: one of `PARTS`.
        options: what the user chose.
        machine: from `describe_machine`, before the first part, so that its load is that of other
            programs.

    Returns:
        Its tables, what it left out, the machine, the versions, the commit and the seconds that it
        took, as they are in the JSON file.
    """
    versions = {**machine["versions"], **_list_versions()}
    progress, start = Progress(), time.monotonic()
    with progress.attempt(PARTS[name].title):
        PARTS[name].measure(options, progress)
    return {
        "tables": [table.as_json() for table in progress.tables if table.rows],
        "left_out": progress.left_out,
        "facts": progress.facts,
        "machine": {**machine, "versions": versions},
        "commit": find_commit(),
        "seconds": round(time.monotonic() - start, 1),
    }
