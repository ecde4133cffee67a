"""The way from a trained network to a TFLite file that is proved, or to none."""

import logging
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import tensorflow as tf

from export.accuracy import Bounds
from export.audit import Audit, audit
from export.checks import check_network, check_outputs
from export.convert import check_file, convert
from export.ends import Inputs, as_inputs, as_list, first, input_names, output_names
from export.golden import Golden, golden_sample
from export.graph import flat
from export.images import (
    DataSet,
    Images,
    calibration_images,
    data_set_of,
    normalization_of,
    verification_images,
)
from export.int8 import quantized
from export.interpreter import checked_interpreter, fast_kernel, other_operators
from export.latent_scope import restored_scope
from export.output_kinds import ending, kind_of
from export.random_images import check_size
from export.rewriting import Step, float32_model, rewrite
from export.rewriting.float32 import float32_policy
from export.serving import image_position, pixels_of, with_pixel_input, with_softmax
from export.sources import Source
from export.stripping import stripped
from export.verify import KIND_IMAGES, TOLERANCE, Verification, verify
from export.wide_kernels import wide_kernels
from recu_tf.data import Normalization

logger = logging.getLogger(__name__)

__all__ = ["DEFAULTS", "ExportError", "Exported", "Options", "export_network"]

# Keras computes with the kernels of the file and with its levels, 255 to a range: see
# `export.int8`. What is left are values between two levels, which each may round its own way. That
# moves a number by one level, 1/127.5 of the largest where the range is symmetric and the images
# fill it, and by 1/64 where they fill half of it. A level that turns a sign is found by taking the
# model apart.
INT8_TOLERANCE = 1 / 64


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
        told = super().__str__()
        return told if self.earlier is None else f"{told}\n{earlier_export(self.earlier)}"


def earlier_export(directory: Path) -> str:
    """What a failed export says of the one that was in its folder before."""
    return f"{directory} still holds the export of an earlier time, of an earlier network."


@dataclass(frozen=True)
class Options:
    """What the file should be.

    Attributes:
        batch_size: images that it takes at a time.
        uint8: whether it takes pixels from 0 to 255 and normalises them itself.
        softmax: whether it gives probabilities for logits.
        int8: whether what is not binary is in int8.
        target: "arm" or "xcore".
        strict: whether a layer that should be binary and is not fails the export; None means for
            networks trained or imported here. So does a file that the engine's default kernel
            refuses to run.
        max_drop: the share of images that the file may lose of the network's top-1, from 0 to 1;
            None means 0.02 beyond the noise of the images at hand, see `export.accuracy.Bounds`.
        min_accuracy: the least top-1 of the file, from 0 to 1; None means better than chance.
        check_accuracy: whether a file fails whose classes are right no more often than by chance,
            that loses accuracy, or that in int8 gives other classes than the network.
    """

    batch_size: int = 1
    uint8: bool = False
    softmax: bool = False
    int8: bool = False
    target: str = "arm"
    strict: bool | None = None
    max_drop: float | None = None
    min_accuracy: float | None = None
    check_accuracy: bool = True

    def __post_init__(self):
        check_file(self.batch_size, self.target)
        bounds = Bounds(self.max_drop, self.min_accuracy)
        if not self.check_accuracy and bounds != Bounds():
            raise ValueError(
                "`max_drop` and `min_accuracy` need `check_accuracy`, without which none is judged."
            )

    @property
    def bounds(self) -> Bounds | None:
        """How accurate the file has to be; None where that is not judged."""
        return Bounds(self.max_drop, self.min_accuracy) if self.check_accuracy else None


DEFAULTS = Options()


@dataclass(frozen=True)
class Exported:
    """A proved file and its proof.

    Attributes:
        flatbuffer: the TFLite file.
        source: the network, with the names of its classes where the images told them.
        model: the network in float32, which the file was compared with unless it is in int8.
        options: what the file should be.
        dataset: of the images; None where no data set is known.
        steps: of the rewriting.
        audit: its operators.
        verification: its outputs against Keras.
        kinds: of each output, "logits", "probabilities" or "values".
        seconds: of the conversion alone.
        peak_memory: of the whole process until then, in bytes.
        golden: what the file gives for the first images; None without a sample.
        normalization: of the images, for the network; None where nothing tells.
    """

    flatbuffer: bytes
    source: Source
    model: tf.keras.Model
    options: Options
    dataset: DataSet | None
    steps: list[Step]
    audit: Audit
    verification: Verification
    kinds: tuple[str, ...]
    seconds: float
    peak_memory: int
    golden: Golden | None = None
    normalization: Normalization | None = None


def _around(
    model: tf.keras.Model, options: Options, normalization: Normalization | None
) -> tf.keras.Model:
    if options.softmax:
        model = with_softmax(model)
    if options.uint8:
        model = with_pixel_input(model, normalization)
    return model


def _taken(
    model: tf.keras.Model,
    inputs: Inputs,
    options: Options,
    normalization: Normalization | None,
) -> Inputs:
    """What the file takes for what the model takes."""
    if not options.uint8:
        return inputs
    arrays, place = as_list(inputs), image_position(model)
    arrays[place] = pixels_of(arrays[place], normalization)
    return as_inputs(arrays)


def _in_one(model: tf.keras.Model) -> tf.keras.Model:
    """The model with the layers of those within, so that it can be taken apart, where it can be."""
    if not any(isinstance(layer, tf.keras.Model) for layer in model.layers):
        return model
    try:
        return flat(model)
    except ValueError:
        return model


def _check_softmax(source: Source, kind: str) -> None:
    """Refuses a softmax of what is no logits, as far as that is not told by the shape."""
    if kind == "probabilities":
        raise ValueError(f"`softmax`: {source.name} gives probabilities already.")
    shape = source.model.outputs[0].shape
    if kind == "values" and len(shape) == 2 and shape[1] != 1:
        what = f"ends in {ending(source.model)}" if ending(source.model) else "gives 0 to 1"
        raise ValueError(
            f"`softmax` is of logits; {source.name} {what}, and a softmax of that means nothing."
        )


def _check_labels(source: Source, min_accuracy: float | None, images: Images) -> None:
    if min_accuracy is not None and images.labels is None:
        raise ValueError(
            f"`min_accuracy` needs images whose classes are known; {source.name} is verified on "
            f"{images.source}."
        )


def _different(verification: Verification) -> str:
    """What is wrong with a file, and what to do about it if that is known."""
    reason = "the file does not compute what the model does"
    if verification.wide:
        return (
            f"{reason}: Larq Compute Engine computes {', '.join(verification.wide)} wrongly, a "
            "binary convolution padded with zeros whose windows hold the whole map and more. Pad "
            "with ones (pad_values=1) and train it so, take a smaller kernel or a larger map, or "
            "use a QuantConv2D layer, called once and in the same functional model: that is "
            "rewritten"
        )
    if verification.moved:
        return (
            f"{reason}: the converter took the padding in front of {', '.join(verification.moved)} "
            "for SAME, which puts the windows elsewhere. Pad with a ZeroPadding2D layer right in "
            "front, which only that convolution reads, called once and in the same functional "
            "model: that is rewritten"
        )
    if not verification.computed and verification.reference_right:
        where = f" in {verification.wrong_layer}" if verification.wrong_layer else ""
        return (
            f"{reason}: a fault of the engine{where}. Its reference kernel gives what the model "
            "gives and its fast kernels do not. Give that layer another size, padding (`valid`, or "
            "pad_values=1) or kernel"
        )
    if not verification.computed and verification.wrong_layer:
        return (
            f"{reason}: the converted {verification.wrong_layer} gives other numbers. A layer that "
            "is random, or that is not the same in each call, cannot be converted; another one has "
            "to be replaced by layers that compute the same"
        )
    if not verification.computed:
        return reason
    if verification.fault is not None:
        return verification.fault
    return (
        f"the engine's default kernel, which C++ programs and Android take, gives other results "
        f"than {fast_kernel()}, with which the file was verified"
    )


def _check_options(model: tf.keras.Model, options: Options) -> None:
    """Raises a ValueError where an option is not for networks of so many inputs or outputs."""
    if options.int8 and len(model.inputs) != 1:
        raise ValueError(
            "`int8` is calibrated on images alone, for networks with one input, got "
            f"{len(model.inputs)}: {', '.join(input_names(model))}."
        )
    if options.uint8:
        image_position(model)
    if options.softmax and len(model.outputs) != 1:
        raise ValueError(
            "`softmax` is of the logits of one output, got a network with "
            f"{len(model.outputs)}: {', '.join(output_names(model))}."
        )


def _check_operators(audited: Audit) -> None:
    others = other_operators(row.operator for row in audited.rows)
    if not others:
        return
    named = {row.layer for row in audited.rows if row.operator in others and row.layer}
    where = f" (of {', '.join(sorted(named))})" if named else ""
    advice = ""
    if "Erfc" in others:
        advice = " The GELU of a tanh, tf.nn.gelu(x, approximate=True), needs no Erfc."
    raise ValueError(
        f"`model` must be one that Larq Compute Engine can run: it needs {', '.join(others)}"
        f"{where}, which only TensorFlow has.{advice}"
    )


def _check_loads(flatbuffer: bytes, audited: Audit) -> None:
    """Raises an ExportError with what the audit says of a file that the engine cannot load."""
    try:
        checked_interpreter(flatbuffer)
    except ValueError as error:
        if audited.passed:
            raise
        raise ExportError("Larq Compute Engine cannot load the file", audited) from error


def _peak_memory() -> int:
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@restored_scope()
@float32_policy()
def export_network(
    source: Source,
    options: Options = DEFAULTS,
    dataset: str | None = None,
    data_path: str | None = None,
    images_path: str | os.PathLike | None = None,
    written: bytes | None = None,
) -> Exported:
    """Rewrites and converts a network, and proves the file.

    Args:
        source: the network, see `export.sources`.
        options: what the file should be.
        dataset: of its images, one of `recu_tf.data.DATASETS`; None means that of its run.
        data_path: where the data set lies, if not where the training found it.
        images_path: of a folder of images to prove the file on instead, and to calibrate int8 with
            where no data set is known: in a folder for each class, or all in one.
        written: a file of an earlier export of the network, with these options. It is verified in
            the place of the one that is made now, of which only the operators are looked at: they
            can be traced to layers, those of a stripped file no longer.

    Returns:
        The file and its proof. Nothing is written.

    Raises:
        ExportError: a layer that should be binary is not, or the outputs differ.
        ValueError: the network has an input of no fixed size, it cannot be converted, or an option
            does not fit it.
        ImportError, OSError: the images cannot be read.
    """
    check_network(source.model)
    _check_options(source.model, options)
    check_size(source.model)
    known = data_set_of(source, dataset, data_path)
    normalization = normalization_of(source, known)
    if options.uint8 and normalization is None:
        raise ValueError(
            "`input` uint8 needs to know how images are normalised: `mean`, `std` and `scale` must "
            "tell, or `dataset` name the network's."
        )
    around = partial(_around, options=options, normalization=normalization)
    logger.info("Reading images")
    images = verification_images(source, known, images_path)
    if images.class_names:
        source = replace(source, class_names=images.class_names)
    model = float32_model(source.model)
    _check_labels(source, options.min_accuracy, images)
    outputs = check_outputs(model, first(images.pixels, KIND_IMAGES))
    kinds = tuple(kind_of(model, values, number) for number, values in enumerate(outputs))
    if options.softmax:
        _check_softmax(source, *kinds)
    logger.info("Rewriting for the engine")
    rewritten, steps = rewrite(model, images.pixels)
    if options.int8:
        logger.info("Calibrating int8")
        rewritten = quantized(rewritten, calibration_images(source, known, images_path))
    logger.info("Converting")
    start = time.perf_counter()
    flatbuffer = convert(around(rewritten), options.batch_size, options.target)
    seconds = time.perf_counter() - start
    audited = audit(flatbuffer, around(model), options.target)
    _check_operators(audited)
    strict = source.run is not None if options.strict is None else options.strict
    if strict and not audited.passed:
        raise ExportError("not every layer that should be binary is", audited)
    _check_loads(flatbuffer, audited)
    named, flatbuffer = flatbuffer, stripped(flatbuffer) if written is None else written
    taken = _taken(model, images.pixels, options, normalization)
    tolerance = INT8_TOLERANCE if options.int8 else TOLERANCE
    logger.info("Verifying on %s", images.source)
    verification = verify(
        flatbuffer,
        around(model),
        taken,
        images.labels,
        images.source,
        tolerance,
        around(rewritten) if options.int8 else None,
        parts=_in_one(around(rewritten)),
        bounds=options.bounds,
    )
    if verification.wide:
        # Only its names tell of what is no layer, as in the graph of a SavedModel.
        wide = wide_kernels(named, rewritten)
        verification = replace(verification, wide=tuple(wide), wrong_layer=wide[0])
    if not verification.passed:
        raise ExportError(_different(verification), verification)
    if strict and not verification.runs_by_default:
        raise ExportError(
            f"{verification.warning}. `strict=False` (`--no-strict`) exports it for those",
            verification,
        )
    return Exported(
        flatbuffer,
        source,
        model,
        options,
        known,
        steps,
        audited,
        verification,
        ("probabilities",) if options.softmax else kinds,
        seconds,
        _peak_memory(),
        golden_sample(flatbuffer, taken, images.source, tolerance),
        normalization,
    )
