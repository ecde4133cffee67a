"""The program `predict.py` of an exported folder, pictures for it, and what it prints."""

import importlib.util
import re

import numpy as np
import tensorflow as tf
from bundles import NAMES, NORMALIZATION, small_network
from PIL import Image

FOLLOWED_BY_NAME = re.compile(r"^ +([\d.]+)%  (.*)$", re.MULTILINE)
# What it calls the interpreters, and what it says before all else where it has the engine alone.
DELEGATE = "LiteRT with the delegate"
ENGINE = "Larq Compute Engine"
RUNS = f"predict.py: {ENGINE} runs the network\n"


def program(folder):
    """The copy of the script in a folder, as a module."""
    spec = importlib.util.spec_from_file_location("copied_predict", folder / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture(height, width, channels=3, seed=0):
    """A picture with something to see at every scale, uint8."""
    rng = np.random.default_rng(seed)
    coarse = tf.image.resize(rng.uniform(0, 255, (5, 6, channels)), (height, width)).numpy()
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


def save_pictures(directory, count, height=32, width=32):
    paths = [directory / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(picture(height, width, seed=number)).save(path)
    return paths


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def keras_probabilities(paths):
    """What the Keras network gives, with everything computed anew here."""
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths]).astype("float32") / 255
    mean, std = np.float32(NORMALIZATION.mean), np.float32(NORMALIZATION.std)
    return softmax(small_network()[0].predict((pixels - mean) / std, verbose=0))


def printed_probabilities(output):
    """What the script printed with --top 10: (images, classes)."""
    found = [(float(percent) / 100, name) for percent, name in FOLLOWED_BY_NAME.findall(output)]
    rows = [dict(map(reversed, found[at : at + 10])) for at in range(0, len(found), 10)]
    return np.array([[row[name] for name in NAMES] for row in rows])


def share_alike(got, expected):
    # As printed, to a hundredth of a per cent. A sign that turned may change an image in some.
    return np.mean(np.abs(got - expected).max(axis=1) < 2e-4)
