import builtins

import numpy as np
import pytest
import tensorflow as tf
from conftest import shared

from recu_tf import data
from recu_tf.data.memory.batches import augment, make_training_batches, pad_for_crops
from recu_tf.data.sampling import Sampler
from recu_tf.pixel_scaling import make_identity_normalization

IDENTITY = make_identity_normalization(3)


def images(count, height=32, width=32):
    """Images in which no two pixels of one image are alike, and none is 0."""
    rng = np.random.default_rng(0)
    return rng.integers(1, 256, (count, height, width, 3), dtype=np.uint8)


def crops(image, flip, padding=4):
    """Every crop that the augmentation may give of one image."""
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    height, width = image.shape[:2]
    places = range(2 * padding + 1)
    every = [padded[y : y + height, x : x + width] for y in places for x in places]
    return every + ([crop[:, ::-1] for crop in every] if flip else [])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (20, 28)])
@pytest.mark.parametrize("inside_data_pipeline", [False, True])
def test_augmentation_gives_exact_crops_of_each_kind(flip, size, inside_data_pipeline):
    count = 600
    source = images(2, *size)
    padded, indices = tf.constant(pad_for_crops(source)), tf.range(count) % 2
    seed = tf.constant([3, 4])

    def run(indices):
        return augment(padded, size, indices, seed, flip=flip)

    if inside_data_pipeline:
        batches = tf.data.Dataset.from_tensor_slices(indices).batch(count).map(run)
        got = next(iter(batches)).numpy()
    else:
        got = run(indices).numpy()
    for index in (0, 1):
        allowed = {crop.astype(np.float32).tobytes() for crop in crops(source[index], flip)}
        seen = {image.tobytes() for image in got[index::2]}
        assert seen <= allowed
        # 300 draws of 81 or 162 kinds: far more than half of them must turn up.
        assert len(seen) > len(allowed) / 2


@pytest.mark.parametrize("padding", [0, 1, 6])
def test_images_are_shifted_by_the_padding_at_most(padding):
    source = images(1, 32, 32)
    batches = make_training_batches(
        np.repeat(source, 900, axis=0),
        np.zeros(900),
        IDENTITY,
        False,
        Sampler(900, 900, 1, 0),
        padding=padding,
    )
    got, _ = next(iter(batches))
    allowed = {crop.astype(np.float32).tobytes() for crop in crops(source[0], False, padding)}
    # 900 draws of 169 kinds at most: 5 times each.
    assert {image.tobytes() for image in got.numpy()} == allowed


def pipeline(epochs=2, seed=0, batch_size=8, count=20, labels=None):
    source = images(count)
    labels = np.arange(count) if labels is None else labels
    return make_training_batches(
        source, labels, IDENTITY, True, Sampler(count, batch_size, epochs, seed)
    )


def orders(seed):
    batches = list(pipeline(seed=seed))
    labels = np.concatenate([label for _, label in batches])
    assert [len(label) for _, label in batches] == [8, 8, 4] * 2
    assert len(labels) == 40
    return labels[:20].tolist(), labels[20:].tolist()


def test_every_epoch_has_every_image_once_in_its_own_order():
    first, second = orders(seed=0)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_order_and_augmentation_follow_the_seed():
    assert orders(0) == orders(0) != orders(1)
    (first, _), *_ = pipeline(seed=5)
    (again, _), *_ = pipeline(seed=5)
    (other, _), *_ = pipeline(seed=6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_augmentation_differs_between_epochs():
    same = np.repeat(images(1), 8, axis=0)
    batches = make_training_batches(same, np.zeros(8), IDENTITY, False, Sampler(8, 8, 2, 0))
    (first, _), (second, _) = batches
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("first_step", [1, 15, 20])
def test_a_resumed_training_on_digits_sees_what_an_uninterrupted_one_does(first_step):
    training = data.load_training_set("digits", num_classes=10)
    assert (training.count, training.steps(100), training.num_classes) == (1437, 15, 10)
    whole = list(training.batches(100, 2, 7).as_numpy_iterator())
    resumed = list(training.batches(100, 2, 7, first_step=first_step).as_numpy_iterator())
    assert len(resumed) == 30 - first_step
    for (images, labels), (again, labels_again) in zip(whole[first_step:], resumed, strict=True):
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, labels_again)


def test_shards_of_the_digits_make_up_the_batches():
    training = data.load_training_set("digits")
    whole = list(training.batches(100, 1, 7).as_numpy_iterator())
    shards = list(training.batches(100, 1, 7, shards=3, own_shards=(0, 1, 2)).as_numpy_iterator())
    assert [len(labels) for _, labels in shards[-3:]] == [12, 12, 13]
    for step, (images, labels) in enumerate(whole):
        own = shards[3 * step : 3 * step + 3]
        np.testing.assert_array_equal(np.concatenate([shard for shard, _ in own]), images)
        np.testing.assert_array_equal(np.concatenate([shard for _, shard in own]), labels)
    last = list(training.batches(100, 1, 7, shards=3, own_shards=(2,)).as_numpy_iterator())
    assert [images.tobytes() for images, _ in last] == [
        images.tobytes() for images, _ in shards[2::3]
    ]


def test_another_number_of_classes_is_refused_before_reading(tmp_path):
    for make in (data.load_training_set, data.load_evaluation_set):
        with pytest.raises(ValueError, match=r"cifar100 has 100 classes, the network has 10\."):
            make("cifar100", num_classes=10)
        with pytest.raises(ValueError, match=rf"`data_path`: {tmp_path} has 10 classes"):
            make("cifar10", str(tmp_path), num_classes=100)


def test_test_batches_hold_every_image_once_in_order():
    source, labels = images(20), np.arange(20)
    batches = list(data.make_test_batches(source, labels, IDENTITY, 8))
    assert [len(label) for _, label in batches] == [8, 8, 4]
    np.testing.assert_array_equal(np.concatenate([label for _, label in batches]), labels)
    np.testing.assert_allclose(np.concatenate([image for image, _ in batches]), source, rtol=1e-6)


def test_normalization_is_per_channel():
    normalization = data.Normalization((0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    pixels[0, 0, 0] = 255
    got = normalization(tf.constant(pixels)).numpy()
    np.testing.assert_allclose(got[0, 0, 0], [1, 3, 1], rtol=1e-6)
    np.testing.assert_allclose(got[0, 1, 1], [-1, -1, 0], rtol=1e-6)


def test_wrong_images_and_labels_are_refused():
    with pytest.raises(ValueError, match=r"`images` must be uint8 of shape .*got float32"):
        data.make_test_batches(np.zeros((2, 4, 4, 3), np.float32), np.zeros(2), IDENTITY, 2)
    with pytest.raises(ValueError, match=r"`labels` must hold one label for each of the 2 images"):
        data.make_test_batches(images(2), np.zeros(3), IDENTITY, 2)


def test_digits_have_a_fixed_stratified_test_split():
    train, train_labels = data.load("digits", "train", normalized=False)
    test, test_labels = data.load("digits", "test", normalized=False)
    assert train.shape == (1437, 32, 32, 3)
    assert test.shape == (360, 32, 32, 3)
    assert (train.dtype, train.min(), train.max()) == (np.uint8, 0, 255)
    shares = np.bincount(train_labels) / 1437 - np.bincount(test_labels) / 360
    assert np.abs(shares).max() < 0.002
    np.testing.assert_array_equal(data.load("digits", "test")[1], test_labels)
    kept = data.DATASETS["digits"].normalization
    assert (train / 255).mean() == pytest.approx(kept.mean[0], abs=1e-3)
    assert (train / 255).std() == pytest.approx(kept.std[0], abs=1e-3)


def test_loaded_images_are_those_that_training_and_evaluation_see():
    images, labels = data.load("digits", "test")
    batches, _ = data.load_evaluation_set("digits", batch_size=360)
    (expected, expected_labels), *_ = batches
    assert images.dtype == np.float32
    # Multiplying and subtracting in one rounding or in two.
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(labels, expected_labels)
    pixels, _ = data.load("digits", "test", normalized=False)
    chosen = data.DATASETS["digits"].normalization
    expected = (pixels / 255 - chosen.mean) / chosen.std
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)
    # More images than are normalised at once.
    assert data.load("digits", "train")[0].mean() == pytest.approx(0, abs=0.01)


def test_cifar10_is_read_through_tensorflow_datasets():
    path = str(shared("data", "tfds"))
    test, labels = data.load("cifar10", "test", path, normalized=False)
    assert test.shape == (10000, 32, 32, 3)
    assert np.bincount(labels).tolist() == [1000] * 10
    import tensorflow_datasets as tfds

    names = tfds.builder("cifar10", data_dir=path).info.features["label"].names
    assert tuple(names) == data.DATASETS["cifar10"].class_names


def test_data_set_that_lies_on_disk_needs_no_download(tmp_path):
    pytest.importorskip("tensorflow_datasets", reason="needs tensorflow-datasets, the extra data")
    cifar, digits = data.DATASETS["cifar10"], data.DATASETS["digits"]
    assert cifar.needs_download(str(tmp_path))
    assert not digits.needs_download(None)
    assert not cifar.needs_download(str(shared("data", "tfds")))


def test_missing_cifar10_is_one_clear_error(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def no_network(*args, **kwargs):
        raise ConnectionError("the network\nis away")

    monkeypatch.setattr(tfds, "load", no_network)
    with pytest.raises(OSError, match=r"`data_path`: cifar10 could neither.*the network is away"):
        data.load("cifar10", "test", str(tmp_path))


@pytest.mark.parametrize(
    ("dataset", "package"), [("digits", "sklearn"), ("cifar10", "tensorflow_datasets")]
)
def test_missing_package_names_the_extra(dataset, package, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == package:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'recu_tf\[data\]'"):
        data.load(dataset, "test")


def test_unknown_datasets_and_splits_are_refused():
    with pytest.raises(
        ValueError, match="`dataset` must be one of digits, cifar10, cifar100, got 'mnist'"
    ):
        data.load("mnist", "train")
    with pytest.raises(ValueError, match="`split` must be train or test, got 'validation'"):
        data.load("digits", "validation")
