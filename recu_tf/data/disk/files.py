"""Images that stay on disk until they are needed: ImageNet, Tiny-ImageNet, folders.

What an operating system or a tool puts beside images (names that begin with a dot, `__MACOSX`) is
passed over; whatever else is no image that TensorFlow decodes is left out, counted and named by its
suffix in a warning.
"""

import os
import warnings
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

__all__ = ["ImageFiles", "flat_or_class_files", "folder_files", "tiny_imagenet_files"]

SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".gif")
# Of images too, but TensorFlow does not decode them.
NOT_DECODED = (".webp", ".tiff", ".tif", ".heic", ".avif")
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test")}


class ImageFiles(NamedTuple):
    """Image files with their labels.

    Attributes:
        paths: of the files.
        labels: of each, an index into `class_names`.
        class_names: in alphabetical order, as everywhere else.
    """

    paths: list[str]
    labels: list[int]
    class_names: tuple[str, ...]


def _hidden(name: str) -> bool:
    """Whether an entry is not the user's: `.ipynb_checkpoints`, `._0.jpg`, `__MACOSX`."""
    return name.startswith(".") or name == "__MACOSX"


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"`data_path` must hold the folder {folder}, which does not exist.")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path.name))
    if not found:
        raise FileNotFoundError(
            f"{folder} must hold a folder of images for each class; it has none."
        )
    return found


def _listed(kinds: Counter) -> str:
    """What was left out, the most frequent first: `12 .webp, 1 folder`."""
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _kind(entry: os.DirEntry) -> str:
    return "folder" if entry.is_dir() else Path(entry.name).suffix.lower() or "without a suffix"


def _images(folder: Path, left_out: Counter) -> list[str]:
    """The images of a folder; what is none is counted by its suffix."""
    images, others = [], Counter()
    # No Path for each of a million images: it takes many times as long.
    with os.scandir(folder) if folder.is_dir() else nullcontext(()) as entries:
        for entry in entries:
            if _hidden(entry.name):
                continue
            if entry.name.lower().endswith(SUFFIXES) and not entry.is_dir():
                images.append(entry.name)
            else:
                others[_kind(entry)] += 1
    if not images:
        raise FileNotFoundError(
            f"{folder} must hold images ({', '.join(SUFFIXES)}); it has "
            + (f"only {_listed(others)}." if others else "none.")
        )
    left_out += others
    return [os.path.join(folder, name) for name in sorted(images)]


def _images_of_all(folder: Path, folders: list[Path]) -> list[list[str]]:
    """The images of each folder, with one warning about all that was left out."""
    # Beside the folders, images alone would be missed: lists and notes belong there.
    with os.scandir(folder) as entries:
        beside = [
            entry
            for entry in entries
            if entry.name.lower().endswith(SUFFIXES + NOT_DECODED)
            and not (_hidden(entry.name) or entry.is_dir())
        ]
    left_out = Counter(map(_kind, beside))
    files = [_images(path, left_out) for path in folders]
    if left_out:
        warnings.warn(
            f"{folder}: left out {_listed(left_out)}; images are {', '.join(SUFFIXES)} here, in "
            "the folder of their class.",
            stacklevel=3,
        )
    return files


def folder_files(split: str, data_path: str | None) -> ImageFiles:
    """Lists images that lie in one folder per class.

    Entries that are no images TensorFlow decodes (`.webp` and `.tiff` among them) are left out with
    a warning that counts them by their suffixes; hidden ones are passed over.

    Args:
        split: "train" (the folder `train`) or "test" (`val`, or else `test`).
        data_path: the folder that holds these.

    Returns:
        The files; the classes are the names of the folders in `train`, or, where that does not
        exist, of those in the test split.

    Raises:
        FileNotFoundError: a folder is missing or empty, or a class of the test split is not in
            `train`.
    """
    if data_path is None:
        raise FileNotFoundError("`data_path` must name a folder of images, and was not given.")
    names = SPLIT_FOLDERS[split]
    root = Path(data_path)
    folder = next((root / name for name in names if (root / name).is_dir()), root / names[0])
    folders = _subfolders(folder)
    files = _images_of_all(folder, folders)
    classes = tuple(path.name for path in folders)
    if split == "test" and (root / "train").is_dir():
        classes = tuple(path.name for path in _subfolders(root / "train"))
        for path in folders:
            if path.name not in classes:
                raise FileNotFoundError(f"{path} is a class that {root / 'train'} must hold too.")
        missing = sorted(set(classes) - {path.name for path in folders})
        if missing:
            warnings.warn(f"{folder} has no images of {', '.join(missing[:5])}.", stacklevel=2)
    return ImageFiles(
        [path for images in files for path in images],
        [
            classes.index(path.name)
            for path, images in zip(folders, files, strict=True)
            for _ in images
        ],
        classes,
    )


def flat_or_class_files(folder: str | os.PathLike) -> ImageFiles:
    """Lists the images of one folder: those in a folder for each class, or else its own.

    What is no image is treated as by `folder_files`.

    Args:
        folder: that holds them.

    Returns:
        The files; where no folders are in it, there are no labels and no class names.

    Raises:
        NotADirectoryError: there is no such folder.
        FileNotFoundError: it, or a folder in it, holds no images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} must be a folder of images, and is none.")
    if not any(path.is_dir() and not _hidden(path.name) for path in folder.iterdir()):
        left_out = Counter()
        images = _images(folder, left_out)
        if left_out:
            warnings.warn(
                f"{folder}: left out {_listed(left_out)}; images are {', '.join(SUFFIXES)} here.",
                stacklevel=2,
            )
        return ImageFiles(images, [], ())
    folders = _subfolders(folder)
    files = _images_of_all(folder, folders)
    labels = [label for label, images in enumerate(files) for _ in images]
    names = tuple(path.name for path in folders)
    return ImageFiles([path for images in files for path in images], labels, names)


def tiny_imagenet_files(split: str, data_path: str | None) -> ImageFiles:
    """Lists the images of Tiny-ImageNet where its archive was unpacked, sorted as it came.

    Args:
        split: "train" (100,000 images) or "test" (its 10,000 for validation; those it calls test
            have no labels).
        data_path: the folder that holds `train` and `val`, or the one around it, which the
            published loader takes, if it is called as the archive calls it. In `val` the images may
            also lie in one folder per class.

    Returns:
        The files; the classes are WordNet's numbers.

    Raises:
        FileNotFoundError: something is not where it should be.
        ValueError: a line of `val_annotations.txt` cannot be read.
    """
    if data_path is None:
        raise FileNotFoundError(
            "`data_path` must name the folder of Tiny-ImageNet, and was not given."
        )
    root = Path(data_path)
    if (root / "tiny-imagenet-200").is_dir():
        root = root / "tiny-imagenet-200"
    classes = tuple(path.name for path in _subfolders(root / "train"))
    if split == "train" and not (root / "train" / classes[0] / "images").is_dir():
        raise FileNotFoundError(
            f"`data_path` must hold Tiny-ImageNet as its archive unpacks it, with the folder "
            f"{root / 'train' / classes[0] / 'images'}; other images are the data set folder."
        )
    if split == "train":
        folders = [root / "train" / name / "images" for name in classes]
        files = _images_of_all(root / "train", folders)
        labels = [label for label, images in enumerate(files) for _ in images]
        return ImageFiles([path for images in files for path in images], labels, classes)
    if (root / "val" / classes[0]).is_dir():
        return folder_files("test", str(root))
    annotations = root / "val" / "val_annotations.txt"
    if not annotations.is_file():
        raise FileNotFoundError(f"`data_path` must hold {annotations}, which does not exist.")
    index = {name: label for label, name in enumerate(classes)}
    paths, labels = [], []
    for number, line in enumerate(annotations.read_text("utf-8", "replace").splitlines(), start=1):
        name, label, *_ = (*line.split("\t"), "", "")
        if label not in index:
            raise ValueError(
                f"{annotations}, line {number}, must name a file and a class, got {line!r}."
            )
        paths.append(str(root / "val" / "images" / name))
        labels.append(index[label])
    if not paths:
        raise ValueError(f"{annotations} must name the test images; it names none.")
    return ImageFiles(paths, labels, classes)
