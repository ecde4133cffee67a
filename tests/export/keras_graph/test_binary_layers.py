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
        (K.Dense(4), (4, 1, 1, 5)),
    ],
)
def test_filters_are_in_the_order_of_tensorflow_lite(layer, shape):
    layer.build((None, 8, 8, 5))
    assert binary_layers.compute_filters(layer).shape == shape


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
