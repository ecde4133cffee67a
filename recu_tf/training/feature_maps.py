"""Feature maps of layers in a network, chosen by the names of the layers."""

from collections.abc import Sequence

import tensorflow as tf

from recu_tf.functional import is_graph, nodes

__all__ = ["check_maps", "list_maps", "with_maps"]

OPTION = "distill_features"


def list_maps(network: tf.keras.Model) -> dict[str, tf.Tensor]:
    """The outputs (batch, height, width, channels) of a network's layers, by name.

    A layer that is called several times, and those inside a nested model, have none.

    Args:
        network: a model; one that is no graph of layers has no maps.
    """
    found: dict[str, list] = {}
    for node in nodes(network) if is_graph(network) else ():
        if not node.is_input:
            found.setdefault(node.layer.name, []).extend(tf.nest.flatten(node.outputs))
    return {
        name: outputs[0]
        for name, outputs in found.items()
        if len(outputs) == 1 and outputs[0].shape.rank == 4
    }


def with_maps(network: tf.keras.Model, names: Sequence[str], *, owner: str) -> tf.keras.Model:
    """A model of the same layers that returns feature maps beside the network's output.

    Args:
        network: with one output.
        names: of layers, each in `list_maps`.
        owner: "network" or "teacher", for the error.

    Returns:
        From the same input to a list of the output and the maps; `network` without names.

    Raises:
        ValueError: a layer has no such map.
    """
    if not names:
        return network
    maps = list_maps(network)
    for name in names:
        if name not in maps:
            allowed = ", ".join(maps) or "there are none"
            raise ValueError(
                f"`{OPTION}` must name layers of the {owner} that give maps (height, width, "
                f"channels): {allowed}; got {name!r}."
            )
    return tf.keras.Model(network.inputs, [network.outputs[0], *(maps[name] for name in names)])


def check_maps(
    pairs: Sequence[tuple[str, str]],
    network: tf.keras.Model,
    teacher: tf.keras.Model,
    teacher_shape: Sequence[int],
) -> None:
    """Refuses pairs of layers whose maps have different sizes.

    Args:
        pairs: of the names of layers, of the network and of the teacher.
        network: that learns.
        teacher: the model that it learns from.
        teacher_shape: (height, width, channels) of the images that the teacher receives.

    Raises:
        ValueError: maps differ in height or width.
    """
    own, taught = list_maps(network), _measure_maps(teacher, teacher_shape)
    for name, teacher_name in pairs:
        size, other = tuple(own[name].shape[1:3]), taught[teacher_name]
        if size != other:
            fitting = ", ".join(key for key, value in taught.items() if value == size)
            raise ValueError(
                f"`{OPTION}` must name maps of the same size: {name} of the network has "
                f"{_format(size)}, {teacher_name} of the teacher {_format(other)}; layers of the "
                f"teacher with {_format(size)}: {fitting or 'none'}."
            )


def _measure_maps(model: tf.keras.Model, shape: Sequence[int]) -> dict[str, tuple[int, int]]:
    """Height and width of all maps, for images of a shape."""
    maps = list_maps(model)
    if all(None not in tensor.shape[1:3] for tensor in maps.values()):
        return {name: tuple(tensor.shape[1:3]) for name, tensor in maps.items()}
    measured = tf.keras.Model(model.inputs, maps)
    traced = tf.function(lambda images: measured(images, training=False)).get_concrete_function(
        tf.TensorSpec((1, *shape))
    )
    outputs = traced.structured_outputs
    return {name: tuple(tensor.shape[1:3]) for name, tensor in outputs.items()}


def _format(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
