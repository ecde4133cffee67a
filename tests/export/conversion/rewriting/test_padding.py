import larq as lq
import numpy as np
import tensorflow as tf
from rewritten import images_for, operators, rewritten, wrong_outputs

from export.conversion.rewriting.padding import RotatedConvolution, find_safe_padding
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers


def pad_and_convolve(
    image, kind="float", window=(3, 3), padding=1, strides=2, dilation=1, name=None
):
    """A convolution behind a layer that pads; one of signs if it is binary."""
    signs = kind in ("binary", "depthwise of signs")
    x = StandardizedApproxSign(name=f"{name}.signs")(image) if signs else image
    x = L.ZeroPadding2D(padding, name=f"{name}.pad")(x)
    if kind == "binary":
        options = {"kernel_quantizer": ReCU(), "use_bias": False}
        return lq.layers.QuantConv2D(32, window, strides, name=name, **options)(x)
    if kind.startswith("depthwise"):
        return L.DepthwiseConv2D(window, strides, name=name)(x)
    if kind == "separable":
        return L.SeparableConv2D(32, window, strides, name=name)(x)
    return L.Conv2D(32, window, strides, dilation_rate=dilation, name=name)(x)


def padded(size=(8, 8), **options):
    image = tf.keras.Input((*size, 32))
    return tf.keras.Model(image, pad_and_convolve(image, **options))


PADDING = "pad strided convolutions exactly"


# Of each convolution the size of its image, its options, and whether the converter mistakes it.
CONVOLUTIONS = {
    "square": ((8, 8), {}, True),
    "odd_width": ((8, 9), {}, True),
    "odd": ((9, 9), {}, False),
    "two_windows": ((8, 8), {"window": (5, 7), "padding": (2, 3)}, True),
    "stride_of_one": ((8, 8), {"strides": 1}, False),
    "dilated": ((8, 8), {"strides": 1, "dilation": 2, "padding": 2}, False),
    "depthwise": ((8, 8), {"kind": "depthwise"}, True),
    "depthwise_of_signs": ((8, 8), {"kind": "depthwise of signs"}, True),
    "separable": ((8, 8), {"kind": "separable"}, True),
    "padded_in_front": ((8, 8), {"padding": ((1, 0), (1, 0))}, False),
    "binary": ((8, 8), {"kind": "binary"}, True),
    "binary_and_odd": ((9, 9), {"kind": "binary"}, False),
    # No rotation gives its windows: it is right in float.
    "binary_of_odd_width": ((8, 9), {"kind": "binary"}, True),
}


def test_strided_convolutions_are_padded_exactly():
    tf.keras.utils.set_random_seed(0)
    images = [tf.keras.Input((*size, 32)) for size, _, _ in CONVOLUTIONS.values()]
    outputs = {
        name: pad_and_convolve(image, name=name, **options)
        for image, (name, (_, options, _)) in zip(images, CONVOLUTIONS.items(), strict=True)
    }
    model = tf.keras.Model(images, list(outputs.values()))
    mistaken = [name for name, (*_, is_mistaken) in CONVOLUTIONS.items() if is_mistaken]
    new, steps = rewritten(model)
    replaced = steps[PADDING].layers
    assert [name for name in CONVOLUTIONS if f"{name}.pad" in replaced] == mistaken
    assert wrong_outputs(new, model) == []
    # The converter gets wrong what is rewritten, and nothing else: else there is no need for it.
    assert wrong_outputs(model) == mistaken


def test_binary_convolution_stays_one_between_two_turns():
    model = padded(kind="binary")
    new, _ = rewritten(model)
    assert any(isinstance(layer, RotatedConvolution) for layer in new.layers)
    assert operators(new)["LceBconv2d"] == 1
    copy = tf.keras.models.clone_model(new)
    copy.set_weights(new.get_weights())
    np.testing.assert_array_equal(copy(images_for(new)), new(images_for(new)))


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
                    safe = find_safe_padding(size, (pad, pad), window, stride)
                    where = (size, pad, window, stride)
                    if safe is None:
                        # What the converter takes it for is right.
                        assert len(same) != len(expected) or same == expected, where
                    else:
                        assert safe[0] != safe[1], where
                        assert windows(size, safe, window, stride) == expected, where
