"""A training step of the published implementation in PyTorch, from a checkout that the user names.

Nothing of it is part of this project. The checkout's `cifar` folder has the modules; they read the
command line when they are imported.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["find_problem", "make_published_step"]

FOLDER = "cifar"
MODULES = ("modules", "models_cifar", "utils")
TAU = 0.85  # at the start of a training


def find_problem(checkout: str | None) -> str | None:
    """Why the published implementation cannot be measured; None if it can.

    Args:
        checkout: the directory that the user named, or None.
    """
    if checkout is None:
        return "no checkout of it was named (--published DIR)"
    folder = Path(checkout) / FOLDER
    missing = [name for name in MODULES if not (folder / name / "__init__.py").is_file()]
    if missing:
        return (
            f"{checkout} is no checkout of the published implementation: {folder} has no package "
            f"{' and no '.join(missing)}"
        )
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    return None


def make_published_step(checkout: str, network: str, batch_size: int) -> Callable[[], float]:
    """A training step as the published script does it, without its measuring of accuracies.

    The modules stay imported under their short names, so this belongs into a process of its own.

    Args:
        checkout: directory of the published implementation.
        network: name of the network there, for CIFAR.
        batch_size: images of 32 x 32 per step.

    Returns:
        A function that takes a step and returns the loss.
    """
    import torch

    arguments, sys.argv = sys.argv, ["main.py"]
    sys.path.insert(0, str(Path(checkout) / FOLDER))
    try:
        model = getattr(importlib.import_module("models_cifar"), network)(num_classes=10)
    finally:
        sys.argv = arguments
        sys.path.pop(0)
    for module in model.modules():
        if hasattr(module, "tau"):
            module.tau = torch.tensor([TAU])
    model.train()
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.normal(size=(batch_size, 3, 32, 32)), dtype=torch.float32)
    labels = torch.tensor(rng.integers(0, 10, batch_size))
    cross_entropy = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)

    def step() -> float:
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
