"""Checkpoints of the published PyTorch implementation, in.

Keras layers carry the names of the published modules, so that a tensor's place is known from its
name. A ResNet's images and kernels are turned by 180 degrees: PyTorch pads strided convolutions
at the first edge, TensorFlow at the last, and turned the two agree exactly.
"""

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from recu_tf import models
from recu_tf.models import resnet, two_stage
from recu_tf.pytorch.state_dict import PublishedTensor, published_tensors

__all__ = ["from_state_dict", "guess_network", "read_checkpoint"]

# Before it, a file could run code or corrupt memory even with `weights_only` (CVE-2025-32434,
# CVE-2026-24747).
OLDEST_TORCH = (2, 10)
MOST_NAMES = 20


def _import_torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "checkpoints are read by torch, which is not installed: pip install 'recu_tf[torch]'"
        ) from error
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_TORCH:
        raise ImportError(
            f"torch must be {'.'.join(map(str, OLDEST_TORCH))} or newer to read checkpoints "
            f"safely, got {torch.__version__}: pip install 'recu_tf[torch]'"
        )
    return torch


def read_checkpoint(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Reads what `torch.save` wrote, of any age, on the CPU and as data only.

    Only the tar archives of the very first versions are refused: torch reads those without its
    safeguard alone. A file that wants to run code when it is read, as a pickle can, is refused and
    not executed.

    Args:
        path: a checkpoint of the published implementation (a dictionary with a `state_dict`), or
            a file that holds a state dict alone.

    Returns:
        The tensors by name, float32 where they were of a smaller floating type, and what else of
        numbers and strings the file holds: `epoch`, `best_prec1` and `model` in a published one.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: torch is not installed, or is too old to be safe.
        ValueError: the file is damaged, wants to run code, or is no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file: no checkpoint to read.")
    torch = _import_torch()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)|[cC]lass ([\w.]+)", str(error))
        wish = f", it asks for {wanted[1] or wanted[2]}" if wanted else ""
        raise ValueError(
            f"{path} was refused and nothing in it was executed: it is not plain data of "
            f"torch.save{wish}."
        ) from error
    except Exception as error:  # zip, pickle and torch each have their own for a damaged file
        raise ValueError(
            f"{path} is damaged or was not written by torch.save ({type(error).__name__})."
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a checkpoint.")
    tensors = content.get("state_dict", content)
    if not isinstance(tensors, Mapping) or not tensors:
        raise ValueError(f"`state_dict` in {path} must hold tensors by name, and holds none.")
    odd = [str(name) for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise ValueError(
            f"{path} must hold a `state_dict` of tensors; these are none: {_listed(odd)}."
        )
    try:
        arrays = {str(name): _array(value, torch) for name, value in tensors.items()}
    except (RuntimeError, TypeError) as error:  # quantized, without storage, ...
        raise ValueError(f"`state_dict` in {path} holds what are no plain tensors.") from error
    others = content.items() if tensors is not content else ()
    values = {
        str(name): value.item()
        if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_meta
        else value
        for name, value in others
    }
    scalars = {
        name: value
        for name, value in values.items()
        if isinstance(value, str) or (isinstance(value, bool | int | float) and np.isfinite(value))
    }
    return arrays, scalars


def _array(tensor, torch) -> np.ndarray:
    tensor = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    half = tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64)
    return (tensor.float() if half else tensor).numpy()


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def guess_network(state_dict: Mapping[str, np.ndarray]) -> tuple[str, str | None]:
    """Tells from names and shapes which published network a state dict is of.

    Args:
        state_dict: arrays by the published names.

    Returns:
        The model, one of `recu_tf.models.MODELS`, and the data set by the number of classes:
        cifar10, cifar100, imagenet, tinyimagenet, or folder for another number in a network for
        ImageNet; None where no data set has that number.

    Raises:
        ValueError: it is of no published network.
    """
    # A single number counts as a vector of one: guessing goes on, the check names it.
    shapes = {name: np.shape(value) or (1,) for name, value in _unprefixed(state_dict).items()}
    classes = next(
        (shapes[f"{n}.weight"][0] for n in ("fc", "linear") if f"{n}.weight" in shapes), 0
    )
    small = {10: "cifar10", 100: "cifar100"}.get(classes)
    large = {1000: "imagenet", 200: "tinyimagenet"}.get(classes, "folder")
    if "conv0.weight" in shapes:
        return "vgg_small_1w1a", small
    if "layer1.0.move0.bias" in shapes:
        table, convolution, dataset = two_stage.STAGES, "conv", large
    elif shapes.get("conv1.weight", ())[2:] == (7, 7):
        table, convolution, dataset = resnet.IMAGENET_STAGES, "conv1", large
    else:
        table, convolution, dataset = resnet.CIFAR_STAGES, "conv1", small
    stages = []
    while (first := shapes.get(f"layer{len(stages) + 1}.0.{convolution}.weight")) is not None:
        prefix = f"layer{len(stages) + 1}."
        blocks = {name.split(".")[1] for name in shapes if name.startswith(prefix)}
        stages.append((len(blocks), first[0]))
    for name, published in table.items():
        if tuple(stages) == published:
            return name, dataset
    found = f"its stages of (blocks, channels) are {stages}" if stages else "it has no layer1.0"
    raise ValueError(
        f"`state_dict` is of no published ReCU network: {found}. With `model` and `dataset` given, "
        "every tensor that differs is named."
    )


def told_or_guessed(
    state_dict: Mapping[str, np.ndarray], model: str | None, dataset: str | None
) -> tuple[str, str | None]:
    """The model and data set as told; what is None is that of `guess_network`."""
    if model is None or dataset is None:
        guessed, guessed_dataset = guess_network(state_dict)
        model, dataset = model or guessed, dataset or guessed_dataset
    return model, dataset


def from_state_dict(
    state_dict: Mapping[str, np.ndarray], model: str | None = None, dataset: str | None = None
) -> tf.keras.Model:
    """Builds a published network and gives it the weights of a published checkpoint.

    Args:
        state_dict: arrays by the published names, layouts PyTorch's; all names may begin with
            `module.`, as after training on several GPUs. `tau` may have shape () or (1,).
        model: one of `recu_tf.models.MODELS`; guessed from names and shapes if None.
        dataset: one of `recu_tf.models.DATASET_CLASSES`; guessed from them if None.

    Returns:
        An uncompiled model from upright, normalised NHWC images to the published logits. All but
        VGG-small turn their images first (`recu_tf.layers.Rotate180`).

    Raises:
        ValueError: it is of no or of another network (tensors that are missing, unexpected or of
            another shape are listed by name), or holds values that cannot be right.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"`state_dict` must be a mapping, got {type(state_dict).__name__}.")
    arrays = {
        # PyTorch's parameters know of their gradients, which NumPy does not take.
        name: np.asarray(value.detach() if hasattr(value, "detach") else value)
        for name, value in _unprefixed(state_dict).items()
    }
    model, dataset = told_or_guessed(arrays, model, dataset)
    if dataset is None:
        raise ValueError("`dataset` cannot be guessed: no data set has this number of classes.")
    classes = arrays.get("fc.weight", np.empty(0)).shape[0] if dataset == "folder" else None
    network = models.build(model, dataset, classes, rotated=True)
    tensors = {tensor.name: tensor for tensor in published_tensors(network)}
    _check(arrays, tensors, f"{model} for {dataset}")
    for name, tensor in tensors.items():
        tensor.variable.assign(tensor.to_keras(arrays[name].reshape(tensor.shape)))
    return network


def _unprefixed(state_dict: Mapping) -> dict:
    if all(str(name).startswith("module.") for name in state_dict):
        return {str(name).removeprefix("module."): value for name, value in state_dict.items()}
    return {str(name): value for name, value in state_dict.items()}


def _finite(array: np.ndarray) -> bool:
    """Whether an array is finite, and stays so in float32."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(np.float32)).all())


def _check(
    arrays: dict[str, np.ndarray], tensors: dict[str, PublishedTensor], network: str
) -> None:
    """Refuses arrays that are not all those of the network, or hold what cannot be right."""
    given = {name for name in arrays if not name.endswith(".num_batches_tracked")}
    present = [name for name in tensors if name in given]
    wrong = {
        name: f"{name} {arrays[name].shape} instead of {tensors[name].shape}"
        for name in present
        if arrays[name].shape != tensors[name].shape
        and not (tensors[name].shape == () and arrays[name].shape == (1,))
    }
    fitting = [name for name in present if name not in wrong]
    numbers = [name for name in fitting if arrays[name].dtype.kind in "fiu"]
    problems = {
        "missing": [name for name in tensors if name not in given],
        "unexpected": sorted(given - set(tensors)),
        "of another shape": list(wrong.values()),
        "not numbers": [name for name in fitting if name not in numbers],
        "not finite": [name for name in numbers if not _finite(arrays[name])],
        "negative": [
            name for name in numbers if name.endswith("running_var") and (arrays[name] < 0).any()
        ],
        "outside (0.5, 1]": [
            name
            for name in numbers
            if name.endswith(".tau") and not (0.5 < arrays[name].reshape(()) <= 1)
        ],
    }
    found = [f"{kind}: {_listed(names)}" for kind, names in problems.items() if names]
    if found:
        try:
            other, _ = guess_network(arrays)
        except ValueError:
            other = None
        belongs = f" but of {other}" if other and not network.startswith(f"{other} for ") else ""
        raise ValueError(f"`state_dict` is not one of {network}{belongs}; {'; '.join(found)}.")
