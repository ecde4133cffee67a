"""Inferring which published network and data set a state dict belongs to."""

from collections.abc import Mapping

import numpy as np

from recu_tf.models import resnet, two_stage
from recu_tf.pytorch.tensor_names import strip_module_prefix

__all__ = ["infer_network", "resolve_network"]

SMALL_DATASETS = {10: "cifar10", 100: "cifar100"}
LARGE_DATASETS = {1000: "imagenet", 200: "tinyimagenet"}


def infer_network(state_dict: Mapping[str, np.ndarray]) -> tuple[str, str | None]:
    """Infers from names and shapes which published network a state dict belongs to.

    Args:
        state_dict: arrays by the published names, with the published shapes.

    Returns:
        The model, one of `recu_tf.models.MODELS`, and the data set, which follows from the number
        of classes: cifar10, cifar100, imagenet, tinyimagenet, or folder for any other number in a
        network for ImageNet; None if no data set has that number.

    Raises:
        ValueError: it belongs to no published network.
    """
    # A single number counts as a vector of length 1 here: `from_state_dict` reports its shape.
    shapes = {
        name: np.shape(value) or (1,) for name, value in strip_module_prefix(state_dict).items()
    }
    weights = (shapes.get(f"{classifier}.weight") for classifier in ("fc", "linear"))
    classes = next((shape[0] for shape in weights if shape is not None), 0)
    small, large = SMALL_DATASETS.get(classes), LARGE_DATASETS.get(classes, "folder")
    if "conv0.weight" in shapes:
        return "vgg_small_1w1a", small
    if "layer1.0.move0.bias" in shapes:
        table, convolution, dataset = two_stage.STAGES, "conv", large
    elif shapes.get("conv1.weight", ())[2:] == (7, 7):
        table, convolution, dataset = resnet.IMAGENET_STAGES, "conv1", large
    else:
        table, convolution, dataset = resnet.CIFAR_STAGES, "conv1", small
    stages = []
    while (kernel := shapes.get(f"layer{len(stages) + 1}.0.{convolution}.weight")) is not None:
        prefix = f"layer{len(stages) + 1}."
        blocks = {name.split(".")[1] for name in shapes if name.startswith(prefix)}
        stages.append((len(blocks), kernel[0]))
    for model, published_stages in table.items():
        if tuple(stages) == published_stages:
            return model, dataset
    found = f"its stages of (blocks, channels) are {stages}" if stages else "it has no layer1.0"
    raise ValueError(
        f"`state_dict` belongs to no published ReCU network: {found}. Give `model` and `dataset` "
        "to see every tensor that differs."
    )


def resolve_network(
    state_dict: Mapping[str, np.ndarray], *, model: str | None, dataset: str | None
) -> tuple[str, str | None]:
    """Returns the model and data set as given; each that is None is inferred.

    Raises:
        ValueError: one has to be inferred and cannot be, see `infer_network`.
    """
    if model is None or dataset is None:
        inferred_model, inferred_dataset = infer_network(state_dict)
        model, dataset = model or inferred_model, dataset or inferred_dataset
    return model, dataset
