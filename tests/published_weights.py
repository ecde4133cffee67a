"""Weights and checkpoints of the published implementation, and one that would do harm."""

import functools
import importlib.util
import json
import os

import numpy as np
from conftest import shared

CHECKPOINT = ("checkpoints", "resnet20_1w1a_cifar10.pth.tar")
# Name in reference/models, the network it is. The large ones take seconds each.
NETWORKS = {
    "cifar_resnet20": ("resnet20_1w1a", "cifar10"),
    "cifar_resnet18": ("resnet18_1w1a", "cifar10"),
    "cifar_resnet18a": ("resnet18A_1w1a", "cifar10"),
    "cifar_resnet18b": ("resnet18B_1w1a", "cifar10"),
    "cifar_resnet18c": ("resnet18C_1w1a", "cifar10"),
    "cifar_vgg_small": ("vgg_small_1w1a", "cifar10"),
    "imagenet_resnet18": ("resnet18_1w1a", "imagenet"),
    "imagenet_resnet34": ("resnet34_1w1a", "imagenet"),
    "imagenet_two_stage_resnet18": ("two_stage_resnet18_1w1a", "imagenet"),
    "imagenet_two_stage_resnet34": ("two_stage_resnet34_1w1a", "imagenet"),
}


@functools.cache
def procedural():
    spec = importlib.util.spec_from_file_location("procedural", shared("reference/procedural.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def vectors(reference):
    """Description, numbers, state dict and images of a reference model."""
    folder = shared("reference", "models")
    description = json.loads((folder / f"{reference}.json").read_text())
    made = procedural()
    return (
        description,
        np.load(folder / f"{reference}.npz"),
        made.state_dict(description["tensors"], description["seed"]),
        images(description["batch"], description["image_size"], description["seed"] + 1),
    )


def images(count, size, seed):
    return procedural().images(count, size, seed).transpose(0, 2, 3, 1)


def published_weights(reference="cifar_resnet20"):
    return vectors(reference)[2]


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)
