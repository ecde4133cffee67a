import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from tiny_files import binary_file

import export
from recu_tf.quantized_scope import preserve_quantized_scope
from recu_tf.quantizers import ReCU


@pytest.fixture
def failing():
    """A network with one binary layer, which fails when it is called."""
    conv = lq.layers.QuantConv2D(4, 3, input_quantizer="ste_sign", kernel_quantizer=ReCU())
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(conv(image)))
    conv.kernel_quantizer.tau.assign(2.0)  # must be at most 1
    return model


def test_layer_that_fails_would_leave_larqs_scope_open(failing):
    latent = failing.get_weights()[0]
    with pytest.raises(ValueError, match="tau"), preserve_quantized_scope():
        failing(np.ones((1, 8, 8, 3), np.float32))
    assert not lq.context.should_quantize()
    np.testing.assert_array_equal(failing.get_weights()[0], latent)


def test_scope_that_was_open_stays_open():
    with lq.context.quantized_scope(True):
        with preserve_quantized_scope(), lq.context.quantized_scope(False):
            pass
        assert lq.context.should_quantize()


def test_latent_weights_survive_a_proof_that_fails(failing):
    latent = failing.get_weights()[0]
    images = np.ones((4, 8, 8, 3), np.float32)
    assert "tau" in str(export.verify(binary_file(), failing, images))
    np.testing.assert_array_equal(failing.get_weights()[0], latent)
