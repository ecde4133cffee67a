"""Why ours is worse than a side, shown where it was measured to be."""

from experiments.benchmarks import conversion_time, inference, input_pipeline, start_up
from experiments.benchmarks.measured_tables import Table
from experiments.benchmarks.training_step import FLOAT, LARQ

__all__ = ["UNKNOWN", "describe_losses"]

UNKNOWN = "why is not known."
FLOOR = "it is the floor: the same layers without quantizers, so that all of ReCU comes on top."
# By the key of the table and the side.
REASONS = {
    ("training_time", LARQ): (
        "ReCU also standardises every image and every filter, clamps the weights and scales the "
        "outputs, which are passes over memory that Larq's quantizers do not make."
    ),
    ("training_time", FLOAT): FLOOR,
    ("training_memory", LARQ): (
        "the standardised activations are kept for the gradient beside those they are made of."
    ),
    ("training_memory", FLOAT): (
        "it has no signs: each quantizer keeps what it needs for its gradient beside its output."
    ),
    **{(f"growth_{axis}", FLOAT): FLOOR for axis in ("batch", "width", "image_size")},
    ("input_share", input_pipeline.WITHOUT): (
        "the pipeline works on the same cores as the step, beside it."
    ),
    (
        "start_up",
        start_up.PYTHON,
    ): "it is the floor: Python with nothing to do.",
    ("import_time", start_up.NEEDED): (
        "it is the floor: recu_tf imports both, and its own modules and tf-keras as well."
    ),
    ("conversion", conversion_time.CONVERTED_ONLY): (
        "the rewriting runs the network on images before and after each of its passes, which "
        "catches what the converter would compute wrongly."
    ),
    ("conversion", "float32"): (
        "it is neither rewritten nor verified, and its converter has no kernels to pack into bits."
    ),
    ("file_size", inference.CONTENT): (
        "the file also has the names, shapes and options of its operators; and the engine packs "
        "the bits of each pixel of a kernel into words of 32, which 16 channels fill by half."
    ),
}


def describe_losses(table: Table) -> list[str]:
    """A sentence for each side that ours is worse than in some row, and why.

    Args:
        table: measured.

    Returns:
        Sentences in Markdown; none where ours is nowhere worse.
    """
    sentences = []
    for row in table.rows:
        if row.losses and row.because:
            worse = ", ".join(f"{side} ({row.ratios[side][1]:.2f})" for side in row.losses)
            sentences.append(f"{row.name} is worse than {worse}: {row.because}.")
    for side in table.sides:
        rows = [row for row in table.rows if side in row.losses and not row.because]
        if rows:
            where = ", ".join(f"{row.name} {row.ratios[side][1]:.2f}" for row in rows)
            reason = REASONS.get((table.key, side), UNKNOWN)
            sentences.append(f"Worse than {side} ({where}): {reason}")
    return sentences
