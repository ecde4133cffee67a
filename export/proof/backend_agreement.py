"""Which of the engine's backends can run a file, and give what the one gives that verified it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.keras_graph.differences import differences, share_within
from export.proof.output_comparison import SHARE_WITHIN
from export.tflite.backends import BACKENDS
from export.tflite.flatbuffer import BINARY_CONVOLUTION, read
from export.tflite.interpreter import choose_backend, run_all

__all__ = ["DEFAULT", "REFERENCE", "Runs", "run_backends"]

# What C++ programs, Android and the engine's benchmark take unless they are told otherwise.
DEFAULT = "optimized"
REFERENCE = "reference"
PACKED = 32  # channels in a word


@dataclass(frozen=True)
class Runs:
    """What became of a few images with each backend.

    Attributes:
        backends: names of those that give what the verified one gives.
        refusing: of the others, those that do not run the file, with why.
        differing: of the others, those that run it and give something else.
        outputs: of the reference backend; None where it does not run the file.
    """

    backends: tuple[str, ...]
    refusing: dict[str, str]
    differing: tuple[str, ...]
    outputs: list[np.ndarray] | None


def run_backends(
    flatbuffer: bytes,
    images: np.ndarray | list[np.ndarray],
    verified: Sequence[np.ndarray],
    allowed: Sequence[float],
) -> Runs:
    """Runs a file with every backend of `BACKENDS`.

    The backends add the same bits, so that without XNNPACK all images have to come out alike. With
    it what is not binary is added in another order, and signs within rounding of 0 may turn in a
    quarter of them.

    Args:
        flatbuffer: the file.
        images: a few; some backends are slow on x86.
        verified: the outputs that the file gave for them when it was verified.
        allowed: how far each output may lie from that.

    Returns:
        What became of them.
    """
    backends, refusing, differing, of_reference = [], {}, [], None
    for backend in BACKENDS:
        try:
            outputs = (
                verified if backend == choose_backend() else run_all(flatbuffer, images, backend)
            )
        except (ValueError, RuntimeError) as error:
            refusing[backend] = _why(flatbuffer, str(error))
            continue
        if backend == REFERENCE:
            of_reference = outputs
        share = SHARE_WITHIN if "XNNPACK" in backend else 1
        pairs = zip(outputs, verified, allowed, strict=True)
        same = all(share_within(got, known, least) >= share for got, known, least in pairs)
        (backends if same else differing).append(backend)
    return Runs(tuple(backends), refusing, tuple(differing), of_reference)


def _why(flatbuffer: bytes, error: str) -> str:
    """Why a backend refuses a file, in words."""
    if any(_has_groups(one) for one in read(flatbuffer).operators):
        return "it has no binary convolutions of groups"
    return "AllocateTensors fails" if "AllocateTensors" in error else " ".join(error.split())


def _has_groups(operator) -> bool:
    if operator.name != BINARY_CONVOLUTION:
        return False
    channels = operator.options["channels_in"]
    return operator.inputs[1].shape[-1] < -(-channels // PACKED)


def right(outputs: list[np.ndarray] | None, expected: Sequence[np.ndarray], allowed) -> bool:
    """Whether outputs are what is expected, image by image."""
    return outputs is not None and all(
        bool((differences(got, known) <= least).all())
        for got, known, least in zip(outputs, expected, allowed, strict=True)
    )
