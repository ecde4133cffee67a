"""The contents of an export's folder, and what follows from the file itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from export.conversion.rewriting import Rewriting
from export.loading.image_folders import choose_resizing
from export.measurement.latency import Latency
from export.proof.auditing import Audit
from export.proof.golden import Golden
from export.proof.verification import Verification
from export.tflite.file import File, Tensor
from recu_tf.data import Normalization
from recu_tf.image_input import find_image_inputs

__all__ = ["Bundle", "End"]

TYPES = ("float32", "uint8")


@dataclass(frozen=True)
class End:
    """An input or an output of the file.

    Attributes:
        name: in the file's signature.
        shape: with the batch first; -1 where a size is open.
        type: NumPy's name of the dtype, such as "float32".
    """

    name: str
    shape: tuple[int, ...]
    type: str


@dataclass(frozen=True)
class Bundle:
    """A verified export.

    Attributes:
        name: of the network.
        file: the TFLite file, with any number of inputs and outputs.
        float_size: size of the float32 TFLite file of the same network, in bytes; None without one.
        audit: of the file.
        verification: of the file.
        latencies: of the file and of its float32 baseline.
        steps: of the rewriting.
        options: of the export, by name.
        versions: of the packages, by name.
        seconds: duration of the conversion.
        peak_memory: of the conversion, in bytes; None if the system does not report it.
        normalization: of the network's images; None where it takes pixels as they are, where it
            takes none, or where it is unknown.
        takes_pixels: without a normalization: whether the network takes pixels as they are, 0 to
            255. A file with uint8 input does in any case.
        class_names: in the order of the outputs; None where they are unknown.
        dataset: name of the data set; None where it is unknown.
        own_images: whether it was verified on images of a folder instead of the data set's.
        source_sha256: hexadecimal SHA-256 of the network's file; None where it is not a file.
        network: path of that file as seen from the folder, "../best.keras"; None where the two do
            not lie side by side.
        golden: a few inputs and the file's outputs for them; None without a sample.
        kinds: of each output, "logits", "probabilities" or "values"; None means that an output
            (batch, classes) gives logits, and any other values.
        speed: how many times as fast as float32 the file is, in one sentence; "" if that is not
            known.

    Raises:
        ValueError: there are not as many names as classes, or the normalization has another number
            of channels than the images.
    """

    name: str
    file: File
    float_size: int | None
    audit: Audit
    verification: Verification
    latencies: Sequence[Latency]
    steps: Sequence[Rewriting]
    options: Mapping[str, object]
    versions: Mapping[str, str]
    seconds: float
    peak_memory: int | None = None
    normalization: Normalization | None = None
    takes_pixels: bool = False
    class_names: Sequence[str] | None = None
    dataset: str | None = None
    source_sha256: str | None = None
    network: str | None = None
    golden: Golden | None = None
    own_images: bool = False
    kinds: Sequence[str] | None = None
    speed: str = ""

    def __post_init__(self):
        classes = self.output_shape[-1] if self.output_shape else 1
        channels = self.input_shape[-1] if self.takes_image else None
        if self.class_names is not None and len(self.class_names) != classes:
            raise ValueError(
                f"`class_names` must hold a name for each of the {classes} outputs, got "
                f"{len(self.class_names)}."
            )
        normalization = self.normalization
        if (
            channels
            and normalization
            and {len(normalization.mean), len(normalization.std)} != {channels}
        ):
            raise ValueError(
                f"`normalization` must have a mean and a std for each of {channels} channels, got "
                f"{normalization}."
            )

    @property
    def flatbuffer(self) -> bytes:
        """The bytes of the file."""
        return self.file.content

    @cached_property
    def inputs(self) -> tuple[End, ...]:
        """In the order of the file's tensors."""
        return _list_ends(self.file.inputs, self.file.input_names)

    @cached_property
    def outputs(self) -> tuple[End, ...]:
        """In the order of the file's tensors."""
        return _list_ends(self.file.outputs, self.file.output_names)

    @cached_property
    def image_input(self) -> End:
        """The input that takes images, see `recu_tf.image_input`; else the first."""
        ends = self.inputs
        numbers = find_image_inputs([end.shape for end in ends], [end.type for end in ends])
        return ends[numbers[0] if numbers else 0]

    @cached_property
    def main_output(self) -> End:
        """The first output (batch, classes) with a name for each class; else the first output."""
        kinds = self.kinds or [""] * len(self.outputs)
        classes = [
            end
            for end, kind in zip(self.outputs, kinds, strict=True)
            if len(end.shape) == 2 and end.shape[1] > 1 and kind != "values"
        ]
        names = self.class_names
        named = [end for end in classes if names is not None and end.shape[1] == len(names)]
        return (named or classes or self.outputs)[0]

    @property
    def takes_image(self) -> bool:
        """Whether `image_input` takes images."""
        return len(self.input_shape) == 4 and self.input_type in TYPES

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of the image: (batch, height, width, channels)."""
        return self.image_input.shape

    @property
    def input_type(self) -> str:
        """Of the image: "float32" or "uint8"."""
        return self.image_input.type

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of the main output: (batch, classes), where the network is a classifier."""
        return self.main_output.shape

    @property
    def output_kind(self) -> str:
        """Of the main output: "logits" or "probabilities" of classes, or other "values"."""
        if self.kinds is not None:
            return self.kinds[self.outputs.index(self.main_output)]
        return "logits" if len(self.output_shape) == 2 and self.output_shape[1] > 1 else "values"

    @property
    def values(self) -> str:
        """What the file takes: "pixels" (0 to 255), "normalized" or "unknown"."""
        if not self.takes_image:
            return "unknown"
        if self.input_type == "uint8":
            return "pixels"
        if self.normalization:
            return "normalized"
        return "pixels" if self.takes_pixels else "unknown"

    @property
    def resize(self) -> dict[str, object] | None:
        """How an image is resized to the input, see `export.loading.image_folders.choose_resizing`.

        None where the network takes no image.
        """
        return choose_resizing(self.input_shape[1:3], self.dataset) if self.takes_image else None

    @property
    def labels(self) -> list[str]:
        """A line for each class: its name, or its number where it has none."""
        if not self.output_shape:
            return []
        if self.class_names is None:
            return [str(number) for number in range(self.output_shape[-1])]
        # A name of several lines would shift the numbers of the names after it.
        return [" ".join(name.split()) for name in self.class_names]


def _list_ends(tensors: tuple[Tensor, ...], names: tuple[str, ...]) -> tuple[End, ...]:
    return tuple(
        End(name, tensor.shape, tensor.dtype.lower())
        for tensor, name in zip(tensors, names, strict=True)
    )
