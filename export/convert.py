"""From a Keras model to a TFLite file for Larq Compute Engine."""

import contextlib
import tempfile
from collections.abc import Iterator

import larq_compute_engine as lce
import tensorflow as tf

from export.checks import check_input
from export.latent_scope import restored_scope
from export.rewriting.float32 import other_precision

__all__ = ["TARGETS", "check_file", "convert", "saved"]

TARGETS = ("arm", "xcore")


@contextlib.contextmanager
def saved(model: tf.keras.Model, batch_size: int) -> Iterator[str]:
    """Saves the model's inference for a fixed batch as a SavedModel, for as long as it lasts.

    Only that one function is traced; `model.save` traces every layer's own, five times as slow.
    """
    inputs = model.inputs[0]
    shape = [batch_size, *inputs.shape[1:]]

    @tf.function(input_signature=[tf.TensorSpec(shape, inputs.dtype, "image")])
    def serve(image):
        outputs = tf.nest.flatten(model(image, training=False))
        # The file has its outputs in the order of their names.
        return {f"output_{number:03}": one for number, one in enumerate(outputs)}

    function = serve.get_concrete_function()
    module = tf.Module()
    # Those of the graph: what Larq quantizes is a wrapper, and a loaded graph has its own.
    module.weights = function.graph.variables
    module.loaded = [layer.module for layer in model.layers if hasattr(layer, "module")]
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(module, directory, signatures={"serving_default": function})
        yield directory


def check_file(batch_size: int, target: str) -> None:
    """Raises a ValueError unless files of this batch size and target can be made."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be a whole number from 1, got {batch_size!r}.")
    if target not in TARGETS:
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}, got {target!r}.")


def _check(model: tf.keras.Model, batch_size: int) -> None:
    check_input(model)
    size = model.inputs[0].shape[0]
    if size not in (None, batch_size):
        raise ValueError(f"`batch_size` must be {size}, which the model is for, got {batch_size}.")
    policies = other_precision(model)
    if policies:
        raise ValueError(
            f"`model` must be in float32 to be converted, got {', '.join(policies)}; "
            "export.rewriting.float32_model rebuilds it."
        )


@restored_scope()
def convert(model: tf.keras.Model, batch_size: int = 1, target: str = "arm") -> bytes:
    """Converts a Keras model for Larq Compute Engine.

    The result is not proved: `export.audit` and `export.verify` do that.

    Args:
        model: a float32 model with one input of a fixed size.
        batch_size: images that the file takes at a time.
        target: what the file is for: "arm", and all else that the engine's interpreter runs on,
            or "xcore", which has an interpreter of its own.

    Returns:
        A TFLite file.

    Raises:
        ValueError: an argument is none of these, or a model that the converter cannot take.
    """
    check_file(batch_size, target)
    _check(model, batch_size)
    with saved(model, batch_size) as directory:
        try:
            return lce.convert_saved_model(directory, target=target)
        except Exception as error:  # the converter throws bare Exceptions
            raise ValueError(f"`model` cannot be converted: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """What a converter says, without the operators and call stacks that it lists behind."""
    lines = [line.strip() for line in str(error).splitlines() if "error:" in line]
    return lines[0].split("error:", 1)[1].strip() if lines else str(error).strip().split("\n")[0]
