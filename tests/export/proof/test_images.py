import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export import Source
from export.proof.images import find_data_set, load_calibration_images, load_verification_images
from export.proof.random_images import check_size, draw_images
from recu_tf import data

L = tf.keras.layers
SCALED = data.Normalization((0.0,) * 3, (1.0,) * 3)


def network(*shape, classes=3):
    image = tf.keras.Input(shape)
    return tf.keras.Model(image, L.Dense(classes)(L.GlobalAveragePooling2D()(image)))


def source(size=8, channels=3, **known):
    return Source(network(size, size, channels), "a network", "nowhere", **known)


def save(folder, *names, size=(8, 8)):
    """Images of one grey level each: 10, 20 and so on, in the order of the names."""
    for number, name in enumerate(names, start=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (10 * number,) * 3).save(path)


def greys(images):
    return sorted(np.rint(255 * images.mean(axis=(1, 2, 3))).astype(int).tolist())


@pytest.mark.parametrize(
    ("shape", "count"), [((8, 8, 3), 256), ((224, 224, 3), 256), ((1024, 1024, 3), 12)]
)
def test_large_images_are_fewer(shape, count):
    images = draw_images(network(*shape), pixels=False)
    assert images.shape == (count, *shape)
    assert images.dtype == np.float32
    # Of millions of numbers, a thousandth is more than chance leaves; of the smallest, 49,152.
    assert np.std(images, dtype=np.float64) == pytest.approx(1, abs=0.01)


def test_images_beyond_memory_are_refused_before_any_is_made():
    largest = network(8192, 8192, 1)
    check_size(largest)
    with pytest.raises(
        ValueError, match=r"67,108,864 numbers at most, got \(1000000, 1000000, 3\)"
    ):
        check_size(network(10**6, 10**6, 3))


def test_each_of_several_inputs_gets_what_it_takes():
    inputs = [
        tf.keras.Input((4,)),
        tf.keras.Input((8, 8, 3)),
        tf.keras.Input((5,), dtype="int32"),
        tf.keras.Input((2, 2), dtype="uint8"),
    ]
    table = L.Embedding(2, 4)(inputs[2])
    rest = [L.Flatten()(tf.cast(tensor, tf.float32)) for tensor in (*inputs[:2], table, inputs[3])]
    model = tf.keras.Model(inputs, L.Concatenate()(rest))
    vectors, images, rows, bytes_ = draw_images(model, pixels=True)
    assert [array.shape[1:] for array in (vectors, images, rows, bytes_)] == [
        (4,),
        (8, 8, 3),
        (5,),
        (2, 2),
    ]
    assert [array.dtype.name for array in (vectors, images, rows, bytes_)] == [
        "float32",
        "float32",
        "int32",
        "uint8",
    ]
    assert vectors.min() < 0
    assert (images.min(), images.max()) == (0, 255)
    assert set(rows.flatten()) == {0, 1}
    assert bytes_.max() > 250
    with pytest.raises(ValueError, match="`images` is for networks with one input, and a has 4"):
        load_verification_images(Source(model, "a", "a"), None, "anywhere")


def test_folders_of_classes_are_labelled_in_alphabetical_order(tmp_path):
    save(tmp_path, "dog/a.png", "cat/b.png", "emu/c.png", "cat/d.jpg", ".hidden/e.png")
    images = load_verification_images(source(normalization=SCALED), None, tmp_path)
    assert images.class_names == ("cat", "dog", "emu")
    assert images.source == f"images of {tmp_path}"
    of_class = {number: greys(images.pixels[images.labels == number]) for number in range(3)}
    assert of_class == {0: [20, 40], 1: [10], 2: [30]}


def test_names_of_the_classes_decide_their_order(tmp_path):
    save(tmp_path, "dog/a.png", "cat/b.png")
    known = source(normalization=SCALED, class_names=["emu", "dog", "cat"])
    images = load_verification_images(known, None, tmp_path)
    assert images.class_names is None
    assert greys(images.pixels[images.labels == 1]) == [10]
    assert greys(images.pixels[images.labels == 2]) == [20]
    with pytest.raises(ValueError, match="has folders for 2 classes, the network has 3 outputs"):
        load_verification_images(source(normalization=SCALED), None, tmp_path)
    other = source(normalization=SCALED, class_names=["emu", "dog", "bear"])
    with pytest.raises(
        ValueError, match=r"cat must have the name of one class of the network: emu"
    ):
        load_verification_images(other, None, tmp_path)


def test_images_without_folders_have_no_labels(tmp_path):
    save(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "notes.txt").touch()
    with pytest.warns(UserWarning, match=r"left out 1 \.txt"):
        images = load_verification_images(source(normalization="pixels"), None, tmp_path)
    assert images.labels is None
    assert sorted(images.pixels[:, 0, 0, 0].tolist()) == [10, 20, 30]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_a_folder_are_those_that_predict_sees(channels, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 30, 3)).astype("uint8")
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    image.save(tmp_path / "a.png", exif=exif)
    got = load_verification_images(
        source(8, channels, normalization="pixels"), None, tmp_path
    ).pixels
    upright = Image.fromarray(np.rot90(pixels, -1)).convert("L" if channels == 1 else "RGB")
    expected = np.asarray(upright.resize((8, 8), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(got[0], expected.reshape(8, 8, channels))


def test_int8_is_calibrated_on_a_folder_where_no_data_set_is_known(tmp_path):
    names = [f"{number}.png" for number in range(1, 25)]
    save(tmp_path, *names)
    known = source(normalization=SCALED)
    assert greys(load_calibration_images(known, None, tmp_path)) == [10 * at for at in range(1, 25)]
    with pytest.raises(ValueError, match=r"`int8` is calibrated on .* `images` a folder of images"):
        load_calibration_images(known, None)
    digits = Source(network(32, 32, 3, classes=10), "a network", "nowhere", normalization="pixels")
    images = load_calibration_images(digits, find_data_set(digits, "digits"), tmp_path)
    assert images.shape == (256, 32, 32, 3)
    # As pixels, since that is what the network takes.
    assert images.max() == 255


@pytest.mark.parametrize(
    ("make", "match", "known"),
    [
        (lambda path: None, "`images`: .*nowhere must be a folder of images", SCALED),
        (lambda path: path.mkdir(), "`images`: .*nowhere must hold images .* has none", SCALED),
        (lambda path: save(path, "a.png"), "`images` must be normalised as", None),
        (
            lambda path: (path.mkdir(), (path / "a.png").write_text("no image")),
            r"`images`: .*a\.png cannot be read as an image",
            SCALED,
        ),
    ],
)
def test_folder_that_cannot_be_used_is_refused(make, match, known, tmp_path):
    make(tmp_path / "nowhere")
    with pytest.raises((ValueError, OSError), match=match):
        load_verification_images(source(normalization=known), None, tmp_path / "nowhere")


def test_data_set_that_nobody_named_is_not_downloaded(monkeypatch, tmp_path):
    cifar = data.DATASETS["cifar10"]
    pixels = np.full((20, 32, 32, 3), 7, np.uint8)
    absent = data.Dataset(
        cifar.class_names,
        cifar.normalization,
        cifar.flip,
        lambda split, data_path: (pixels, np.zeros(20, int)),
        needs_download=lambda data_path: True,
    )
    monkeypatch.setitem(data.DATASETS, "cifar10", absent)
    known = Source(network(32, 32, 3, classes=10), "a network", "nowhere", dataset="cifar10")
    images = load_verification_images(known, find_data_set(known))
    assert "cifar10 would have to be downloaded, which `dataset`" in images.source
    named = load_verification_images(known, find_data_set(known, data_path=str(tmp_path)))
    assert named.source == "test images of cifar10"
