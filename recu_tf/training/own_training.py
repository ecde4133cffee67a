"""A model and images that the caller of a training brings along, in place of names in settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import tensorflow as tf

from recu_tf import data as known_data
from recu_tf import models, runs
from recu_tf.choices import APPROX_SIGN, BINARY, OWN
from recu_tf.data import Normalization, OwnImages
from recu_tf.pixel_scaling import (
    PIXELS,
    check_normalization,
    make_identity_normalization,
    scales_pixels,
)
from recu_tf.settings import Settings
from recu_tf.training.own_model import (
    check_own_model,
    describe_architecture,
    list_names,
    rename_layers,
)

__all__ = ["Own", "check_same_own", "find_normalization", "read_own"]


@dataclass(frozen=True)
class Own:
    """What the caller brings along, checked.

    Attributes:
        model: to train, which stays unchanged; None where the settings name it.
        images: to train on; None where the settings name the data set.
        normalization: that the images have; None if it is not known.
    """

    model: tf.keras.Model | None = None
    images: OwnImages | None = None
    normalization: Normalization | None = None

    def describe(self) -> dict | None:
        """What a training that resumes has to bring along again, of JSON's types."""
        found = {}
        if self.model is not None:
            found["architecture"] = describe_architecture(self.model)
            found["names"] = list_names(self.model)
        if self.images is not None:
            found["images"] = self.images.describe()
        return found or None


def read_own(
    settings: Settings,
    *,
    model: tf.keras.Model | None = None,
    data: object = None,
    class_names: Sequence[str] | None = None,
    normalization: Normalization | Literal["pixels"] | None = None,
) -> tuple[Settings, Own]:
    """Checks what the caller brings along, before any work.

    Args:
        settings: of the training.
        model: see `recu_tf.training.train`, like all that follow.
        data: (training, validation).
        class_names: of `data`.
        normalization: of `data`.

    Returns:
        The settings, which say "own" where they named what is brought along, and what is.

    Raises:
        ValueError: something cannot be used, is missing, or does not fit the rest.
    """
    for name, given, setting in (("model", model, "model"), ("data", data, "dataset")):
        if given is None and getattr(settings, setting) == OWN:
            raise ValueError(
                f"`{name}` must be given, in Python, to recu_tf.training.train: the settings are "
                f"those of a training with {'a model' if name == 'model' else 'images'} of your "
                "own."
            )
    if data is None:
        for name, given in (("class_names", class_names), ("normalization", normalization)):
            if given is not None:
                raise ValueError(f"`{name}` is of `data`, which was not given.")
    if model is not None:
        check_own_model(model)
        settings = _name_own(
            settings,
            "model",
            precision="float32",
            sync_batch_norm=False,
            batch_norm_gamma=None,
            batch_norm_momentum=None,
            network_precision=BINARY,
            input_quantizer=APPROX_SIGN,
        )
        if data is None and scales_pixels(model):
            raise ValueError(
                f"`model` must take the images of {settings.dataset} as they are, normalised: it "
                "has a layer that scales pixels. `data` may hold pixels."
            )
    images = None
    if data is not None:
        settings = _name_own(settings, "dataset", data_path=None, skip_broken=False)
        images = known_data.read_own_images(
            data,
            image_shape=None if model is None else tuple(model.input_shape[1:]),
            num_classes=None if model is None else model.output_shape[-1],
            class_names=class_names,
        )
        if model is None:
            _check_network(settings, images.image_shape)
        if settings.validation_split:
            images = images.hold_out(settings.validation_split)
        normalization = _read_normalization(normalization, images.image_shape[-1])
    return settings, Own(model, images, normalization)


def _name_own(settings: Settings, name: str, **required: object) -> Settings:
    """Settings that name the caller's own, if the others have the values that this requires."""
    for other, value in required.items():
        if getattr(settings, other) != value:
            raise ValueError(
                f"`{other}` must be {value} with {'`model`' if name == 'model' else '`data`'}, "
                f"got {getattr(settings, other)!r}: {REASONS[other]}."
            )
    return replace(settings, **{name: OWN})


REASONS = {
    "precision": "a model keeps the precision of each layer that it was built with",
    "sync_batch_norm": "a model keeps its batch norms, which tf.keras.layers.BatchNormalization "
    "synchronizes if it is built with synchronized=True",
    "batch_norm_gamma": "a model keeps its weights",
    "batch_norm_momentum": "a model keeps its batch norms",
    "network_precision": "a model keeps its convolutions",
    "input_quantizer": "a model keeps its quantizers",
    "data_path": "that is where a named data set lies",
    "skip_broken": "that is for files of a named data set; .ignore_errors() leaves elements out",
}


def _check_network(settings: Settings, shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise ValueError(
            f"`data` must have images (height, width, channels) for {settings.model}, got {shape}."
        )
    models.check_name(settings.model, OWN, shape, argument="model")


def _read_normalization(
    normalization: Normalization | Literal["pixels"] | None, channels: int
) -> Normalization | None:
    if normalization == PIXELS:
        return make_identity_normalization(channels)
    if normalization is None:
        return None
    if not isinstance(normalization, Normalization):
        raise ValueError(
            f'`normalization` must be a Normalization, "{PIXELS}" or None, got {normalization!r}.'
        )
    check_normalization(normalization, channels)
    return normalization


def find_normalization(settings: Settings, own: Own) -> Normalization | None:
    """The normalisation of the images of a training; None if it is not known."""
    if own.images is not None:
        return own.normalization
    return known_data.DATASETS[settings.dataset].normalization


def check_same_own(run: runs.Run, own: Own) -> Own:
    """Refuses to resume with another model or other images than those the run began with.

    Returns:
        What the caller brings along, with the names of layers that the model of the run has, by
        which its metrics and checkpoints call them.

    Raises:
        ValueError: the layers of the model differ, or images or labels do.
    """
    kept, found = run.config.get("own") or {}, own.describe() or {}
    if kept.get("architecture") != found.get("architecture"):
        raise ValueError(
            f"`model` must be built as the one that {run.path} began with, got one of other layers."
        )
    images, own_images = kept.get("images") or {}, found.get("images") or {}
    differing = [name for name in images if images[name] != own_images.get(name)]
    if differing:
        raise ValueError(
            f"`data` must be the images that {run.path} began with, got other "
            f"{' and '.join(differing)} images."
        )
    return own if own.model is None else replace(own, model=rename_layers(own.model, kept["names"]))
