import larq as lq
import numpy as np
import tensorflow as tf

from export.rounding import predict_with_rounding
from export.verify import verify


def model_near_zero(offset):
    """A sign of a convolution's sum less a number: close to it, rounding decides."""
    inputs = tf.keras.Input((4, 4, 32))
    x = lq.layers.QuantConv2D(
        8,
        3,
        input_quantizer="ste_sign",
        kernel_quantizer="ste_sign",
        kernel_constraint="weight_clip",
        use_bias=False,
        name="binary",
    )(inputs)
    x = tf.keras.layers.BatchNormalization(center=False, scale=False, name="offset")(x)
    x = lq.quantizers.SteSign()(x)
    model = tf.keras.Model(inputs, tf.keras.layers.Flatten()(x))
    model.get_layer("offset").moving_mean.assign(tf.fill([8], offset))
    return model


def images():
    return np.random.default_rng(0).normal(size=(16, 4, 4, 32)).astype("float32")


def test_rounding_turns_signs_of_values_near_zero_only():
    for offset, moved in ((1e-6, True), (0.5, False)):
        model = model_near_zero(offset)
        outputs, rounded = (
            model.predict(images(), verbose=0),
            predict_with_rounding(model, images()),
        )
        assert set(np.unique(rounded)) <= {-1.0, 1.0}
        assert np.array_equal(outputs, rounded) is not moved


def test_file_that_differs_by_more_than_rounding_fails():
    import export

    model = model_near_zero(0.5)
    flatbuffer = export.convert(model)
    assert verify(flatbuffer, model, images()).passed
    other = model_near_zero(0.5)  # other weights: what a wrong file would look like
    verification = verify(flatbuffer, other, images())
    assert verification.rounding_share == 1
    assert not verification.passed
    assert "rounding alone leaves 100.0% within" in str(verification)
