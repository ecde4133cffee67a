import larq as lq
import tensorflow as tf

from recu_tf.models import select_recu_kernels


def test_kernels_with_recu_are_those_whose_filters_lie_on_the_last_axis():
    layers = [
        tf.keras.layers.Conv2D(4, 3, name="real"),
        lq.layers.QuantConv2D(4, 3, kernel_quantizer="ste_sign", name="other"),
        lq.layers.QuantConv2D(4, 3, kernel_quantizer="recu", name="convolution"),
        lq.layers.QuantDepthwiseConv2D(3, depthwise_quantizer="recu", name="depthwise"),
        lq.layers.QuantSeparableConv2D(
            4, 3, depthwise_quantizer="recu", pointwise_quantizer="recu", name="separable"
        ),
        lq.layers.QuantConv2DTranspose(4, 3, kernel_quantizer="recu", name="transposed"),
    ]
    inner = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *layers])
    inputs = tf.keras.Input((32, 32, 3))
    outputs = tf.keras.layers.Flatten()(inner(inputs))
    dense = lq.layers.QuantDense(2, kernel_quantizer="recu", name="dense")
    network = tf.keras.Model(inputs, dense(outputs))
    found = {tuple(kernel.shape) for kernel in select_recu_kernels(network)}
    assert found == {(3, 3, 4, 4), (1, 1, 4, 4), tuple(dense.kernel.shape)}
    assert len(select_recu_kernels(network)) == 3
