"""Binary networks from plain Keras models, in which no layer is of Larq."""

import itertools
from collections.abc import Iterable

import larq as lq
import tensorflow as tf
from tf_keras.src.engine.functional import has_functional_like_constructor

from recu_tf.batch_norm import BatchNormalization
from recu_tf.functional import is_graph, nodes
from recu_tf.kernel_axes import KERNEL_QUANTIZERS
from recu_tf.layers import HardTanh
from recu_tf.models.binarization_checks import (
    check_causal,
    check_layers,
    check_options,
    warn_of_what_cannot_learn,
)
from recu_tf.models.binary_choice import FIRST_AND_LAST, choose_binary, read_skip
from recu_tf.models.copying import Copying, check_model
from recu_tf.models.layer_calls import Flow
from recu_tf.models.sign_inputs import SignInputs
from recu_tf.quantizers import ReCU, StandardizedApproxSign

__all__ = ["binarize"]

Layer = tf.keras.layers.Layer
L = tf.keras.layers

LARQ_LAYERS = {
    L.Conv1D: lq.layers.QuantConv1D,
    L.Conv2D: lq.layers.QuantConv2D,
    L.Dense: lq.layers.QuantDense,
    L.SeparableConv1D: lq.layers.QuantSeparableConv1D,
    L.SeparableConv2D: lq.layers.QuantSeparableConv2D,
}
KERNEL_CONSTRAINTS = [name.replace("quantizer", "constraint") for name in KERNEL_QUANTIZERS]


def binarize(
    model: tf.keras.Model,
    skip: str | Iterable[str] = FIRST_AND_LAST,
    *,
    dense: bool = False,
    pad_values: float = 0,
) -> tf.keras.Model:
    """Copies a plain Keras model, with binary convolutions and ReCU instead of real convolutions.

    **What becomes binary.** `Conv2D`, `Conv1D`, `SeparableConv2D` and `SeparableConv1D` layers
    become their Larq layers, with a `ReCU` for each kernel and `StandardizedApproxSign` for the
    input. What an exported file could not run as a binary operator stays real: depthwise and
    transposed convolutions, depthwise kernels of more than 16 pixels in separable ones, groups of
    other than a multiple of 32 channels, channels first, and subclasses of Keras' layers. So do
    convolutions of single pixels, as in squeeze-and-excitation, and dense layers, unless `dense` is
    true: these compute little, and what they read are few numbers, all of which count.

    **What is skipped.** In all published binary networks the first layer is real, since it reads
    few channels of pixels, whose values matter, and so is the last, which gives the logits. Real
    as well are the 1x1 convolutions that project a shortcut: the shortcut carries the numbers of
    which the signs keep one bit. Other 1x1 convolutions become binary.

    **Activation functions.** A sign that reads a ReLU is always +1. If a binary layer reads an
    activation function that is never negative (ReLU, ReLU6, sigmoid), directly or behind average
    pooling, sums, concatenations and layers that only move numbers, it becomes the hard tanh of
    the published networks, under the same name. Others stay: those that keep signs (leaky ReLU,
    swish, tanh), and those that only real layers read.

    **Batch norms.** A sign tells most where half of the numbers are negative, and the sums that a
    binary layer gives are tens of times as large as a real layer's. In the published networks a
    batch norm stands behind each binary convolution. Where none comes, directly or behind pooling
    and ReLU, one is added behind it, in front of its activation function. Where a binary layer
    reads something that was not normalised (the output of a real convolution, the inputs of the
    model, a product), or a maximum, which is mostly positive, one is added in front of the sign;
    the ReLU before it may then stay. There is no scale alpha: a batch norm has one.

    **What stays.** Names, strides, dilations, paddings, biases, regularizers, layers that are used
    twice, nested models, which weights are trainable, and the values of all weights: kernels are
    the latent weights to begin with. Constraints of kernels are dropped. Layers within other layers
    than models, such as `TimeDistributed`, stay real. Added layers are called after the binary
    layer: `NAME_input_norm` in front, `NAME_norm` and `NAME_activation` behind. The given model is
    not changed.

    The copy has to be trained, with `recu_tf.schedules.TauScheduler`; before, it computes nothing
    that the given model does. `recu_tf.larq_summary.summary` lists which of its layers are binary.

    Args:
        model: a functional or sequential Keras model, built, without quantized layers.
        skip: which layers stay real: "first and last", "first" or "last", those with a kernel in
            front of which, or behind which, there is no other, and the projections of shortcuts;
            "none"; or the names of layers, which are then all that is skipped.
        dense: whether dense layers become binary too, as those of AlexNet and VGG did, whose files
            they make large.
        pad_values: with what the signs are padded in layers with padding "same": 0 as published
            and in the given model, or 1, with which Larq Compute Engine keeps more of the graph
            bit-packed.

    Returns:
        An uncompiled model with the inputs and outputs of the given one.

    Raises:
        ValueError: `pad_values` is neither 0 nor 1, or is 1 where a binary layer has padding
            "causal"; `dense` is neither true nor false; the model is not built, is subclassed, or
            has quantized layers, losses from `add_loss` or a layer that Keras cannot copy; `skip`
            is no such word, or names layers that do not exist or have no kernel; or no layer is
            left to become binary.

    Warns:
        UserWarning: layers that become binary are frozen; or a nested model with batch norms and
            binary layers is called with training=False, as for transfer learning. Neither learns.

    References:
        Xu et al., "ReCU", ICCV 2021, https://arxiv.org/abs/2103.12369 (hard tanh behind batch
        norms).
        Rastegari et al., "XNOR-Net", ECCV 2016, https://arxiv.org/abs/1603.05279 (batch norms in
        front of signs, pooling behind convolutions).
    """
    check_options(dense=dense, pad_values=pad_values)
    check_model(model)
    check_layers(model)
    if not is_graph(model):
        raise ValueError(
            "`model` must have layers that can be called with symbolic tensors, got "
            f"{model.name!r}."
        )
    flow = Flow(model)
    binary, reasons = choose_binary(flow, read_skip(skip, flow), dense=dense)
    if not binary:
        listed = "; ".join(f"{name} {reason}" for name, reason in reasons.items())
        raise ValueError(
            f"`model` must have a layer that can become binary, got {model.name!r} without any: "
            f"{listed or 'no layer has a kernel'}."
        )
    check_causal(binary, pad_values)
    copy = _Binarization(model, flow, binary, pad_values).copy(model)
    warn_of_what_cannot_learn(model, binary, copy)
    return copy


class _Binarization(Copying):
    """Copies models with binary layers, and with other layers in front of them and behind.

    Args:
        model: the model.
        flow: of the model.
        binary: the layers that become binary.
        pad_values: of the binary layers.
    """

    def __init__(self, model: tf.keras.Model, flow: Flow, binary: list[Layer], pad_values: float):
        self._signs = SignInputs(flow, binary)
        self._binary = {id(layer) for layer in binary}
        self._pad_values = pad_values
        # Those of inputs and nested models too, which are no calls.
        self._names = {part.name for part in model.submodules if isinstance(part, Layer)}
        self._sequences: dict[int, list[Layer]] = {}
        layers = {id(call.layer): call.layer for call in flow.calls}
        converted = self._binary | self._signs.clipped
        super().__init__([layers[key] for key in layers if key in converted], self._convert_layer)

    def clone(self, model: tf.keras.Model) -> tf.keras.Model:
        """A model of copies of the given one's layers and of those that are added."""
        if not is_graph(model):
            return super().clone(model)
        if isinstance(model, tf.keras.Sequential):
            (image,), (name,) = model.inputs, model.input_names
            start = L.InputLayer(batch_input_shape=image.shape, dtype=image.dtype, name=name)
            # Not those of `model.layers`, where a layer that stands twice is listed once.
            layers = [node.layer for node in nodes(model) if not node.is_input]
            layers = itertools.chain(*map(self._make_sequence, layers))
            return tf.keras.Sequential([start, *layers], name=model.name)
        tensors = {}

        def find(value: object) -> object:
            return tensors.get(id(value), value)

        for node in nodes(model):
            if node.is_input:
                outputs = self.copy_layer(node.layer).output
            else:
                arguments = node.keras_inputs, node.call_args, node.call_kwargs
                arguments = tf.nest.map_structure(find, arguments)
                outputs = _call(self._make_sequence(node.layer), *arguments)
            pairs = zip(tf.nest.flatten(node.outputs), tf.nest.flatten(outputs), strict=True)
            tensors |= {id(tensor): copy for tensor, copy in pairs}
        kind = type(model) if has_functional_like_constructor(type(model)) else tf.keras.Model
        ends = tf.nest.map_structure(find, (model.input, model.output))
        return kind(*ends, name=model.name)

    def _make_sequence(self, layer: Layer) -> list[Layer]:
        """The copy of a layer, between those that are added."""
        if id(layer) not in self._sequences:
            in_front, behind = [], []
            dtype = layer.get_config()["dtype"] if id(layer) in self._binary else None
            if id(layer) in self._signs.in_front:
                name = self._choose_name(f"{layer.name}_input_norm")
                in_front = [BatchNormalization(dtype=dtype, name=name)]
            if id(layer) in self._signs.behind:
                name = self._choose_name(f"{layer.name}_norm")
                behind = [BatchNormalization(dtype=dtype, name=name)]
                if layer.activation is not tf.keras.activations.linear:
                    name = self._choose_name(f"{layer.name}_activation")
                    behind.append(
                        HardTanh(dtype=dtype, name=name)
                        if id(layer) in self._signs.clipped
                        else L.Activation(layer.activation, dtype=dtype, name=name)
                    )
            self._sequences[id(layer)] = [*in_front, self.copy_layer(layer), *behind]
        return self._sequences[id(layer)]

    def _choose_name(self, name: str) -> str:
        """A name that no layer has; the given one if possible."""
        names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        chosen = next(name for name in names if name not in self._names)
        self._names.add(chosen)
        return chosen

    def _convert_layer(self, layer: Layer) -> Layer:
        """A binary layer, or a hard tanh, not built."""
        config = layer.get_config()
        if id(layer) not in self._binary:
            return HardTanh(**{key: config[key] for key in ("name", "trainable", "dtype")})
        kind = LARQ_LAYERS[type(layer)]
        for name in [key for key in config if key in KERNEL_CONSTRAINTS]:
            config[name] = None
        if id(layer) in self._signs.behind:
            config["activation"] = "linear"
        if not isinstance(layer, L.Dense):
            config["pad_values"] = self._pad_values
        converted = kind.from_config(config)
        converted.input_quantizer = StandardizedApproxSign()
        for argument in KERNEL_QUANTIZERS:
            if hasattr(converted, argument):
                setattr(converted, argument, ReCU())
        return converted


def _call(
    sequence: list[Layer], inputs: list[tf.Tensor], args: tuple, kwargs: dict
) -> tf.Tensor | list[tf.Tensor]:
    """Calls layers one after the other; several only where the first reads a single tensor."""
    if len(sequence) == 1:
        return sequence[0](*args, **kwargs)
    (x,) = inputs
    for layer in sequence:
        x = layer(x)
    return x
