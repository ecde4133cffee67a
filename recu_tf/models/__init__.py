"""The published networks, those of larq-zoo with ReCU, and ReCU in models of others.

Examples:
    A published network by name, for a data set or for images of your own:

    >>> name = "vgg_small_1w1a"
    >>> recu_tf.models.check_name(name, "cifar10")  # raises an error if it has no such variant
    >>> network = recu_tf.models.build(name, "cifar10")
    >>> recu_tf.models.get_precision(network), recu_tf.models.get_variant(network)["num_classes"]
    ('binary', 10)
    >>> name in recu_tf.models.get_networks("imagenet")
    False
    >>> recu_tf.models.get_input_shape("imagenet")
    (224, 224, 3)
    >>> copy = recu_tf.models.build_like(network, name, "cifar10")  # in today's precision policy

    All names, of these networks and with those of larq-zoo; who builds which, and for what:

    >>> {*recu_tf.models.MODELS} <= {*recu_tf.models.NETWORK_NAMES}
    True
    >>> name in recu_tf.models.CIFAR_NETWORKS, name in recu_tf.models.IMAGENET_NETWORKS
    (True, False)
    >>> recu_tf.models.DATASET_CLASSES["cifar100"]
    100
    >>> "QuickNet" in recu_tf.models.zoo.ZOO_NETWORKS
    True
    >>> "zoo/QuickNet" in recu_tf.models.NETWORK_NAMES
    True

    In two stages, of which the first has real kernels:

    >>> first = recu_tf.models.build(name, "cifar10", precision="binary_activations")
    >>> second = recu_tf.models.build_second_stage(first, name, "cifar10")  # when it is trained

    What L2 applies to, as published or in any model:

    >>> len(recu_tf.models.select_l2_variables(network, "cifar10"))
    25
    >>> len(recu_tf.models.select_kernels(network))
    7

    What `recu_tf.optimizers.Muon` trains in its own way:

    >>> len(recu_tf.models.select_recu_kernels(network))
    5

    What the batch norms behind binary convolutions start with:

    >>> recu_tf.models.set_initial_gammas(network, 0.2)

    The tables of the networks, which build them by other sizes:

    >>> recu_tf.models.resnet20.stages  # blocks and channels
    ((3, 16), (3, 32), (3, 64))
    >>> recu_tf.models.resnet18.stages
    ((2, 64), (2, 128), (2, 256), (2, 512))
    >>> recu_tf.models.imagenet_resnet18.stages
    ((2, 64), (2, 128), (2, 256), (2, 512))
    >>> recu_tf.models.imagenet_resnet34.stages
    ((3, 64), (4, 128), (6, 256), (3, 512))
    >>> recu_tf.models.two_stage_resnet18.stages
    ((4, 64), (4, 128), (4, 256), (4, 512))
    >>> recu_tf.models.two_stage_resnet34.stages
    ((6, 64), (8, 128), (12, 256), (6, 512))
    >>> isinstance(recu_tf.models.resnet20, recu_tf.models.ResidualNetwork)
    True
    >>> recu_tf.models.vgg_small((16, 16, 1), num_classes=2).output_shape
    (None, 2)

    Models of your own, a plain one and one with layers of Larq:

    >>> plain = tf.keras.Sequential([tf.keras.Input((16, 16, 3))])
    >>> for filters in (8, 16, 32):
    ...     plain.add(tf.keras.layers.Conv2D(filters, 3))
    >>> [type(layer).__name__ for layer in recu_tf.models.binarize(plain).layers]
    ['Conv2D', 'BatchNormalization', 'QuantConv2D', 'BatchNormalization', 'Conv2D']
    >>> old = tf.keras.Sequential([tf.keras.Input((16,))])
    >>> old.add(lq.layers.QuantDense(2, kernel_quantizer="ste_sign"))
    >>> type(recu_tf.models.with_recu(old).layers[0].kernel_quantizer).__name__
    'ReCU'
"""

from recu_tf.models import zoo
from recu_tf.models.binarization import binarize
from recu_tf.models.initial_gammas import set_initial_gammas
from recu_tf.models.network_options import get_precision
from recu_tf.models.registry import (
    CIFAR_NETWORKS,
    DATASET_CLASSES,
    IMAGENET_NETWORKS,
    MODELS,
    NETWORK_NAMES,
    build_like,
    check_name,
    get_input_shape,
    get_networks,
    get_variant,
)
from recu_tf.models.regularization import (
    select_kernels,
    select_l2_variables,
    select_recu_kernels,
)
from recu_tf.models.residual import ResidualNetwork
from recu_tf.models.resnet import imagenet_resnet18, imagenet_resnet34, resnet18, resnet20
from recu_tf.models.retrofit import with_recu
from recu_tf.models.second_stage import build_second_stage
from recu_tf.models.trained import build
from recu_tf.models.two_stage import two_stage_resnet18, two_stage_resnet34
from recu_tf.models.vgg import vgg_small

__all__ = [
    "CIFAR_NETWORKS",
    "DATASET_CLASSES",
    "IMAGENET_NETWORKS",
    "MODELS",
    "NETWORK_NAMES",
    "ResidualNetwork",
    "binarize",
    "build",
    "build_like",
    "build_second_stage",
    "check_name",
    "get_input_shape",
    "get_networks",
    "get_precision",
    "get_variant",
    "imagenet_resnet18",
    "imagenet_resnet34",
    "resnet18",
    "resnet20",
    "select_kernels",
    "select_l2_variables",
    "select_recu_kernels",
    "set_initial_gammas",
    "two_stage_resnet18",
    "two_stage_resnet34",
    "vgg_small",
    "with_recu",
    "zoo",
]
