"""ReCU in a Keras model that was built with other Larq quantizers."""

import warnings
from collections.abc import Iterable

import larq as lq
import larq.layers_base
import tensorflow as tf

from recu_tf.functional import is_graph
from recu_tf.kernel_axes import find_kernel_quantizers
from recu_tf.larq_warnings import silence_advice
from recu_tf.quantized_scope import preserve_quantized_scope
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
    _check_model(model)
    copying = _Copying(_choose_layers(model, layers))
    # In Larq's quantized scope, the values of weights would be their signs.
    with (
        silence_advice(),
        warnings.catch_warnings(),
        preserve_quantized_scope(),
        lq.context.quantized_scope(False),
    ):
        # Of Keras, for initializers that are functions. It makes them all the same.
        warnings.filterwarnings("ignore", r"The `keras.initializers.serialize\(\)` API")
        copy = copying.copy_model(model)
        if not copy.built:
            copy.build_from_config(model.get_build_config())
        copying.copy_weights()
    return copy


def _check_model(model: tf.keras.Model) -> None:
    if not isinstance(model, tf.keras.Model):
        raise ValueError(f"`model` must be a Keras model, got {type(model).__name__}.")
    if not model.built:
        raise ValueError(
            f"`model` must be built, got {model.name!r}, whose input shape is not known yet."
        )
    if not _has_graph(model):
        raise ValueError(
            "`model` must be a functional or sequential model, whose layers can be replaced, got "
            f"{model.name!r}, a subclassed {type(model).__name__}."
        )


def _has_graph(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer is a functional or sequential model."""
    return isinstance(layer, tf.keras.Sequential) or is_graph(layer)


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
    names = [names] if isinstance(names, str) else list(names)
    known = list(dict.fromkeys(layer.name for layer in found))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"`layers` must name layers that have a kernel quantizer, {', '.join(known)}, got "
            f"{', '.join(map(repr, unknown)) or 'no name'}."
        )
    return [layer for layer in found if layer.name in names]


class _Copying:
    """One copy of each layer, wherever and however often it is used.

    Args:
        chosen: the layers to convert.
    """

    def __init__(self, chosen: list[tf.keras.layers.Layer]):
        self._converted = {id(layer) for layer in chosen}
        # The layers themselves are kept too, so that no other object can get their ids.
        self._copies = {}

    def copy_model(self, model: tf.keras.Model) -> tf.keras.Model:
        """The copy of a functional or sequential model, with fresh weights."""
        copy = tf.keras.models.clone_model(model, clone_function=self._copy_layer)
        if not model.trainable:
            copy.trainable = False
        return copy

    def copy_weights(self) -> None:
        """Gives all copies the values of their originals."""
        for layer, copy in self._copies.values():
            if not _has_graph(layer):
                values = tf.keras.backend.batch_get_value(self._list_weights(layer))
                pairs = zip(self._list_weights(copy), values, strict=True)
                tf.keras.backend.batch_set_value(list(pairs))

    def _list_weights(self, layer: tf.keras.layers.Layer) -> list[tf.Variable]:
        """The weights of a layer, without those of quantizers that were or have been replaced."""
        left_out = set()
        for part in (layer, *layer.submodules):
            if id(part) in self._converted:
                quantizers = (part.input_quantizer, *_find_replaced(part).values())
                for quantizer in quantizers:
                    left_out |= {id(weight) for weight in getattr(quantizer, "weights", ())}
        return [weight for weight in layer.weights if id(weight) not in left_out]

    def _copy_layer(self, layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        if id(layer) not in self._copies:
            self._copies[id(layer)] = layer, self._make_copy(layer)
        return self._copies[id(layer)][1]

    def _make_copy(self, layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        if id(layer) in self._converted:
            copy = _convert(layer)
            self._converted.add(id(copy))
            return copy
        if _has_graph(layer):
            return self.copy_model(layer)
        if _is_plain_wrapper(layer):
            config = layer.get_config()
            del config["layer"]
            return type(layer)(self._copy_layer(layer.layer), **config)
        for part in layer.submodules:
            if id(part) in self._converted:
                raise ValueError(
                    f"`layers` must not name layer {part.name!r}: it lies inside of "
                    f"{layer.name!r}, a {type(layer).__name__}, which must itself be written with "
                    "ReCU."
                )
        return type(layer).from_config(layer.get_config())


def _is_plain_wrapper(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer is a `Wrapper` that Keras makes from the wrapped layer and its options."""
    wrapper = tf.keras.layers.Wrapper
    return (
        isinstance(layer, wrapper)
        and type(layer).from_config.__func__ is wrapper.from_config.__func__
    )


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
