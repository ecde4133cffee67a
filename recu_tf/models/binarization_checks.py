"""What `binarize` refuses, and what it warns of."""

import numbers
import warnings

import larq as lq
import larq.layers_base
import numpy as np
import tensorflow as tf
from tf_keras.src.engine.base_layer import AddLoss, AddMetric

from recu_tf.functional import is_graph, nodes
from recu_tf.kernel_axes import find_kernel_quantizers

__all__ = ["check_causal", "check_layers", "check_options", "warn_of_what_cannot_learn"]

Layer = tf.keras.layers.Layer


def check_options(*, dense: bool, pad_values: float) -> None:
    """Raises a ValueError unless `dense` is true or false, and `pad_values` 0 or 1."""
    if not isinstance(dense, (bool, np.bool_)):
        raise ValueError(f"`dense` must be True or False, got {_describe(dense)}.")
    if not isinstance(pad_values, numbers.Real) or pad_values not in (0, 1):
        raise ValueError(f"`pad_values` must be 0 or 1, got {_describe(pad_values)}.")


def check_layers(model: tf.keras.Model) -> None:
    """Raises a ValueError if a layer has a quantizer already, or gives a loss of its own."""
    for layer in model.submodules:
        if isinstance(layer, lq.layers_base.BaseLayer) and (
            find_kernel_quantizers(layer) or layer.input_quantizer is not None
        ):
            raise ValueError(
                f"`model` must have no quantized layers, got {model.name!r} with {layer.name!r}, a "
                f"{type(layer).__name__}. recu_tf.models.with_recu(model) puts ReCU into models "
                "with layers of Larq."
            )
        if isinstance(layer, (AddLoss, AddMetric)):
            raise ValueError(
                "`model` must have no losses and metrics from `add_loss` and `add_metric`, got "
                f"{layer.name!r}; add them to the copy."
            )


def check_causal(binary: list[Layer], pad_values: float) -> None:
    """Raises a ValueError if a layer to become binary is causal, but zeros are not to pad it."""
    for layer in binary:
        if pad_values and getattr(layer, "padding", None) == "causal":
            raise ValueError(
                f"`pad_values` must be 0 for padding 'causal', which layer {layer.name!r} has, got "
                f"{pad_values!r}; or name the layer in `skip`."
            )


def warn_of_what_cannot_learn(
    model: tf.keras.Model, binary: list[Layer], copy: tf.keras.Model
) -> None:
    """Warns of binary layers, and of batch norms around them, that no training will change.

    Models for transfer learning have both: a frozen network inside, called in inference mode.

    Args:
        model: the given one.
        binary: its layers that become binary.
        copy: what it became.
    """
    trainable = {id(weight) for weight in model.trainable_weights}
    frozen = [layer for layer in binary if trainable.isdisjoint(map(id, layer.weights))]
    if frozen:
        count = "a frozen layer" if len(frozen) == 1 else f"{len(frozen)} frozen layers"
        warnings.warn(
            f"`model` has {count} to become binary, such as {frozen[0].name!r}, whose signs cannot "
            "learn before `trainable` is set to True.",
            stacklevel=3,
        )
    for name in _find_in_inference_mode(copy):
        warnings.warn(
            f"`model` calls {name!r} with training=False, so that the batch norms in it, with those"
            " that were added, cannot learn the statistics of its binary layers: call it without.",
            stacklevel=3,
        )


def _find_in_inference_mode(copy: tf.keras.Model) -> list[str]:
    """The names of the binary models with batch norms that a model calls with training=False."""
    found = {}
    for model in (copy, *copy.submodules):
        for node in nodes(model) if is_graph(model) else ():
            if node.is_input or not is_graph(node.layer) or not _is_inference(node):
                continue
            parts = node.layer.submodules
            has_norm = any(isinstance(part, tf.keras.layers.BatchNormalization) for part in parts)
            if has_norm and any(map(_is_binary, parts)):
                found[node.layer.name] = None
    return list(found)


def _is_inference(node: object) -> bool:
    """Whether a model is called with training=False, its second argument."""
    given = [*node.call_args[1:2], node.call_kwargs.get("training")]
    return given[0] is False


def _is_binary(part: tf.Module) -> bool:
    return isinstance(part, lq.layers_base.BaseLayer) and bool(find_kernel_quantizers(part))


def _describe(value: object) -> str:
    """A value in one line."""
    return repr(value) if isinstance(value, (numbers.Real, str)) else type(value).__name__
