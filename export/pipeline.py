"""From a trained network to a verified TFLite file, or to an error and no file."""

import logging
import os
import resource
import sys
import time
from dataclasses import dataclass, replace

import tensorflow as tf

from export.conversion.converter import convert
from export.conversion.int8.quantize import quantize
from export.conversion.rewriting import Rewriting, float32_model, rewrite
from export.conversion.serving import add_pixel_input, add_softmax, require_image_input
from export.conversion.stripping import strip
from export.export_options import DEFAULTS, Options
from export.keras_graph.building import flatten_model
from export.keras_graph.checks import check_network, check_outputs
from export.keras_graph.inputs_outputs import Inputs, as_inputs, as_list, take_first
from export.keras_graph.output_kinds import find_output_kind
from export.loading.sources import Source
from export.proof.auditing import Audit, audit
from export.proof.engine_faults import find_wide_kernels
from export.proof.golden import Golden, make_golden_sample
from export.proof.images import (
    DataSet,
    choose_normalization,
    find_data_set,
    load_calibration_images,
    load_verification_images,
)
from export.proof.random_images import check_size
from export.proof.verification import KIND_IMAGES, TOLERANCE, Verification, verify
from export.refusals import (
    ExportError,
    check_labels,
    check_loads,
    check_operators,
    check_options,
    check_softmax,
    explain_failure,
)
from export.tflite.file import File
from export.tflite.flatbuffer import read
from recu_tf.data import Normalization
from recu_tf.pixel_scaling import denormalize
from recu_tf.precision import use_precision
from recu_tf.quantized_scope import preserve_quantized_scope

logger = logging.getLogger(__name__)

__all__ = ["Exported", "export_network"]

# Keras computes with the kernels of the file and with its levels, 256 to a range: see
# `export.conversion.int8.quantize`. Only values between two levels may be rounded differently by
# the two. That changes a number by one level: by 1/127.5 of the largest if the range is symmetric
# and the images fill it, and by 1/64 if they fill half of it. If a level flips a sign, comparing
# the layers one by one shows it.
INT8_TOLERANCE = 1 / 64


@dataclass(frozen=True)
class Exported:
    """A verified file and what the verification showed.

    Attributes:
        file: the TFLite file.
        source: the network, with the names of its classes if the folders of the images name them.
        model: the network in float32, which the file was compared with unless it is in int8.
        options: of the export.
        dataset: of the images; None where no data set is known.
        steps: of the rewriting.
        audit: of the file's operators.
        verification: of the file's outputs against Keras.
        kinds: of each output, "logits", "probabilities" or "values".
        seconds: of the conversion alone.
        peak_memory: of the whole process until then, in bytes.
        golden: the outputs of the file for the first images; None without a sample.
        normalization: of the images, for the network; None where it is unknown.
    """

    file: File
    source: Source
    model: tf.keras.Model
    options: Options
    dataset: DataSet | None
    steps: list[Rewriting]
    audit: Audit
    verification: Verification
    kinds: tuple[str, ...]
    seconds: float
    peak_memory: int
    golden: Golden | None = None
    normalization: Normalization | None = None

    @property
    def flatbuffer(self) -> bytes:
        """The bytes of the file."""
        return self.file.content


def _serve(
    model: tf.keras.Model, options: Options, normalization: Normalization | None
) -> tf.keras.Model:
    """Adds to the model what the file does in front of it and behind it."""
    if options.softmax:
        model = add_softmax(model)
    if options.uint8:
        model = add_pixel_input(model, normalization)
    return model


def _convert_inputs(
    model: tf.keras.Model,
    inputs: Inputs,
    options: Options,
    normalization: Normalization | None,
) -> Inputs:
    """Converts inputs of the model to inputs of the file."""
    if not options.uint8:
        return inputs
    arrays, place = as_list(inputs), require_image_input(model)
    arrays[place] = denormalize(arrays[place], normalization)
    return as_inputs(arrays)


def _flatten_if_possible(model: tf.keras.Model) -> tf.keras.Model:
    """Flattens nested models, where possible, so that each layer can be compared."""
    if not any(isinstance(layer, tf.keras.Model) for layer in model.layers):
        return model
    try:
        return flatten_model(model)
    except ValueError:
        return model


def _measure_peak_memory() -> int:
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@preserve_quantized_scope()
@use_precision("float32")
def export_network(
    source: Source,
    options: Options = DEFAULTS,
    *,
    dataset: str | None = None,
    data_path: str | None = None,
    images_path: str | os.PathLike | None = None,
    written: bytes | None = None,
) -> Exported:
    """Rewrites and converts a network, and verifies the file.

    Args:
        source: the network, see `export.loading.sources`.
        options: of the export.
        dataset: name of the data set that the images come from, one of `recu_tf.data.DATASETS`;
            None means that of the network's run.
        data_path: where the data set lies, if not where the training found it.
        images_path: a folder of images to verify the file on instead, in a folder for each class or
            all in one. If no data set is known, int8 is calibrated on it, too.
        written: a file of an earlier export of the network with these options. It is verified
            instead of the file that is made now. Only the operators of the new file are audited,
            because those of a stripped file cannot be traced to layers.

    Returns:
        The file and what the verification showed. Nothing is written.

    Raises:
        ExportError: a layer that should be binary is not, or the outputs differ.
        ValueError: an input of the network has no fixed size, the network cannot be converted, or
            an option does not fit it.
        ImportError, OSError: the images cannot be read.
    """
    check_network(source.model)
    check_options(source.model, options)
    check_size(source.model)
    known = find_data_set(source, dataset, data_path)
    normalization = choose_normalization(source, known)
    if options.uint8 and normalization is None:
        raise ValueError(
            "`input` uint8 needs the normalisation of the images: give `mean`, `std` or `scale`, "
            "or the network's `dataset`."
        )
    logger.info("Reading images")
    images = load_verification_images(source, known, images_path)
    if images.class_names:
        source = replace(source, class_names=images.class_names)
    model = float32_model(source.model)
    check_labels(source, options, images)
    outputs = check_outputs(model, take_first(images.pixels, KIND_IMAGES))
    kinds = tuple(find_output_kind(model, values, number) for number, values in enumerate(outputs))
    if options.softmax:
        check_softmax(source, *kinds)
    logger.info("Rewriting for the engine")
    rewritten, steps = rewrite(model, images.pixels)
    if options.int8:
        logger.info("Calibrating int8")
        rewritten = quantize(rewritten, load_calibration_images(source, known, images_path))
    logger.info("Converting")
    start = time.perf_counter()
    reference = _serve(model, options, normalization)
    converted = _serve(rewritten, options, normalization)
    file = read(convert(converted, batch_size=options.batch_size, target=options.target))
    seconds = time.perf_counter() - start
    audited = audit(file, reference, target=options.target)
    check_operators(audited)
    strict = source.is_from_library if options.strict is None else options.strict
    if strict and not audited.passed:
        raise ExportError("not every layer that should be binary is", audited)
    check_loads(file, audited)
    named, file = file, read(strip(file) if written is None else written)
    inputs = _convert_inputs(model, images.pixels, options, normalization)
    tolerance = INT8_TOLERANCE if options.int8 else TOLERANCE
    logger.info("Verifying on %s", images.source)
    verification = verify(
        file,
        reference,
        inputs,
        labels=images.labels,
        source=images.source,
        tolerance=tolerance,
        rounded=converted if options.int8 else None,
        converted=_flatten_if_possible(converted),
        bounds=options.bounds,
    )
    if verification.wide:
        # Convolutions that are no layers, as in the graph of a SavedModel, have names only there.
        wide = find_wide_kernels(named, rewritten)
        verification = replace(verification, wide=tuple(wide), wrong_layer=wide[0])
    if not verification.passed:
        raise ExportError(explain_failure(verification), verification)
    if strict and not verification.runs_by_default:
        raise ExportError(
            f"{verification.warning}. `strict=False` (`--no-strict`) exports the file for those",
            verification,
        )
    return Exported(
        file=file,
        source=source,
        model=model,
        options=options,
        dataset=known,
        steps=steps,
        audit=audited,
        verification=verification,
        kinds=("probabilities",) if options.softmax else kinds,
        seconds=seconds,
        peak_memory=_measure_peak_memory(),
        golden=make_golden_sample(file, inputs, source=images.source, tolerance=tolerance),
        normalization=normalization,
    )
