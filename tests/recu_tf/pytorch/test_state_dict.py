from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from conftest import need, shared
from published_weights import CHECKPOINT, NETWORKS, images, published_weights, vectors

from recu_tf import data, models, optimizers, pytorch
from recu_tf.layers import Rotate180
from recu_tf.models import resnet
from recu_tf.pytorch.tensor_names import list_tensors

# One of each block on CIFAR; the others repeat their blocks, or take seconds each.
EVERYDAY = ("cifar_resnet20", "cifar_resnet18a", "cifar_vgg_small")
ten_networks = pytest.mark.parametrize(
    "reference",
    [pytest.param(name, marks=[] if name in EVERYDAY else [pytest.mark.slow]) for name in NETWORKS],
)


@ten_networks
def test_network_rotates_its_images_where_published_and_gives_the_published_logits(reference):
    _, numbers, state_dict, inputs = vectors(reference)
    name, dataset = NETWORKS[reference]
    model = pytorch.from_state_dict(state_dict, model=name, dataset=dataset)
    is_rotated = isinstance(model.layers[1], Rotate180)
    assert is_rotated == ("vgg" not in reference)
    expected = numbers["eval_logits"]
    # Absolutely where the logits are of the order of 1, relatively in the two-stage networks.
    scale = np.abs(expected).max() if "two_stage" in reference else 1
    assert np.abs(model(inputs, training=False) - expected).max() <= 1e-5 * scale


@ten_networks
def test_training_step_is_the_published_one(reference):
    """In float64: in float32 rounding may flip a sign near 0, and with it all that follows."""
    tf.keras.mixed_precision.set_global_policy("float64")
    description, numbers, state_dict, inputs = vectors(reference)
    name, dataset = NETWORKS[reference]
    model = pytorch.from_state_dict(state_dict, model=name, dataset=dataset)
    tensors = {tensor.name: tensor for tensor in list_tensors(model)}
    trainable = [tensors[name] for name in description["trainable"]]
    with tf.GradientTape() as tape:
        logits = model(inputs, training=True)
        losses = tf.keras.losses.sparse_categorical_crossentropy(
            numbers["labels"], logits, from_logits=True
        )
        loss = tf.reduce_mean(losses)
    gradients = dict(
        zip(
            description["trainable"],
            tape.gradient(loss, [tensor.variable for tensor in trainable]),
            strict=True,
        )
    )
    assert np.abs(logits - numbers["train_logits"]).max() <= 1e-4
    assert abs(loss - numbers["train_loss"]) <= 1e-5
    for key in numbers:
        if key.startswith("buffer_after/"):
            expected = numbers[key]
            buffer = tensors[key.removeprefix("buffer_after/")].variable
            assert np.abs(buffer - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
    classifier = "fc.weight" if "fc.weight" in gradients else "linear.weight"
    expected = tensors[classifier].to_keras(numbers[f"grad/{classifier}"])
    assert np.abs(gradients[classifier] - expected).max() <= 1e-5
    for (name, gradient), norm in zip(gradients.items(), numbers["grad_norms"], strict=True):
        # Batch norm nearly cancels the gradient of an alpha, so its float32 reference is partly
        # rounding: two of the ResNet-34's differ by 1.2 and 1.4 % from float64.
        share = 0.02 if reference == "imagenet_resnet34" and name.endswith("alpha") else 0.01
        assert abs(tf.norm(gradient) - norm) <= max(share * norm, 1e-4), name


@pytest.mark.slow
def test_five_steps_are_the_published_ones():
    tf.keras.mixed_precision.set_global_policy("float64")
    numbers = np.load(shared("reference", "models", "cifar_resnet20_steps.npz"))
    description, _, state_dict, _ = vectors("cifar_resnet20")
    model = pytorch.from_state_dict(state_dict)
    model.compile(
        optimizers.SGD(0.1, float(numbers["momentum"]), l2=float(numbers["weight_decay"])),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,  # tracing takes longer than the steps
    )
    batches = images(160, 32, description["seed"] + 3).astype("float64").reshape(5, 32, 32, 32, 3)
    steps = zip(batches, numbers["labels"], numbers["lr"], numbers["losses"], strict=True)
    for batch, labels, rate, loss in steps:
        model.optimizer.learning_rate.assign(rate)
        assert abs(model.train_on_batch(batch, labels) - loss) <= 1e-6
    tensors = {tensor.name: tensor for tensor in list_tensors(model)}
    for key, name in {
        "conv1": "conv1.weight",
        "linear": "linear.weight",
        "bn1_weight": "bn1.weight",
        "bn2_running_var": "bn2.running_var",
        "layer1_alpha": "layer1.0.conv1.alpha",
        "layer3_kernel": "layer3.2.conv2.weight",
    }.items():
        kept = len(numbers[key])  # the first filters of a kernel
        expected = np.resize(numbers[key], tensors[name].shape)
        difference = np.abs(tensors[name].variable - tensors[name].to_keras(expected))
        compared = difference if name == "linear.weight" else difference[..., :kept]
        assert compared.max() <= 1e-6, key


def test_prefix_and_shape_of_tau_do_not_matter():
    state_dict = published_weights()
    renamed = {
        f"module.{name}": value.reshape(1) if name.endswith("tau") else value
        for name, value in state_dict.items()
        if not name.endswith("num_batches_tracked")
    }
    model = pytorch.from_state_dict(renamed, model="resnet20_1w1a", dataset="cifar10")
    for tensor in list_tensors(model):
        expected = tensor.to_keras(state_dict[tensor.name])
        np.testing.assert_array_equal(tensor.variable, expected, err_msg=tensor.name)
    taus = [weight.numpy() for weight in model.non_trainable_weights if "tau" in weight.name]
    assert len(taus) == 18
    assert set(taus) == {np.float32(0.91)}


def test_every_wrong_tensor_is_named_in_one_error():
    state_dict = published_weights()
    del state_dict["conv1.weight"], state_dict["layer2.0.conv1.alpha"]
    state_dict["layer9.weight"] = np.zeros(3)
    state_dict["bn1.bias"] = np.zeros(17, np.float32)
    state_dict["linear.bias"] = np.full(10, np.nan, np.float32)
    state_dict["bn1.running_var"] = -state_dict["bn1.running_var"]
    state_dict["layer1.0.conv1.tau"] = np.float32(0.5)
    state_dict["bn2.bias"] = np.zeros(64, np.complex64)
    with pytest.raises(ValueError, match="does not belong to resnet20_1w1a for cifar10") as caught:
        pytorch.from_state_dict(state_dict, model="resnet20_1w1a", dataset="cifar10")
    for problem in (
        "missing: conv1.weight, layer2.0.conv1.alpha;",
        "unexpected: layer9.weight;",
        "of a different shape: bn1.bias (17,) instead of (16,);",
        "not numbers: bn2.bias;",
        "not finite: linear.bias;",
        "negative: bn1.running_var;",
        "outside (0.5, 1]: layer1.0.conv1.tau.",
    ):
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({}, "missing: .* and 5 more"),
        ({"fc.weight": np.float32(3)}, r"fc.weight \(\) instead of \(2, 8\)"),
        ({"fc.weight": np.zeros((1, 8))}, r"fc.weight \(1, 8\) instead of \(2, 8\)"),
    ],
)
def test_odd_classifier_for_any_number_of_classes_is_named(monkeypatch, tensors, problem):
    small = replace(resnet.imagenet_resnet18, stages=((1, 8),))
    monkeypatch.setitem(models.IMAGENET_NETWORKS, "resnet18_1w1a", small)
    with pytest.raises(ValueError, match=f"does not belong to resnet18_1w1a .*{problem}"):
        pytorch.from_state_dict(tensors, model="resnet18_1w1a", dataset="folder")


def test_another_network_is_refused():
    state_dict = published_weights("cifar_resnet18a")
    named = r"resnet18B_1w1a for cifar10 but to resnet18A_1w1a; of a different shape: layer2"
    with pytest.raises(ValueError, match=named):
        pytorch.from_state_dict(state_dict, model="resnet18B_1w1a", dataset="cifar10")
    with pytest.raises(ValueError, match=r"missing: layer1\.2\.conv1\.weight.* and \d+ more"):
        pytorch.from_state_dict(state_dict, model="resnet20_1w1a", dataset="cifar10")
    with pytest.raises(
        ValueError, match=r"belongs to no published ReCU network: it has no layer1\.0"
    ):
        pytorch.from_state_dict({"features.0.weight": np.zeros((3, 3))})
    state_dict["layer1.2.conv1.weight"] = state_dict["layer1.1.conv1.weight"]
    with pytest.raises(ValueError, match=r"are \[\(3, 32\), \(2, 32\), \(2, 64\), \(2, 128\)\]"):
        pytorch.from_state_dict(state_dict)
    with pytest.raises(ValueError, match="`state_dict` must be a mapping, got list"):
        pytorch.from_state_dict([1])


def test_imported_checkpoint_gives_the_published_logits():
    expected = np.load(shared("checkpoints", "resnet20_1w1a_cifar10_logits.npz"))
    need("torch")
    state_dict, _ = pytorch.read_checkpoint(shared(*CHECKPOINT))
    model = pytorch.from_state_dict(state_dict)
    images, labels = data.load("cifar10", "test", str(shared("data", "tfds")))
    np.testing.assert_array_equal(labels[:100], expected["labels_first_100"])
    differences = np.abs(model(images[:100]) - expected["logits_first_100"])
    # Rounding may flip a sign in an image or two, which changes all that follows.
    assert np.mean(differences.max(axis=1) <= 1e-4) >= 0.97
