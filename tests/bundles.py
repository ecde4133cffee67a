"""A small binary network, trained a little, converted and verified, and its bundle."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf
from conftest import compile_classifier, small_resnet

import export
from export.bundle.contents import Bundle
from export.conversion.rewriting import rewrite
from export.measurement.latency import Latency
from export.proof.golden import make_golden_sample
from export.proof.verification import TOLERANCE
from export.tflite.flatbuffer import read
from recu_tf import optimizers
from recu_tf.data import Normalization

NORMALIZATION = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NAMES = [f"class {number}" for number in range(10)]


def exported(model, images, batch_size=1, **changes):
    """A bundle of a model, verified on images; `changes` are of the bundle's attributes."""
    rewritten, steps = rewrite(model, images)
    file = read(export.convert(rewritten, batch_size=batch_size))
    labels = np.arange(len(images)) % model.output_shape[-1]
    values = {
        "name": "a small network",
        "file": file,
        "float_size": 24_328,
        "audit": export.audit(file, model),
        "verification": export.verify(file, model, images, labels=labels, source="random images"),
        "latencies": [
            Latency("exported", "optimized", 1, 2.71, 2.85, 2.7),
            Latency("float32", "TFLite with XNNPACK", 1, 1.42, 1.5, 1.4),
            Latency("exported", "indirect bgemm", 1, 0.71, 0.85, 0.7),
        ],
        "steps": steps,
        "options": {"batch_size": batch_size, "int8": False, "target": "arm", "strict": True},
        "versions": {"tensorflow": "2.19.1"},
        "seconds": 2.5,
        "peak_memory": 900 * 2**20,
        "normalization": NORMALIZATION,
        "class_names": NAMES,
        "dataset": "cifar10",
        "source_sha256": "0" * 64,
        "golden": make_golden_sample(file, images, source="random images", tolerance=TOLERANCE),
    }
    return Bundle(**{**values, **changes})


@functools.cache
def small_network():
    """The blocks of ResNet-20 for images of CIFAR's size, and the images it was trained on."""
    tf.keras.utils.set_random_seed(0)
    model = small_resnet((32, 32, 3), 10)
    compile_classifier(model, optimizers.SGD(0.05))
    images = np.random.default_rng(0).normal(size=(16, 32, 32, 3)).astype("float32")
    model.fit(images, np.arange(16) % 10, epochs=5, verbose=0)
    return model, images


@functools.cache
def _small_bundle(batch_size):
    return exported(*small_network(), batch_size=batch_size)


def small_bundle(batch_size=1, **changes):
    """The bundle of that network, exported once for each size of a batch."""
    return dataclasses.replace(_small_bundle(batch_size), **changes)
