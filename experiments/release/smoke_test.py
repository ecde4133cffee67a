"""A small part of everything, in an environment into which the project was installed.

`python -I -m experiments.release.smoke_test FOLDER --delegate compiled`, which `make release-check`
runs outside of a checkout. The option -I keeps Python from looking for modules where it is called.
"""

import recu_tf  # before TensorFlow, for legacy Keras

# isort: split
import argparse
import importlib.util
import math
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import larq as lq
import numpy as np
import tensorflow as tf

from experiments.report import report
from recu_tf import networks, pretrained, training
from recu_tf.runs import Run
from recu_tf.settings import Settings

__all__ = ["main"]

SIZE = 12  # of the images, in pixels
CLASSES = ("left", "right")


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def check_installation() -> None:
    """Checks that the project is the installed one, and that its command starts.

    Raises:
        RuntimeError: it is another one, or another version.
        subprocess.CalledProcessError: the command fails.
    """
    place, version = Path(recu_tf.__file__), metadata.version("recu_tf")
    if Path(sys.prefix) not in place.parents:
        raise RuntimeError(f"recu_tf must lie in {sys.prefix}, where it was installed, got {place}")
    if version != recu_tf.__version__:
        raise RuntimeError(f"recu_tf {recu_tf.__version__} was installed as {version}")
    subprocess.run([f"{sys.prefix}/bin/recu", "--help"], check=True, stdout=subprocess.DEVNULL)
    _say(f"recu_tf {version}, TensorFlow {tf.__version__}, Python {sys.version.split()[0]}")


def check_pretrained_networks() -> None:
    """Loads each network that comes along, weights and all, and runs it on an image of zeros."""
    for name, entry in pretrained.list_all().items():
        model = networks.load(pretrained.PREFIX + name).model
        outputs = model(np.zeros((1, *entry.input_shape), "float32"))
        assert outputs.shape == (1, entry.num_classes), outputs.shape
        _say(f"{name} runs")


def make_images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise that is brighter in one half.

    Args:
        count: number of images.
        seed: of the noise.

    Returns:
        Images, float32 (count, 12, 12, 3), and labels, int64 (count,): the brighter half.
    """
    random = np.random.default_rng(seed)
    images = random.normal(size=(count, SIZE, SIZE, 3)).astype("float32")
    labels = random.integers(len(CLASSES), size=count)
    for image, label in zip(images, labels, strict=True):
        image[:, label * SIZE // 2 : (label + 1) * SIZE // 2] += 2
    return images, labels


def train_network(path: Path) -> Run:
    """Trains a network with one binary convolution for a few steps.

    Args:
        path: of the run.
    """
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(32, 3, input_shape=(SIZE, SIZE, 3)),
            tf.keras.layers.BatchNormalization(),
            lq.layers.QuantConv2D(
                32, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
            ),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(len(CLASSES)),
        ]
    )
    data = (make_images(64, seed=0), make_images(32, seed=1))
    settings = Settings(epochs=2, batch_size=16, lr=0.05)
    run = training.train(
        settings, path, model=model, data=data, class_names=CLASSES, time_estimate=False
    )
    assert all(math.isfinite(line["loss"]) for line in run.metrics())
    assert run.load_model("best").output_shape == (None, len(CLASSES))
    _say(f"trained, and wrote {report([path]).name}")
    return run


def export_network(run: Run, folder: Path) -> None:
    """Exports the network, with its verification, and runs the program in the folder.

    Args:
        run: of the network.
        folder: to write.
    """
    if importlib.util.find_spec("larq_compute_engine") is None:
        _say("not exported: larq-compute-engine is not installed")
        return
    import export

    written = export.export_bundle(export.load(run.path), folder)
    assert written.verification.passed
    assert written.audit.binary == 1
    subprocess.run([sys.executable, "-I", folder / "predict.py", "--self-test"], check=True)
    _say(f"exported; {written.verification.summary}")


def check_delegate(expected: str) -> None:
    """Checks whether the delegate is there.

    Args:
        expected: "compiled" or "missing".

    Raises:
        RuntimeError: it is not as expected.
    """
    library = Path(recu_tf.__file__).parents[1] / "export/runtime/librecu_delegate.so"
    found = "compiled" if library.exists() else "missing"
    if found != expected:
        raise RuntimeError(f"the delegate should be {expected}, but is {found}: {library}")
    _say(f"the delegate is {found}, as it should be")


def main(arguments: list[str] | None = None) -> int:
    """Runs all of it; what fails ends the program with an error.

    Args:
        arguments: of the command line; None means those of the program.
    """
    parser = argparse.ArgumentParser(description="Tries an installed recu_tf.")
    parser.add_argument("folder", type=Path, help="where it writes; must not exist")
    parser.add_argument("--delegate", choices=("compiled", "missing"), required=True)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True)
    check_installation()
    check_delegate(options.delegate)
    check_pretrained_networks()
    run = train_network(options.folder / "run")
    export_network(run, options.folder / "export")
    return 0


if __name__ == "__main__":
    sys.exit(main())
