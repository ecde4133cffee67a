"""How long a network takes to become a TFLite file, beside its float32 and int8 baselines."""

from collections.abc import Callable

import export
from experiments.benchmarks.benchmark_networks import build_network, name_network
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.measured_tables import Row, Table, compare_turns
from experiments.benchmarks.turn_workers import measure_wall_time, run_alone
from experiments.quiet import quiet_standard_error
from export.keras_graph.inputs_outputs import draw_inputs
from export.measurement.latency import take_turns

__all__ = ["OURS", "measure_conversion_times"]

OURS, CONVERTED_ONLY = "rewritten and converted", "converted only"
NETWORKS = ("resnet20_1w1a", "imagenet/resnet18_1w1a")
TURNS = 3
# Of random ones; each pass of the rewriting is verified on as many, and int8 calibrated.
IMAGES = 8


def make_conversions(network: str) -> dict[str, Callable[[], bytes]]:
    """What converts a network, by its name in the table.

    Args:
        network: see `experiments.benchmarks.benchmark_networks.build_network`.
    """
    model = build_network(network)
    images = draw_inputs(model, IMAGES)
    return {
        OURS: lambda: export.convert(export.rewrite(model, images)[0]),
        CONVERTED_ONLY: lambda: export.convert(model),
        "float32": lambda: export.convert_float_baseline(model),
        "int8": lambda: export.convert_int8_baseline(model, images),
    }


def time_conversions(network: str, turns: int) -> Row:
    """Times the conversions of a network, in turns; the row is in seconds."""
    with quiet_standard_error():
        conversions = make_conversions(network)
        found = take_turns(conversions, turns, warm_up=1, measure=measure_wall_time)
    seconds = {side: found[side] / 1e3 for side in conversions}
    return compare_turns(name_network(network), seconds, OURS)


def measure_conversion_times(options: BenchmarkOptions, progress: Progress) -> None:
    """Measures a few networks, each in a process of its own, and adds a table."""
    table = Table("conversion", "Conversion to TFLite", "s", OURS, [])
    table.note = (
        "Ours rewrites the network, verifies each rewriting on images, and converts it for Larq "
        'Compute Engine; "converted only" is without the rewriting. float32 and int8 are '
        "TensorFlow's converter on the network without its quantizers."
    )
    progress.tables.append(table)
    for network in options.networks or NETWORKS:
        with progress.attempt(f"conversion of {name_network(network)}"):
            table.rows.append(run_alone(time_conversions, network, options.repeats or TURNS))
