"""The files of a network that are measured: binary, float32, int8, ONNX."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import export
from experiments.benchmarks.benchmark_networks import build_network, name_network
from experiments.benchmarks.other_runtimes import ONNX, convert_to_onnx, find_missing_packages
from experiments.benchmarks.turn_workers import run_alone
from experiments.quiet import quiet_standard_error
from export.conversion.baselines import convert_baselines
from export.conversion.stripping import strip
from export.keras_graph.inputs_outputs import draw_inputs
from recu_tf import larq_summary

__all__ = ["NetworkFiles", "make_all_files", "make_files"]

# The steps of the rewriting are verified on so many.
REWRITING_IMAGES = 2
# Of processes that make files at the same time: each takes up to 3 GB.
MOST_PROCESSES = 4


@dataclass
class NetworkFiles:
    """A network in the formats that are measured.

    Attributes:
        name: on the page.
        binary: TFLite file for Larq Compute Engine, as `recu export` writes it.
        float32: TFLite file of the network without its quantizers.
        int8: the same, quantized.
        onnx: the float network for ONNX Runtime; None where it is not installed.
        weights: number of parameters.
        binary_weights: those of one bit.
        missing: why a runtime has no file.
    """

    name: str
    binary: bytes
    float32: bytes
    int8: bytes
    onnx: bytes | None
    weights: int
    binary_weights: int
    missing: dict[str, str]

    @property
    def information(self) -> float:
        """Bytes: a bit for each binary weight, four bytes for each other parameter."""
        return self.binary_weights / 8 + 4 * (self.weights - self.binary_weights)


def make_files(network: str) -> NetworkFiles:
    """Builds a network with random weights and converts it.

    Args:
        network: see `experiments.benchmarks.benchmark_networks.build_network`.
    """
    missing, onnx = find_missing_packages(), None
    with quiet_standard_error():
        loaded = build_network(network)
        # Without the temperatures of ReCU, which no file holds.
        counts = larq_summary.profile(loaded)
        model = export.float32_model(loaded)
        rewritten, _ = export.rewrite(model, draw_inputs(model, REWRITING_IMAGES))
        binary, baselines = strip(export.convert(rewritten)), convert_baselines(model)
        if ONNX not in missing:
            try:
                onnx = convert_to_onnx(model)
            except Exception as error:  # its converter has many; the others are still measured
                reason = f"the conversion to ONNX failed: {type(error).__name__}: {error}"
                missing[ONNX] = " ".join(reason.split())[:300]
    return NetworkFiles(
        name_network(network),
        binary,
        baselines["float32"],
        baselines["int8"],
        onnx,
        counts.weight_count(),
        counts.weight_count(1),
        missing,
    )


def make_all_files(networks: Sequence[str]) -> dict[str, Future]:
    """Makes the files of networks, each in a process of its own, as many at a time as cores.

    Args:
        networks: see `make_files`.

    Returns:
        For each its `NetworkFiles`, or the error.
    """
    processes = min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    with ThreadPoolExecutor(processes) as pool:
        return {network: pool.submit(run_alone, make_files, network) for network in networks}
