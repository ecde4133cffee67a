"""Lists the image files of ImageNet, Tiny-ImageNet and folders of images.

Files of operating systems and tools (names that begin with a dot, `__MACOSX`) are ignored. All
other files that TensorFlow cannot decode are left out, and a warning counts them by suffix.
"""

import os
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

__all__ = ["ImageFiles", "list_folder_files", "list_image_files", "list_tiny_imagenet_files"]

SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".gif")
# Image formats that TensorFlow does not decode.
NOT_DECODED = (".webp", ".tiff", ".tif", ".heic", ".avif")
SPLIT_FOLDERS = {"train": ("train",), "test": ("val", "test")}


class ImageFiles(NamedTuple):
    """Image files with their labels.

    Attributes:
        paths: of the files.
        labels: for each file, an index into `class_names`.
        class_names: in alphabetical order.
    """

    paths: list[str]
    labels: list[int]
    class_names: tuple[str, ...]

    def select(self, rows: Iterable[int]) -> "ImageFiles":
        """Some of the files, with the classes of all."""
        paths, labels = zip(*((self.paths[row], self.labels[row]) for row in rows), strict=True)
        return ImageFiles(list(paths), list(labels), self.class_names)


def _is_hidden(name: str) -> bool:
    """Whether a tool made an entry, not the user: `.ipynb_checkpoints`, `._0.jpg`, `__MACOSX`."""
    return name.startswith(".") or name == "__MACOSX"


def _list_subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"`data_path` must hold the folder {folder}, which does not exist.")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name))
    if not found:
        raise FileNotFoundError(
            f"{folder} must hold a folder of images for each class; it has no folders."
        )
    return found


def _format_counts(kinds: Counter) -> str:
    """What was left out, the most frequent first: `12 .webp, 1 folder`."""
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _get_kind(entry: os.DirEntry) -> str:
    return "folder" if entry.is_dir() else Path(entry.name).suffix.lower() or "without a suffix"


def _list_images(folder: Path, left_out: Counter) -> list[str]:
    """The images of a folder; all other entries are counted in `left_out` by their suffix."""
    images, others = [], Counter()
    # Not a Path for each of a million images: that takes many times as long.
    with os.scandir(folder) if folder.is_dir() else nullcontext(()) as entries:
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            if entry.name.lower().endswith(SUFFIXES) and not entry.is_dir():
                images.append(entry.name)
            else:
                others[_get_kind(entry)] += 1
    if not images:
        raise FileNotFoundError(
            f"{folder} must hold images ({', '.join(SUFFIXES)}); it has "
            + (f"only {_format_counts(others)}." if others else "none.")
        )
    left_out += others
    return [os.path.join(folder, name) for name in sorted(images)]


def _list_images_of_each(folder: Path, folders: list[Path]) -> list[list[str]]:
    """The images of each folder, with a single warning about everything that was left out."""
    # Of files beside the class folders only images are counted: lists and notes belong there.
    with os.scandir(folder) as entries:
        beside = [
            entry
            for entry in entries
            if entry.name.lower().endswith(SUFFIXES + NOT_DECODED)
            and not (_is_hidden(entry.name) or entry.is_dir())
        ]
    left_out = Counter(map(_get_kind, beside))
    files = [_list_images(path, left_out) for path in folders]
    if left_out:
        warnings.warn(
            f"{folder}: left out {_format_counts(left_out)}; images must be "
            f"{', '.join(SUFFIXES)}, in the folder of their class.",
            stacklevel=3,
        )
    return files


def _collect(
    files: list[list[str]], labels: Iterable[int], class_names: tuple[str, ...]
) -> ImageFiles:
    """The images of all folders in one list, each with the label of its folder."""
    pairs = list(zip(files, labels, strict=True))
    return ImageFiles(
        [path for images, _ in pairs for path in images],
        [label for images, label in pairs for _ in images],
        class_names,
    )


def list_folder_files(split: str, data_path: str | None) -> ImageFiles:
    """Lists the images of a data set with a folder for each class.

    Entries that TensorFlow cannot decode as images (also `.webp` and `.tiff`) are left out with a
    warning that counts them by suffix; hidden entries are ignored.

    Args:
        split: "train" (the folder `train`) or "test" (`val`, or else `test`).
        data_path: the folder that holds these folders.

    Returns:
        The files; the classes are the names of the folders in `train`, or in the test split if
        there is no `train`.

    Raises:
        FileNotFoundError: a folder is missing or empty, or a class of the test split is not in
            `train`.
    """
    if data_path is None:
        raise FileNotFoundError("`data_path` must name a folder of images, got None.")
    names = SPLIT_FOLDERS[split]
    root = Path(data_path)
    folder = next((root / name for name in names if (root / name).is_dir()), root / names[0])
    folders = _list_subfolders(folder)
    files = _list_images_of_each(folder, folders)
    classes = tuple(path.name for path in folders)
    if split == "test" and (root / "train").is_dir():
        classes = tuple(path.name for path in _list_subfolders(root / "train"))
        for path in folders:
            if path.name not in classes:
                raise FileNotFoundError(
                    f"{path} is the folder of a class that {root / 'train'} must hold too."
                )
        missing = sorted(set(classes) - {path.name for path in folders})
        if missing:
            warnings.warn(f"{folder} has no images of {', '.join(missing[:5])}.", stacklevel=2)
    return _collect(files, [classes.index(path.name) for path in folders], classes)


def list_image_files(folder: str | os.PathLike) -> ImageFiles:
    """Lists the images of a folder: in a folder for each class, or directly in it.

    Other entries are treated as in `list_folder_files`.

    Args:
        folder: that holds the images or the folders of the classes.

    Returns:
        The files; without class folders there are no labels and no class names.

    Raises:
        NotADirectoryError: there is no such folder.
        FileNotFoundError: the folder, or the folder of a class, holds no images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} must be a folder of images, and is not a folder.")
    if not any(path.is_dir() and not _is_hidden(path.name) for path in folder.iterdir()):
        left_out = Counter()
        images = _list_images(folder, left_out)
        if left_out:
            warnings.warn(
                f"{folder}: left out {_format_counts(left_out)}; images must be "
                f"{', '.join(SUFFIXES)}.",
                stacklevel=2,
            )
        return ImageFiles(images, [], ())
    folders = _list_subfolders(folder)
    files = _list_images_of_each(folder, folders)
    return _collect(files, range(len(folders)), tuple(path.name for path in folders))


def list_tiny_imagenet_files(split: str, data_path: str | None) -> ImageFiles:
    """Lists the images of Tiny-ImageNet, unpacked from its archive.

    Args:
        split: "train" (100,000 images) or "test" (the 10,000 validation images; the images that
            the archive calls test have no labels).
        data_path: the folder that holds `train` and `val`, or its parent, which the published
            loader takes, if the folder has the archive's name, `tiny-imagenet-200`. In `val` the
            images may also be sorted into a folder for each class.

    Returns:
        The files; the class names are WordNet's IDs.

    Raises:
        FileNotFoundError: a folder or the annotations are missing, or a folder holds no images.
        ValueError: a line of `val_annotations.txt` cannot be read.
    """
    if data_path is None:
        raise FileNotFoundError("`data_path` must name the folder of Tiny-ImageNet, got None.")
    root = Path(data_path)
    if (root / "tiny-imagenet-200").is_dir():
        root = root / "tiny-imagenet-200"
    classes = tuple(path.name for path in _list_subfolders(root / "train"))
    if split == "train" and not (root / "train" / classes[0] / "images").is_dir():
        raise FileNotFoundError(
            f"`data_path` must hold Tiny-ImageNet as unpacked from its archive, with the folder "
            f"{root / 'train' / classes[0] / 'images'}; other images are the data set `folder`."
        )
    if split == "train":
        folders = [root / "train" / name / "images" for name in classes]
        files = _list_images_of_each(root / "train", folders)
        return _collect(files, range(len(folders)), classes)
    if (root / "val" / classes[0]).is_dir():
        return list_folder_files("test", str(root))
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
        raise ValueError(f"{annotations} must name the test images; it is empty.")
    return ImageFiles(paths, labels, classes)
