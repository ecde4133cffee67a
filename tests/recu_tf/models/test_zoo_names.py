import pytest
import tensorflow as tf
from conftest import assert_same_arrays, need

from recu_tf import models
from recu_tf.choices import ZOO_MODELS
from recu_tf.models import zoo, zoo_names
from recu_tf.precision import use_precision
from recu_tf.settings import Settings

SMALL = "zoo/QuickNetSmall"


@pytest.fixture(scope="module")
def network():
    need("larq_zoo")
    return models.build(SMALL, "digits")


def test_data_set_decides_classes_and_size(network):
    assert (network.input_shape, network.output_shape) == ((None, 32, 32, 3), (None, 10))
    assert network.name == "quicknet_small"
    assert models.get_precision(network) == "binary"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_network_is_rebuilt_under_precision_and_strategy_with_its_weights(network, precision):
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope(), use_precision(precision):
        copy = models.build_like(network, SMALL, "digits")
    assert copy.layers[1].dtype_policy.name == precision
    assert all(strategy.extended.variable_created_in_scope(weight) for weight in copy.weights)
    assert_same_arrays(copy.get_weights(), network.get_weights())


@pytest.mark.slow
def test_another_network_is_not_taken_for_it(network):
    with pytest.raises(ValueError, match="`network` must be a zoo/BiRealNet for digits, got"):
        models.build_like(network, "zoo/BiRealNet", "digits")


def test_alias_is_the_network_with_that_name(monkeypatch):
    names = []
    monkeypatch.setattr(zoo, "_import_function", lambda name: names.append(name) or 1 / 0)
    for name in ("BiRealNet18", "BiRealNet"):
        with pytest.raises(ZeroDivisionError, match="by zero"):
            models.build(f"zoo/{name}")
    assert names == ["BiRealNet"] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "float"}, "`precision` must be 'binary' for zoo/QuickNetSmall.*'float'"),
        ({"pad_values": 1}, "`pad_values` must be 0 for zoo/QuickNetSmall, .* got 1"),
        ({"rotated": True}, "`rotated` must be False for zoo/QuickNetSmall, .* got True"),
        ({"dataset": "folder"}, "`num_classes` must be an integer of at least 2, got None"),
    ],
)
def test_options_that_it_lacks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        models.build(SMALL, **options)


@pytest.mark.parametrize("dataset", models.DATASET_CLASSES)
def test_settings_take_the_networks_for_the_size_of_the_images(dataset):
    size = 32 if models.DATASET_CLASSES[dataset] in (10, 100) else 224
    for name in ZOO_MODELS:
        smallest = zoo_names.find_smallest_size(name)
        if smallest <= size:
            assert Settings(model=name, dataset=dataset).model == name
            continue
        message = rf"`model`: {name} takes .* {smallest}x{smallest} pixels, those of {dataset} .*32"
        with pytest.raises(ValueError, match=message):
            Settings(model=name, dataset=dataset)


def test_larger_images_can_be_given_with_any_data_set(monkeypatch):
    monkeypatch.setattr(zoo, "build", lambda name, **options: (name, options))
    options = {"num_classes": 10, "input_shape": (224, 224, 3)}
    assert models.build("zoo/XNORNet", "cifar10", input_shape=(224, 224, 3)) == ("XNORNet", options)
