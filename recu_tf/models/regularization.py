"""Which tensors of a network are L2-regularised, and which are those that Muon trains."""

import tensorflow as tf

from recu_tf.choices import BINARY_ACTIVATIONS
from recu_tf.kernel_axes import KERNELS, find_filter_axis, find_kernel_quantizers
from recu_tf.layers import BinaryConv2D, ChannelScale
from recu_tf.models.network_options import get_precision
from recu_tf.models.registry import is_large
from recu_tf.quantizers import ReCU

__all__ = ["select_kernels", "select_l2_variables", "select_recu_kernels"]


def select_l2_variables(network: tf.keras.Model, dataset: str) -> list[tf.Variable]:
    """The tensors whose L2 the published recipe adds to the gradient.

    In the networks for small images: all trainable tensors. In the networks for ImageNet (imagenet,
    tinyimagenet, folder): the kernels of the binary convolutions (real ones in a float network),
    the kernel of the stem, the alphas, and the kernel and bias of the classifier; not the batch
    norms, 1x1 projections, learned biases and PReLUs.

    In networks with binary activations and real kernels, the first of two stages: the kernels of
    all convolutions, as in ReActNet (Liu et al., ECCV 2020), since ReCU's first stage was not
    published.

    Args:
        network: from `recu_tf.models.build`.
        dataset: one of `DATASET_CLASSES`.
    """
    convolutions = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    if get_precision(network) == BINARY_ACTIVATIONS:
        return [layer.kernel for layer in convolutions]
    if not is_large(dataset, network.input_shape[1:]):
        return network.trainable_variables
    kinds = (BinaryConv2D, ChannelScale, tf.keras.layers.Dense)
    return [
        variable
        for layer in network.layers
        if layer is convolutions[0] or isinstance(layer, kinds)
        for variable in layer.trainable_variables
    ]


def select_kernels(network: tf.keras.Model) -> list[tf.Variable]:
    """The kernels of any network, whose L2 is added to the gradient where no recipe says which.

    Those are the trainable variables with a name that ends in "kernel", as Keras and Larq call
    those of convolutions and dense layers, `depthwise_kernel` and `pointwise_kernel` included; not
    biases, batch norms, PReLUs, embeddings and alphas.

    Args:
        network: a built Keras model.
    """
    return [
        variable
        for variable in network.trainable_variables
        if variable.name.split("/")[-1].split(":")[0].endswith("kernel")
    ]


def select_recu_kernels(network: tf.keras.Model) -> list[tf.Variable]:
    """The kernels with ReCU whose filters lie on the last axis, for `recu_tf.optimizers.Muon`.

    Those are all but kernels of depthwise and transposed convolutions.

    Args:
        network: a built Keras model; kernels in nested models and wrapped layers are found as well.
    """
    return [
        getattr(layer, KERNELS[argument])
        for layer in network.submodules
        for argument, quantizer in find_kernel_quantizers(layer).items()
        if isinstance(quantizer, ReCU) and find_filter_axis(layer, argument) == -1
    ]
