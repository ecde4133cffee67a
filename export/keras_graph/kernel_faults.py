"""What keeps a layer from becoming a binary convolution: its kernel, its groups, its padding."""

import numpy as np
import tensorflow as tf

from export.keras_graph import binary_layers as layers

__all__ = ["NOT_FINITE", "find_group_faults", "find_kernel_faults", "find_pad_faults"]

# What the converter allows, found by converting kernels.
SPREAD = 0.005  # of the magnitudes in a filter, relative to the largest
SMALLEST = float(np.finfo(np.float32).eps)
GROUP_CHANNELS = 32  # or a multiple, in each group

NOT_FINITE = (
    "its kernel holds weights that are not finite numbers, of which the converter makes bits "
    "without a word."
)


def find_kernel_faults(layer: tf.keras.layers.Layer) -> list[str]:
    """Says which filters of a layer's quantized kernel are not -s or s throughout.

    Args:
        layer: a convolution with a kernel quantizer, which is called on its kernel.

    Returns:
        A sentence for each kind of fault; none where the kernel can become bits.
    """
    filters = layers.compute_joint_filters(layer)
    if not np.isfinite(filters).all():
        return [NOT_FINITE]
    flat = np.abs(filters.reshape(len(filters), -1))
    largest = flat.max(axis=1)
    zero = largest == 0
    small = ~zero & (largest <= SMALLEST)
    holes = ~zero & (flat == 0).any(axis=1)
    mixed = ~zero & ~holes & (flat.min(axis=1) < (1 - SPREAD) * largest)
    faults = (
        (
            zero,
            "only zeros",
            "a kernel quantizer must give -s or s for every weight, also where all are 0 or alike",
        ),
        (
            small,
            f"magnitudes of at most {SMALLEST:.1e}",
            "the converter takes that for 0; scale the kernel up and the outputs down",
        ),
        (
            holes,
            "zeros beside other values",
            "`tf.sign` gives 0 for a weight of 0, `lq.math.sign` gives 1",
        ),
        (mixed, "more than one magnitude", "all weights of a filter must be -s or s"),
    )
    return [
        f"its quantized kernel holds {what} in {_list_filters(faulty)}; {advice}."
        for faulty, what, advice in faults
        if faulty.any()
    ]


def find_group_faults(channels: int, groups: int) -> list[str]:
    """Says, in a sentence, that a convolution has groups that the engine cannot have; or nothing.

    Args:
        channels: of the input, in each group.
        groups: their number.
    """
    if groups == 1 or channels % GROUP_CHANNELS == 0:
        return []
    return [
        f"it has {channels} input channels in each of its {groups} groups; there must be "
        f"a multiple of {GROUP_CHANNELS}, or one group."
    ]


def find_pad_faults(layer: tf.keras.layers.Layer) -> list[str]:
    """Says, in a sentence, that a layer pads with a number that bits lack; or nothing."""
    if (value := getattr(layer, "pad_values", 0)) in (0, 1):
        return []
    return [f"its `pad_values` is {value}; the engine can pad with 0 or 1."]


def _list_filters(chosen: np.ndarray) -> str:
    indices = np.flatnonzero(chosen)
    first = ", ".join(map(str, indices[:5])) + (" and others" if len(indices) > 5 else "")
    return f"filter{'s' if len(indices) > 1 else ''} {first} (of {len(chosen)})"
