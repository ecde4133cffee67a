import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from export.keras_graph import binary_layers

K = tf.keras.layers


@pytest.mark.parametrize(
    ("layer", "binary"),
    [
        (
            lq.layers.QuantConv2D(1, 1, input_quantizer="ste_sign", kernel_quantizer="ste_sign"),
            True,
        ),
        (lq.layers.QuantDense(1, input_quantizer="ste_sign", kernel_quantizer="ste_sign"), True),
        (lq.layers.QuantConv2D(1, 1, kernel_quantizer="ste_sign"), False),
        (lq.layers.QuantConv2D(1, 1, input_quantizer="ste_sign"), False),
        (
            lq.layers.QuantConv2D(1, 1, input_quantizer="ste_sign", kernel_quantizer="ste_tern"),
            False,
        ),
        (
            lq.layers.QuantSeparableConv2D(
                1, 1, input_quantizer="ste_sign", depthwise_quantizer="ste_sign"
            ),
            True,
        ),
        (K.Conv2D(1, 1), False),
        (K.ReLU(), False),
    ],
)
def test_layer_is_binary_when_its_input_and_kernels_are(layer, binary):
    assert binary_layers.is_binary(layer) is binary


def test_kernel_is_quantized_as_the_layer_does():
    layer = lq.layers.QuantConv2D(4, 3, kernel_quantizer="magnitude_aware_sign")
    layer.build((None, 8, 8, 5))
    latent = layer.get_weights()[0]
    np.testing.assert_array_equal(binary_layers.get_latent_kernel(layer), latent)
    scale = np.abs(latent).mean(axis=(0, 1, 2))
    # A mean of 45 numbers in float32.
    np.testing.assert_allclose(
        binary_layers.compute_quantized_kernel(layer), np.sign(latent) * scale, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (K.Conv2D(4, (3, 2)), (4, 3, 2, 5)),
        (K.Conv2DTranspose(4, (3, 2)), (4, 3, 2, 5)),
        (K.DepthwiseConv2D((3, 2), depth_multiplier=2), (10, 3, 2, 1)),
        (K.SeparableConv2D(4, (3, 2), depth_multiplier=2), (10, 3, 2, 1)),
        (K.Dense(4), (4, 1, 1, 5)),
        (K.Conv1D(4, 3), (4, 1, 3, 5)),
        (K.DepthwiseConv1D(3, depth_multiplier=2), (10, 1, 3, 1)),
    ],
)
def test_filters_are_in_the_order_of_tensorflow_lite(layer, shape):
    layer.build((None, 8, 5) if "1D" in type(layer).__name__ else (None, 8, 8, 5))
    assert binary_layers.compute_filters(layer).shape == shape


def test_joint_filters_of_a_separable_convolution_compute_what_it_does():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 5)).astype(np.float32)
    layer = K.SeparableConv2D(4, (3, 2), depth_multiplier=3, use_bias=False)
    expected = layer(images)
    filters = binary_layers.compute_joint_filters(layer)
    assert filters.shape == (4, 3, 2, 15)
    kernel = filters.transpose(1, 2, 3, 0)
    got = tf.nn.conv2d(np.concatenate([images] * 3, axis=-1), kernel, 1, "VALID")
    # Float sums of 18 products of three factors, in another order.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_joint_filters_of_other_layers_are_their_own():
    layer = K.Conv2D(4, 3)
    layer.build((None, 8, 8, 5))
    np.testing.assert_array_equal(
        binary_layers.compute_joint_filters(layer), binary_layers.compute_filters(layer)
    )
    assert binary_layers.compute_filters(K.Conv1DTranspose(4, 3)) is None


def test_layers_without_kernel_have_no_filters():
    layer = K.BatchNormalization()
    layer.build((None, 8, 8, 5))
    assert binary_layers.compute_filters(layer) is None
    assert not binary_layers.has_kernel(layer)


def test_titles_are_paths_only_where_names_are_alike():
    inputs = tf.keras.Input((4,))
    inner = tf.keras.Sequential([K.Dense(4, name="a"), K.Dense(4, name="b")], name="inner")
    model = tf.keras.Model(inputs, inner(K.Dense(4, name="a")(inputs)))
    found = binary_layers.list_layers_by_path(model)
    titles = binary_layers.choose_titles(found)
    assert {path: titles[id(layer)] for path, layer in found.items() if "_" not in path} == {
        "a": "a",
        "inner": "inner",
        "inner/a": "inner/a",
        "inner/b": "b",
    }


@pytest.mark.parametrize(
    ("options", "frozen"),
    [
        ({"kernel_quantizer": lq.quantizers.NoOp(precision=1)}, True),
        ({"kernel_quantizer": lq.quantizers.NoOp(precision=32)}, False),
        ({"kernel_quantizer": "ste_sign"}, False),
        (
            {
                "kernel_quantizer": lq.quantizers.NoOp(precision=1),
                "data_format": "channels_first",
            },
            False,
        ),
    ],
)
def test_frozen_bits_are_told_from_kernels_that_are_quantized(options, frozen):
    assert binary_layers.has_frozen_bits(lq.layers.QuantConv2D(1, 1, **options)) == frozen
