"""The networks, data sets and other values that settings can name.

Only the standard library is needed here, so that the command line can list them without waiting for
TensorFlow.
"""

from collections.abc import Iterable

__all__ = [
    "APPROX_SIGN",
    "BINARY",
    "BINARY_ACTIVATIONS",
    "CHOICES",
    "CIFAR10",
    "CIFAR100",
    "DATASETS",
    "DIGITS",
    "FLOAT",
    "FOLDER",
    "IMAGENET",
    "INPUT_QUANTIZERS",
    "LOGS",
    "LR_TYPES",
    "MODELS",
    "MUON",
    "NETWORK_FORMATS",
    "NETWORK_NAMES",
    "NETWORK_PRECISIONS",
    "OWN",
    "RESNET18",
    "RESNET18A",
    "RESNET18B",
    "RESNET18C",
    "RESNET20",
    "RESNET34",
    "SHIFTED_DATASETS",
    "STEPWISE_LR_TYPES",
    "STE_SIGN",
    "TINYIMAGENET",
    "TWO_STAGE_RESNET18",
    "TWO_STAGE_RESNET34",
    "VGG_SMALL",
    "ZOO_ALIASES",
    "ZOO_MODELS",
    "ZOO_NETWORKS",
    "ZOO_PREFIX",
    "check_choice",
]

RESNET20 = "resnet20_1w1a"
RESNET18 = "resnet18_1w1a"
RESNET18A = "resnet18A_1w1a"
RESNET18B = "resnet18B_1w1a"
RESNET18C = "resnet18C_1w1a"
VGG_SMALL = "vgg_small_1w1a"
RESNET34 = "resnet34_1w1a"
TWO_STAGE_RESNET18 = "two_stage_resnet18_1w1a"
TWO_STAGE_RESNET34 = "two_stage_resnet34_1w1a"
MODELS = (
    RESNET20,
    RESNET18,
    RESNET18A,
    RESNET18B,
    RESNET18C,
    VGG_SMALL,
    RESNET34,
    TWO_STAGE_RESNET18,
    TWO_STAGE_RESNET34,
)

# What the binary convolutions of a network are; the setting `precision` is something else, the
# floating-point numbers that a training computes with.
BINARY = "binary"
BINARY_ACTIVATIONS = "binary_activations"
FLOAT = "float"
NETWORK_PRECISIONS = (BINARY, BINARY_ACTIVATIONS, FLOAT)

# The quantizers of activations, by their aliases; they differ in their gradients alone.
APPROX_SIGN = "standardized_approx_sign"
STE_SIGN = "standardized_ste_sign"
INPUT_QUANTIZERS = (APPROX_SIGN, STE_SIGN)

# Those of larq-zoo that have binary kernels, by the names of its functions.
ZOO_NETWORKS = (
    "BiRealNet",
    "BinaryAlexNet",
    "BinaryDenseNet28",
    "BinaryDenseNet37",
    "BinaryDenseNet37Dilated",
    "BinaryDenseNet45",
    "BinaryResNetE18",
    "DoReFaNet",
    "MeliusNet22",
    "QuickNet",
    "QuickNetLarge",
    "QuickNetSmall",
    "RealToBinaryNet",
    "XNORNet",
)
# Other names for them: the paper and the weights of Bi-Real Net are of one with 18 layers.
ZOO_ALIASES = {"BiRealNet18": "BiRealNet"}
# Where the published networks can be named as well, those of larq-zoo have this before their name.
ZOO_PREFIX = "zoo/"
ZOO_MODELS = tuple(ZOO_PREFIX + name for name in sorted((*ZOO_NETWORKS, *ZOO_ALIASES)))
NETWORK_NAMES = (*MODELS, *ZOO_MODELS)

DIGITS = "digits"
CIFAR10 = "cifar10"
CIFAR100 = "cifar100"
IMAGENET = "imagenet"
TINYIMAGENET = "tinyimagenet"
FOLDER = "folder"
DATASETS = (DIGITS, CIFAR10, CIFAR100, IMAGENET, TINYIMAGENET, FOLDER)
# Those whose training images are shifted, not cropped to another size.
SHIFTED_DATASETS = (DIGITS, CIFAR10, CIFAR100)

# The name of a model, and of a data set, that the caller of `recu_tf.training.train` brings along.
# No option of the command line takes it.
OWN = "own"

MUON = "muon"

# Of these, the rate changes in every step, after it rose in the first of them.
STEPWISE_LR_TYPES = ("one_cycle", "one_cycle_quadratic")
LR_TYPES = ("cos", "step", "linear", *STEPWISE_LR_TYPES)

# Where a training can be logged beside TensorBoard, by the names of the packages.
LOGS = ("mlflow", "wandb")

# What `recu_tf.networks.load` takes, and so every command that takes a network.
NETWORK_FORMATS = (
    "a run directory, a .keras file, a .h5 file, a SavedModel directory, a published checkpoint "
    "(.pth.tar, .pth) or pretrained/ before a name that --pretrained takes"
)

# By the name of the setting.
CHOICES = {
    "model": NETWORK_NAMES,
    "dataset": DATASETS,
    "network_precision": NETWORK_PRECISIONS,
    "input_quantizer": INPUT_QUANTIZERS,
    "optimizer": ("sgd", "adam", MUON),
    "lr_type": LR_TYPES,
    "precision": ("float32", "mixed_float16", "mixed_bfloat16", "float64"),
    "strategy": ("auto", "single", "mirrored", "multiworker"),
}


def check_choice(argument: str, value: object, allowed: Iterable[str | None]) -> None:
    """Refuses a value that is none of those allowed.

    Args:
        argument: that has the value, for the error.
        value: to check.
        allowed: names, or None, in the order in which the error lists them.

    Raises:
        ValueError: the value is none of them.
    """
    if value not in allowed:
        words = ", ".join(map(str, allowed))
        raise ValueError(f"`{argument}` must be one of {words}, got {value!r}.")
