"""Copies of Keras models in which chosen layers are converted, with the weights of all layers."""

from collections.abc import Callable

import larq as lq
import tensorflow as tf

from recu_tf.functional import is_graph
from recu_tf.kernel_axes import find_kernel_quantizers
from recu_tf.larq_warnings import silence_advice, silence_initializers
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["Copying", "check_model"]

Layer = tf.keras.layers.Layer


def check_model(model: tf.keras.Model) -> None:
    """Raises a ValueError unless a model is built, and functional or sequential."""
    if not isinstance(model, tf.keras.Model):
        raise ValueError(f"`model` must be a Keras model, got {type(model).__name__}.")
    if not model.built:
        raise ValueError(
            f"`model` must be built, got {model.name!r}, whose input shape is not known yet."
        )
    if not has_graph(model):
        raise ValueError(
            "`model` must be a functional or sequential model, whose layers can be replaced, got "
            f"{model.name!r}, a subclassed {type(model).__name__}."
        )


def has_graph(layer: Layer) -> bool:
    """Whether a layer is a functional or sequential model."""
    return isinstance(layer, tf.keras.Sequential) or is_graph(layer)


class Copying:
    """One copy of each layer, wherever and however often it is used.

    Args:
        chosen: the layers to convert.
        convert: makes of such a layer a new one, not built, whose weights are those of the given
            layer, in the same order, and those of quantizers.
    """

    def __init__(self, chosen: list[Layer], convert: Callable[[Layer], Layer]):
        self._convert = convert
        self._converted = {id(layer) for layer in chosen}
        # The layers themselves are kept too, so that no other object can get their ids.
        self._copies = {}

    def copy(self, model: tf.keras.Model) -> tf.keras.Model:
        """The copy of a functional or sequential model that is built, with its weights.

        Raises:
            ValueError: a layer to convert lies inside of one that Keras cannot take apart, or
                Keras cannot copy a layer.
        """
        # In Larq's quantized scope, the values of weights would be their signs.
        with (
            silence_advice(),
            silence_initializers(),
            preserve_quantized_scope(),
            lq.context.quantized_scope(False),
        ):
            copy = self.copy_model(model)
            if not copy.built:
                copy.build_from_config(model.get_build_config())
            self._copy_weights()
        return copy

    def copy_model(self, model: tf.keras.Model) -> tf.keras.Model:
        """The copy of a functional or sequential model, with fresh weights."""
        copy = self.clone(model)
        if not model.trainable:
            copy.trainable = False
        return copy

    def clone(self, model: tf.keras.Model) -> tf.keras.Model:
        """A model of copies of the given one's layers, with fresh weights."""
        return tf.keras.models.clone_model(model, clone_function=self.copy_layer)

    def copy_layer(self, layer: Layer) -> Layer:
        """The copy of a layer, with fresh weights."""
        if id(layer) not in self._copies:
            self._copies[id(layer)] = layer, self._make_copy(layer)
        return self._copies[id(layer)][1]

    def _copy_weights(self) -> None:
        """Gives all copies the values of their originals."""
        for layer, copy in self._copies.values():
            if not has_graph(layer):
                values = tf.keras.backend.batch_get_value(self._list_weights(layer))
                pairs = zip(self._list_weights(copy), values, strict=True)
                tf.keras.backend.batch_set_value(list(pairs))

    def _list_weights(self, layer: Layer) -> list[tf.Variable]:
        """The weights of a layer, without those of quantizers that were or have been replaced."""
        left_out = set()
        for part in (layer, *layer.submodules):
            if id(part) in self._converted:
                quantizers = (
                    getattr(part, "input_quantizer", None),
                    *find_kernel_quantizers(part).values(),
                )
                for quantizer in quantizers:
                    left_out |= {id(weight) for weight in getattr(quantizer, "weights", ())}
        return [weight for weight in layer.weights if id(weight) not in left_out]

    def _make_copy(self, layer: Layer) -> Layer:
        if id(layer) in self._converted:
            copy = self._convert(layer)
            self._converted.add(id(copy))
            return copy
        if has_graph(layer):
            return self.copy_model(layer)
        if _is_plain_wrapper(layer):
            config = layer.get_config()
            del config["layer"]
            return type(layer)(self.copy_layer(layer.layer), **config)
        for part in layer.submodules:
            if id(part) in self._converted:
                raise ValueError(
                    f"`layers` must not name layer {part.name!r}: it lies inside of "
                    f"{layer.name!r}, a {type(layer).__name__}, which must itself be written with "
                    "ReCU."
                )
        try:
            return type(layer).from_config(layer.get_config())
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                "`model` must have layers that Keras can copy, whose functions and classes are "
                f"registered, got {layer.name!r}, a {type(layer).__name__}."
            ) from error


def _is_plain_wrapper(layer: Layer) -> bool:
    """Whether a layer is a `Wrapper` that Keras makes from the wrapped layer and its options."""
    wrapper = tf.keras.layers.Wrapper
    return (
        isinstance(layer, wrapper)
        and type(layer).from_config.__func__ is wrapper.from_config.__func__
    )
