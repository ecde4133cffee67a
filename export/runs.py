"""The way from a run directory to a TFLite file that is proved, or to none."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.audit import Audit, audit
from export.benchmark import Latency, benchmark, fastest
from export.convert import convert
from export.twins import convert_float_twin
from export.verify import Verification, verify
from recu_tf.evaluation import evaluation_set, readable
from recu_tf.runs import Run, write_aside
from recu_tf.settings import Settings

__all__ = ["ExportError", "Report", "export_run"]

# Enough to see a miscompilation, which shows in every image, and to measure a top-1 agreement;
# all 10,000 of CIFAR-10 would take minutes with kernels that x86 has no fast version of, and so
# would more than a few hundred of ImageNet's.
MOST_SMALL_IMAGES = 1000
MOST_IMAGES = 256
SMALL = 64
# Less than `recu benchmark` measures: some kernels are slow on x86.
REPEATS = 25
KERNELS_OF = {
    "binary": ["optimized", "reference", "indirect bgemm"],
    "float32": ["TFLite with XNNPACK"],
}


class ExportError(Exception):
    """The file could not be proved, so there is none."""

    exit_code = 1

    def __init__(self, reason: str, report: Audit | Verification):
        super().__init__(f"export failed, no file was written: {reason}\n{report}")


@dataclass(frozen=True)
class Report:
    """A proved export.

    Attributes:
        path: of the TFLite file.
        size: of the file, in bytes.
        float_size: of the float32 TFLite file of the same network, in bytes.
        audit: its operators.
        verification: its outputs against Keras.
        latencies: of the file and of its float32 twin, with each kernel, on one thread.
    """

    path: Path
    size: int
    float_size: int
    audit: Audit
    verification: Verification
    latencies: list[Latency]

    def __str__(self) -> str:
        latencies = [
            f"  {one.name:<8} {one.median_ms:8.2f} ms  (p95 {one.p95_ms:.2f})  {one.kernel}"
            for one in self.latencies
        ]
        binary = fastest(self.latencies, "binary")
        twin = fastest(self.latencies, "float32")
        return "\n".join(
            [
                str(self.audit),
                str(self.verification),
                f"Size: {self.size:,} bytes, float32 {self.float_size:,} bytes "
                f"({self.float_size / self.size:.1f} times as large)",
                "Latency of one image on one thread:",
                *latencies,
                f"Fastest here: {binary.kernel}, {binary.median_ms / twin.median_ms:.2f} times "
                "the latency of float32",
                f"Written: {self.path}",
            ]
        )


@dataclass(frozen=True)
class Images:
    """What a file is verified on.

    Attributes:
        pixels: float32 (count, height, width, channels), normalised.
        labels: int (count,); None for random images.
        source: what they are, in words.
    """

    pixels: np.ndarray
    labels: np.ndarray | None
    source: str


def verification_images(run: Run, data_path: str | None = None) -> Images:
    """Test images of a run's data set; random ones where none are at hand and none were promised.

    Args:
        run: the run.
        data_path: where the data set lies, if not where the training found it.

    Raises:
        ImportError, OSError, ValueError: the data set cannot be read, although its path is known.
    """
    shape = tuple(run.config["input_shape"])
    most = MOST_SMALL_IMAGES if max(shape[:2]) <= SMALL else MOST_IMAGES
    settings = Settings.of_run(run)
    try:
        batches, _ = evaluation_set(run, data_path)
        images = readable(batches.unbatch().take(most), settings.dataset)
        pixels, labels = zip(*images, strict=True)
    except (ImportError, OSError) as error:
        if data_path or settings.data_path:
            raise
        pixels = np.random.default_rng(0).normal(size=(MOST_IMAGES, *shape)).astype(np.float32)
        reason = " ".join(str(error).split())
        return Images(pixels, None, f"random images, for lack of real ones ({reason})")
    return Images(np.stack(pixels), np.stack(labels), f"test images of {settings.dataset}")


def export_run(run: Run, which: str = "best", data_path: str | None = None) -> Report:
    """Converts a model of a run, proves the file and writes it to `model.tflite` in the run.

    A file of an earlier export is removed first, so that what is there is always proved.

    Args:
        run: the run.
        which: "best" or "last".
        data_path: where the data set lies, if not where the training found it.

    Returns:
        The report.

    Raises:
        ExportError: a convolution that should be binary is not, or the outputs differ. No file
            is left.
        FileNotFoundError, ValueError: the model is missing, damaged or cannot be converted.
        ImportError, OSError: the test images cannot be read.
    """
    path = run.path / "model.tflite"
    model = run.load_model(which)
    images = verification_images(run, data_path)
    path.unlink(missing_ok=True)
    flatbuffer = convert(model)
    audited = audit(flatbuffer, model)
    if not audited.passed:
        raise ExportError("not every convolution that should be binary is", audited)
    verification = verify(flatbuffer, model, images.pixels, images.labels, images.source)
    if not verification.passed:
        raise ExportError("the file does not compute what the model does", verification)
    twin = convert_float_twin(model)
    report = Report(
        path,
        len(flatbuffer),
        len(twin),
        audited,
        verification,
        benchmark(
            {"binary": flatbuffer, "float32": twin}, repeats=REPEATS, kernels=KERNELS_OF
        ).latencies,
    )
    write_aside(path, lambda aside: aside.write_bytes(flatbuffer))
    return report
