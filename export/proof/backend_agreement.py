"""Compares the engine's backends: which can run a file, and which give the verified outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.keras_graph.differences import compute_differences, compute_share_within
from export.proof.output_comparison import SHARE_WITHIN
from export.tflite.backends import BACKENDS
from export.tflite.file import BINARY_CONVOLUTION, File, Operator
from export.tflite.interpreter import choose_backend, run_all

__all__ = ["DEFAULT", "REFERENCE", "BackendRuns", "are_within", "run_backends"]

# C++ programs, Android and the engine's benchmark take this one unless they are configured
# otherwise.
DEFAULT = "optimized"
REFERENCE = "reference"
PACKED = 32  # channels in a word


@dataclass(frozen=True)
class BackendRuns:
    """How each backend ran a few images.

    Attributes:
        backends: names of those that give the verified outputs.
        refusing: of the others, those that do not run the file, and why.
        differing: of the others, those that run the file and give other outputs.
        reference_outputs: of the reference backend; None where it does not run the file.
    """

    backends: tuple[str, ...]
    refusing: dict[str, str]
    differing: tuple[str, ...]
    reference_outputs: list[np.ndarray] | None


def run_backends(
    file: File,
    images: np.ndarray | list[np.ndarray],
    verified: Sequence[np.ndarray],
    allowed: Sequence[float],
) -> BackendRuns:
    """Runs a file with every backend of `BACKENDS`.

    The backends add the same bits, so that without XNNPACK all images must give the same. With
    XNNPACK float numbers are added in another order, and signs within rounding of 0 may flip in a
    quarter of the images.

    Args:
        file: the file.
        images: a few; some backends are slow on x86.
        verified: the outputs that the file gave for them when it was verified.
        allowed: for each output, how far it may lie from the verified one.

    Returns:
        How each backend ran them.
    """
    backends, refusing, differing, reference_outputs = [], {}, [], None
    for backend in BACKENDS:
        try:
            known = backend == choose_backend()
            outputs = verified if known else run_all(file, images, backend)
        except (ValueError, RuntimeError) as error:
            refusing[backend] = _explain_refusal(file, str(error))
            continue
        if backend == REFERENCE:
            reference_outputs = outputs
        share = SHARE_WITHIN if "XNNPACK" in backend else 1
        triples = zip(outputs, verified, allowed, strict=True)
        agrees = all(compute_share_within(*triple) >= share for triple in triples)
        (backends if agrees else differing).append(backend)
    return BackendRuns(tuple(backends), refusing, tuple(differing), reference_outputs)


def _explain_refusal(file: File, error: str) -> str:
    """Why a backend refuses a file, in words."""
    if any(map(_has_groups, file.operators)):
        return "it has no binary convolutions of groups"
    return "AllocateTensors fails" if "AllocateTensors" in error else " ".join(error.split())


def _has_groups(operator: Operator) -> bool:
    if operator.name != BINARY_CONVOLUTION:
        return False
    channels = operator.options["channels_in"]
    return operator.inputs[1].shape[-1] < -(-channels // PACKED)


def are_within(
    outputs: list[np.ndarray] | None, expected: Sequence[np.ndarray], allowed: Sequence[float]
) -> bool:
    """Whether all images of all outputs lie within the allowed distances; False for None."""
    return outputs is not None and all(
        bool((compute_differences(got, wanted) <= distance).all())
        for got, wanted, distance in zip(outputs, expected, allowed, strict=True)
    )
