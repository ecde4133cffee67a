"""A small network of signs, converted and proved, and the bundle of it."""

import numpy as np
from conftest import small_resnet

import export
from export.benchmark import Latency
from export.contents import Bundle
from export.rewriting import rewrite
from recu_tf.data import Normalization

NORMALIZATION = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NAMES = [f"class {number}" for number in range(10)]


def exported(model, **changes):
    """A bundle of a model, with the images that it was proved on; `changes` are of its fields."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(16, *model.input_shape[1:])).astype("float32")
    rewritten, steps = rewrite(model, images)
    flatbuffer = export.convert(rewritten, changes.pop("batch_size", 1))
    labels = rng.integers(model.output_shape[-1], size=16)
    values = {
        "name": "a small network",
        "flatbuffer": flatbuffer,
        "float_size": len(export.convert_float_twin(model)),
        "softmax": False,
        "audit": export.audit(flatbuffer, model),
        "verification": export.verify(flatbuffer, model, images, labels, "random images"),
        "latencies": [
            Latency("binary", "indirect bgemm", 1, 0.71, 0.85, 0.7),
            Latency("float32", "TFLite with XNNPACK", 1, 1.42, 1.5, 1.4),
        ],
        "steps": steps,
        "options": {"batch_size": 1, "int8": False, "target": "arm", "strict": True},
        "versions": {"tensorflow": "2.19.1"},
        "seconds": 2.5,
        "peak_memory": 900 * 2**20,
        "normalization": NORMALIZATION,
        "class_names": NAMES,
        "dataset": "cifar10",
        "source_sha256": "0" * 64,
    }
    return Bundle(**{**values, **changes})


def small_bundle(**changes):
    """A bundle of the blocks of ResNet-20 on images of CIFAR's size."""
    return exported(small_resnet((32, 32, 3), 10), **changes)
