"""Says what is in images: python predict.py IMAGE [IMAGE ...]

It stands in the folder that `recu export` writes, and all that it knows of the network is in
`model.json` beside it. It needs Python 3.10 to 3.12 and

    pip install "larq-compute-engine>=0.16,<0.17" "numpy>=1.26,<2" pillow

but neither TensorFlow nor the project that wrote the folder.
"""

import argparse
import hashlib
import importlib
import importlib.util
import json
import platform
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

INSTALL = 'pip install "larq-compute-engine>=0.16,<0.17" "numpy>=1.26,<2" pillow'
ELSEWHERE = (
    "run model.tflite there with the engine's C++ library, see "
    "https://docs.larq.dev/compute-engine/build/, or this script on an x86-64 computer"
)

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as error:
    print(f"predict.py: error: {error.name} is missing: {INSTALL}", file=sys.stderr)
    raise SystemExit(2) from None

ENGINE = "larq_compute_engine"
FORMAT = 1
ARM = ("aarch64", "arm64")
HAVE_WHEELS = ("x86_64", "AMD64", "arm64")  # arm64 is a Mac; on Linux it is aarch64
MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of channels
# Not all that Pillow knows: for some it starts other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


class Refused(Exception):
    """What is wrong, in one line for the user."""


def read_network(path: Path) -> SimpleNamespace:
    """Reads what `model.json` says of the network.

    Raises:
        Refused: it cannot be read, is of another format, or lacks something.
    """
    try:
        told = json.loads(path.read_text("utf-8"))
        if told["format"] != FORMAT:
            raise Refused(f"{path} must have format {FORMAT}, got {told['format']!r}")
        network = SimpleNamespace(
            **{key: told["input"][key] for key in ("type", "values", "mean", "std", "resize")},
            shape=tuple(told["input"]["shape"]),
            outputs=tuple(told["output"]["shape"]),
            kind=told["output"]["kind"],
            class_names=told["class_names"],
            sha256=told["files"]["model.tflite"],
        )
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{path} is damaged: {type(error).__name__} {error}") from None
    if network.values not in ("normalized", "pixels"):
        raise Refused(
            "it is not known which numbers the network takes: put into model.json, under `input`, "
            '`"values": "pixels"` for 0 to 255 as they are, or `"values": "normalized"` with '
            "`mean` and `std` of each channel on a scale from 0 to 1"
        )
    if network.shape[-1] not in MODES:
        raise Refused(f"the network takes {network.shape[-1]} channels, and images have 1 or 3")
    if len(network.outputs) != 2 or network.outputs[1] < 2:
        raise Refused(f"the network gives values of shape {network.outputs}, which are no classes")
    return network


def opened(path: Path, channels: int) -> Image.Image:
    """Opens an image upright as its camera was held, with 8 bits for each of 1 or 3 channels.

    Transparency is left out; of 16 bits the upper 8 are taken.

    Raises:
        Refused: there is no such file, or no image that Pillow can read.
    """
    try:
        with warnings.catch_warnings():
            # Of images that are large and can be read; larger ones are refused.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
        with image:
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith(("I", "F")):
                values = np.asarray(image)
                if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
                    raise ValueError("its values are not those of 8 or 16 bits")
                image = Image.fromarray((values >> 8).astype(np.uint8))
            return image.convert(MODES[channels])
    except Exception as error:  # Pillow's readers have many of their own
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise Refused(f"{path} cannot be read as an image: {reason}") from None


def resized(image: Image.Image, resize: dict) -> Image.Image:
    """Resizes an image as the network's test images were, bilinear and antialiased.

    Args:
        image: of any size.
        resize: {"exact": [height, width]}, or {"shorter_side": side, "crop": [height, width]}
            for the middle of the image with its shorter side resized to that.
    """
    if "exact" in resize:
        height, width = resize["exact"]
        return image.resize((width, height), Image.Resampling.BILINEAR)
    shorter = min(image.size)
    box = []
    for old, length in zip(image.size, reversed(resize["crop"]), strict=True):
        new = old * resize["shorter_side"] // shorter
        first = round((new - length) / 2)
        box.append((length, first * old / new, (first + length) * old / new))
    # Only what is kept is resized: the whole of a long strip could be too large for memory.
    (width, left, right), (height, top, bottom) = box
    size, kept = (width, height), (left, top, right, bottom)
    return image.resize(size, Image.Resampling.BILINEAR, box=kept)


def prepared(path: Path, network: SimpleNamespace) -> np.ndarray:
    """What the network takes of an image: (height, width, channels), of its type.

    Raises:
        Refused: as `opened` does.
    """
    _, height, width, channels = network.shape
    image = resized(opened(path, channels), network.resize)
    pixels = np.asarray(image).reshape(height, width, channels)
    if network.values == "pixels":
        return pixels.astype(network.type)
    factor = (1 / (255 * np.array(network.std))).astype(np.float32)
    shift = (np.array(network.mean) / network.std).astype(np.float32)
    return pixels.astype(np.float32) * factor - shift


def load_engine(path: Path, network: SimpleNamespace, threads: int):
    """The interpreter of Larq Compute Engine with the network in it.

    Raises:
        Refused: the file is not the one that was proved, or the engine is missing or refuses it.
    """
    try:
        flatbuffer = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    # The engine takes files on trust, and crashes on damaged ones.
    if hashlib.sha256(flatbuffer).hexdigest() != network.sha256:
        raise Refused(f"{path} is damaged or another file: its SHA-256 is not that of model.json")
    interpreter_class = load_interpreter_class()
    # The fast one: "optimized", the default, has assembly for 64-bit ARM only.
    kernel = {} if platform.machine() in ARM else {"use_indirect_bgemm": True}
    try:
        engine = interpreter_class(flatbuffer, num_threads=threads, **kernel).interpreter
    except (RuntimeError, ValueError) as error:
        raise Refused(f"{path} cannot be run: {' '.join(str(error).split())}") from None
    found = tuple(engine.input_shapes[0]), np.dtype(engine.input_types[0]).name
    if found != (network.shape, network.type):
        raise Refused(f"{path} takes {found}, not {(network.shape, network.type)} of model.json")
    return engine


def load_interpreter_class() -> type:
    """Imports the engine's interpreter.

    Raises:
        Refused: it is not installed, with what to do about that here.
    """
    spec = importlib.util.find_spec(ENGINE)
    if spec is None:
        machine = platform.machine()
        if machine not in HAVE_WHEELS:
            raise Refused(f"larq-compute-engine has no wheel for {machine}: {ELSEWHERE}")
        raise Refused(f"larq-compute-engine is missing: {INSTALL}")
    if ENGINE not in sys.modules:
        # An empty package in the place of the engine's own, which loads TensorFlow.
        parent = ModuleType(ENGINE)
        parent.__path__ = list(spec.submodule_search_locations)
        sys.modules[ENGINE] = parent
    try:
        module = importlib.import_module(f"{ENGINE}.tflite.python.interpreter")
        # What that one leaves to its first use.
        importlib.import_module(f"{ENGINE}.tflite.python.interpreter_wrapper_lite")
    except ImportError as error:
        raise Refused(f"larq-compute-engine cannot be loaded ({error}): {INSTALL}") from None
    return module.Interpreter


def probabilities(outputs: np.ndarray, kind: str) -> np.ndarray:
    """Of the classes (images, classes), from logits or from what are probabilities already."""
    outputs = outputs.astype(np.float64)
    if kind == "probabilities":
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predict(paths: list[Path], folder: Path, top: int, threads: int) -> None:
    """Prints the likeliest classes of each image.

    Raises:
        Refused: an image, or something in the folder, cannot be used.
    """
    network = read_network(folder / "model.json")
    for path in paths:
        if not path.is_file():
            raise Refused(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    engine = load_engine(folder / "model.tflite", network, threads)
    size = network.shape[0]
    for start in range(0, len(paths), size):
        some = paths[start : start + size]
        images = np.zeros(network.shape, network.type)
        for place, path in enumerate(some):
            images[place] = prepared(path, network)
        found = probabilities(engine.predict([images])[0][: len(some)], network.kind)
        for path, row in zip(some, found, strict=True):
            print(path)
            for number in np.argsort(-row, kind="stable")[:top]:
                name = network.class_names[number] if network.class_names else number
                print(f"  {row[number]:7.2%}  {name}")


def _from_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {number}")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns its exit code: 0, or 2 for a mistake, told in one line."""
    parser = argparse.ArgumentParser(prog="predict.py", description="Says what is in images.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--top", type=_from_one, default=5, help="classes to print (%(default)s)")
    parser.add_argument("--threads", type=_from_one, default=1, help="of the engine (%(default)s)")
    given = parser.parse_args(arguments)
    # A name in letters that the terminal lacks is no reason to fail.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        predict(given.images, Path(__file__).resolve().parent, given.top, given.threads)
    except Refused as refused:
        print(f"predict.py: error: {refused}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
