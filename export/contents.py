"""All that goes into the folder of an export, and what the file itself tells of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from export.audit import Audit
from export.benchmark import Latency
from export.flatbuffer import File, read
from export.rewriting import Step
from export.verify import Verification
from recu_tf.data import DATASETS, Normalization
from recu_tf.data.resizing import SHORTER_SIDE, SIZE, shorter_side_crop

__all__ = ["Bundle"]

TYPES = {"FLOAT32": "float32", "UINT8": "uint8"}


@dataclass(frozen=True)
class Bundle:
    """A proved export.

    Attributes:
        name: what was exported.
        flatbuffer: the TFLite file, with one input (batch, height, width, channels) of float32 or
            uint8, and one output.
        float_size: of the float32 TFLite file of the same network, in bytes; None without one.
        probabilities: whether the file gives those of its classes.
        audit: of the file.
        verification: of the file.
        latencies: of the file and of its float32 twin.
        steps: of the rewriting.
        options: that the user gave, by name.
        versions: of the packages, by name.
        seconds: that the conversion took.
        peak_memory: of the conversion, in bytes; None where the system does not tell.
        normalization: of the network's images; None where it takes pixels as they are, or where
            nothing tells.
        takes_pixels: without a normalization: whether the network takes pixels as they are, 0 to
            255. A file with uint8 input does in any case.
        class_names: in the order of the outputs; None where nothing tells.
        dataset: name of the data set; None where nothing tells.
        source_sha256: hexadecimal SHA-256 of the network's file; None where it is not a file.

    Raises:
        ValueError: the file is damaged or of another kind, or there are not as many names as
            classes.
    """

    name: str
    flatbuffer: bytes
    float_size: int | None
    probabilities: bool
    audit: Audit
    verification: Verification
    latencies: Sequence[Latency]
    steps: Sequence[Step]
    options: Mapping[str, object]
    versions: Mapping[str, str]
    seconds: float
    peak_memory: int | None = None
    normalization: Normalization | None = None
    takes_pixels: bool = False
    class_names: Sequence[str] | None = None
    dataset: str | None = None
    source_sha256: str | None = None

    def __post_init__(self):
        inputs, outputs = self._file.inputs, self._file.outputs
        found = [(one.dtype, one.shape) for one in inputs]
        if len(found) != 1 or found[0][0] not in TYPES or len(found[0][1]) != 4:
            raise ValueError(
                "`flatbuffer` must have one input (batch, height, width, channels) of float32 or "
                f"uint8, got {found}."
            )
        if len(outputs) != 1 or not outputs[0].shape:
            raise ValueError(f"`flatbuffer` must have one output, got {len(outputs)}.")
        channels, classes = self.input_shape[-1], self.output_shape[-1]
        if self.class_names is not None and len(self.class_names) != classes:
            raise ValueError(
                f"`class_names` must hold a name for each of the {classes} outputs, got "
                f"{len(self.class_names)}."
            )
        normalization = self.normalization
        if normalization and {len(normalization.mean), len(normalization.std)} != {channels}:
            raise ValueError(
                f"`normalization` must have a mean and a std for each of {channels} channels, got "
                f"{normalization}."
            )

    @cached_property
    def _file(self) -> File:
        return read(self.flatbuffer)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(batch, height, width, channels)."""
        return self._file.inputs[0].shape

    @property
    def input_type(self) -> str:
        """Of the file's input: "float32" or "uint8"."""
        return TYPES[self._file.inputs[0].dtype]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(batch, classes), where the network is a classifier."""
        return self._file.outputs[0].shape

    @property
    def output_kind(self) -> str:
        """What the file gives: "logits" or "probabilities" of classes, or other "values"."""
        if self.probabilities:
            return "probabilities"
        return "logits" if len(self.output_shape) == 2 and self.output_shape[1] > 1 else "values"

    @property
    def values(self) -> str:
        """What the file takes: "pixels" (0 to 255), "normalized" or "unknown"."""
        if self.input_type == "uint8":
            return "pixels"
        if self.normalization:
            return "normalized"
        return "pixels" if self.takes_pixels else "unknown"

    @property
    def resize(self) -> dict[str, object]:
        """How an image is brought to the input's size, as in the tests of the network.

        {"exact": [height, width]}, or {"shorter_side": side, "crop": [height, width]} for the
        middle of an image whose shorter side was resized to that. Where no data set tells, what
        is usual for ImageNet is taken for its size.
        """
        size = self.input_shape[1:3]
        known = DATASETS.get(self.dataset)
        cropped = known is None or known.prepare is shorter_side_crop
        if cropped and size == (SIZE, SIZE):
            return {"shorter_side": SHORTER_SIDE, "crop": list(size)}
        return {"exact": list(size)}

    @property
    def labels(self) -> list[str]:
        """A line for each class: its name, or its number where it has none."""
        if self.class_names is None:
            return [str(number) for number in range(self.output_shape[-1])]
        # A name of several lines would give its successors other numbers.
        return [" ".join(name.split()) for name in self.class_names]
