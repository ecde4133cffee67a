import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from conftest import small_resnet
from rewritten import images_for, with_uneven_norms

import export


@pytest.fixture(scope="module")
def network():
    tf.keras.utils.set_random_seed(0)
    model = with_uneven_norms(small_resnet((32, 32, 3), 10))
    return model, images_for(model, 16), export.convert(model)


def test_network_is_converted_whole_and_right(network):
    model, images, flatbuffer = network
    audited = export.audit(flatbuffer, model)
    assert audited.passed
    assert audited.expected == tuple(
        f"layer{stage}.0.conv{number}" for stage in (1, 2) for number in (1, 2)
    )
    assert audited.operators["LceBconv2d"] == audited.binary == 4
    assert audited.operators["CONV_2D"] == 1
    assert export.verify(flatbuffer, model, images).passed


@pytest.mark.slow
def test_float_baseline_is_the_network_without_quantizers(network):
    model, _, flatbuffer = network
    baseline = export.convert_float_baseline(model)
    interpreter = tf.lite.Interpreter(model_content=baseline)
    interpreter.allocate_tensors()
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 32, 32, 3]
    assert not {"SIGN", "LceBconv2d"} & {op["op_name"] for op in interpreter._get_ops_details()}
    parameters = sum(w.shape.num_elements() for w in model.trainable_weights)
    assert 4 * parameters < len(baseline) < 4 * parameters + 20000
    assert len(flatbuffer) < len(baseline)


def test_backends_agree(network):
    _, images, flatbuffer = network
    outputs = [
        lce.testing.Interpreter(flatbuffer, **options).predict(images)
        for options in export.BACKENDS.values()
    ]
    for output in outputs[1:]:
        # Sums in another order; the smallest of signs may flip in one image.
        close = np.abs(output - outputs[0]).max(1) <= 1e-3
        assert close.mean() >= 0.75


def dynamic_size():
    inputs = tf.keras.Input((None, None, 3))
    return tf.keras.Model(inputs, tf.keras.layers.Conv2D(2, 3)(inputs))


def mixed_precision():
    inputs = tf.keras.Input((8, 8, 3))
    outputs = tf.keras.layers.Conv2D(2, 3)(inputs)
    model = tf.keras.Model(inputs, outputs)
    model._set_dtype_policy("mixed_float16")
    return model


@pytest.mark.parametrize(
    ("make_model", "message"),
    [
        (dynamic_size, r"`model` must have a fixed input size, got input shape \(None, None, 3\)"),
        (mixed_precision, "`model` must be in float32 to be converted, got mixed_float16"),
        (lambda: "model.keras", "`model` must be a Keras model, got str"),
    ],
)
def test_models_that_cannot_be_converted_are_refused(make_model, message):
    with pytest.raises(ValueError, match=message):
        export.convert(make_model())
