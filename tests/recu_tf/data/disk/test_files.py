import warnings

import pytest
import tensorflow as tf

from recu_tf.data.disk.files import list_folder_files, list_image_files, list_tiny_imagenet_files


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_classes_in_alphabetical_order(tmp_path):
    touch(tmp_path, "train/dog/2.JPG", "train/dog/1.png", "train/cat/a.jpeg", "train/cat/note.txt")
    touch(tmp_path, "val/cat/b.jpg", "val/dog/c.jpg")
    with pytest.warns(UserWarning, match=r"train: left out 1 \.txt; images must be \.jpeg, "):
        files = list_folder_files("train", str(tmp_path))
    assert files.class_names == ("cat", "dog")
    assert [path.split("/")[-1] for path in files.paths] == ["a.jpeg", "1.png", "2.JPG"]
    assert files.labels == [0, 1, 1]
    assert list_folder_files("test", str(tmp_path)).labels == [0, 1]


def test_hidden_entries_are_neither_classes_nor_images(tmp_path):
    touch(tmp_path, "train/.ipynb_checkpoints/a.jpg", "train/__MACOSX/a.jpg", "train/.DS_Store")
    touch(tmp_path, "train/cat/._0.jpg", "train/cat/.DS_Store", "train/cat/__MACOSX/0.jpg")
    touch(tmp_path, "train/cat/0.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files = list_folder_files("train", str(tmp_path))
    assert files.class_names == ("cat",)
    assert files.paths == [str(tmp_path / "train" / "cat" / "0.jpg")]


def test_what_is_no_image_is_counted_by_its_suffix_in_one_warning(tmp_path):
    touch(tmp_path, "train/cat/0.jpg", "train/cat/1.webp", "train/cat/2.WEBP", "train/cat/3")
    touch(tmp_path, "train/dog/0.jpg", "train/dog/1.webp", "train/dog/2.tiff", "train/stray.jpg")
    touch(tmp_path, "train/labels.txt")  # no image is missed there
    (tmp_path / "train" / "dog" / "x.jpg").mkdir()
    with pytest.warns(UserWarning, match="train: left out") as caught:
        files = list_folder_files("train", str(tmp_path))
    assert [path.split("/")[-2:] for path in files.paths] == [["cat", "0.jpg"], ["dog", "0.jpg"]]
    assert len(caught) == 1
    counted = str(caught[0].message).split("left out ")[1].split(";")[0]
    assert counted.startswith("3 .webp, ")
    assert set(counted.split(", ")) == {
        "3 .webp",
        "1 .tiff",
        "1 without a suffix",
        "1 folder",
        "1 .jpg",
    }


def test_class_of_formats_that_cannot_be_read_names_them(tmp_path):
    touch(tmp_path, "train/cat/0.webp", "train/cat/1.webp")
    with pytest.raises(FileNotFoundError, match=r"cat must hold images .*; it has only 2 \.webp"):
        list_folder_files("train", str(tmp_path))


def test_folder_named_test_does_for_val(tmp_path):
    touch(tmp_path, "test/cat/b.jpg")
    assert list_folder_files("test", str(tmp_path)).class_names == ("cat",)


def test_classes_are_those_of_the_training_images(tmp_path):
    touch(tmp_path, "train/cat/a.jpg", "train/cow/a.jpg", "train/dog/a.jpg", "val/dog/b.jpg")
    with pytest.warns(UserWarning, match="val has no images of cat, cow"):
        test = list_folder_files("test", str(tmp_path))
    assert (test.class_names, test.labels) == (("cat", "cow", "dog"), [2])
    touch(tmp_path, "val/eel/b.jpg")
    touch(tmp_path, "val/cat/b.jpg", "val/cow/b.jpg")
    with pytest.raises(
        FileNotFoundError, match=r"val/eel is the folder of a class that .*train must hold too"
    ):
        list_folder_files("test", str(tmp_path))


def test_missing_and_empty_folders_are_named(tmp_path):
    for split, message in (
        ("train", "must hold the folder .*train, which does not"),
        ("test", "val"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            list_folder_files(split, str(tmp_path))
    (tmp_path / "train").mkdir()
    with pytest.raises(
        FileNotFoundError, match="train must hold a folder of images for each class"
    ):
        list_folder_files("train", str(tmp_path))
    touch(tmp_path, "train/cat/1.jpg", "train/dog/readme.txt")
    with pytest.raises(FileNotFoundError, match="dog must hold images"):
        list_folder_files("train", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="`data_path` must name a folder of images"):
        list_folder_files("train", None)


@pytest.fixture
def tiny(tmp_path):
    touch(tmp_path, *(f"train/{name}/images/{name}_0.JPEG" for name in ("n02", "n01")))
    touch(tmp_path, "val/images/val_0.JPEG", "val/images/val_1.JPEG")
    lines = "val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n"
    (tmp_path / "val" / "val_annotations.txt").write_text(lines)
    return tmp_path


def test_tiny_imagenet_is_read_as_it_was_unpacked(tiny):
    train, test = (list_tiny_imagenet_files(split, str(tiny)) for split in ("train", "test"))
    assert train.class_names == test.class_names == ("n01", "n02")
    assert [path.split("/")[-1] for path in train.paths] == ["n01_0.JPEG", "n02_0.JPEG"]
    assert train.labels == [0, 1]
    assert [path.split("/")[-1] for path in test.paths] == ["val_0.JPEG", "val_1.JPEG"]
    assert test.labels == [1, 0]
    assert all(tf.io.gfile.exists(path) for path in train.paths + test.paths)


def test_folder_around_tiny_imagenet_will_do_as_published(tiny, tmp_path):
    expected = [list_tiny_imagenet_files(split, str(tiny)) for split in ("train", "test")]
    around = tmp_path / "around"
    around.mkdir()
    (around / "tiny-imagenet-200").symlink_to(tiny)
    found = [list_tiny_imagenet_files(split, str(around)) for split in ("train", "test")]
    for there, here in zip(expected, found, strict=True):
        assert (here.labels, here.class_names) == (there.labels, there.class_names)
        assert here.paths == [
            path.replace(str(tiny), str(around / "tiny-imagenet-200")) for path in there.paths
        ]


def test_test_images_of_tiny_imagenet_may_be_sorted_into_classes(tiny):
    # As ImageFolder wants them; the list that came with them often stays.
    (tiny / "val" / "images").rename(tiny / "val" / "n02")
    touch(tiny, "val/n01/val_9.JPEG")
    test = list_tiny_imagenet_files("test", str(tiny))
    assert [path.split("/")[-2:] for path in test.paths] == [
        ["n01", "val_9.JPEG"],
        ["n02", "val_0.JPEG"],
        ["n02", "val_1.JPEG"],
    ]
    assert test.labels == [0, 1, 1]


def test_damaged_tiny_imagenet_is_named(tiny):
    annotations = tiny / "val" / "val_annotations.txt"
    annotations.write_text("val_0.JPEG\tn03\t0\n")
    with pytest.raises(ValueError, match=r"val_annotations.txt, line 1, must name a file and a cl"):
        list_tiny_imagenet_files("test", str(tiny))
    annotations.unlink()
    with pytest.raises(FileNotFoundError, match=r"val_annotations.txt, which does not exist"):
        list_tiny_imagenet_files("test", str(tiny))
    touch(tiny, "train/n04/images/readme.txt")
    with pytest.raises(FileNotFoundError, match="n04/images must hold images"):
        list_tiny_imagenet_files("train", str(tiny))
    with pytest.raises(
        FileNotFoundError, match="`data_path` must name the folder of Tiny-ImageNet"
    ):
        list_tiny_imagenet_files("train", None)


def test_folders_of_classes_are_not_taken_for_tiny_imagenet(tmp_path):
    touch(tmp_path, "train/cat/a.jpg", "val/cat/b.jpg")
    with pytest.raises(FileNotFoundError, match=r"must hold Tiny-ImageNet .* folder .*cat/images"):
        list_tiny_imagenet_files("train", str(tmp_path))


def test_folder_of_images_has_classes_or_is_flat(tmp_path):
    touch(tmp_path, "a/dog/1.png", "a/cat/2.jpg", "a/cat/3.jpg", "a/__MACOSX/4.jpg", "b/2.jpg")
    touch(tmp_path, "b/1.png", "b/.ipynb_checkpoints/1.png", "c/.hidden", "beside.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classes, flat = (list_image_files(tmp_path / name) for name in "ab")
    assert classes.class_names == ("cat", "dog")
    assert classes.labels == [0, 0, 1]
    assert flat.paths == [str(tmp_path / "b" / name) for name in ("1.png", "2.jpg")]
    assert (flat.labels, flat.class_names) == ([], ())
    touch(tmp_path, "b/3.webp")
    with pytest.warns(UserWarning, match=r"b: left out 1 \.webp; images must be .* \.gif\.$"):
        assert list_image_files(tmp_path / "b") == flat
    with pytest.raises(FileNotFoundError, match=r"c must hold images .* it has none"):
        list_image_files(tmp_path / "c")
    with pytest.raises(NotADirectoryError, match=r"beside\.txt must be a folder of images, and"):
        list_image_files(tmp_path / "beside.txt")
