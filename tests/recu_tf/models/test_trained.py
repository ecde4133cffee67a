import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, few_digits, tiny_resnet
from network_formats import NAME, skip_without_torch, use_small_network
from tiny_networks import make_images

import recu_tf
from recu_tf import evaluation, models, pretrained
from recu_tf.models.zoo import PUBLISHED_SHAPE


def test_weights_that_come_along_are_as_accurate_as_the_index_says():
    network = models.build("resnet20_1w1a", weights="digits")
    batches, _ = recu_tf.data.load_evaluation_set("digits")
    measured = evaluation.evaluate(lambda batch: network(batch, training=False), batches)
    entry = pretrained.find("digits-resnet20")
    # Other processors sum in another order, and an image on the border may fall to the other side.
    assert measured["top_1"] == pytest.approx(entry.top_1, abs=2 / 360)
    assert measured["images"] == entry.test_images


def test_data_set_follows_the_weights_unless_it_is_given():
    network = models.build("resnet20_1w1a", weights="cifar10")
    assert (network.name, network.input_shape) == ("resnet20_1w1a", (None, 32, 32, 3))
    other = models.build("resnet20_1w1a", "digits", weights="cifar10", input_shape=(64, 48, 3))
    assert other.input_shape == (None, 64, 48, 3)
    assert_same_arrays(network.get_weights(), other.get_weights())


def test_without_weights_the_network_is_for_cifar10_and_new():
    tf.keras.utils.set_random_seed(0)
    first, second = (models.build("resnet20_1w1a") for _ in range(2))
    assert first.output_shape == (None, 10)
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])


@pytest.mark.parametrize("format", ["run", "keras", "checkpoint"])
def test_weights_may_lie_at_a_path_in_any_format(monkeypatch, format, written_formats):
    skip_without_torch(format)
    use_small_network(monkeypatch)
    model, paths = written_formats
    for path in (paths[format], str(paths[format])):
        network = models.build(NAME, weights=path)
        images = make_images(2, 32)
        np.testing.assert_array_equal(network(images), model(images))
    assert models.get_variant(network) == models.get_variant(model)


def test_weights_at_a_path_are_of_the_network_and_the_options_that_are_chosen(
    monkeypatch, written_formats, tmp_path
):
    use_small_network(monkeypatch)
    run = written_formats[1]["run"]
    path = tmp_path / "float.keras"
    models.build(NAME, precision="float").save(path)

    def refused(match, name=NAME, weights=run, error=ValueError, **options):
        with pytest.raises(error, match=match):
            models.build(name, weights=weights, **options)

    refused(f"`weights` must be a network of vgg_small_1w1a, .* one of {NAME}", "vgg_small_1w1a")
    refused("`num_classes` must be 10 for .*, got 100 of cifar100", dataset="cifar100")
    refused("`num_classes` must be 10 for .*, got 7", num_classes=7)
    refused("`pad_values` must be 0", pad_values=1)
    refused("`precision` must be 'float' for .*, got 'binary'", weights=path)
    refused("is another", "vgg_small_1w1a", weights=path, precision="float")
    models.build(NAME, weights=path, precision="float")
    missing = tmp_path / "none"
    refused("`weights` must be one of cifar10, .*/none does not", error=OSError, weights=missing)
    dense = tmp_path / "dense.keras"
    tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2)]).save(dense)
    refused("`weights` must be a network from images to classes", weights=dense)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet50", {"weights": "cifar10"}, "`name` must be one of .*, got 'resnet50'"),
        ("resnet18_1w1a", {"weights": "cifar10"}, "no resnet18_1w1a trained on cifar10 comes"),
        ("resnet20_1w1a", {"weights": "imagenet"}, "which has resnet20_1w1a of cifar10, "),
        ("resnet20_1w1a", {"weights": "cifar10", "dataset": "imagenet"}, "for imagenet, got"),
        ("resnet20_1w1a", {"weights": "cifar10", "dataset": "cifar"}, "`dataset` must be one of"),
        ("resnet20_1w1a", {"weights": "cifar10", "dataset": "cifar100"}, "got 100 of cifar100"),
        ("resnet20_1w1a", {"weights": "cifar10", "num_classes": 5}, "`num_classes` must be 10"),
        ("resnet20_1w1a", {"weights": "cifar10", "rotated": True}, "`rotated` must be False"),
        ("resnet20_1w1a", {"weights": "cifar10", "pad_values": 1}, "`pad_values` must be 0"),
        ("resnet20_1w1a", {"weights": True}, "`weights` must be None, .*, got bool"),
        ("zoo/QuickNet", {"weights": "imagenet", "pad_values": 1}, "must be 0 for zoo/QuickNet"),
        ("zoo/QuickNet", {"weights": "imagenet", "dataset": "digits"}, f"{PUBLISHED_SHAPE[0]}x"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_anything_is_built(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, **options)


def test_damaged_weights_are_refused_in_one_line(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    with pytest.raises(ValueError, match=r"^`weights`: .* do not fit \w+, they are of another"):
        models.build("resnet20_1w1a", weights="digits")


def test_weights_of_larq_zoo_are_taken_too(small_quicknet):
    expected, path = small_quicknet
    network = models.build("zoo/QuickNetSmall", "digits", weights=path)
    images = make_images(2, 32)
    np.testing.assert_array_equal(network(images), expected(images))
