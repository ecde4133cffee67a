import numpy as np
import pytest
import tensorflow as tf

from recu_tf import data
from recu_tf.data.streams import shorter_side_crop, whole_image


def ramp(height, width):
    """An image whose grey levels tell where they come from."""
    rows = np.linspace(0, 255, height)[:, None, None]
    columns = np.linspace(0, 255, width)[None, :, None]
    return np.concatenate(np.broadcast_arrays(rows, columns, 128), axis=2).round().astype(np.uint8)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(image).numpy())


@pytest.mark.parametrize("size", [(375, 500), (500, 375), (256, 256), (100, 301)])
def test_test_images_are_resized_and_cut_in_the_middle(size):
    height, width = size
    cut = shorter_side_crop(tf.constant(ramp(height, width))).numpy()
    assert cut.shape == (224, 224, 3)
    np.testing.assert_array_equal(cut, np.rint(cut))
    for axis, length in enumerate(size):
        share = 224 * min(size) / 256 / length
        levels = cut[:, 112, 0] if axis == 0 else cut[112, :, 1]
        ends = 255 * np.array([0.5 - share / 2, 0.5 + share / 2])
        # A pixel is half of the resized image's grid away from the edge of the cut, and rounded.
        np.testing.assert_allclose(levels[[0, -1]], ends, atol=2)
        assert (np.diff(levels) >= 0).all()


def test_large_images_are_resized_without_aliasing():
    """Stripes one pixel wide become grey, as with Pillow."""
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = shorter_side_crop(tf.constant(stripes)).numpy()
    assert np.abs(cut - 127.5).max() <= 2


def test_whole_images_are_only_resized():
    image = whole_image(tf.constant(ramp(64, 64))).numpy()
    assert image.shape == (224, 224, 3)
    assert (image[0, 0, 0], image[-1, -1, 1]) == (0, 255)


@pytest.fixture
def folder(tmp_path):
    for name, value in (("bright", 250), ("dark", 5)):
        for number in range(3):
            write(
                tmp_path / "val" / name / f"{number}.png", np.full((300, 280, 3), value, np.uint8)
            )
    return tmp_path


def test_folder_is_evaluated_image_by_image_in_order(folder):
    batches, count = data.evaluation_set("folder", str(folder), batch_size=4)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert count == 6
    assert [len(one) for one in labels] == [4, 2]
    assert np.concatenate(labels).tolist() == [0, 0, 0, 1, 1, 1]
    expected = (np.array([250, 250, 250]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(images[0][0, 0, 0], expected, rtol=1e-5)
    assert images[0].shape == (4, 224, 224, 3)


def test_tiny_imagenet_is_evaluated_with_its_own_normalization(tmp_path):
    (tmp_path / "train" / "n01").mkdir(parents=True)
    write(tmp_path / "val" / "images" / "0.JPEG", np.full((64, 64, 3), 255, np.uint8))
    (tmp_path / "val" / "val_annotations.txt").write_text("0.JPEG\tn01\t0\t0\t1\t1\n")
    batches, count = data.evaluation_set("tinyimagenet", str(tmp_path))
    images, labels = next(batches.as_numpy_iterator())
    assert (count, labels.tolist()) == (1, [0])
    expected = (1 - np.array([0.4802, 0.4481, 0.3975])) / [0.2302, 0.2265, 0.2262]
    np.testing.assert_allclose(images[0, 100, 100], expected, rtol=1e-5)


def prepared_imagenet(tfds, directory):
    """Three images as tensorflow-datasets keeps ImageNet once it has prepared it."""
    builder = tfds.builder("imagenet2012", data_dir=str(directory))
    builder.data_path.mkdir(parents=True)
    name = "imagenet2012-validation.tfrecord-00000-of-00001"
    with tf.io.TFRecordWriter(str(builder.data_path / name)) as writer:
        for label in (7, 0, 999):
            image = np.full((300, 260, 3), label % 256, np.uint8)
            example = {"image": image, "label": label, "file_name": f"{label}.JPEG"}
            encoded = builder.info.features.encode_example(example)
            writer.write(builder.info.features.serialize_example(encoded))
    template = tfds.core.ShardedFileTemplate(
        data_dir=builder.data_path,
        dataset_name="imagenet2012",
        split="validation",
        filetype_suffix="tfrecord",
    )
    builder.info.set_splits(
        tfds.core.splits.SplitDict(
            [
                tfds.core.splits.SplitInfo(
                    name="validation", shard_lengths=[3], num_bytes=0, filename_template=template
                )
            ]
        )
    )
    builder.info.write_to_directory(builder.data_path)


def test_imagenet_comes_from_tensorflow_datasets(tmp_path):
    prepared_imagenet(pytest.importorskip("tensorflow_datasets"), tmp_path)
    batches, count = data.evaluation_set("imagenet", str(tmp_path), batch_size=2)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert count == 3
    assert np.concatenate(labels).tolist() == [7, 0, 999]
    assert [one.shape for one in images] == [(2, 224, 224, 3), (1, 224, 224, 3)]
    expected = (7 / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    # JPEG keeps an even image to a grey level.
    np.testing.assert_allclose(images[0][0, 9, 9], expected, atol=0.02)


def test_absent_imagenet_is_named(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(
        OSError, match=r"`data_path`: imagenet could neither be read from .* nor do"
    ):
        data.evaluation_set("imagenet", str(tmp_path))


def test_unknown_data_set_is_refused():
    with pytest.raises(
        ValueError, match=r"`dataset` must be one of digits, cifar10, .* got 'mnist'"
    ):
        data.evaluation_set("mnist")
