from dataclasses import replace

import larq as lq
import pytest
import tensorflow as tf
from conftest import few_digits, need

import export
from export.loading import sources
from recu_tf import models, training
from recu_tf.models.zoo_names import list_builders
from recu_tf.quantizers import ReCU
from recu_tf.settings import Settings
from recu_tf.training import setup

SETTINGS = Settings(model="zoo/QuickNetSmall", dataset="digits", epochs=1, batch_size=12)


def test_l2_applies_to_the_kernels_of_networks_without_a_recipe():
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(2, 1, input_shape=(6, 6, 3), name="real"),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.PReLU(shared_axes=[1, 2]),
            lq.layers.QuantSeparableConv2D(4, 3, name="separable"),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(3, name="logits"),
        ]
    )
    names = {variable.name.split(":")[0] for variable in models.select_kernels(model)}
    assert names == {
        "real/kernel",
        "separable/depthwise_kernel",
        "separable/pointwise_kernel",
        "logits/kernel",
    }


def tiny_zoo_network(input_shape, num_classes, pad_values, *, name, **options):
    """What stands for a network of larq-zoo: Keras' batch norms, regularizers and a softmax."""
    binary = {"kernel_quantizer": "recu", "input_quantizer": "standardized_approx_sign"}
    inputs = tf.keras.Input(input_shape)
    x = tf.keras.layers.Conv2D(4, 3, strides=4, kernel_regularizer="l2")(inputs)
    x = tf.keras.layers.BatchNormalization()(x)
    x = lq.layers.QuantConv2D(4, 3, name="binary", **binary)(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    x = tf.keras.layers.Dense(num_classes, "softmax")(x)
    return tf.keras.Model(inputs, x, name="quicknet_small")


@pytest.mark.slow
def test_network_of_larq_zoo_trains_and_resumes_under_its_name(monkeypatch, tmp_path):
    few_digits(monkeypatch)
    builders = {**list_builders(), "zoo/QuickNetSmall": tiny_zoo_network}
    monkeypatch.setattr(models.registry.zoo_names, "list_builders", lambda size=None: builders)
    prepared = setup.prepare(SETTINGS)
    with_l2 = [
        variable.name
        for variable in prepared.learner.network.trainable_variables
        if prepared.learner.optimizer._var_key(variable)
        not in prepared.learner.optimizer._without_l2
    ]
    assert [name.split("/")[-1] for name in with_l2] == ["kernel:0"] * 3
    run = training.train(SETTINGS, tmp_path / "run")
    assert run.config["settings"]["model"] == "zoo/QuickNetSmall"
    assert set(run.metrics()[0]["layers"]) == {"binary"}
    longer = Settings(**{**vars(SETTINGS), "epochs": 2})
    resumed = training.train(longer, tmp_path / "run", resume=True)
    assert [line["epoch"] for line in resumed.metrics()] == [0, 1]
    assert resumed.load_model("last").name == "quicknet_small"


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_smallest_network_of_larq_zoo_trains_and_is_exported(monkeypatch, tmp_path):
    need("larq_zoo")
    few_digits(monkeypatch)
    run = training.train(replace(SETTINGS, diagnostics=False), tmp_path / "run")
    source = sources.load(run.path)
    kernels = [part for part in source.model.submodules if isinstance(part, ReCU)]
    # Two steps teach it nothing.
    options = export.Options(check_accuracy=False)
    report = export.export_bundle(source, options=options)
    assert report.audit.passed
    assert len(kernels) == len(report.audit.expected) == 16
