"""Models that the caller of a training brings along: checking, copying and recognising them."""

import hashlib
import json
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tf_keras.saving import serialize_keras_object

from recu_tf.larq_warnings import silence_advice
from recu_tf.latent_weights import read_latent_weights
from recu_tf.messages import in_one_line
from recu_tf.models.copying import Copying, check_model
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = [
    "check_own_model",
    "copy_model",
    "describe_architecture",
    "list_names",
    "rename_layers",
]

# Where the description of a model refers to layers by their names.
LINKS = ("inbound_nodes", "input_layers", "output_layers", "keras_history")


def check_own_model(model: tf.keras.Model) -> None:
    """Refuses a model that cannot be trained here, before any work.

    Raises:
        ValueError: it is not built, is subclassed, does not map images of a fixed size to classes,
            has nothing to train, or cannot be loaded from a file.
    """
    check_model(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"`model` must have one input and one output, got {len(model.inputs)} and "
            f"{len(model.outputs)}."
        )
    (batch, *shape), (_, *classes) = model.input_shape, model.output_shape
    if batch is not None or not shape or None in shape:
        raise ValueError(
            "`model` must take batches of any size of images of a fixed size, got an input of "
            f"shape {model.input_shape}."
        )
    if len(classes) != 1 or classes[0] is None or classes[0] < 2:
        raise ValueError(
            "`model` must give logits or probabilities (batch, classes) of two classes or more, "
            f"got an output of shape {model.output_shape}."
        )
    _check_activation(model)
    if not model.trainable_variables:
        raise ValueError(f"`model` must have weights to train, got {model.name!r} without any.")
    _check_loading(model)


def _check_activation(model: tf.keras.Model) -> None:
    """Refuses outputs that a last layer limits, so that they are no logits."""
    last = next((layer for layer in model.layers if layer.name in model.output_names), None)
    activation = getattr(getattr(last, "activation", None), "__name__", "linear")
    if activation not in ("linear", "softmax", "log_softmax"):
        raise ValueError(
            "`model` must give logits or probabilities of a softmax, got a last layer "
            f"{last.name!r} with the activation function {activation}."
        )


def _check_loading(model: tf.keras.Model) -> None:
    """Loads the model's layers as from the file of a run, which executes no code."""
    try:
        with silence_advice(), preserve_quantized_scope():
            tf.keras.models.model_from_json(json.dumps(_serialize(model)))
    except Exception as error:  # whatever the layers raise
        reason = in_one_line(error)[:300]
        raise ValueError(
            "`model` must be a model that can be loaded from a file without executing its code: "
            "no Lambda layers, and layers of your own with get_config and "
            f"tf.keras.utils.register_keras_serializable. Keras says: {reason}"
        ) from error


def _serialize(model: tf.keras.Model) -> dict:
    """The layers of a model, of JSON's types, as they stand in its file."""
    description = serialize_keras_object(model)
    description.pop("compile_config", None)
    return description


def copy_model(model: tf.keras.Model) -> tf.keras.Model:
    """Copies a model with its weights, under the current distribution strategy.

    Names, precisions, nested models and which weights are trainable stay as they are.

    Args:
        model: functional or sequential, and built.
    """
    return Copying([], convert=lambda layer: layer).copy(model)


def describe_architecture(model: tf.keras.Model) -> str:
    """A digest of a model's layers, which no weight and no name of a layer changes.

    Keras numbers the names of layers through a process, so that the same model built twice in it
    has others.

    Args:
        model: functional or sequential, and built.

    Returns:
        SHA-256, hexadecimal.
    """
    description = _serialize(model)
    names = dict.fromkeys(_find_names(description))
    numbered = {name: f"#{number}" for number, name in enumerate(names)}
    text = json.dumps(_rename(description, numbered), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def list_names(model: tf.keras.Model) -> list[str]:
    """The names of a model's layers and quantizers, each once, in the order of its description."""
    return list(dict.fromkeys(_find_names(_serialize(model))))


def rename_layers(model: tf.keras.Model, names: Sequence[str]) -> tf.keras.Model:
    """Copies a model, with the names of another one of the same architecture.

    Args:
        model: functional or sequential, and built.
        names: from `list_names` of the other one.
    """
    own_names = list_names(model)
    if own_names == list(names):
        return model
    renamed = _rename(_serialize(model), dict(zip(own_names, names, strict=True)))
    with silence_advice(), preserve_quantized_scope():
        copy = tf.keras.models.model_from_json(json.dumps(renamed))
    copy.set_weights(read_latent_weights(model))
    return copy


def _is_named(part: dict) -> bool:
    """Whether part of a description is a layer or a quantizer, with a name of its own."""
    config = part.get("config")
    return (
        isinstance(config, dict)
        and isinstance(config.get("name"), str)
        and "Policy" not in str(part.get("class_name"))
    )


def _find_names(part: object) -> Iterator[str]:
    """The names of layers and quantizers in the order in which they stand."""
    if isinstance(part, dict):
        if _is_named(part):
            yield part["config"]["name"]
        for value in part.values():
            yield from _find_names(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _find_names(value)


def _rename(part: object, new_names: dict[str, str], *, in_links: bool = False) -> object:
    """Replaces names where they name a layer or a quantizer, or refer to a layer in a link.

    Other strings stay: a layer may be called "relu" beside `activation="relu"`.
    """
    if isinstance(part, dict):
        renamed = {
            key: _rename(value, new_names, in_links=in_links or key in LINKS)
            for key, value in part.items()
        }
        if _is_named(part):
            renamed["config"]["name"] = new_names[part["config"]["name"]]
            if "name" in part:
                renamed["name"] = renamed["config"]["name"]
        return renamed
    if isinstance(part, list | tuple):
        renamed = [_rename(value, new_names, in_links=in_links) for value in part]
        # The name of a layer, the number of its call and that of the output.
        if in_links and [type(value) for value in part[:3]] == [str, int, int]:
            renamed[0] = new_names.get(part[0], part[0])
        return renamed
    return part
