"""A small stand-in for CIFAR-10, whose images are a download."""

from dataclasses import replace

from experiments.pretrained.sample_photographs import read_photographs
from recu_tf import data


def few_photographs(monkeypatch):
    """Replaces CIFAR-10 by a photograph of each class."""
    cifar10 = data.DATASETS["cifar10"]
    few = replace(cifar10, read=lambda split, data_path: read_photographs())
    monkeypatch.setitem(data.DATASETS, "cifar10", few)
