"""The published networks, those of larq-zoo with ReCU, and ReCU in models of others."""

from recu_tf.models import zoo
from recu_tf.models.binarization import binarize
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
from recu_tf.models.regularization import select_kernels, select_l2_variables
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
    "two_stage_resnet18",
    "two_stage_resnet34",
    "vgg_small",
    "with_recu",
    "zoo",
]
