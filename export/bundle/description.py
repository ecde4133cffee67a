"""Describes an export for programs, in `model.json`, and reads that again.

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

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from export.bundle.contents import Bundle
from export.proof import golden
from export.runtime import predict
from recu_tf import json_text

__all__ = ["describe", "find_recorded_network", "is_description", "read_description"]


def describe(bundle: Bundle, created: datetime, hashes: dict[str, str]) -> dict:
    """Describes a bundle, as the contents of `model.json`.

    Args:
        bundle: its contents.
        created: when, in UTC.
        hashes: SHA-256 of each other file, hexadecimal, by name.
    """
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
        "format": predict.FORMAT,
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


def read_description(directory: Path) -> dict:
    """Reads the `model.json` of an export.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, of another format, or lacks what the checks of an export need.
    """
    path = directory / "model.json"
    try:
        description = json_text.parse(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{directory} is not an export: it has no model.json.") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from None
    if not isinstance(description, dict) or description.get("format") != predict.FORMAT:
        raise ValueError(f"{path} must describe an export, in format {predict.FORMAT}.")
    kinds = {"files": dict, "options": dict, "golden": dict | None}
    kinds |= {"source": str | None, "network": str | None, "comparison": dict | None}
    wrong = [name for name, kind in kinds.items() if not isinstance(description.get(name), kind)]
    if wrong:
        raise ValueError(f"{path} is damaged: {', '.join(wrong)} cannot be used.")
    return description


def is_description(path: Path) -> bool:
    """Whether a file describes an export, in whatever format."""
    try:
        description = json_text.parse(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return (
        isinstance(description, dict)
        and {"format", "input", "output", "files"} <= description.keys()
    )


def find_recorded_network(directory: Path, description: dict) -> Path | None:
    """Finds the network that an export was made of.

    Args:
        directory: of the export.
        description: what its model.json holds.

    Returns:
        The path beside the folder that the description names; None if it is not there.
    """
    name = (description.get("network") or "").removeprefix("../")
    if not name or name != Path(name).name:
        return None
    path = directory.resolve().parent / name
    return path if path.exists() else None
