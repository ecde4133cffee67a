import itertools

import numpy as np
import tensorflow as tf

from export.keras_graph.windows import compute_extent, compute_same_padding, count_missing


def test_same_padding_is_that_of_tensorflow():
    rng = np.random.default_rng(0)
    for size, kernel, stride, dilation in itertools.product((4, 7), (1, 2, 3), (1, 2, 4), (1, 2)):
        rows = tf.constant(rng.normal(size=(1, size, 1, 1)), tf.float32)
        weights = tf.constant(rng.normal(size=(kernel, 1, 1, 1)), tf.float32)
        padding = compute_same_padding(size, compute_extent(kernel, dilation), stride)
        padded = tf.pad(rows, [(0, 0), padding, (0, 0), (0, 0)])
        options = {"strides": (stride, 1), "dilations": (dilation, 1)}
        expected = tf.nn.conv2d(rows, weights, padding="SAME", **options)
        # VALID drops nothing of what SAME reads, and adds no window.
        got = tf.nn.conv2d(padded, weights, padding="VALID", **options)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)  # another order of the sums


def test_pixels_may_be_left_over():
    assert count_missing(16, 3, 4) == -1
    assert compute_same_padding(16, 3, 4) == (0, 0)
