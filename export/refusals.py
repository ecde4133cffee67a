"""The errors of an export: why a network cannot be exported, or why its file is not written."""

from pathlib import Path

import tensorflow as tf

from export.conversion.serving import require_image_input
from export.export_options import Options
from export.keras_graph.inputs_outputs import list_input_names, list_output_names
from export.keras_graph.output_kinds import find_last_activation
from export.loading.sources import Source
from export.proof.auditing import Audit
from export.proof.images import Images
from export.proof.verdict import Verification
from export.tflite.file import File
from export.tflite.interpreter import (
    choose_backend,
    describe_tensorflow_operators,
    find_tensorflow_operators,
    load_in_engine,
)

__all__ = [
    "ExportError",
    "check_labels",
    "check_loads",
    "check_operators",
    "check_options",
    "check_softmax",
    "describe_earlier_export",
    "explain_failure",
]


class ExportError(Exception):
    """The file could not be verified, so there is none.

    Attributes:
        reason: why, in words.
        report: what was found.
        earlier: the folder of an earlier export that is still there, if one is.
    """

    exit_code = 1

    def __init__(self, reason: str, report: Audit | Verification):
        super().__init__(f"export failed, no file was written: {reason}\n{report}")
        self.reason = reason
        self.report = report
        self.earlier: Path | None = None

    def __str__(self) -> str:
        message = super().__str__()
        if self.earlier is None:
            return message
        return f"{message}\n{describe_earlier_export(self.earlier)}"


def describe_earlier_export(directory: Path) -> str:
    """Says that a failed export has left the earlier one in its folder."""
    return f"{directory} still holds the earlier export, of the network as it was then."


def check_options(model: tf.keras.Model, options: Options) -> None:
    """Raises a ValueError where an option does not fit the number of inputs or outputs."""
    if options.int8 and len(model.inputs) != 1:
        raise ValueError(
            "`int8` is calibrated on images alone and needs a network with one input, got "
            f"{len(model.inputs)}: {', '.join(list_input_names(model))}."
        )
    if options.uint8:
        require_image_input(model)
    if options.softmax and len(model.outputs) != 1:
        raise ValueError(
            "`softmax` needs a network with one output of logits, got "
            f"{len(model.outputs)}: {', '.join(list_output_names(model))}."
        )


def check_labels(source: Source, options: Options, images: Images) -> None:
    """Raises a ValueError where accuracy cannot be judged because the classes are unknown."""
    for name in ("max_drop", "min_accuracy"):
        if getattr(options, name) is None or images.labels is not None:
            continue
        raise ValueError(
            f"`{name}` needs images whose classes are known; {source.name} is verified on "
            f"{images.source}."
        )


def check_softmax(source: Source, kind: str) -> None:
    """Refuses a softmax of outputs that are not logits, which their shape alone may not show."""
    if kind == "probabilities":
        raise ValueError(f"`softmax`: {source.name} gives probabilities already.")
    shape = source.model.outputs[0].shape
    if kind == "values" and len(shape) == 2 and shape[1] != 1:
        activation = find_last_activation(source.model)
        what = f"ends in {activation}" if activation else "gives values from 0 to 1"
        raise ValueError(
            f"`softmax` needs logits; {source.name} {what}, and a softmax of that means nothing."
        )


def check_operators(audited: Audit) -> None:
    """Raises a ValueError where a file needs operators that only TensorFlow has."""
    others = find_tensorflow_operators(row.operator for row in audited.rows)
    if not others:
        return
    named = {row.layer for row in audited.rows if row.operator in others and row.layer}
    where = f" (of {', '.join(sorted(named))})" if named else ""
    advice = ""
    if "Erfc" in others:
        advice = " tf.nn.gelu(x, approximate=True), which uses tanh, needs no Erfc."
    raise ValueError(
        "`model` must be one that Larq Compute Engine can run: "
        f"{describe_tensorflow_operators(others, where)}{advice}"
    )


def check_loads(file: File, audited: Audit) -> None:
    """Raises an error if the engine cannot load a file: an ExportError if the audit failed."""
    try:
        load_in_engine(file)
    except ValueError as error:
        if audited.passed:
            raise
        raise ExportError("Larq Compute Engine cannot load the file", audited) from error


def explain_failure(verification: Verification) -> str:
    """Explains what is wrong with a file, and what to do about it if that is known."""
    reason = "the file does not compute what the model does"
    delegate = verification.delegate
    if verification.wide:
        right = " (the delegate computes it right)" if delegate and delegate.computed else ""
        return (
            f"{reason}: Larq Compute Engine computes {', '.join(verification.wide)} wrongly, a "
            "binary convolution padded with zeros whose windows hold the whole map and more"
            f"{right}. Pad with ones (pad_values=1) and train it so, take a smaller kernel or a "
            "larger map, or use a QuantConv2D layer, called once and in the same functional model: "
            "that is rewritten"
        )
    if verification.shifted:
        return (
            f"{reason}: the converter took the padding in front of "
            f"{', '.join(verification.shifted)} for SAME, which shifts the windows. Pad with a "
            "ZeroPadding2D layer right in front, which only that convolution reads, called once "
            "and in the same functional model: that is rewritten"
        )
    right = ["its reference backend"] if verification.reference_right else []
    right += ["the delegate"] if delegate is not None and delegate.computed else []
    if not verification.computed and right:
        return (
            f"{reason}: a fault of the engine{_name_wrong_layer(verification)}, whose fast "
            f"backends give other numbers than the model, unlike {' and '.join(right)}. Give that "
            "layer another size, padding (`valid`, or pad_values=1) or kernel"
        )
    if not verification.computed and verification.wrong_layer:
        return (
            f"{reason}: the converted {verification.wrong_layer} gives other numbers. A layer that "
            "is random or changes from call to call cannot be converted; any other layer has to be "
            "replaced by layers that compute the same"
        )
    if not verification.computed:
        return reason
    if verification.fault is not None:
        return verification.fault
    if delegate is not None and not delegate.computed:
        where = _name_wrong_layer(delegate)
        if any("XNNPACK" in name for name in verification.differing):
            return (
                f"{reason} with {delegate.interpreter}: a fault of XNNPACK{where}, which runs the "
                "float layers there, and in the engine's backends with XNNPACK. Give that layer "
                "another size, padding or kernel"
            )
        return (
            f"{reason} with {delegate.interpreter}: a fault of the delegate{where}. Larq Compute "
            "Engine gives what the model gives"
        )
    if delegate is not None and delegate.fault is not None:
        return f"with {delegate.interpreter}, {delegate.fault}"
    return (
        f"the engine's default backend, which C++ programs and Android take, gives other results "
        f"than {choose_backend()}, with which the file was verified"
    )


def _name_wrong_layer(verification: Verification) -> str:
    return f" in {verification.wrong_layer}" if verification.wrong_layer else ""
