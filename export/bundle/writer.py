"""Writes the folder of an export, which holds all that is needed to use the network elsewhere.

```
model.tflite  the network, for Larq Compute Engine, and with the delegate for LiteRT
labels.txt    a class per line, in the order of the outputs; numbers where they have no names
model.json    a description of the network, for programs
report.html   what was verified and measured, for people
golden.bin    a few inputs and the outputs of the file for them, see `export.proof.golden`; absent
              where they would be too large
predict.py    a small program that runs the network, see `export/runtime/predict.py`
```

`model.json`, in UTF-8:

```
format        1
name          what was exported
created       date and time (UTC, ISO 8601)
input         of the image
              name    one of `inputs`
              shape   [batch, height, width, channels]
              type    "float32" or "uint8"
              values  "pixels": 0 to 255 as they are; "normalized": (pixel / 255 - mean) / std;
                      or "unknown"
              mean    of each channel, on a scale from 0 to 1; null unless normalized
              std     likewise
              resize  {"exact": [height, width]}, or {"shorter_side": side, "crop": [height,
                      width]}: the shorter side resized to that, then the middle; bilinear,
                      antialiased; null where no input is an image
output        the first output that gives classes
              name    one of `outputs`
              shape   [batch, classes]
              kind    "logits" or "probabilities" of classes, or other "values"
inputs        name, shape and type of each, in the order of the file's tensors
outputs       likewise; a size is -1 where it is open
kernels       what was seen to run the file: "delegate" (`export.runtime`, in LiteRT or TensorFlow
              Lite), and backends of the engine, names as in `export.BACKENDS`
class_names   a list, or null
accuracy      keras, file  top-1 from 0 to 1
              images       number of images
              dataset      name of the data set; null for images of a folder
              of the Keras model and of the file; null where the true classes are unknown
options       of the export, by name
versions      of the packages, by name
files         SHA-256 of each other file of the folder, hexadecimal, by name
source        SHA-256 of the network that was exported; null where it is not one file
comparison    what is needed to repeat the comparison with that network
              dataset        name of its data set, or null
              own_images     whether images of a folder were used instead
              normalization  of its images: mean and std, "pixels" for 0 to 255 as they are, or null
network       path of that file as seen from this folder; null where they do not lie side by side
golden        what golden.bin holds, see `export.proof.golden`; null without it
```

Later versions may add keys; programs should ignore those that they do not know.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from export.bundle.contents import Bundle
from export.bundle.page import render_report
from export.proof import golden
from export.runtime import predict
from recu_tf import json_text

__all__ = ["FILES", "FORMAT", "Bundle", "check_free", "restore", "write"]

FORMAT = 1
FILES = ("model.tflite", "labels.txt", "model.json", "report.html", "golden.bin", "predict.py")
SCRIPT = Path(predict.__file__)


def check_free(directory: str | os.PathLike) -> Path:
    """Refuses a path that a bundle cannot have.

    Args:
        directory: of the bundle. An earlier bundle may be there, with nothing else in it.

    Returns:
        The path, absolute and without links.

    Raises:
        FileExistsError: there is something else at the path, or in the earlier bundle.
        OSError: no folder can be made there.
    """
    path = Path(directory).resolve()
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path} is a file; the folder of an export needs another name.")
    names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if names and not _is_description(path / "model.json"):
        raise FileExistsError(f"{path} exists and is not an earlier export; give another name.")
    others = sorted(names - set(FILES))
    if others:
        raise FileExistsError(
            f"{path} holds more than an earlier export, which would be lost: {', '.join(others)}."
        )
    parent = next(folder for folder in path.parents if folder.exists())
    if not parent.is_dir():
        raise NotADirectoryError(f"{path} cannot be made: {parent} is a file.")
    try:
        # Permissions alone do not suffice: nobody can make a folder in /proc.
        os.rmdir(tempfile.mkdtemp(prefix=".", dir=parent))
    except OSError as error:
        raise PermissionError(
            f"{path} cannot be made: {parent} cannot be written to ({error.strerror})."
        ) from error
    return path


def _is_description(path: Path) -> bool:
    try:
        description = json_text.parse(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return (
        isinstance(description, dict)
        and {"format", "input", "output", "files"} <= description.keys()
    )


def write(directory: str | os.PathLike, bundle: Bundle) -> None:
    """Writes a bundle, whole or not at all.

    It is written aside and on disk before it gets its name. An earlier bundle is renamed just
    before that, and deleted after it. Where a process is killed in between, `restore` undoes it.

    Args:
        directory: of the bundle, see `check_free`.
        bundle: its contents.

    Raises:
        FileExistsError: see `check_free`.
        OSError: it cannot be written, the disk is full. What was there still is.
    """
    path = check_free(directory)
    files = _encode_files(bundle)
    aside, earlier = _name_beside(path, "partial"), _name_beside(path, "earlier")
    try:
        restore(path)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, content in files.items():
            with open(aside / name, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync(aside)
        if path.exists():
            os.rename(path, earlier)
        os.rename(aside, path)
        _sync(path.parent)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        restore(path)


def restore(directory: Path) -> None:
    """Puts an earlier bundle back that `write` renamed and could not replace.

    Nothing happens where there is none. An earlier bundle that has been replaced is deleted.

    Args:
        directory: of the bundle; it holds a bundle, is empty or does not exist.

    Raises:
        OSError: the earlier bundle cannot be renamed.
    """
    earlier = _name_beside(directory, "earlier")
    if _is_description(directory / "model.json"):
        # A bundle gets its name only when it is whole.
        shutil.rmtree(earlier, ignore_errors=True)
    elif earlier.exists():
        os.rename(earlier, directory)


def _name_beside(directory: Path, state: str) -> Path:
    return directory.with_name(f".{directory.name}.{state}")


def _sync(directory: Path) -> None:
    # The names in it; those of its files are written with it.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode_files(bundle: Bundle) -> dict[str, bytes]:
    """The contents of each file; `model.json`, which describes the others, comes last."""
    created = datetime.now(timezone.utc).replace(microsecond=0)
    lines = "".join(f"{label}\n" for label in bundle.labels)
    files = {
        "model.tflite": bundle.flatbuffer,
        "labels.txt": lines.encode("utf-8", "replace"),
        "report.html": render_report(bundle, created).encode("utf-8", "replace"),
        "predict.py": SCRIPT.read_bytes(),
    }
    if bundle.golden is not None:
        files[golden.FILE] = golden.encode(bundle.golden)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    description = _describe(bundle, created, hashes)
    return {**files, "model.json": (json.dumps(description, indent=2) + "\n").encode()}


def _describe(bundle: Bundle, created: datetime, hashes: dict[str, str]) -> dict:
    """The contents of `model.json`."""
    verification = bundle.verification
    accuracy = None
    if verification.keras_accuracy is not None:
        accuracy = {
            "keras": verification.keras_accuracy,
            "file": verification.tflite_accuracy,
            "images": verification.images,
            "dataset": None if bundle.own_images else bundle.dataset,
        }
    normalization = bundle.normalization if bundle.values == "normalized" else None
    return {
        "format": FORMAT,
        "name": bundle.name,
        "created": created.isoformat(),
        "input": {
            "name": bundle.image_input.name,
            "shape": list(bundle.input_shape),
            "type": bundle.input_type,
            "values": bundle.values,
            "mean": list(normalization.mean) if normalization else None,
            "std": list(normalization.std) if normalization else None,
            "resize": bundle.resize,
        },
        "output": {
            "name": bundle.main_output.name,
            "shape": list(bundle.output_shape),
            "kind": bundle.output_kind,
        },
        "inputs": [asdict(end) for end in bundle.inputs],
        "outputs": [asdict(end) for end in bundle.outputs],
        "kernels": list(verification.backends),
        "class_names": None if bundle.class_names is None else list(bundle.class_names),
        "accuracy": accuracy,
        "options": dict(bundle.options),
        "versions": dict(bundle.versions),
        "files": hashes,
        "source": bundle.source_sha256,
        "comparison": {
            "dataset": bundle.dataset,
            "own_images": bundle.own_images,
            "normalization": _describe_normalization(bundle),
        },
        "network": bundle.network,
        "golden": bundle.golden and golden.describe(bundle.golden, bundle.file),
    }


def _describe_normalization(bundle: Bundle) -> dict | str | None:
    """The normalisation of the network's images; a file with uint8 input applies it itself."""
    if bundle.normalization is None:
        return "pixels" if bundle.takes_pixels else None
    return {"mean": list(bundle.normalization.mean), "std": list(bundle.normalization.std)}
