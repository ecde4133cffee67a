"""Exports a network to a folder on disk, and reports on it."""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from export import runtime
from export.bundle.writer import Bundle, check_free, restore, write
from export.conversion.baselines import convert_float_baseline
from export.export_options import DEFAULTS, Options
from export.keras_graph.checks import check_network
from export.loading.sources import Source
from export.measurement.comparison import format_number
from export.measurement.latency import Latency, benchmark, find_fastest
from export.measurement.speed_sentence import compare_with_float
from export.pipeline import Exported, export_network
from export.proof.auditing import Audit
from export.proof.verification import Verification
from export.refusals import ExportError, describe_earlier_export
from export.tflite.backends import DELEGATE
from recu_tf.image_input import find_image_input
from recu_tf.pixel_scaling import is_identity
from recu_tf.runs import list_versions

logger = logging.getLogger(__name__)

__all__ = ["Report", "export_bundle"]

# Less than `recu benchmark` measures: some backends are slow on x86.
REPEATS = 25
EXPORTED, BASELINE = "exported", "float32"


@dataclass(frozen=True)
class Report:
    """A verified export on disk.

    Attributes:
        directory: of the bundle.
        exported: the file and its verification.
        float_size: size of the float32 TFLite file of the same network, in bytes; None if it cannot
            be made, as from a SavedModel.
        latencies: of the file and of its float32 baseline, with each backend.
        speed: how many times as fast as float32 the file is here, and why if it is not, in one
            sentence; "" without a baseline.
    """

    directory: Path
    exported: Exported
    float_size: int | None
    latencies: list[Latency]
    speed: str = ""

    @property
    def path(self) -> Path:
        """The path of the TFLite file."""
        return self.directory / "model.tflite"

    @property
    def size(self) -> int:
        """The size of the TFLite file in bytes."""
        return len(self.exported.flatbuffer)

    @property
    def fastest(self) -> Latency:
        """The latency of the file with the backend that is fastest on this machine."""
        return find_fastest(self.latencies, EXPORTED)

    @property
    def fastest_in_delegate(self) -> Latency | None:
        """The latency of the file with the delegate; None where that is missing or refuses it."""
        return self._find_fastest(lambda latency: latency.backend == DELEGATE)

    @property
    def fastest_in_engine(self) -> Latency | None:
        """The latency of the file with the engine's fastest backend; None if none can run it."""
        return self._find_fastest(lambda latency: latency.backend != DELEGATE)

    def _find_fastest(self, accepts: Callable[[Latency], bool]) -> Latency | None:
        found = [latency for latency in self.latencies if accepts(latency)]
        names = {latency.name for latency in found}
        return find_fastest(found, EXPORTED) if EXPORTED in names else None

    @property
    def fastest_baseline(self) -> Latency | None:
        """The latency of the float32 baseline with its fastest backend; None without one."""
        return None if self.float_size is None else find_fastest(self.latencies, BASELINE)

    @property
    def audit(self) -> Audit:
        """The operators of the file."""
        return self.exported.audit

    @property
    def verification(self) -> Verification:
        """The comparison of the file's outputs with Keras."""
        return self.exported.verification

    def __str__(self) -> str:
        latencies = [
            f"  {latency.name:<8} {format_number(latency.median_ms):>8} ms  "
            f"(p95 {format_number(latency.p95_ms)})  "
            f"{latency.backend}"
            for latency in self.latencies
        ]
        images = self.exported.options.batch_size
        problem = runtime.find_problem() if self.audit.binary else None
        return "\n".join(
            [
                *(f"Rewriting: {step}" for step in self.exported.steps),
                str(self.audit),
                str(self.verification),
                f"Conversion: {self.exported.seconds:.1f} s, peak memory of the process "
                f"{self.exported.peak_memory / 1e6:,.0f} MB",
                f"Size: {self.size:,} bytes{self._size_of_baseline()}",
                f"Latency of {'one image' if images == 1 else f'{images} images'} on one thread:",
                *latencies,
                *([f"The delegate is missing: {problem}"] if problem else []),
                self.speed or f"Fastest here: {self.fastest.backend}",
                f"Written: {self.directory}",
            ]
        )

    def _size_of_baseline(self) -> str:
        if self.float_size is None:
            return " (a float32 baseline of this network cannot be made)"
        times = self.float_size / self.size
        return f", float32 {self.float_size:,} bytes ({times:.1f} times as large)"


def _convert_float_baseline(exported: Exported) -> bytes | None:
    try:
        return convert_float_baseline(exported.model, batch_size=exported.options.batch_size)
    except ValueError:
        return None


def _find_path_beside(directory: Path, file: Path | None) -> str | None:
    """Finds the path of a file relative to a folder beside it; None if they lie elsewhere."""
    beside = file is not None and file.resolve().parent == directory.parent
    return f"../{file.name}" if beside else None


def export_bundle(
    source: Source,
    directory: str | os.PathLike | None = None,
    *,
    options: Options = DEFAULTS,
    dataset: str | None = None,
    data_path: str | None = None,
    images_path: str | os.PathLike | None = None,
) -> Report:
    """Exports a network, verifies the file, measures its latency and writes the folder.

    The folder of an earlier export is replaced only when the new one is complete: a failure leaves
    it, and the message says so. If a killed process had renamed it, it first gets its name back.

    Args:
        source: the network, see `export.loading.sources`.
        directory: of the bundle; None means `source.directory`.
        options: what the file should be.
        dataset: name of the data set that the network's images come from, one of
            `recu_tf.data.DATASETS`; None means that of its run.
        data_path: where the data set lies, if not where the training found it.
        images_path: folder of images to verify the file on, see `export_network`.

    Returns:
        The report.

    Raises:
        ExportError, ValueError, ImportError, OSError: see `export_network` and
            `export.bundle.writer.check_free`. No new folder is left.
    """
    directory = check_free(directory or source.directory)
    check_network(source.model)
    if find_image_input(source.model) is None:
        shapes = [tuple(tensor.shape) for tensor in source.model.inputs]
        raise ValueError(
            f"{source.name} must take images (batch, height, width, channels), but takes "
            f"{', '.join(map(str, shapes))}."
        )
    restore(directory)
    replaces = (directory / "model.json").exists()
    try:
        exported = export_network(
            source, options, dataset=dataset, data_path=data_path, images_path=images_path
        )
    except ExportError as error:
        error.earlier = directory if replaces else None
        raise
    except ValueError as error:
        if not replaces:
            raise
        raise ValueError(f"{error} {describe_earlier_export(directory)}") from error
    baseline = _convert_float_baseline(exported)
    files = {EXPORTED: exported.file} | ({} if baseline is None else {BASELINE: baseline})
    logger.info("Measuring latency")
    latencies = benchmark(files, repeats=REPEATS).latencies
    speed = ""
    if baseline is not None:
        fastest = (find_fastest(latencies, name) for name in (EXPORTED, BASELINE))
        speed = compare_with_float(next(fastest), exported.file, next(fastest), baseline)
    known, normalization = exported.dataset, exported.normalization
    pixels = normalization is not None and is_identity(normalization)
    file = source.file
    bundle = Bundle(
        name=source.name,
        file=exported.file,
        float_size=baseline and len(baseline),
        kinds=exported.kinds,
        audit=exported.audit,
        verification=exported.verification,
        latencies=latencies,
        speed=speed,
        steps=exported.steps,
        options=asdict(options),
        versions={
            **list_versions(),
            "larq-compute-engine": metadata.version("larq-compute-engine"),
        },
        seconds=exported.seconds,
        peak_memory=exported.peak_memory,
        normalization=None if pixels else normalization,
        takes_pixels=pixels,
        class_names=exported.source.class_names,
        dataset=known and known.name,
        source_sha256=file and hashlib.sha256(file.read_bytes()).hexdigest(),
        network=_find_path_beside(directory, file),
        golden=exported.golden,
        own_images=images_path is not None,
    )
    write(directory, bundle)
    return Report(directory, exported, baseline and len(baseline), latencies, speed)
