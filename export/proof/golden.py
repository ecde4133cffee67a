"""A golden sample: a few inputs and the outputs of a file for them, for other runtimes to repeat.

`golden.bin` holds only numbers: little-endian, the last axis fastest, one tensor after the other.
`model.json` describes them:

```
golden  file     "golden.bin"
        runs     number of runs of the file, each with one batch for every input
        enough   number of runs that must agree: every number of every output within the tolerance
                 of the golden one. In the other runs, a value within rounding of 0 may have another
                 sign, which changes every layer behind it
        kernel   the backend of the engine that gave the outputs, see `export.BACKENDS`
        source   where the inputs come from, in words
        inputs   for each input of the file, in its order
                 name, type
                 shape   [runs, shape of the input ...]
                 offset  first byte in golden.bin
        outputs  for each output of the file, in its order: the same, and
                 tolerance  in units of the output
```

So each run takes `shape[1] * shape[2] * ...` numbers of each input, and no image has to be read.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from export import runtime
from export.keras_graph.differences import compute_differences
from export.keras_graph.inputs_outputs import as_list
from export.proof.output_comparison import ROUNDING, SHARE_WITHIN, measure_spread
from export.tflite.backends import BACKENDS, make_predict, open_in_engine
from export.tflite.file import File
from export.tflite.flatbuffer import read

__all__ = ["FILE", "YARDSTICK", "Golden", "describe", "encode", "make_golden_sample"]

FILE = "golden.bin"
MOST_RUNS = 4
# The size of a sample with several runs. A single run may be larger.
MOST_BYTES = 2**18
# An image of 1024 by 1024 in float32 takes 12 MiB.
LARGEST_RUN = 2**24
# It alone has no code for particular processors and does not rearrange the weights.
YARDSTICK = "reference"


@dataclass(frozen=True)
class Golden:
    """A golden sample.

    Attributes:
        inputs: for each input of the file, (runs, shape of the input ...).
        outputs: for each output of the file, (runs, shape of the output ...).
        tolerances: for each output, the allowed distance, in its units.
        enough: number of runs that must agree.
        backend: that computed the outputs, one of `export.BACKENDS`.
        source: where the inputs come from, in words.
    """

    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    tolerances: tuple[float, ...]
    enough: int
    backend: str
    source: str

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.inputs[0])


def make_golden_sample(
    flatbuffer: bytes | File,
    images: np.ndarray | list[np.ndarray],
    *,
    source: str,
    tolerance: float,
) -> Golden | None:
    """Runs a file on the first images on which all backends of the engine and the delegate agree.

    Other images cannot judge another runtime: in them, some value before a sign lies within
    rounding of 0.

    Args:
        flatbuffer: a TFLite file, verified.
        images: (count, ...) of the type that the file takes; for several inputs a list, in the
            order of the model's inputs.
        source: where they come from, in words.
        tolerance: as a share of the outputs' spread, as for `export.verify`.

    Returns:
        The sample, with 1 to 4 runs and at most 256 KiB, unless a single run takes more. None if
        one run takes more than 16 MiB, or the interpreters agree on no image.
    """
    arrays = [np.asarray(array) for array in as_list(images)]
    file = read(flatbuffer)
    engines = _load_engines(file)
    if not engines:
        return None
    yardstick, *others = engines
    engine = engines[yardstick]
    ends = [*zip(engine.input_shapes, engine.input_types, strict=True)]
    ends += zip(engine.output_shapes, engine.output_types, strict=True)
    size = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in ends)
    if size > LARGEST_RUN:
        return None
    runs = min(MOST_RUNS, max(1, MOST_BYTES // size))
    inputs = [
        _take_batches(array, shape, 2 * runs)
        for array, shape in zip(arrays, engine.input_shapes, strict=True)
    ]
    outputs = _run(engine.predict, inputs)
    tolerances = [_compute_tolerance(values, tolerance) for values in outputs]
    agreed = np.ones(len(inputs[0]), bool)
    for predict in (*(engines[other].predict for other in others), *_load_delegate(file)):
        for got, values, allowed in zip(_run(predict, inputs), outputs, tolerances, strict=True):
            agreed &= compute_differences(got, values) <= allowed
    kept = np.flatnonzero(agreed)[:runs]
    if not len(kept):
        return None
    return Golden(
        tuple(values[kept] for values in inputs),
        tuple(values[kept] for values in outputs),
        tuple(tolerances),
        math.ceil(SHARE_WITHIN * len(kept)),
        yardstick,
        source,
    )


def _load_engines(file: File) -> dict[str, object]:
    """Loads a file with each backend that can prepare it, the yardstick first."""
    engines = {}
    for name in sorted(BACKENDS, key=lambda name: name != YARDSTICK):
        try:
            engines[name] = open_in_engine(file.content, name)
        except (RuntimeError, ValueError):
            continue
    return engines


def _load_delegate(file: File) -> list[Callable]:
    """The function that runs a binary file with the delegate; none where that cannot."""
    if not file.has_binary_operators or runtime.find_problem() is not None:
        return []
    try:
        return [make_predict(runtime.load(file.content))]
    except RuntimeError:
        return []


def _take_batches(images: np.ndarray, shape: tuple[int, ...], most: int) -> np.ndarray:
    """The first batches (count, *shape), at most `most`; too few images are repeated."""
    size = shape[0]
    count = min(most, max(1, len(images) // size))
    return images[np.arange(count * size) % len(images)].reshape(count, *shape)


def _run(predict: Callable, inputs: list[np.ndarray]) -> list[np.ndarray]:
    runs = [
        [np.array(values) for values in predict(list(run))] for run in zip(*inputs, strict=True)
    ]
    return [np.stack(values) for values in zip(*runs, strict=True)]


def _compute_tolerance(values: np.ndarray, tolerance: float) -> float:
    """As in a verification: a share of how far runs move an output, but not below rounding."""
    runs = values.astype(np.float64)
    return max(tolerance * measure_spread(runs), ROUNDING * float(np.abs(runs).max(initial=0)))


def encode(golden: Golden) -> bytes:
    """Encodes a sample as the contents of `golden.bin`."""
    arrays = (*golden.inputs, *golden.outputs)
    return b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)


def describe(golden: Golden, file: File) -> dict:
    """Describes a sample for `model.json`.

    Args:
        golden: the sample.
        file: the file that gave its outputs.
    """
    offset, ends = 0, {"inputs": [], "outputs": []}
    for kind, names, arrays in (
        ("inputs", file.input_names, golden.inputs),
        ("outputs", file.output_names, golden.outputs),
    ):
        for name, array in zip(names, arrays, strict=True):
            shape = list(array.shape)
            ends[kind].append(
                {"name": name, "type": array.dtype.name, "shape": shape, "offset": offset}
            )
            offset += array.nbytes
    for end, tolerance in zip(ends["outputs"], golden.tolerances, strict=True):
        end["tolerance"] = tolerance
    return {
        "file": FILE,
        "runs": golden.runs,
        "enough": golden.enough,
        "kernel": golden.backend,
        "source": golden.source,
        **ends,
    }
