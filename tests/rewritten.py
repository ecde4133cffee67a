"""Small models with binary layers, and what becomes of them when they are rewritten."""

import functools

import larq as lq
import numpy as np
import tensorflow as tf
from larq_models import SIGNS

import export
from export.proof.expected_outputs import KEPT_OF_A_CLASS
from export.proof.output_comparison import SHARE_WITHIN, compare
from export.proof.verification import AGREEMENT, TOLERANCE
from export.tflite.interpreter import run_all

L = tf.keras.layers


def images_for(model, count=8):
    """Normally distributed numbers for the input, a list of them for several."""
    shapes = [(count, *tensor.shape[1:]) for tensor in model.inputs]
    rng = np.random.default_rng(0)
    images = [rng.normal(size=shape).astype("float32") for shape in shapes]
    return images if len(images) > 1 else images[0]


def binary(filters=32, **options):
    padding = {"padding": "same", "pad_values": 0}
    return lq.layers.QuantConv2D(filters, 3, use_bias=False, **{**SIGNS, **padding, **options})


def with_uneven_norms(model):
    """Batch norms with averages, and factors of both signs, as trained ones have."""
    rng = np.random.default_rng(1)
    for layer in model.submodules:
        if isinstance(layer, L.BatchNormalization):
            for weight in layer.weights:
                positive = "variance" in weight.name
                weight.assign(
                    rng.uniform(0.5, 2, weight.shape) if positive else rng.normal(size=weight.shape)
                )
    return model


def head(x):
    return L.Dense(3)(L.GlobalAveragePooling2D()(x))


def rewritten(model):
    """The rewritten model and its steps by name, after the outputs were found to be the same."""
    images = images_for(model)
    new, steps = export.rewrite(model, images)
    got, expected = (tf.nest.flatten(either(images, training=False)) for either in (new, model))
    for output, other in zip(got, expected, strict=True):
        # Float sums in another order; no sign is that close to 0 with these seeds.
        np.testing.assert_allclose(output, other, rtol=0, atol=2e-5)
    assert all(step.kept for step in steps)
    return new, {step.name: step for step in steps}


@functools.lru_cache(maxsize=4)
def converted(model):
    """The file of a model, which must not change from then on."""
    return export.convert(model)


def operators(model):
    return export.audit(converted(model), model).operators


def wrong_outputs(model, original=None):
    """The names of the outputs that the converted model computes unlike the model."""
    images = images_for(model)
    expected = tf.nest.flatten((original or model)(images, training=False))
    names = (original or model).output_names
    wrong = []
    for name, *outputs in zip(names, run_all(converted(model), images), expected, strict=True):
        are_classes = outputs[0].ndim == 2
        comparison, _ = compare(
            name,
            outputs[0],
            outputs[1].numpy(),
            tolerance=TOLERANCE,
            are_classes=are_classes,
            kept=KEPT_OF_A_CLASS,
        )
        agreed = comparison.agreement is None or comparison.agreement >= AGREEMENT
        alike = comparison.share_within >= SHARE_WITHIN and agreed
        if not alike or comparison.gross or comparison.lost:
            wrong.append(name)
    return wrong


def right(model, original=None):
    """Whether the converted model computes what the model does."""
    return not wrong_outputs(model, original)


def hard_tanh_between_norm_and_signs(readers=1, also_read=False, activation=None):
    image = tf.keras.Input((8, 8, 32))
    x = L.BatchNormalization()(image)
    x = clipped = (activation or L.Activation("hard_tanh"))(x)
    branches = [binary()(x) for _ in range(readers)]
    x = L.Add()(branches) if readers > 1 else branches[0]
    if also_read:
        x = L.Add()([x, clipped])
    return with_uneven_norms(tf.keras.Model(image, head(x)))


def pool_before_norm(pad_values=0, also_read=False, positive=False, norm=None, padding="same"):
    image = tf.keras.Input((8, 8, 32))
    x = pool = L.MaxPooling2D(2)(binary()(image))
    x = (norm or L.BatchNormalization())(x)
    y = binary(pad_values=pad_values, padding=padding)(x)
    y = L.Flatten()(y)
    if also_read == "norm":
        y = L.Concatenate()([y, L.Flatten()(x)])
    if also_read == "pool":
        y = L.Concatenate()([y, L.Flatten()(pool)])
    model = with_uneven_norms(tf.keras.Model(image, L.Dense(3)(y)))
    if positive:
        layer = next(layer for layer in model.layers if isinstance(layer, L.BatchNormalization))
        layer.gamma.assign(tf.abs(layer.gamma))
    return model
