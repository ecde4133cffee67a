import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from rewritten import images_for, operators, rewritten, right

from export.conversion.rewriting.padding import RotatedConvolution, safe_padding
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers


def padded(kind, size=(8, 8), window=(3, 3), padding=1, strides=2, dilation=1, signs=False):
    image = tf.keras.Input((*size, 32))
    x = StandardizedApproxSign()(image) if signs else image
    x = L.ZeroPadding2D(padding)(x)
    if kind == "binary":
        x = lq.layers.QuantConv2D(32, window, strides, kernel_quantizer=ReCU(), use_bias=False)(x)
    elif kind == "depthwise":
        x = L.DepthwiseConv2D(window, strides)(x)
    elif kind == "separable":
        x = L.SeparableConv2D(32, window, strides)(x)
    else:
        x = L.Conv2D(32, window, strides, dilation_rate=dilation)(x)
    return tf.keras.Model(image, x)


PADDING = "pad strided convolutions exactly"


@pytest.mark.parametrize(
    ("options", "mistaken"),
    [
        ({}, True),
        ({"size": (8, 9)}, True),
        ({"size": (9, 9)}, False),
        ({"window": (5, 7), "padding": (2, 3)}, True),
        ({"strides": 1}, False),
        ({"strides": 1, "dilation": 2, "padding": 2}, False),
        ({"kind": "depthwise"}, True),
        ({"kind": "depthwise", "signs": True}, True),
        ({"kind": "separable"}, True),
        ({"padding": ((1, 0), (1, 0))}, False),
        ({"kind": "binary", "signs": True}, True),
        ({"kind": "binary", "signs": True, "size": (9, 9)}, False),
    ],
)
def test_strided_convolutions_are_padded_exactly(options, mistaken):
    model = padded(**{"kind": "float", **options})
    new, steps = rewritten(model)
    assert (PADDING in steps) == mistaken
    assert right(new, model)
    # The converter gets wrong what is rewritten, and nothing else: else there is no need for it.
    assert right(model) == (not mistaken)


def test_binary_convolution_stays_one_between_two_turns():
    model = padded("binary", signs=True)
    new, _ = rewritten(model)
    assert any(isinstance(layer, RotatedConvolution) for layer in new.layers)
    assert operators(new)["LceBconv2d"] == 1
    copy = tf.keras.models.clone_model(new)
    copy.set_weights(new.get_weights())
    np.testing.assert_array_equal(copy(images_for(new)), new(images_for(new)))


def test_binary_convolution_whose_windows_no_turn_gives_is_right_in_float():
    model = padded("binary", signs=True, window=(3, 3), padding=1, size=(8, 9))
    new, steps = rewritten(model)
    assert PADDING in steps
    assert right(new, model)


def test_padding_that_others_read_stays_and_so_does_one_that_is_called_twice():
    image = tf.keras.Input((8, 8, 3))
    pad = L.ZeroPadding2D(1)
    x = pad(image)
    read = tf.keras.Model(image, L.Add()([L.Conv2D(4, 3, 2)(x), L.Conv2D(4, 3, 2)(x)]))
    pad = L.ZeroPadding2D(1)
    twice = tf.keras.Model(image, L.Conv2D(4, 3, 2)(pad(L.Conv2D(4, 3, 2)(pad(image)))))
    for model in (read, twice):
        assert PADDING not in rewritten(model)[1]


def windows(size, padding, window, stride):
    """The pixels that each window reads, counted from the first of the image; None is padding."""
    before, behind = padding
    pixels = [None] * before + list(range(size)) + [None] * behind
    return [pixels[at : at + window] for at in range(0, len(pixels) - window + 1, stride)]


def test_safe_padding_has_the_same_windows_and_is_not_taken_for_same():
    for size in range(1, 18):
        for pad in range(4):
            for window in range(1, 8):
                for stride in range(1, 5):
                    if size + 2 * pad < window:
                        continue
                    expected = windows(size, (pad, pad), window, stride)
                    total = max((-(-size // stride) - 1) * stride + window - size, 0)
                    same = windows(size, (total // 2, total - total // 2), window, stride)
                    safe = safe_padding(size, (pad, pad), window, stride)
                    where = (size, pad, window, stride)
                    if safe is None:
                        # What the converter takes it for is right.
                        assert len(same) != len(expected) or same == expected, where
                    else:
                        assert safe[0] != safe[1], where
                        assert windows(size, safe, window, stride) == expected, where
