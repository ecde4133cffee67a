"""One small network in every format that the commands take."""

from dataclasses import asdict

import numpy as np
import pytest
from conftest import few_digits, need, tiny_resnet

from recu_tf import data, pytorch
from recu_tf.models import resnet
from recu_tf.pytorch.tensor_names import list_tensors
from recu_tf.runs import Run

FORMATS = ("run", "keras", "h5", "saved_model", "checkpoint")
NAME = "resnet20_1w1a"


def use_small_network(monkeypatch, test=10):
    """Has the name of a published network mean a tiny one, and digits few images."""
    few_digits(monkeypatch, test=test, build=tiny_resnet)
    monkeypatch.setitem(resnet.CIFAR_STAGES, NAME, ((1, 8),))


def random_state_dict():
    """Weights by their published names."""
    rng = np.random.default_rng(0)

    def values(name, shape):
        if name.endswith("running_var"):
            return rng.uniform(0.5, 1.5, shape)
        return np.array(0.9) if name.endswith("tau") else rng.normal(size=shape)

    tensors = list_tensors(tiny_resnet((32, 32, 3), 10, rotated=True))
    return {tensor.name: values(tensor.name, tensor.shape) for tensor in tensors}


def write_run(path, model, dataset="digits"):
    """A run directory whose last model differs from the best one in the bias of its end."""
    known = data.DATASETS[dataset]
    config = {
        "settings": {"model": NAME, "dataset": dataset, "data_path": "digits are here"},
        "num_classes": model.output_shape[-1],
        "class_names": known.class_names,
        "input_shape": model.input_shape[1:],
        "normalization": asdict(known.normalization),
    }
    run = Run.create(path, config)
    run.save_model(model, "best")
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias + 1])
    run.save_model(model, "last")
    model.layers[-1].set_weights([kernel, bias])
    return run


def write_formats(folder):
    """Writes the network in every format; of a checkpoint only where torch is installed.

    Returns:
        The model, and the path of each format.
    """
    state_dict = random_state_dict()
    with pytest.MonkeyPatch.context() as patch:
        use_small_network(patch)
        model = pytorch.from_state_dict(state_dict, model=NAME, dataset="digits")
    paths = {
        "run": folder / "run",
        "keras": folder / "a.keras",
        "h5": folder / "a.h5",
        "saved_model": folder / "saved",
        "checkpoint": folder / "model_best.pth.tar",
    }
    write_run(paths["run"], model)
    for format in ("keras", "h5", "saved_model"):
        model.save(paths[format], save_format="tf" if format == "saved_model" else None)
    try:
        import torch
    except ImportError:
        return model, paths
    tensors = {name: torch.from_numpy(array) for name, array in state_dict.items()}
    torch.save({"state_dict": tensors, "epoch": 3}, paths["checkpoint"])
    return model, paths


def skip_without_torch(format):
    """Skips a test of checkpoints where nothing reads them."""
    if format == "checkpoint":
        need("torch")
