"""The way from a run directory to a TFLite file that is proved, or to none."""

from dataclasses import dataclass
from pathlib import Path

from export.audit import Audit, audit
from export.benchmark import Latency, benchmark, fastest
from export.convert import convert, convert_float_twin
from export.verify import Verification, verify
from recu_tf import data
from recu_tf.runs import Run, write_aside
from recu_tf.training import Settings

__all__ = ["ExportError", "Report", "export_run"]

# Enough to see a miscompilation, which shows in every image, and to measure a top-1 agreement;
# all 10,000 of CIFAR-10 would take minutes with kernels that x86 has no fast version of.
MOST_IMAGES = 1000


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
        latencies: with each kernel, and of the float32 twin.
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
    settings = Settings.of_run(run)
    model = run.load_model(which)
    images, labels = data.load(settings.dataset, "test", data_path or settings.data_path)
    images, labels = run.normalization(images[:MOST_IMAGES]).numpy(), labels[:MOST_IMAGES]
    path.unlink(missing_ok=True)
    flatbuffer = convert(model)
    audited = audit(flatbuffer, model)
    if not audited.passed:
        raise ExportError("not every convolution that should be binary is", audited)
    verification = verify(flatbuffer, model, images, labels)
    if not verification.passed:
        raise ExportError("the file does not compute what the model does", verification)
    twin = convert_float_twin(model)
    report = Report(
        path, len(flatbuffer), len(twin), audited, verification, benchmark(flatbuffer, twin)
    )
    write_aside(path, lambda aside: aside.write_bytes(flatbuffer))
    return report
