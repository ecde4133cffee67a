import numpy as np
import pytest
import tensorflow as tf

from recu_tf import data
from recu_tf.pixel_scaling import make_identity_normalization

RANDOM = np.random.default_rng(0)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    encode = tf.io.encode_png if path.suffix == ".png" else tf.io.encode_jpeg
    path.write_bytes(encode(image).numpy())


def noise(height, width):
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def image_folder(root):
    """Two classes of 4 images each, of different sizes and formats."""
    for number in range(8):
        name = f"{number}.{'png' if number % 3 else 'JPEG'}"
        write(root / "train" / ("cat", "dog")[number % 2] / name, noise(40 + number, 60))
    return "folder", str(root)


def tiny_imagenet(root):
    for number in range(8):
        name = f"n0{number % 2}"
        # Not all of the size that they ought to have.
        image = noise(64 + number // 7, 64)
        write(root / "train" / name / "images" / f"{name}_{number}.JPEG", image)
    return "tinyimagenet", str(root)


def prepared_imagenet(root, splits):
    """Images as tensorflow-datasets keeps ImageNet once it has prepared it.

    Args:
        root: the data directory.
        splits: by name, labels shard by shard; an image is as grey as its label.
    """
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder("imagenet2012", data_dir=str(root))
    builder.data_path.mkdir(parents=True)
    infos = []
    for split, shards in splits.items():
        for number, labels in enumerate(shards):
            name = f"imagenet2012-{split}.tfrecord-{number:05}-of-{len(shards):05}"
            with tf.io.TFRecordWriter(str(builder.data_path / name)) as writer:
                for label in labels:
                    image = np.full((300, 260, 3), label % 256, np.uint8)
                    example = {"image": image, "label": label, "file_name": f"{label}.JPEG"}
                    example = builder.info.features.encode_example(example)
                    writer.write(builder.info.features.serialize_example(example))
        template = tfds.core.ShardedFileTemplate(
            data_dir=builder.data_path,
            dataset_name="imagenet2012",
            split=split,
            filetype_suffix="tfrecord",
        )
        infos.append(
            tfds.core.splits.SplitInfo(
                name=split,
                shard_lengths=[len(labels) for labels in shards],
                num_bytes=0,
                filename_template=template,
            )
        )
    builder.info.set_splits(tfds.core.splits.SplitDict(infos))
    builder.info.write_to_directory(builder.data_path)
    return "imagenet", str(root)


def imagenet_records(root):
    return prepared_imagenet(root, {"train": [range(3), range(3, 6), range(6, 8)]})


KINDS = [
    image_folder,
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in (tiny_imagenet, imagenet_records)),
]


def arrays(batches):
    return [(images.tobytes(), labels.tolist()) for images, labels in batches.as_numpy_iterator()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_stream_and_shards_are_those_of_the_whole(kind, tmp_path):
    training = data.load_training_set(*kind(tmp_path))
    assert (training.count, training.steps(3), training.steps(3, shards=3)) == (8, 3, 2)
    whole = list(training.batches(3, 2, seed=3).as_numpy_iterator())
    assert [len(labels) for _, labels in whole] == [3, 3, 2, 3, 3, 2]
    assert all(images.shape[1:] == (224, 224, 3) for images, _ in whole)
    assert all(labels.dtype == np.int64 for _, labels in whole)
    as_bytes = [(images.tobytes(), labels.tolist()) for images, labels in whole]
    # In the middle of the first epoch, and in the last; all steps are covered in test_sampling.py.
    for first_step in (1, 5):
        assert arrays(training.batches(3, 2, 3, first_step=first_step)) == as_bytes[first_step:]
    # Whatever else in the program has drawn random numbers, or seeded them.
    tf.random.set_seed(99)
    sharded = training.batches(3, 2, 3, first_step=1, shards=2, own_shards=(0, 1))
    shards = list(sharded.as_numpy_iterator())
    for step, (images, labels) in enumerate(whole[1:]):
        halves = shards[2 * step : 2 * step + 2]
        np.testing.assert_array_equal(np.concatenate([half for half, _ in halves]), images)
        np.testing.assert_array_equal(np.concatenate([half for _, half in halves]), labels)
    second = arrays(training.batches(3, 2, 3, first_step=1, shards=2, own_shards=(1,)))
    assert second == [(images.tobytes(), labels.tolist()) for images, labels in shards[1::2]]
    assert arrays(training.batches(3, 1, seed=4)) != as_bytes[:3]


@pytest.mark.slow
def test_imagenet_may_lie_in_folders(tmp_path):
    _, path = image_folder(tmp_path)
    training = data.load_training_set("imagenet", path)
    assert (training.count, training.class_names) == (8, ("cat", "dog"))
    folder = data.load_training_set("folder", path)
    assert arrays(training.batches(8, 1, 0)) == arrays(folder.batches(8, 1, 0))


def test_records_are_shuffled_anew_in_every_epoch_and_each_seen_once(tmp_path):
    training = data.load_training_set(*imagenet_records(tmp_path))
    assert training.num_classes == len(training.class_names) == 1000
    batches = training.batches(8, 3, seed=0)
    epochs = [labels.tolist() for _, labels in batches.as_numpy_iterator()]
    assert [sorted(epoch) for epoch in epochs] == [list(range(8))] * 3
    assert len({tuple(epoch) for epoch in epochs} | {tuple(range(8))}) == 4


def test_training_images_are_normalised_and_classes_named(tmp_path):
    for name, level in (("bright", 250), ("dark", 5)):
        for number in range(2):
            write(tmp_path / "train" / name / f"{number}.png", np.full((30, 40, 3), level, "u1"))
    training = data.load_training_set("folder", str(tmp_path), num_classes=2)
    assert (training.num_classes, training.class_names) == (2, ("bright", "dark"))
    ((images, labels),) = training.batches(4, 1, 0).as_numpy_iterator()
    levels = np.where(labels == 0, 250, 5)[:, None]
    expected = (levels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(images[:, 100, 7], expected, rtol=1e-5)
    own = make_identity_normalization(3)
    ((images, _),) = data.load_training_set("folder", str(tmp_path), normalization=own).batches(
        4, 1, 0
    )
    np.testing.assert_allclose(images[:, 9, 9], np.repeat(levels, 3, axis=1), rtol=1e-6)


def broken_files(folder, good):
    """By name, what a file may hold that is no whole image."""
    jpeg = tf.io.encode_jpeg(good).numpy()
    png = tf.io.encode_png(good).numpy()
    contents = {
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "almost.jpg": jpeg[:-30],
        "cut.png": png[: len(png) // 2],
        "empty.jpeg": b"",
        "text.png": b"<html>not found</html>",
        "header.jpg": jpeg[:3],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return sorted(str(folder / name) for name in contents)


@pytest.mark.parametrize("index", range(6))
def test_a_broken_training_image_stops_the_stream_and_is_named(index, tmp_path):
    name, path = image_folder(tmp_path)
    names = broken_files(tmp_path / "train" / "cat", noise(60, 50))
    for other in names[:index] + names[index + 1 :]:
        (tmp_path / other).unlink()
    # Whatever is cut out of it: the damage may lie below.
    with pytest.raises(tf.errors.InvalidArgumentError, match="cannot be read") as error:
        arrays(data.load_training_set(name, path).batches(4, 1, 0))
    line = data.describe_broken_image(error.value)
    assert line.startswith(f"`data_path`: {names[index]} cannot be read: it is damaged")
    assert "\n" not in line


def test_other_errors_are_no_broken_images():
    assert (
        data.describe_broken_image(tf.errors.InvalidArgumentError(None, None, "wrong shape"))
        is None
    )


@pytest.mark.parametrize("batch_size", [1, pytest.param(14, marks=pytest.mark.slow)])
def test_broken_training_images_are_left_out_and_each_named_once(batch_size, tmp_path, capfd):
    name, path = image_folder(tmp_path)
    names = broken_files(tmp_path / "train" / "cat", noise(60, 50))
    training = data.load_training_set(name, path, skip_broken=True)
    assert training.count == 14
    batches = list(training.batches(batch_size, 2, 0).as_numpy_iterator())
    assert len(batches) == 2 * training.steps(batch_size)
    assert all(len(labels) == len(images) > 0 for images, labels in batches)
    seen = sum(len(labels) for _, labels in batches)
    # A batch of one broken image has another one instead: a step needs an image.
    assert seen == 2 * (14 if batch_size == 1 else 8)
    lines = [line for line in capfd.readouterr().err.splitlines() if "Left out" in line]
    assert sorted(line.split()[2] for line in lines) == names
    resumed = arrays(training.batches(batch_size, 2, 0, first_step=1))
    assert resumed == [(images.tobytes(), labels.tolist()) for images, labels in batches[1:]]


def test_where_no_image_can_be_read_skipping_ends(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    broken_files(tmp_path / "train" / "cat", noise(60, 50))
    training = data.load_training_set("folder", str(tmp_path), skip_broken=True)
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        arrays(training.batches(2, 1, 0))
    assert "cannot be read" in data.describe_broken_image(error.value)


def test_broken_test_images_stop_the_evaluation_or_are_left_out(tmp_path, capfd):
    for number in range(5):
        write(tmp_path / "val" / "cat" / f"{number}.png", noise(30, 40))
    broken = tmp_path / "val" / "cat" / "1.png"
    broken.write_bytes(broken.read_bytes()[:100])
    batches, count = data.load_evaluation_set("folder", str(tmp_path), batch_size=1)
    assert count == 5
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cat/1.png cannot be read"):
        arrays(batches)
    batches, _ = data.load_evaluation_set("folder", str(tmp_path), batch_size=1, skip_broken=True)
    assert [len(labels) for _, labels in batches] == [1, 1, 1, 1]
    assert f"Left out: {broken} cannot be read" in capfd.readouterr().err


def test_another_number_of_classes_is_refused(tmp_path):
    name, path = image_folder(tmp_path)
    for split, make in (("train", data.load_training_set), ("val", data.load_evaluation_set)):
        for class_name in ("cat", "dog"):
            write(tmp_path / split / class_name / "0.png", noise(30, 40))
        with pytest.raises(
            ValueError, match=rf"`data_path`: {path} has 2 classes, the network has 3"
        ):
            make(name, path, num_classes=3)
        make(name, path, num_classes=2)


def test_folder_is_evaluated_image_by_image_in_order(tmp_path):
    for name, value in (("bright", 250), ("dark", 5)):
        for number in range(3):
            image = np.full((300, 280, 3), value, np.uint8)
            write(tmp_path / "val" / name / f"{number}.png", image)
    batches, count = data.load_evaluation_set("folder", str(tmp_path), batch_size=4)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert count == 6
    assert [len(batch) for batch in labels] == [4, 2]
    assert np.concatenate(labels).tolist() == [0, 0, 0, 1, 1, 1]
    expected = (np.array([250, 250, 250]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(images[0][0, 0, 0], expected, rtol=1e-5)
    assert images[0].shape == (4, 224, 224, 3)


def test_tiny_imagenet_is_evaluated_with_its_own_normalization(tmp_path):
    (tmp_path / "train" / "n01").mkdir(parents=True)
    write(tmp_path / "val" / "images" / "0.JPEG", np.full((64, 64, 3), 255, np.uint8))
    (tmp_path / "val" / "val_annotations.txt").write_text("0.JPEG\tn01\t0\t0\t1\t1\n")
    batches, count = data.load_evaluation_set("tinyimagenet", str(tmp_path))
    images, labels = next(batches.as_numpy_iterator())
    assert (count, labels.tolist()) == (1, [0])
    expected = (1 - np.array([0.4802, 0.4481, 0.3975])) / [0.2302, 0.2265, 0.2262]
    np.testing.assert_allclose(images[0, 100, 100], expected, rtol=1e-5)


def test_imagenet_comes_from_tensorflow_datasets(tmp_path):
    prepared_imagenet(tmp_path, {"validation": [(7, 0, 999)]})
    batches, count = data.load_evaluation_set("imagenet", str(tmp_path), batch_size=2)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert count == 3
    assert np.concatenate(labels).tolist() == [7, 0, 999]
    assert [batch.shape for batch in images] == [(2, 224, 224, 3), (1, 224, 224, 3)]
    expected = (7 / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    # JPEG keeps an even image to a grey level.
    np.testing.assert_allclose(images[0][0, 9, 9], expected, atol=0.02)


def test_absent_imagenet_is_named(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    for make in (data.load_training_set, data.load_evaluation_set):
        with pytest.raises(
            OSError, match=r"`data_path`: imagenet could neither be read from .* nor do"
        ):
            make("imagenet", str(tmp_path))


def test_unknown_data_set_is_refused():
    for make in (data.load_training_set, data.load_evaluation_set):
        with pytest.raises(
            ValueError, match=r"`dataset` must be one of digits, cifar10, .* got 'mnist'"
        ):
            make("mnist")
