import h5py
import numpy as np
import pytest
import tensorflow as tf
from conftest import need

from recu_tf.models import with_recu, zoo, zoo_weights

SHAPE = (32, 32, 3)


def write(path, layers):
    """Writes a file as Keras does, of named layers with named weights."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, values in weights.items():
                group[weight] = values
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A network as larq-zoo builds it, and files with its weights."""
    package = need("larq_zoo")
    tf.keras.utils.set_random_seed(0)
    network = package.sota.QuickNetSmall(weights=None, num_classes=3, input_shape=SHAPE)
    folder = tmp_path_factory.mktemp("zoo")
    network.save_weights(folder / "weights.h5")
    network.save(folder / "model.h5")
    return network, folder


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("file", ["weights.h5", "model.h5"])
def test_network_with_weights_of_a_file_is_the_one_that_larq_zoo_builds(published, file):
    expected, folder = published
    network = zoo.build("QuickNetSmall", input_shape=SHAPE, weights=folder / file)
    images = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    np.testing.assert_array_equal(network(images), expected(images))
    for layer, other in zip(network.layers, expected.layers, strict=True):
        assert type(layer) is type(other)
        if getattr(layer, "kernel_quantizer", None):
            assert type(layer.kernel_quantizer) is type(other.kernel_quantizer)
    trained_on = with_recu(network)
    np.testing.assert_array_equal(trained_on.weights[0], expected.weights[0])


def test_weights_of_other_networks_are_refused_by_the_layer(published):
    with pytest.raises(ValueError, match=r"quicknet_small whose layer .*\(512, 4\).*\(512, 3\)"):
        zoo.build(
            "QuickNetSmall",
            num_classes=4,
            input_shape=SHAPE,
            weights=published[1] / "weights.h5",
        )


def test_weights_of_more_layers_are_refused_by_their_number(tmp_path):
    network = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))], name="small")
    path = write(tmp_path / "two.h5", {"a": {"k": np.zeros(1)}, "b": {"k": np.zeros(1)}})
    before = network.get_weights()
    with pytest.raises(ValueError, match=r"the 1 layers with weights of small, .*two\.h5 has 2"):
        zoo_weights.set_layers(network, zoo_weights.read_layers(path), path)
    np.testing.assert_array_equal(network.get_weights()[0], before[0])


def test_files_without_weights_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    write(tmp_path / "empty.h5", {"pool": {}})
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["values"] = np.zeros(3)
    messages = {
        "text.h5": "is damaged or no .h5 file that Keras wrote",
        "empty.h5": "has no weights in it",
        "other.h5": "is damaged or no .h5 file that Keras wrote",
    }
    for name, message in messages.items():
        with pytest.raises(ValueError, match=rf"`weights`: .*{name} {message}"):
            zoo.build("QuickNetSmall", weights=tmp_path / name)
    with pytest.raises(FileNotFoundError, match='`weights` must be "imagenet" or the path of a'):
        zoo.build("QuickNetSmall", weights=tmp_path / "none.h5")


def test_files_that_would_become_far_longer_are_not_unpacked(tmp_path):
    with h5py.File(tmp_path / "zeros.h5", "w") as file:
        file.create_dataset("zeros", (2**28,), "float32", chunks=True, compression="gzip")
    with pytest.raises(ValueError, match="was refused and not unpacked"):
        zoo_weights.read_layers(tmp_path / "zeros.h5")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 10}, '`num_classes` must be 1000 for `weights` "imagenet", got 10'),
        ({"input_shape": SHAPE}, r'`input_shape` must be \(224, 224, 3\) for `weights` "imagenet"'),
    ],
)
def test_published_weights_are_for_classes_and_images_of_imagenet(options, message):
    with pytest.raises(ValueError, match=message):
        zoo.build("QuickNetSmall", weights="imagenet", **options)


def test_download_that_fails_says_how_to_bring_the_file(monkeypatch):
    need("larq_zoo")

    def fail(fname, origin, **_):
        raise Exception(f"URL fetch failure on {origin}: None -- [Errno -2] Name unknown")

    monkeypatch.setattr(tf.keras.utils, "get_file", fail)
    url = (
        r"https://github\.com/larq/zoo/releases/download/quicknet-v1\.0/quicknet_small_weights\.h5"
    )
    message = rf"^`weights`: quicknet_small_weights.h5 cannot .*: \[Errno -2\].* Bring {url} here"
    with pytest.raises(OSError, match=message):
        zoo.build("QuickNetSmall", weights="imagenet")
    assert tf.keras.utils.get_file is fail


def test_weights_that_were_downloaded_are_loaded(published, monkeypatch):
    package = need("larq_zoo")
    network = package.sota.QuickNetSmall(weights=None)
    path = published[1] / "imagenet.h5"
    network.save_weights(path)
    monkeypatch.setattr(tf.keras.utils, "get_file", lambda **_: path)
    loaded = zoo.build("QuickNetSmall", weights="imagenet")
    np.testing.assert_array_equal(loaded.weights[-2], network.weights[-2])
