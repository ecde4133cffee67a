"""Building a published network with the weights of a state dict."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from recu_tf import models
from recu_tf.pytorch.identification import infer_network, resolve_network
from recu_tf.pytorch.tensor_names import (
    PublishedTensor,
    join_names,
    list_tensors,
    strip_module_prefix,
)

__all__ = ["from_state_dict"]


def from_state_dict(
    state_dict: Mapping[str, np.ndarray], *, model: str | None = None, dataset: str | None = None
) -> tf.keras.Model:
    """Builds a published network and assigns the weights of a published checkpoint to it.

    Args:
        state_dict: arrays by the published names, in PyTorch's layouts. All names may begin with
            `module.`, as after training on several GPUs. `tau` may have shape () or (1,).
        model: one of `recu_tf.models.MODELS`; None infers it from names and shapes.
        dataset: one of `recu_tf.models.DATASET_CLASSES`; None infers it from them.

    Returns:
        An uncompiled model from upright, normalised NHWC images to the published logits. All but
        VGG-small first rotate their images (`recu_tf.layers.Rotate180`).

    Raises:
        ValueError: the state dict belongs to no network or to a different one (tensors that are
            missing, unexpected or of a different shape are listed by name), or holds values that
            cannot be right.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"`state_dict` must be a mapping, got {type(state_dict).__name__}.")
    arrays = {
        # NumPy does not take PyTorch's parameters, which carry gradients.
        name: np.asarray(value.detach() if hasattr(value, "detach") else value)
        for name, value in strip_module_prefix(state_dict).items()
    }
    model, dataset = resolve_network(arrays, model=model, dataset=dataset)
    if dataset is None:
        raise ValueError("`dataset` cannot be inferred: no data set has this number of classes.")
    classes = None
    if dataset == "folder":
        # If there is no such tensor, or one of another shape, `_check` names it.
        classes = max([2, *np.shape(arrays.get("fc.weight"))[:1]])
    network = models.build(model, dataset, num_classes=classes, rotated=True)
    tensors = {tensor.name: tensor for tensor in list_tensors(network)}
    _check(arrays, tensors, model, dataset)
    for name, tensor in tensors.items():
        tensor.variable.assign(tensor.to_keras(arrays[name].reshape(tensor.shape)))
    return network


def _is_finite(array: np.ndarray) -> bool:
    """Whether all of an array is finite, and stays so in float32."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(np.float32)).all())


def _check(
    arrays: dict[str, np.ndarray], tensors: dict[str, PublishedTensor], model: str, dataset: str
) -> None:
    """Refuses arrays that are not those of the network, or hold values that cannot be right."""
    given = {name for name in arrays if not name.endswith(".num_batches_tracked")}
    present = [name for name in tensors if name in given]
    misshapen = {
        name: f"{name} {arrays[name].shape} instead of {tensors[name].shape}"
        for name in present
        if arrays[name].shape != tensors[name].shape
        and not (tensors[name].shape == () and arrays[name].shape == (1,))
    }
    fitting = [name for name in present if name not in misshapen]
    numbers = [name for name in fitting if arrays[name].dtype.kind in "fiu"]
    problems = {
        "missing": [name for name in tensors if name not in given],
        "unexpected": sorted(given - set(tensors)),
        "of a different shape": list(misshapen.values()),
        "not numbers": [name for name in fitting if name not in numbers],
        "not finite": [name for name in numbers if not _is_finite(arrays[name])],
        "negative": [
            name for name in numbers if name.endswith("running_var") and (arrays[name] < 0).any()
        ],
        "outside (0.5, 1]": [
            name
            for name in numbers
            if name.endswith(".tau") and not (0.5 < arrays[name].reshape(()) <= 1)
        ],
    }
    found = [f"{kind}: {join_names(names)}" for kind, names in problems.items() if names]
    if found:
        try:
            other, _ = infer_network(arrays)
        except ValueError:
            other = model
        belongs = "" if other == model else f" but to {other}"
        raise ValueError(
            f"`state_dict` does not belong to {model} for {dataset}{belongs}; {'; '.join(found)}."
        )
