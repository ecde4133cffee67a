"""Reading checkpoint files of PyTorch, as data only."""

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recu_tf.pytorch.tensor_names import join_names

__all__ = ["read_checkpoint"]

# With earlier versions a file could run code or corrupt memory even with `weights_only`
# (CVE-2025-32434, CVE-2026-24747).
OLDEST_TORCH = (2, 10)


def _import_torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "reading checkpoints needs torch, which is not installed: pip install 'recu_tf[torch]'"
        ) from error
    if tuple(int(number) for number in torch.__version__.split(".")[:2]) < OLDEST_TORCH:
        raise ImportError(
            f"torch must be {'.'.join(map(str, OLDEST_TORCH))} or newer to read checkpoints "
            f"safely, got {torch.__version__}: pip install 'recu_tf[torch]'"
        )
    return torch


def read_checkpoint(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Reads a file that any version of `torch.save` wrote, on the CPU and as data only.

    The only exception is the tar format of the very first versions, which is refused: torch reads
    it only with its safeguard off. A file that asks to run code when it is read, as a pickle can,
    is refused, and nothing in it is executed.

    Args:
        path: a checkpoint of the published implementation (a dictionary with a `state_dict`), or
            a file that holds only a state dict.

    Returns:
        The tensors by name, of the shapes in the file, as float32 if they had a smaller
        floating-point type, and the other numbers and strings in the file: `epoch`, `best_prec1`
        and `model` in a published one.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: torch is not installed, or is too old to be safe.
        ValueError: the file is damaged, asks to run code, or is not a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file: there is no checkpoint to read.")
    torch = _import_torch()
    content = _load_safely(path, torch)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a checkpoint.")
    tensors = content.get("state_dict", content)
    if not isinstance(tensors, Mapping) or not tensors:
        raise ValueError(f"`state_dict` in {path} must hold tensors by name, but holds none.")
    others = [str(name) for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ValueError(
            f"{path} must hold a `state_dict` of tensors; these are not tensors: "
            f"{join_names(others)}."
        )
    try:
        arrays = {str(name): _to_array(value, torch) for name, value in tensors.items()}
    except (RuntimeError, TypeError) as error:  # quantized, without storage, ...
        raise ValueError(f"`state_dict` in {path} holds tensors of an unsupported kind.") from error
    metadata = {} if tensors is content else _select_scalars(content, torch)
    return arrays, metadata


def _load_safely(path: Path, torch) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)|[cC]lass ([\w.]+)", str(error))
        request = f"; it asks for {wanted[1] or wanted[2]}" if wanted else ""
        raise ValueError(
            f"{path} was refused and nothing in it was executed: it is not plain data of "
            f"torch.save{request}."
        ) from error
    except Exception as error:  # zip, pickle and torch each raise their own for a damaged file
        raise ValueError(
            f"{path} is damaged or was not written by torch.save ({type(error).__name__})."
        ) from error


def _to_array(tensor, torch) -> np.ndarray:
    tensor = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    is_small = tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64)
    return (tensor.float() if is_small else tensor).numpy()


def _select_scalars(content: Mapping, torch) -> dict:
    """The strings and the finite numbers of a checkpoint; tensors of one number as numbers."""
    values = {
        str(name): value.item()
        if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_meta
        else value
        for name, value in content.items()
    }
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str) or (isinstance(value, bool | int | float) and np.isfinite(value))
    }
