"""ReCU in a Keras model that was built with other Larq quantizers."""

from collections.abc import Iterable

import larq as lq
import larq.layers_base
import tensorflow as tf

from recu_tf.kernel_axes import find_kernel_quantizers
from recu_tf.models.copying import Copying, check_model
from recu_tf.quantizers import ReCU, StandardizedApproxSign

__all__ = ["with_recu"]


def with_recu(model: tf.keras.Model, layers: str | Iterable[str] | None = None) -> tf.keras.Model:
    """Copies a model, with the quantizers of ReCU in its Larq layers instead of their own.

    A layer is converted if it has a kernel quantizer, of whatever precision. Each of its kernel
    quantizers becomes a `ReCU` of its own, which finds the filters' axis in the layer; its input
    quantizer becomes a `StandardizedApproxSign`, and where there is none, there is none afterwards;
    the constraints of its kernels are dropped. `lq.quantizers.NoOp` stays. A layer that has ReCU
    already keeps its temperature. All else stays as it is: the names, the layers that are used
    twice, the nested models, the regularizers, which weights are trainable, and the values of all
    weights. The given model is not changed.

    Args:
        model: a functional or sequential Keras model, built; models and `TimeDistributed` layers
            within it are searched as well.
        layers: the names of the layers to convert; None means all that have a kernel quantizer.

    Returns:
        An uncompiled model with the inputs and outputs of the given one. Its additional weights are
        the temperatures.

    Raises:
        ValueError: the model is not built, is subclassed or has no Larq layer with a kernel
            quantizer; `layers` names others; or a layer to convert lies inside of a layer that
            Keras cannot take apart.
    """
    check_model(model)
    return Copying(_choose_layers(model, layers), _convert).copy(model)


def _find_replaced(layer: tf.Module) -> dict[str, object]:
    """The kernel quantizers to replace, by argument; none in other than Larq layers."""
    if not isinstance(layer, lq.layers_base.BaseLayer):
        return {}
    found = find_kernel_quantizers(layer)
    return {name: value for name, value in found.items() if not _is_no_op(value)}


def _is_no_op(quantizer: object) -> bool:
    return isinstance(quantizer, lq.quantizers.NoOp)


def _choose_layers(
    model: tf.keras.Model, names: str | Iterable[str] | None
) -> list[tf.keras.layers.Layer]:
    """The layers to convert."""
    found = [layer for layer in model.submodules if _find_replaced(layer)]
    if not found:
        raise ValueError(
            "`model` must have at least one Larq layer with a kernel quantizer, got "
            f"{model.name!r} without any."
        )
    if names is None:
        return found
    if not isinstance(names, Iterable) or isinstance(names, bytes):
        raise ValueError(
            "`layers` must be None, the name of a layer, or a list of names, got "
            f"{type(names).__name__}."
        )
    names = [names] if isinstance(names, str) else list(names)
    known = list(dict.fromkeys(layer.name for layer in found))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"`layers` must name layers that have a kernel quantizer, {', '.join(known)}, got "
            f"{', '.join(map(repr, unknown)) or 'no name'}."
        )
    return [layer for layer in found if layer.name in names]


def _convert(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    """A new layer with the quantizers of ReCU, not built."""
    quantizers = _find_replaced(layer)
    constraints = [name.replace("quantizer", "constraint") for name in quantizers]
    has_input_quantizer = layer.input_quantizer is not None and not _is_no_op(layer.input_quantizer)
    dropped = [*quantizers, *constraints, *(["input_quantizer"] if has_input_quantizer else [])]
    config = layer.get_config()
    # Dropped from the configuration as well: functions that are registered nowhere cannot be read.
    copy = type(layer).from_config(config | {name: None for name in dropped if name in config})
    # Set afterwards: subclasses may choose their quantizers themselves.
    if has_input_quantizer:
        copy.input_quantizer = _renew(layer.input_quantizer, StandardizedApproxSign)
    for name, quantizer in quantizers.items():
        setattr(copy, name, _renew(quantizer, ReCU))
    for name in constraints:
        setattr(copy, name, None)
    return copy


def _renew(quantizer: object, kind: type[lq.quantizers.Quantizer]) -> lq.quantizers.Quantizer:
    """A new quantizer of a kind, with the options of the given one where it is of that kind."""
    if not isinstance(quantizer, kind):
        return kind()
    config = quantizer.get_config()
    del config["name"]
    return type(quantizer).from_config(config)
