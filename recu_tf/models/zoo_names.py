"""The networks of larq-zoo under the names that settings and commands give them, zoo/NAME."""

from collections.abc import Callable, Mapping
from functools import partial

import tensorflow as tf

from recu_tf import choices
from recu_tf.choices import ZOO_MODELS, ZOO_PREFIX
from recu_tf.models import zoo

__all__ = ["check_fixed", "find_smallest_size", "list_builders"]

# What `recu_tf.models.build` chooses for published networks, and those of larq-zoo lack.
FIXED = {
    "precision": choices.BINARY,
    "pad_values": 0,
    "rotated": False,
    "input_quantizer": choices.APPROX_SIGN,
}


def build_named(
    model: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    pad_values: float = 0,
    *,
    name: str | None = None,
    precision: str = choices.BINARY,
    rotated: bool = False,
    input_quantizer: str = choices.APPROX_SIGN,
) -> tf.keras.Model:
    """Builds a network of larq-zoo from the arguments that build a published one.

    Args:
        model: one of `recu_tf.choices.ZOO_MODELS`.
        input_shape: (height, width, channels) of the images.
        num_classes: number of outputs.
        pad_values: 0.
        name: ignored; larq-zoo names its networks itself.
        precision: "binary".
        rotated: False.
        input_quantizer: "standardized_approx_sign".

    Raises:
        ImportError, ValueError: see `recu_tf.models.zoo.build`; or another option is different.
    """
    given = {
        "precision": precision,
        "pad_values": pad_values,
        "rotated": rotated,
        "input_quantizer": input_quantizer,
    }
    check_fixed(model, given)
    return zoo.build(
        model.removeprefix(ZOO_PREFIX), num_classes=num_classes, input_shape=input_shape
    )


def check_fixed(model: str, given: Mapping[str, object]) -> None:
    """Refuses options that the networks of larq-zoo do not have.

    Args:
        model: one of `recu_tf.choices.ZOO_MODELS`.
        given: `precision`, `pad_values`, `rotated` and `input_quantizer`.

    Raises:
        ValueError: one of them is not what larq-zoo's networks are.
    """
    for option, value in given.items():
        if value != FIXED[option]:
            raise ValueError(
                f"`{option}` must be {FIXED[option]!r} for {model}, as larq-zoo builds its "
                f"networks, got {value!r}."
            )


def find_smallest_size(name: str) -> int:
    """The smallest height and width, in pixels, that a network of larq-zoo takes.

    Args:
        name: one of `recu_tf.choices.ZOO_MODELS`.
    """
    return zoo.SMALLEST_SIZES.get(name.removeprefix(ZOO_PREFIX), 1)


def list_builders(size: int | None = None) -> dict[str, Callable[..., tf.keras.Model]]:
    """The functions that build the networks of larq-zoo, by name, if they take images of a size.

    Args:
        size: height and width, in pixels; None means any.
    """
    return {
        name: partial(build_named, name)
        for name in ZOO_MODELS
        if size is None or size >= find_smallest_size(name)
    }
