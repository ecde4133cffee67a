import re

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_models import SIGNS

from export.conversion.rewriting import equivalents
from export.conversion.rewriting.equivalents import (
    find_obstacle,
    has_equivalent,
    make_equivalent,
)

Q = lq.layers
SEPARABLE = {
    "input_quantizer": "ste_sign",
    "depthwise_quantizer": "ste_sign",
    "pointwise_quantizer": "ste_sign",
}


def built(layer, shape):
    tf.keras.utils.set_random_seed(0)
    layer(tf.zeros((1, *shape)))
    if layer.use_bias:
        layer.bias.assign(np.linspace(-1, 1, layer.bias.shape[0]))
    return layer


def as_maps(numbers):
    return numbers[:, None] if numbers.ndim == 3 else numbers.reshape(len(numbers), 1, 1, -1)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Q.QuantDense(4, activation="relu", **SIGNS), (37,)),
        (
            Q.QuantDense(4, use_bias=False, input_quantizer="ste_sign", kernel_quantizer="recu"),
            (9,),
        ),
        (Q.QuantConv1D(4, 3, padding="same", **SIGNS), (9, 5)),
        (Q.QuantConv1D(4, 3, dilation_rate=2, **SIGNS), (9, 5)),
        (Q.QuantConv1D(4, 4, strides=2, padding="same", pad_values=1, **SIGNS), (9, 5)),
        (Q.QuantConv1D(4, 3, input_quantizer="ste_sign", kernel_quantizer="recu"), (9, 5)),
        (Q.QuantConv1D(4, 2, groups=2, **SIGNS), (9, 64)),
        (Q.QuantSeparableConv1D(4, 3, strides=2, **SEPARABLE), (9, 5)),
        (Q.QuantSeparableConv2D(4, (3, 2), padding="same", **SEPARABLE), (6, 7, 5)),
        (Q.QuantSeparableConv2D(4, 2, depth_multiplier=3, strides=2, **SEPARABLE), (6, 7, 5)),
        (
            Q.QuantSeparableConv2D(
                4, 3, **{**SEPARABLE, "depthwise_quantizer": "recu", "pointwise_quantizer": "recu"}
            ),
            (6, 7, 5),
        ),
    ],
)
def test_convolution_computes_what_the_layer_does(layer, shape):
    layer = built(layer, shape)
    assert has_equivalent(layer)
    assert find_obstacle(layer) is None
    convolution, weights, times = make_equivalent(layer, layer.input_quantizer)
    assert convolution.name == layer.name
    assert set(np.unique(weights[0])) == {-1, 1}
    numbers = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    maps = numbers if len(shape) == 3 else as_maps(numbers)
    repeated = np.concatenate([maps] * times, axis=-1)
    convolution(repeated)
    convolution.set_weights(weights)
    expected = layer(numbers).numpy()
    got = convolution(repeated).numpy()
    # Whole numbers plus a bias.
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=0, atol=1e-5)


def test_scale_of_a_kernel_is_kept():
    options = {"input_quantizer": "ste_sign", "kernel_quantizer": "magnitude_aware_sign"}
    layer = built(Q.QuantDense(4, **options), (9,))
    _, weights, _ = make_equivalent(layer, layer.input_quantizer)
    latent = layer.get_weights()[0]
    scale = np.abs(latent).mean(axis=0)
    # A mean of nine numbers in float32.
    np.testing.assert_allclose(weights[0][0, 0], np.sign(latent) * scale, rtol=1e-6)


def test_kernel_is_as_large_as_the_map_that_a_dense_layer_reads_as_a_row():
    layer = built(Q.QuantDense(4, **SIGNS), (30,))
    convolution, (kernel, _), _ = make_equivalent(layer, layer.input_quantizer, (2, 3))
    assert convolution.kernel_size == (2, 3)
    np.testing.assert_array_equal(kernel.reshape(30, 4), np.sign(layer.get_weights()[0]))


class Doubled(Q.QuantDense):
    def call(self, inputs):
        return 2 * super().call(inputs)


def test_subclasses_and_other_kinds_have_no_equivalent():
    for layer in (Doubled(4, **SIGNS), Q.QuantConv2DTranspose(4, 3, **SIGNS)):
        assert not has_equivalent(layer)


def with_multiplier_and_scale():
    options = {**SEPARABLE, "depthwise_quantizer": "magnitude_aware_sign"}
    return Q.QuantSeparableConv2D(4, 3, depth_multiplier=2, **options)


@pytest.mark.parametrize(
    ("layer", "shape", "reason"),
    [
        (
            Q.QuantConv1D(4, 3, data_format="channels_first", **SIGNS),
            (5, 9),
            "its data format is channels_first; use channels_last",
        ),
        (
            Q.QuantConv1D(4, 3, padding="same", pad_values=-1.0, **SIGNS),
            (9, 5),
            r"its `pad_values` is -1\.0; the engine can pad with 0 or 1",
        ),
        (
            Q.QuantConv1D(4, 3, groups=2, **SIGNS),
            (9, 8),
            "it has 4 input channels in each of its 2 groups; there must be a multiple of 32",
        ),
        (
            Q.QuantDense(4, input_quantizer="ste_sign", kernel_quantizer="ste_tern"),
            (90,),
            "holds zeros beside other values in filters 0, 1, 2, 3",
        ),
        (
            Q.QuantDense(2, **SIGNS),
            (65_536,),
            "depends on 65,536 inputs; a binary convolution counts at most 65,535",
        ),
        (
            Q.QuantSeparableConv2D(4, 3, **{**SEPARABLE, "depthwise_quantizer": None}),
            (6, 7, 5),
            "its pointwise half reads what its depthwise half gives, which is not -1 and 1; both",
        ),
        (
            Q.QuantSeparableConv2D(4, 5, **SEPARABLE),
            (6, 7, 5),
            "its pointwise half reads sums; .* 25 bits .* of which up to 16 are worth it",
        ),
        (with_multiplier_and_scale(), (6, 7, 5), "holds more than one magnitude in filters 0, 1"),
    ],
)
def test_obstacle_is_said(layer, shape, reason):
    if getattr(layer, "data_format", "") == "channels_first":
        layer.build((None, *shape))  # which the processor cannot compute
    else:
        built(layer, shape)
    assert re.search(reason, find_obstacle(layer))


def test_windows_of_as_many_bits_as_the_delegate_counts_are_no_obstacle():
    assert equivalents.MOST_BITS == 65_535
    assert find_obstacle(built(Q.QuantDense(1, **SIGNS), (65_535,))) is None
