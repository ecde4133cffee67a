import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_close
from networks import with_random_statistics
from small_networks import SMALL_NETWORKS
from tiny_files import binary_model

import export
from export.conversion.baselines import convert_baselines, convert_float_baseline
from export.measurement.subgraphs import count_multiply_accumulates
from export.tflite import backends
from export.tflite.flatbuffer import read


@pytest.mark.slow
def test_baselines_do_the_same_work_in_float_and_in_int8():
    made = convert_baselines(binary_model())
    assert list(made) == ["float32", "int8"]
    assert count_multiply_accumulates(made["float32"]) == count_multiply_accumulates(made["int8"])
    kinds = {}
    for name, flatbuffer in made.items():
        assert not read(flatbuffer).has_binary_operators
        details = backends.load_in_tensorflow_lite(flatbuffer).get_tensor_details()
        kinds[name] = {tensor["dtype"].__name__ for tensor in details if len(tensor["shape"]) == 4}
        assert backends.make_runner(flatbuffer, "TFLite")()[0].shape == (1, 3)
    assert kinds["float32"] == {"float32"}
    assert "int8" in kinds["int8"]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind, marks=[] if kind == "imagenet_two_stage_resnet18" else [pytest.mark.slow]
        )
        for kind in SMALL_NETWORKS
    ],
)
def test_baseline_of_a_network_is_the_same_network_built_in_float(kind):
    shape = (32, 32, 3)
    binary = with_random_statistics(SMALL_NETWORKS[kind](shape, 4, pad_values=1))
    real = SMALL_NETWORKS[kind](shape, 4, precision="float")
    values = {variable.name: variable.numpy() for variable in binary.weights}
    for variable in real.weights:
        variable.assign(values[variable.name])
    baseline, own = convert_float_baseline(binary), export.convert(real)
    operators = [[operator.name for operator in read(file).operators] for file in (baseline, own)]
    assert sorted(operators[0]) == sorted(operators[1])
    assert count_multiply_accumulates(baseline) == count_multiply_accumulates(own)
    assert export.audit(own, real).passed
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    for file in (baseline, own):
        interpreter = backends.load_in_tensorflow_lite(file)
        interpreter.allocate_tensors()
        assert_close(backends.make_predict(interpreter)([image])[0], real(image))


class Own(tf.keras.layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, images):
        factor = self.factor() if callable(self.factor) else self.factor
        return tf.reduce_mean(factor * images, [1, 2])


def test_layer_that_does_not_name_itself_has_a_baseline():
    inputs = tf.keras.Input((8, 8, 3))
    baseline = convert_float_baseline(tf.keras.Model(inputs, Own(2.0)(inputs)))
    assert backends.make_runner(baseline, "TFLite")()[0].shape == (1, 3)


def test_network_that_cannot_be_cloned_is_refused():
    inputs = tf.keras.Input((8, 8, 3))
    layer = Own(lambda: 2.0)
    model = tf.keras.Model(inputs, layer(inputs))
    message = f"the float32 baseline cannot be made: `{layer.name}`, Own, has no get_config"
    with pytest.raises(ValueError, match=message):
        convert_baselines(model)


def test_baseline_takes_as_many_images_as_the_file_it_is_measured_with():
    baseline = convert_float_baseline(binary_model(), batch_size=3)
    assert backends.make_runner(baseline, "TFLite")()[0].shape == (3, 3)
