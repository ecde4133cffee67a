import shutil

import numpy as np
import pytest
import tensorflow as tf
from tf_keras.protobuf import saved_metadata_pb2
from tiny_networks import make_images

from recu_tf import networks
from recu_tf.layers import BinaryConv2D, binary_conv2d
from recu_tf.networks.saved_model import SavedFunction

L = tf.keras.layers


def network():
    image = tf.keras.Input((8, 8, 3))
    x = L.BatchNormalization()(L.Conv2D(4, 3, name="stem")(image))
    x = binary_conv2d(x, 4, name="binary")
    return tf.keras.Model(image, L.Dense(4)(L.Flatten()(x)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network of known layers, and its SavedModel, which no test changes."""
    tf.keras.utils.set_random_seed(0)
    model, path = network(), tmp_path_factory.mktemp("networks") / "saved"
    model.save(path, save_format="tf")
    return model, path


def assert_same(got, expected):
    # The same sums, in another order where a graph was optimised.
    np.testing.assert_allclose(got(make_images(3)), expected(make_images(3)), rtol=0, atol=1e-5)


def is_graph_only(network):
    types = [type(layer) for layer in network.model.layers[1:]]
    assert network.has_layers == (SavedFunction not in types)
    return types == [SavedFunction]


def refused(path, match):
    with pytest.raises(ValueError, match=match):
        networks.load(path)


def test_saved_model_of_known_layers_is_the_model_of_these(saved):
    model, path = saved
    loaded = networks.load(path)
    assert loaded.has_layers
    assert loaded.file is None
    assert [layer.name for layer in loaded.model.layers] == [layer.name for layer in model.layers]
    assert any(type(layer) is BinaryConv2D for layer in loaded.model.layers)
    assert_same(loaded.model, model)


@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_saved_model_without_its_layers_is_one_layer_of_its_graph(saved, damage, tmp_path):
    model, path = saved
    copy = shutil.copytree(path, tmp_path / "saved")
    metadata = copy / "keras_metadata.pb"
    if damage is None:
        metadata.unlink()
    else:
        metadata.write_bytes(damage)
    loaded = networks.load(copy)
    assert is_graph_only(loaded)
    assert_same(loaded.model, model)


def test_model_that_was_exported_for_serving_is_one_layer_of_its_graph(saved, tmp_path):
    saved[0].export(str(tmp_path / "served"))
    loaded = networks.load(tmp_path / "served")
    assert is_graph_only(loaded)
    assert_same(networks.make_keras_classifier(loaded.model).predict, saved[0])


def test_code_in_a_saved_model_is_not_executed(tmp_path):
    """Its graph, in which Lambda left nothing but operations, is run instead."""
    marker = tmp_path / "marker"
    path = str(marker)

    def write(x):
        open(path, "w").close()
        return x

    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, L.Dense(4)(L.Flatten()(L.Lambda(write)(image))))
    model.save(tmp_path / "saved", save_format="tf")
    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.ParseFromString((tmp_path / "saved" / "keras_metadata.pb").read_bytes())
    assert any('"Lambda"' in node.metadata for node in metadata.nodes)
    expected = model(make_images(3)).numpy()
    marker.unlink()
    loaded = networks.load(tmp_path / "saved")
    assert is_graph_only(loaded)
    # A sum of 192 products, in another order.
    np.testing.assert_allclose(loaded.model(make_images(3)), expected, rtol=0, atol=1e-5)
    assert not marker.exists()


class Doubles(tf.Module):
    """A module that is not of Keras, from (1, 8, 8, 3) to (1, 192)."""

    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0)

    def save(self, path, shape=(1, 8, 8, 3), several=False, name="serving_default"):
        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "x")])
        def serve(x):
            y = {"y": tf.reshape(self.factor * x, [-1, 192])}
            return {**y, "z": x} if several else y

        tf.saved_model.save(self, str(path), signatures={name: serve})
        return path


def test_saved_model_of_a_module_is_one_layer(tmp_path):
    loaded = networks.load(Doubles().save(tmp_path / "saved"))
    assert is_graph_only(loaded)
    assert loaded.model.input_shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(
        loaded.model(make_images(1)).numpy(), 2 * make_images(1).reshape(1, 192)
    )


def test_module_that_takes_any_shape_is_evaluated(tmp_path):
    loaded = networks.load(Doubles().save(tmp_path / "saved", shape=None))
    classifier = networks.make_keras_classifier(loaded.model)
    assert classifier.input_shape == (None, None, None)
    np.testing.assert_array_equal(
        classifier.predict(make_images(3)), 2 * make_images(3).reshape(3, 192)
    )


def test_saved_model_of_several_outputs_gives_them_by_name(tmp_path):
    loaded = networks.load(Doubles().save(tmp_path / "saved", several=True))
    assert sorted(loaded.model.output) == ["y", "z"]


def test_saved_models_without_the_signature_are_refused(tmp_path):
    refused(
        Doubles().save(tmp_path / "b", name="other"),
        "must have the signature serving_default, got other",
    )
    tf.saved_model.save(tf.Module(), str(tmp_path / "none"))
    refused(tmp_path / "none", "must have the signature serving_default, got none")


def test_damaged_saved_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    refused(tmp_path, "is a damaged SavedModel")
