"""The activation that costs an int8 file the most: one channel that reaches far beyond the others.

int8 gives a tensor 255 steps from its smallest to its largest number, the same in all channels. A
channel that reaches a hundred times as far as the others leaves those two or three steps.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.conversion.int8.quantize import FakeQuant
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["Outlier", "find_outlier"]

# With fewer the numbers of the median channel are lost.
LEAST_STEPS = 16
STEPS = 255
IMAGES = 64


@dataclass(frozen=True)
class Outlier:
    """A channel whose range leaves the others few steps.

    Attributes:
        layer: whose output it is in.
        channel: its number.
        largest: the largest absolute number in it.
        usual: the same of the median channel.
        steps: of int8 that the median channel is left with.
    """

    layer: str
    channel: int
    largest: float
    usual: float
    steps: float

    def __str__(self) -> str:
        return (
            f"channel {self.channel} of layer {self.layer} reaches {self.largest:.3g}, the median "
            f"channel {self.usual:.3g}, which leaves that {self.steps:.1f} of the 255 steps that "
            "a tensor has. Limit the channel in training (clip it, penalise or normalise its "
            "scale), or leave int8 out"
        )


@preserve_quantized_scope()
def find_outlier(model: tf.keras.Model, images: np.ndarray) -> Outlier | None:
    """Finds the layer whose median channel is left with the fewest steps.

    Args:
        model: of `export.conversion.int8.quantize.quantize`.
        images: what it takes; the first 64 are used.

    Returns:
        Its outlying channel; None where every tensor leaves its median channel 16 steps.
    """
    rounding = [layer for layer in model.layers if isinstance(layer, FakeQuant)]
    if not rounding:
        return None
    recorder = tf.keras.Model(model.inputs, [layer.input for layer in rounding])
    found = tf.nest.flatten(recorder.predict(images[:IMAGES], verbose=0))
    worst = None
    for layer, values in zip(rounding, found, strict=True):
        reach = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
        usual = float(np.median(reach))
        # A step is as large as the range says, whatever these images reach.
        steps = usual / (layer.maximum - layer.minimum) * STEPS
        if len(reach) > 1 and 0 < steps < (worst.steps if worst else LEAST_STEPS):
            name = layer.input._keras_history.layer.name
            channel = int(reach.argmax())
            worst = Outlier(name, channel, float(reach[channel]), usual, steps)
    return worst
