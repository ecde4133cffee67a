"""The training and validation images that the caller of a training brings along."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import tensorflow as tf

from recu_tf.data.held_out import choose_held_out
from recu_tf.data.own.array_pairs import (
    ArrayPair,
    make_array_batches,
    make_array_evaluation,
    read_pair,
)
from recu_tf.data.own.streamed_batches import (
    StreamedSet,
    check_batches,
    count_batches,
    take_batches,
)
from recu_tf.data.training_images import TrainingSet

__all__ = ["OwnImages", "read_own_images"]


@dataclass(frozen=True)
class OwnImages:
    """Images of the caller, checked.

    Attributes:
        parts: by name, "training", "validation" and with held-out images "test": arrays of images
            (count, ...) with their labels (count,), or batches of such.
        image_shape: of an image, without the batch.
        num_classes: of the labels.
        class_names: in the order of the labels; None where the classes have no names.
    """

    parts: dict[str, ArrayPair | tf.data.Dataset]
    image_shape: tuple[int, ...]
    num_classes: int
    class_names: tuple[str, ...] | None

    def hold_out(self, share: float) -> "OwnImages":
        """Takes a share of the training images to choose the best epoch on.

        The validation images become the test images.

        Args:
            share: see `recu_tf.data.held_out.choose_held_out`.

        Raises:
            ValueError: the training images are no arrays, or none would be held out.
        """
        training = self.parts["training"]
        if not isinstance(training, ArrayPair):
            raise ValueError(
                "`validation_split` must be 0 for batches of your own, which can be divided with "
                f".take and .skip, got {share}."
            )
        held_out = choose_held_out(training.labels, share)
        parts = {
            "training": training.select(~held_out),
            "validation": training.select(held_out),
            "test": self.parts["validation"],
        }
        return replace(self, parts=parts)

    def make_training_set(self) -> TrainingSet | StreamedSet:
        """The training images; those in arrays are shuffled, and none are augmented.

        Raises:
            ValueError: they come in batches whose number is not known.
        """
        training, names = self.parts["training"], self.class_names
        if isinstance(training, ArrayPair):
            make_batches = partial(make_array_batches, training)
            return TrainingSet(len(training.labels), self.num_classes, names, make_batches)
        number = count_batches(training, "training")
        return StreamedSet(training, self.image_shape, self.num_classes, names, number)

    def make_evaluation_set(self, name: str, batch_size: int) -> tuple[tf.data.Dataset, int | None]:
        """A part in batches, each image once, and the number of its images where it is known.

        Args:
            name: of the part, "validation" or "test".
            batch_size: images per batch of arrays; batches of the caller stay as they are.

        Returns:
            A data set of float32 images (batch, ...) and int64 labels (batch,), and the number.
        """
        part = self.parts[name]
        if isinstance(part, ArrayPair):
            return make_array_evaluation(part, batch_size), len(part.labels)
        return take_batches(part, self.image_shape, self.num_classes), None

    def describe(self) -> dict:
        """What tells these images from others, of JSON's types: for arrays, all of their values."""
        return {name: _describe(part, name) for name, part in self.parts.items()}


def _describe(part: ArrayPair | tf.data.Dataset, name: str) -> dict:
    if isinstance(part, ArrayPair):
        return part.describe()
    specs = [f"{spec.dtype.name} {tuple(spec.shape)}" for spec in part.element_spec]
    return {"batches": count_batches(part, name), "of": specs}


def read_own_images(
    data: object,
    *,
    image_shape: tuple[int, ...] | None = None,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> OwnImages:
    """Checks images of the caller before any work.

    Args:
        data: (training, validation), each a `tf.data.Dataset` of batches of (images, labels), or
            arrays (images, labels). Images are numbers (count, ...), uint8 or of any type that
            float32 can stand for; labels are integers from 0 or one-hot.
        image_shape: that the network takes; None means that of the images.
        num_classes: of the network; None means that of the labels.
        class_names: in the order of the labels; None means those that the training data set has
            as `class_names`, as `tf.keras.utils.image_dataset_from_directory` gives them.

    Raises:
        ValueError: they are no such images or labels, do not fit the network, or have no known end.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(
            f"`data` must be (training, validation), two of them, got {type(data).__name__}"
            f"{f' of {len(data)}' if isinstance(data, tuple | list) else ''}."
        )
    parts, shapes, counts = {}, {}, {}
    for name, given in zip(("training", "validation"), data, strict=True):
        if isinstance(given, tf.data.Dataset):
            shapes[name], counts[name] = check_batches(given, name)
            count_batches(given, name)
            parts[name] = given
        else:
            parts[name] = read_pair(given, name)
            shapes[name] = parts[name].images.shape[1:]
            counts[name] = parts[name].num_classes
    if class_names is None:
        class_names = getattr(data[0], "class_names", None)
    if isinstance(class_names, str):
        raise ValueError(f"`class_names` must be a list of names, got {class_names!r}.")
    names = None if class_names is None else tuple(map(str, class_names))
    if names is not None and len(set(names)) < len(names):
        raise ValueError(f"`class_names` must differ, got {', '.join(names)}.")
    image_shape = _choose_shape(image_shape, shapes)
    num_classes = _choose_classes(num_classes, counts, names)
    if names is not None and len(names) != num_classes:
        raise ValueError(
            f"`class_names` must hold a name for each of {num_classes} classes, got {len(names)}."
        )
    for name, part in parts.items():
        if isinstance(part, ArrayPair):
            part.check_labels(num_classes, name)
        else:
            _check_first_batch(part, name, image_shape, num_classes)
    return OwnImages(parts, image_shape, num_classes, names)


def _choose_shape(
    wanted: tuple[int, ...] | None, found: dict[str, tuple[int | None, ...]]
) -> tuple[int, ...]:
    """The shape of the images, where all agree."""
    if wanted is None:
        wanted = next((shape for shape in found.values() if None not in shape), None)
        if wanted is None:
            raise ValueError(
                "`data` must have images of a known size, or `model` must be given, got images of "
                f"shape {found['training']}."
            )
    for name, shape in found.items():
        fits = len(shape) == len(wanted) and all(
            size in (None, right) for size, right in zip(shape, wanted, strict=True)
        )
        if not fits:
            raise ValueError(
                f"`data` must have images of shape {tuple(wanted)}, got {name} images of shape "
                f"{tuple(shape)}."
            )
    return tuple(wanted)


def _choose_classes(
    wanted: int | None, found: dict[str, int | None], names: tuple[str, ...] | None
) -> int:
    """The number of classes, by the network, by their names or by the labels."""
    if wanted is None:
        known = [count for count in found.values() if count is not None]
        if names is None and not known:
            raise ValueError(
                "`data` must have one-hot labels, or `class_names` or `model` must be given: the "
                "number of classes is not known before all labels are read."
            )
        wanted = max(known) if names is None else len(names)
    if wanted < 2:
        raise ValueError(f"`data` must have two classes or more, got {wanted}.")
    return wanted


def _check_first_batch(
    batches: tf.data.Dataset, name: str, image_shape: tuple[int, ...], num_classes: int
) -> None:
    width = batches.element_spec[1].shape[1:]
    if width.rank and width[0] not in (1, num_classes):
        raise ValueError(
            f"`data` must have one-hot labels of {num_classes} classes, got {name} labels of "
            f"{width[0]}."
        )
    for images, labels in batches.take(1):
        if tuple(images.shape[1:]) != image_shape:
            raise ValueError(
                f"`data` must have images of shape {image_shape}, got {name} images of shape "
                f"{tuple(images.shape[1:])}."
            )
        if width.rank == 0 or width[0] == 1:
            least, most = int(tf.reduce_min(labels)), int(tf.reduce_max(labels))
            if least < 0 or most >= num_classes:
                raise ValueError(
                    f"`data` must have labels from 0 to {num_classes - 1}, the classes, got {name} "
                    f"labels from {least} to {most}."
                )
