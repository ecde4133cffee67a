"""From a Keras model to a TFLite file for Larq Compute Engine."""

import contextlib
import tempfile
from collections.abc import Iterator

import larq_compute_engine as lce
import tensorflow as tf
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.conversion.rewriting.float32 import find_other_precisions
from export.keras_graph.checks import check_input
from export.keras_graph.inputs_outputs import as_inputs, list_input_names, list_output_names
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["check_file", "choose_signature_names", "convert", "save_temporarily"]

TARGETS = ("arm", "xcore")


@contextlib.contextmanager
def save_temporarily(model: tf.keras.Model, batch_size: int) -> Iterator[str]:
    """Saves the model's inference for a fixed batch as a SavedModel, for as long as it lasts.

    Only this function is traced; `model.save` also traces one for every layer, which takes five
    times as long. The SavedModel has no gradients.
    """
    names_in, names_out = choose_signature_names(model)
    specs = [
        tf.TensorSpec([batch_size, *tensor.shape[1:]], tensor.dtype, name)
        for tensor, name in zip(model.inputs, names_in, strict=True)
    ]

    @tf.function(input_signature=specs)
    def serve(*inputs):
        outputs = tf.nest.flatten(model(as_inputs(inputs), training=False))
        return dict(zip(names_out, outputs, strict=True))

    function = serve.get_concrete_function()
    module = tf.Module()
    # The variables of the traced graph: Larq wraps quantized ones, and a loaded graph has its own.
    module.weights = function.graph.variables
    module.loaded = [layer.module for layer in model.layers if hasattr(layer, "module")]
    # Tracing the gradients of each sign and quantizer takes up to 40 % of a conversion's time.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    signatures = {"serving_default": function}
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures=signatures, options=options)
        yield directory


def choose_signature_names(model: tf.keras.Model) -> tuple[list[str], list[str]]:
    """Chooses the names of inputs and outputs in a file, in the order of the model."""
    # A single one has the same name in every file, whatever number Keras gave its layer.
    names_in = ["image"] if len(model.inputs) == 1 else list_input_names(model)
    return names_in, ["output_000"] if len(model.outputs) == 1 else list_output_names(model)


def check_file(batch_size: int, target: str) -> None:
    """Raises a ValueError unless files of this batch size and target can be made."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be a whole number from 1, got {batch_size!r}.")
    if target not in TARGETS:
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}, got {target!r}.")


def _check(model: tf.keras.Model, batch_size: int) -> None:
    check_input(model)
    for tensor in model.inputs:
        size = tensor.shape[0]
        if size not in (None, batch_size):
            raise ValueError(f"`batch_size` must be {size}, the model's own, got {batch_size}.")
    policies = find_other_precisions(model)
    if policies:
        raise ValueError(
            f"`model` must be in float32 to be converted, got {', '.join(policies)}; "
            "export.float32_model rebuilds it."
        )


@preserve_quantized_scope()
def convert(model: tf.keras.Model, *, batch_size: int = 1, target: str = "arm") -> bytes:
    """Converts a Keras model for Larq Compute Engine.

    The result is not verified: `export.audit` and `export.verify` do that.

    Args:
        model: a float32 model with inputs of fixed sizes.
        batch_size: images that the file takes at a time.
        target: "arm" for everything that the engine's interpreter runs on, or "xcore", which has
            an interpreter of its own.

    Returns:
        A TFLite file whose inputs and outputs are in the order of the model's. In its signature, a
        single input is named "image" and a single output "output_000"; several have the names that
        `list_input_names` and `list_output_names` of `export.keras_graph.inputs_outputs` return.

    Raises:
        ValueError: an argument is not as described, or the converter cannot take the model.
    """
    check_file(batch_size, target)
    _check(model, batch_size)
    with save_temporarily(model, batch_size) as directory:
        try:
            flatbuffer = lce.convert_saved_model(directory, target=target)
        except Exception as error:  # the converter throws bare Exceptions
            raise ValueError(f"`model` cannot be converted: {_extract_reason(error)}") from error

    return _restore_order(flatbuffer, *choose_signature_names(model))


def _restore_order(flatbuffer: bytes, names_in: list[str], names_out: list[str]) -> bytes:
    """Puts the inputs and outputs of a file in order, which the converter shuffles.

    Only the indices of tensors are exchanged; nothing in the file moves.
    """
    ordered = bytearray(flatbuffer)
    model = schema.Model.GetRootAs(ordered, 0)
    signature, graph = model.SignatureDefs(0), model.Subgraphs(0)
    inputs = [signature.Inputs(number) for number in range(signature.InputsLength())]
    outputs = [signature.Outputs(number) for number in range(signature.OutputsLength())]
    for names, entries, places in (
        (names_in, inputs, graph.InputsAsNumpy()),
        (names_out, outputs, graph.OutputsAsNumpy()),
    ):
        tensors = {entry.Name().decode(): entry.TensorIndex() for entry in entries}
        wanted = [tensors[name] for name in names if name in tensors]
        if sorted(places.tolist()) != sorted(wanted):
            raise ValueError(
                f"`model` cannot be converted: the converter must keep {', '.join(names)}, got "
                f"{', '.join(tensors)}."
            )
        places[:] = wanted
    return bytes(ordered)


def _extract_reason(error: Exception) -> str:
    """Extracts a converter's message, without the operators and call stacks that follow it."""
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    return lines[0].split("error:", 1)[1].strip() if lines else str(error).strip().split("\n")[0]
