"""The frame of the residual networks: a stem, stages of blocks, a head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from recu_tf import choices
from recu_tf.layers import Rotate180
from recu_tf.models.network_options import NetworkOptions

__all__ = ["Block", "Head", "ResidualNetwork", "Stages", "Stem"]

Stages = Sequence[tuple[int, int]]
Stem = Callable[[tf.Tensor, int, NetworkOptions], tf.Tensor]
Block = Callable[[tf.Tensor, int, int, NetworkOptions, str], tf.Tensor]
Head = Callable[[tf.Tensor, int], tf.Tensor]


@dataclass(frozen=True)
class ResidualNetwork:
    """The table of a published residual network; calling it builds it with fresh weights.

    It is called with `input_shape`, `num_classes`, `pad_values` (0 as published, or 1),
    `precision`, `input_quantizer`, `rotated` and `name`, all optional: see `recu_tf.models.build`.

    Attributes:
        stages: number of blocks and channels of each stage; all stages but the first halve the
            image.
        stem: from the images (batch, height, width, channels), a number of channels and the options
            to the input of the first block, of that rank 4 too.
        block: from its input, rank 4, channels, strides, the options and name to its output.
        head: from the last features, rank 4, and the number of classes to logits (batch, classes).
        input_shape: default (height, width, channels) of the images.
        num_classes: default number of logits.
    """

    stages: Stages
    stem: Stem
    block: Block
    head: Head
    input_shape: tuple[int, int, int]
    num_classes: int

    def __call__(
        self,
        input_shape: Sequence[int] | None = None,
        num_classes: int | None = None,
        pad_values: float = 0,
        *,
        precision: str = choices.BINARY,
        input_quantizer: str = choices.APPROX_SIGN,
        rotated: bool = False,
        name: str | None = None,
    ) -> tf.keras.Model:
        """Builds the network.

        Args:
            input_shape: (height, width, channels) of the normalised images; None means the default.
            num_classes: number of logits; None means the default.
            pad_values: with what binary activations are padded, 0 as published or 1; see
                `recu_tf.layers.binary_conv2d`.
            precision: of the binary convolutions; see `recu_tf.models.build`.
            input_quantizer: of their activations; see `recu_tf.models.build`.
            rotated: whether to rotate the images by 180 degrees first, as weights from PyTorch
                need.
            name: of the model.

        Returns:
            An uncompiled model from (batch, height, width, channels) to logits (batch,
            num_classes).

        Raises:
            ValueError: an option has none of its values.
        """
        options = NetworkOptions(pad_values, precision, input_quantizer)
        inputs = tf.keras.Input(input_shape or self.input_shape, name="image")
        x = Rotate180(name="rotate180")(inputs) if rotated else inputs
        x = self.stem(x, self.stages[0][1], options)
        for stage, (blocks, filters) in enumerate(self.stages, start=1):
            for index in range(blocks):
                strides = 2 if stage > 1 and index == 0 else 1
                x = self.block(x, filters, strides, options, f"layer{stage}.{index}")
        return tf.keras.Model(inputs, self.head(x, num_classes or self.num_classes), name=name)
