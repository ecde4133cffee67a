"""Runs the network of this folder on images: python predict.py IMAGE|FOLDER [...] [--json]

`recu export` writes this script into the folder of an export. It reads what it needs to know of the
network from `model.json` beside it. It needs neither TensorFlow nor the project that wrote the
folder, but an interpreter: LiteRT with the delegate (Python 3.10 to 3.13),

    pip install recu_runtime-*.whl pillow

with the wheel that `make wheel` writes in a clone of recu_tf, or Larq Compute Engine (Python 3.10
to 3.12, x86-64),

    pip install "larq-compute-engine>=0.16,<0.17" "numpy>=1.26,<2" pillow

Where both are installed, LiteRT runs the network, and the engine what the delegate cannot;
--interpreter chooses one. A line on standard error says which one runs.

A folder stands for all images in it and in its subfolders, except hidden ones. Photos are turned
upright according to their EXIF data; training and evaluation do not do that. For an image that
cannot be read, a line is printed on standard error, and the next image follows. The exit code is 0
on success, 1 if an image could not be read or the self-test failed, and 2 for a mistake, which is
reported in one line before the first image.

--json prints a line of JSON for each image instead:

    file     path of the image, as given or as found in a folder
    classes  the most likely classes, as many as --top: number, name (or null) and probability; null
             where the network gives no classes
    outputs  name, shape and values of each output; null for a value that is not finite

--self-test takes no images. It runs the golden sample of the folder and compares the outputs.
"""

import argparse
import hashlib
import importlib
import json
import math
import os
import platform
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

WITH_DELEGATE = "pip install recu_runtime-*.whl pillow"
WITH_ENGINE = 'pip install "larq-compute-engine>=0.16,<0.17" "numpy>=1.26,<2" pillow'
INSTALL = f"{WITH_DELEGATE} (the wheel comes from `make wheel` in recu_tf), or {WITH_ENGINE}"

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as error:
    print(f"predict.py: error: {error.name} is missing: {INSTALL}", file=sys.stderr)
    raise SystemExit(2) from None

FORMAT = 1
MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of channels
# A part of Pillow's formats: for some others it starts other programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MOST_PRINTED = 10  # values of an output that are all printed; of more, a summary


class Refused(Exception):
    """A mistake of the user or a damaged file, described in one line."""


def read_network(path: Path) -> SimpleNamespace:
    """Reads the description of the network in `model.json`.

    Raises:
        Refused: it cannot be read, is of another format, or lacks something.
    """
    try:
        description = json.loads(path.read_text("utf-8"))
        if description["format"] != FORMAT:
            raise Refused(f"{path} must have format {FORMAT}, got {description['format']!r}")
        image, ends = description["input"], description["outputs"]
        network = SimpleNamespace(
            **{key: image[key] for key in ("type", "values", "mean", "std", "resize")},
            shape=_parse_shape(image["shape"]),
            inputs=[(_parse_shape(end["shape"]), end["type"]) for end in description["inputs"]],
            outputs=[(str(end["name"]), _parse_shape(end["shape"])) for end in ends],
            main=[end["name"] for end in ends].index(description["output"]["name"]),
            kind=description["output"]["kind"],
            class_names=description["class_names"],
            sha256=description["files"]["model.tflite"],
            golden=description["golden"],
            golden_sha256=description["files"].get("golden.bin"),
        )
        _check_names(network)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise Refused(f"{path} is damaged: {type(error).__name__} {reason}") from None
    return network


def _parse_shape(sizes: list) -> tuple[int, ...]:
    if not isinstance(sizes, list) or not all(type(size) is int for size in sizes):
        raise ValueError(f"{sizes!r} is no shape")
    return tuple(sizes)


def _check_names(network: SimpleNamespace) -> None:
    if (names := network.class_names) is None:
        return
    _, shape = network.outputs[network.main]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("class_names must be texts")
    classes = shape[-1] if shape else 1
    if len(names) != classes:
        raise ValueError(f"class_names must be {classes}, got {len(names)}")


def check_image(network: SimpleNamespace, path: Path) -> None:
    """Checks that the network takes an image and nothing else, and that its format is known.

    Raises:
        Refused: it takes another input, or `model.json` does not state how to prepare an image.
    """
    if len(network.inputs) != 1:
        raise Refused(
            f"the network takes {len(network.inputs)} inputs, and this script gives it an image "
            "only: run model.tflite in a program of your own; --self-test tests whether it runs"
        )
    if len(network.shape) != 4:
        raise Refused(f"the network takes shape {network.shape}, which is no image")
    if network.shape[-1] not in MODES:
        raise Refused(f"the network takes {network.shape[-1]} channels, and images have 1 or 3")
    if network.values not in ("normalized", "pixels"):
        raise Refused(
            "model.json does not state which values the network takes: add under `input` "
            '`"values": "pixels"` for 0 to 255 as they are, or `"values": "normalized"` with '
            "`mean` and `std` of each channel on a scale from 0 to 1"
        )
    try:
        if network.values == "normalized":
            mean, std = np.array(network.mean, float), np.array(network.std, float)
            if {mean.shape, std.shape} != {network.shape[-1:]} or not (std > 0).all():
                raise ValueError("mean and std must be numbers, one for each channel")
        cropped = "exact" not in network.resize
        size = _parse_shape(network.resize["crop" if cropped else "exact"])
        (shorter,) = _parse_shape([network.resize["shorter_side"]]) if cropped else (max(size),)
        if size != network.shape[1:3] or shorter < max(size):
            raise ValueError("resize must lead to the size of the input")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"{path} is damaged: {error}") from None


def open_image(path: Path, channels: int) -> Image.Image:
    """Opens an image, turns it upright by its EXIF data, and converts it to 8 bits per channel.

    Transparency is dropped; of 16 bits the upper 8 are kept.

    Args:
        path: of the image.
        channels: 1 or 3.

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
                    raise ValueError("its values do not fit into 8 or 16 bits")
                image = Image.fromarray((values >> 8).astype(np.uint8))
            return image.convert(MODES[channels])
    except Exception as error:  # Pillow's readers have many of their own
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise Refused(f"{path} cannot be read as an image: {reason}") from None


def resize_image(image: Image.Image, resize: dict) -> Image.Image:
    """Resizes an image as the network's test images were, bilinear and antialiased.

    Args:
        image: of any size.
        resize: {"exact": [height, width]}, or {"shorter_side": side, "crop": [height, width]}
            to resize the shorter side to `side` and keep the middle.
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
    return image.resize((width, height), Image.Resampling.BILINEAR, (left, top, right, bottom))


def prepare(path: Path, network: SimpleNamespace) -> np.ndarray:
    """Reads an image as an input of the network: (height, width, channels), in the network's dtype.

    Raises:
        Refused: see `open_image`.
    """
    _, height, width, channels = network.shape
    image = resize_image(open_image(path, channels), network.resize)
    pixels = np.asarray(image).reshape(height, width, channels)
    if network.values == "pixels":
        return pixels.astype(network.type)
    factor = (1 / (255 * np.array(network.std))).astype(np.float32)
    shift = (np.array(network.mean) / network.std).astype(np.float32)
    return pixels.astype(np.float32) * factor - shift


def load_interpreter(
    folder: Path, network: SimpleNamespace, threads: int, name: str | None, options: dict | None
) -> SimpleNamespace:
    """Loads the network into an interpreter.

    Args:
        folder: of the export.
        network: of `read_network`.
        threads: number of threads that run the network.
        name: of `INTERPRETERS`; None means the first that can run the file.
        options: of the engine; None means those that are fast on this machine.

    Returns:
        The interpreter's `title`, `inputs` (shape and dtype of each), `outputs` (number of them)
        and `predict`, a function from input arrays to output arrays.

    Raises:
        Refused: the file is not the one that was verified, or no interpreter can run it.
    """
    path = folder / "model.tflite"
    try:
        flatbuffer = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    # The engine does not check files, and crashes on damaged ones.
    if hashlib.sha256(flatbuffer).hexdigest() != network.sha256:
        raise Refused(f"{path} is damaged or another file: its SHA-256 is not that of model.json")
    missing, failed = [], []
    for title, command, load in [INTERPRETERS[name]] if name else INTERPRETERS.values():
        try:
            interpreter = load(flatbuffer, threads, options)
        except ModuleNotFoundError as error:
            missing.append(f"{title} is not installed ({error}): {command}")
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            failed.append(f"{title} cannot run it: {' '.join(str(error).split())}")
        else:
            break
    else:
        raise Refused(f"{path} cannot be run: {'; '.join(failed + missing)}")
    interpreter.title = f"{title} ({failed[0]})" if failed else title
    if interpreter.inputs != network.inputs or (network.shape, network.type) not in network.inputs:
        raise Refused(f"{path} takes {interpreter.inputs}, which differs from model.json")
    if (given := interpreter.outputs) != (described := len(network.outputs)):
        raise Refused(f"{path} gives {given} outputs, model.json describes {described}")
    return interpreter


def load_with_delegate(flatbuffer: bytes, threads: int, _: dict | None) -> SimpleNamespace:
    """Loads a file into LiteRT with the delegate, see `load_interpreter`."""
    importlib.import_module("ai_edge_litert")  # without it, the delegate would load TensorFlow
    alone = find_spec("recu_runtime") or not find_spec("export")
    delegate = import_alone("recu_runtime" if alone else "export.runtime")
    interpreter = delegate.load(flatbuffer, threads)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(arrays: list[np.ndarray]) -> list[np.ndarray]:
        for end, values in zip(inputs, arrays, strict=True):
            interpreter.set_tensor(end["index"], values)
        interpreter.invoke()
        return [interpreter.get_tensor(end["index"]) for end in outputs]

    return SimpleNamespace(
        inputs=[(tuple(end["shape"].tolist()), np.dtype(end["dtype"]).name) for end in inputs],
        outputs=len(outputs),
        predict=predict,
    )


def load_in_engine(flatbuffer: bytes, threads: int, options: dict | None) -> SimpleNamespace:
    """Loads a file into the interpreter of Larq Compute Engine, see `load_interpreter`."""
    module = import_alone("larq_compute_engine.tflite.python.interpreter")
    # The fast one: "optimized", the default, has assembly for 64-bit ARM only.
    if options is None:
        options = {} if platform.machine() in ("aarch64", "arm64") else {"use_indirect_bgemm": True}
    try:
        engine = module.Interpreter(flatbuffer, num_threads=threads, **options).interpreter
    except TypeError:  # the engine counts threads in 32 bits; its message repeats the whole file
        raise ValueError(f"--threads must be fewer, got {threads}") from None
    types = [np.dtype(dtype).name for dtype in engine.input_types]
    return SimpleNamespace(
        inputs=list(zip(map(tuple, engine.input_shapes), types, strict=True)),
        outputs=len(engine.output_shapes),
        predict=engine.predict,
    )


def import_alone(name: str) -> ModuleType:
    """Imports a module of a package without the package's first file, which loads TensorFlow."""
    package = name.partition(".")[0]
    if package != name and package not in sys.modules and (spec := find_spec(package)):
        parent = sys.modules[package] = ModuleType(package)
        parent.__spec__, parent.__path__ = spec, list(spec.submodule_search_locations or ())
    return importlib.import_module(name)


INTERPRETERS = {
    "delegate": ("LiteRT with the delegate", WITH_DELEGATE, load_with_delegate),
    "engine": ("Larq Compute Engine", WITH_ENGINE, load_in_engine),
}


def run(interpreter: SimpleNamespace, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Runs the network once.

    Raises:
        Refused: the interpreter cannot.
    """
    try:
        return [np.asarray(values) for values in interpreter.predict(inputs)]
    except (RuntimeError, ValueError) as error:
        raise Refused(f"the network cannot be run: {' '.join(str(error).split())}") from None


def find_images(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """Finds the images among files and folders; those of a folder are sorted by name.

    Returns:
        The images, and a message for each path that cannot be used.
    """
    files, wrong = [], []
    for path in paths:
        try:
            if path.is_dir():
                found, others = _find_images_within(path, wrong)
                files += found
                if not found:
                    wrong.append(f"{path} is a folder without images")
                elif others:
                    print(f"predict.py: {path}: {others} other files skipped", file=sys.stderr)
            elif path.is_file():
                files.append(path)
            else:
                wrong.append(f"{path} is not a file" if path.exists() else f"{path} does not exist")
        except OSError as error:
            wrong.append(f"{path} cannot be read: {error.strerror}")
    return files, wrong


def _find_images_within(folder: Path, wrong: list[str]) -> tuple[list[Path], int]:
    """The images of a folder, and the number of its other files, without hidden ones."""

    def report_unreadable(error: OSError) -> None:
        wrong.append(f"{error.filename} cannot be read: {error.strerror}")

    found, others = [], 0
    for directory, folders, names in os.walk(folder, onerror=report_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = Path(directory, name)
            # To read from a named pipe, for example, would never end.
            if name.lower().endswith(SUFFIXES) and (path.is_file() or not path.exists()):
                found.append(path)
            else:
                others += 1
    return found, others


def predict(folder: Path, given: argparse.Namespace) -> bool:
    """Prints the outputs of the network for each image.

    Args:
        folder: of the export.
        given: on the command line.

    Returns:
        Whether all images could be read.

    Raises:
        Refused: something in the folder cannot be used.
    """
    network = read_network(folder / "model.json")
    check_image(network, folder / "model.json")
    files, wrong = find_images(given.images)
    interpreter = load_interpreter(folder, network, given.threads, given.interpreter, None)
    print(f"predict.py: {interpreter.title} runs the network", file=sys.stderr)
    for complaint in wrong:
        print(f"predict.py: error: {complaint}", file=sys.stderr)
    size = network.shape[0]
    for start in range(0, len(files), size):
        images, read = np.zeros(network.shape, network.type), []
        for path in files[start : start + size]:
            try:
                images[len(read)] = prepare(path, network)
            except Refused as refused:
                wrong.append(str(refused))
                print(f"predict.py: error: {refused}", file=sys.stderr)
            else:
                read.append(path)
        if not read:
            continue
        outputs = run(interpreter, [images])
        for place, path in enumerate(read):
            # An output without a batch axis belongs to all images.
            own = [values[place] if values.shape[:1] == (size,) else values for values in outputs]
            show = format_json if given.json else format_text
            print(show(path, own, network, given.top), flush=given.json)
    return not wrong


def rank_classes(
    outputs: list[np.ndarray], network: SimpleNamespace, top: int
) -> list[dict] | None:
    """The classes of an image, the most likely first; None where the network gives none."""
    values = outputs[network.main]
    if network.kind not in ("logits", "probabilities") or values.ndim != 1:
        return None
    row, names = values.astype(np.float64), network.class_names
    if network.kind == "logits":
        with np.errstate(all="ignore"):  # outputs that are not finite stay so
            row = np.exp(row - row.max())
            row /= row.sum()
    return [
        {"class": int(at), "name": names[at] if names else None, "probability": float(row[at])}
        for at in np.argsort(-row, kind="stable")[:top]
    ]


def format_text(path: Path, outputs: list[np.ndarray], network: SimpleNamespace, top: int) -> str:
    """Formats the outputs for an image as text: classes, and a summary of other values."""
    lines, classes = [str(path)], rank_classes(outputs, network, top)
    for found in classes or ():
        name = found["class"] if found["name"] is None else found["name"]
        lines.append(f"  {found['probability']:7.2%}  {name}")
    for number, ((name, _), values) in enumerate(zip(network.outputs, outputs, strict=True)):
        if classes is not None and number == network.main:
            continue
        if values.size <= MOST_PRINTED:
            summary = " ".join(f"{value:.6g}" for value in values.ravel())
        else:
            sizes = " x ".join(map(str, values.shape))
            summary = f"{sizes} values, {values.min():.6g} to {values.max():.6g}, mean "
            summary += f"{values.mean():.6g}"
        lines.append(f"  {name}: {summary}")
    return "\n".join(lines)


def format_json(path: Path, outputs: list[np.ndarray], network: SimpleNamespace, top: int) -> str:
    """Formats the outputs for an image as JSON; see the first lines of this file."""
    named = [
        {"name": name, "shape": list(values.shape), "values": _convert_numbers(values)}
        for (name, _), values in zip(network.outputs, outputs, strict=True)
    ]
    classes = rank_classes(outputs, network, top)
    for found in classes or ():
        found["probability"] = _convert_numbers(np.float64(found["probability"]))
    return json.dumps({"file": str(path), "classes": classes, "outputs": named}, allow_nan=False)


def _convert_numbers(values: np.ndarray) -> object:
    """Numbers for JSON, with None for those that are not finite."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values.tolist()
    return np.where(np.isfinite(values), values.astype(object), None).tolist()


def read_golden(folder: Path, network: SimpleNamespace) -> SimpleNamespace:
    """Reads the golden sample of a folder.

    Returns:
        Its `inputs` and `outputs`, arrays (runs, ...), its `tolerances` and `enough`.

    Raises:
        Refused: there is none, or it is damaged.
    """
    description = network.golden
    if description is None:
        raise Refused("the folder holds no golden sample")
    path = folder / "golden.bin"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != network.golden_sha256:
            raise ValueError("its SHA-256 is not that of model.json")
        golden = SimpleNamespace(
            inputs=[_read_array(end, content) for end in description["inputs"]],
            outputs=[_read_array(end, content) for end in description["outputs"]],
            tolerances=[float(end["tolerance"]) for end in description["outputs"]],
            enough=description["enough"],
        )
        runs = {len(values) for values in (*golden.inputs, *golden.outputs)}
        if runs != {description["runs"]} or not 1 <= golden.enough <= description["runs"]:
            raise ValueError("it does not fit model.json")
        ends = [(values.shape[1:], values.dtype.name) for values in golden.inputs]
        if ends != network.inputs or len(golden.outputs) != len(network.outputs):
            raise ValueError("it belongs to another network")
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Refused(f"{path} is damaged: {error}") from None
    return golden


def _read_array(end: dict, content: bytes) -> np.ndarray:
    dtype, shape = np.dtype(end["type"]), _parse_shape(end["shape"])
    if dtype.kind not in "fiub" or min(shape) < 1 or end["offset"] < 0:
        raise ValueError(f"the description of {end['name']} cannot be used")
    # Little-endian in the file, in the byte order of this machine in memory.
    count, stored = math.prod(shape), dtype.newbyteorder("<")
    values = np.frombuffer(content, stored, count, end["offset"])
    return values.reshape(shape).astype(dtype)


def run_self_test(
    folder: Path, threads: int = 1, name: str | None = None, options: dict | None = None
) -> tuple[bool, str]:
    """Runs the golden sample of a folder and compares the outputs.

    Args:
        folder: of the export.
        threads, name, options: see `load_interpreter`.

    Returns:
        Whether enough runs were within the tolerance, and the result in words.

    Raises:
        Refused: something in the folder cannot be used.
    """
    network = read_network(folder / "model.json")
    golden = read_golden(folder, network)
    return compare_with_golden(golden, load_interpreter(folder, network, threads, name, options))


def compare_with_golden(golden: SimpleNamespace, interpreter: SimpleNamespace) -> tuple[bool, str]:
    """Runs a golden sample of `read_golden` with an interpreter, see `run_self_test`."""
    right, largest = 0, 0.0
    for number, inputs in enumerate(zip(*golden.inputs, strict=True)):
        good, outputs = True, run(interpreter, list(inputs))
        for got, values, tolerance in zip(outputs, golden.outputs, golden.tolerances, strict=True):
            difference = np.inf
            if got.shape == values[number].shape:
                difference = np.abs(np.subtract(got, values[number], dtype=np.float64))
                difference = np.where(np.isnan(difference), np.inf, difference)
            good &= bool(np.all(difference <= tolerance))
            largest = max(largest, float(np.max(difference, initial=0)))
        right += good
    passed = right >= golden.enough
    return passed, (
        f"self-test {'passed' if passed else 'FAILED'}: {right} of {len(golden.inputs[0])} runs "
        f"within the tolerance ({golden.enough} are enough), largest difference {largest:.1e}, "
        f"{interpreter.title}"
    )


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, without the usage."""

    def error(self, message: str) -> None:
        """Exits with the message and code 2."""
        self.exit(2, f"predict.py: error: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns its exit code, see the first lines of this file."""
    parser = Parser("predict.py", description=__doc__.partition(":")[0] + ".")
    add = parser.add_argument
    add("images", nargs="*", type=Path, metavar="IMAGE", help="an image or a folder of images")
    add("--top", type=int, default=5, help="number of classes to print (%(default)s)")
    add("--threads", type=int, default=1, help="number of threads (%(default)s)")
    add("--interpreter", choices=INTERPRETERS, help="what runs the network (the first that can)")
    add("--json", action="store_true", help="print a line of JSON for each image")
    add("--self-test", action="store_true", help="run the golden sample, without images")
    given = parser.parse_args(arguments)
    if given.self_test == bool(given.images):
        parser.error("give images, or --self-test without images")
    for name in ("top", "threads"):
        if getattr(given, name) < 1:
            parser.error(f"--{name} must be a whole number from 1, got {getattr(given, name)}")
    if given.threads > 256:
        parser.error(f"--threads must be a whole number from 1 to 256, got {given.threads}")
    # Names may contain letters that the terminal cannot show.
    sys.stdout.reconfigure(errors="backslashreplace")
    folder = Path(__file__).resolve().parent
    try:
        if given.self_test:
            passed, result = run_self_test(folder, given.threads, given.interpreter)
            print(result)
        else:
            passed = predict(folder, given)
        sys.stdout.flush()
    except (Refused, MemoryError) as error:
        reason = str(error) or "there is not enough memory for the network"
        print(f"predict.py: error: {reason}", file=sys.stderr)
        return 2
    except OSError as error:  # the reader of the output has ended, or the disk is full
        # The rest of the buffer would fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"predict.py: error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("predict.py: interrupted", file=sys.stderr)
        return 130
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
