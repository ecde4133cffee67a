import pytest
import tensorflow as tf
from plain_models import conv, find_binary, functional, sequential

from recu_tf.models import binarize

L = tf.keras.layers


def chain():
    layers = (conv(name="first"), conv(name="second"), conv(name="third"))
    return sequential(*layers, L.Flatten(), L.Dense(5, name="logits"))


@pytest.mark.parametrize(
    ("skip", "binary"),
    [
        ("first and last", {"second", "third"}),
        ("first", {"second", "third", "logits"}),
        ("last", {"first", "second", "third"}),
        ("none", {"first", "second", "third", "logits"}),
        (["second", "logits"], {"first", "third"}),
        (("third",), {"first", "second", "logits"}),
        ([], {"first", "second", "third", "logits"}),
    ],
)
def test_skip_chooses_what_stays_real(skip, binary):
    assert find_binary(binarize(chain(), skip, dense=True)) == binary
    assert find_binary(binarize(chain(), skip)) == binary - {"logits"}


def test_first_and_last_are_those_of_every_branch():
    def make(image):
        low, high = conv(name="low")(image), conv(name="high")(L.MaxPooling2D(1)(image))
        x = conv(name="inside")(L.Concatenate()([low, high]))
        # A shortcut around a layer does not make the next one a first layer.
        x = conv(3, name="middle")(x) + image
        return [conv(name="mask")(x), L.Dense(2, name="class")(L.Flatten()(x))]

    assert find_binary(binarize(functional(make))) == {"inside", "middle"}
    assert find_binary(binarize(functional(make), "first")) == {"inside", "middle", "mask"}
    assert find_binary(binarize(functional(make), "last")) == {"low", "high", "inside", "middle"}


@pytest.mark.parametrize(
    ("layer", "shape", "is_binary"),
    [
        (L.Conv2D(4, 3, strides=2, dilation_rate=1), (8, 8, 3), True),
        (L.Conv2D(4, 1), (8, 8, 3), True),
        (L.Conv2D(64, 3, groups=2), (8, 8, 64), True),
        (L.Conv2D(4, 3, groups=2), (8, 8, 4), False),
        (L.Conv2D(4, 1), (1, 1, 3), False),
        (L.Conv2D(4, 1), (8, 8, 1), False),
        (L.Conv2D(4, 3), (None, None, 3), True),
        (L.Conv2D(4, 3, data_format="channels_first"), (3, 8, 8), False),
        (L.Conv1D(4, 3, padding="causal"), (8, 3), True),
        (L.SeparableConv2D(4, 3), (8, 8, 3), True),
        (L.SeparableConv2D(4, 5), (8, 8, 3), False),
        (L.SeparableConv2D(4, 1), (8, 8, 3), False),
        (L.SeparableConv1D(4, 5), (8, 3), True),
        (L.DepthwiseConv2D(3), (8, 8, 3), False),
        (L.Conv2DTranspose(4, 3), (8, 8, 3), False),
        (L.Conv3D(4, 3), (8, 8, 8, 3), False),
        (L.TimeDistributed(L.Conv2D(4, 3)), (2, 8, 8, 3), False),
        (type("Own", (L.Conv2D,), {})(4, 3), (8, 8, 3), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, L.Layer) else str(value),
)
def test_layers_become_binary_that_run_as_binary_operators(layer, shape, is_binary):
    inputs, others = tf.keras.Input(shape), tf.keras.Input((8, 8, 3))
    # A model in which no layer can become binary is refused.
    outputs = [layer(inputs), L.Conv2D(4, 3, name="other")(others)]
    model = tf.keras.Model([inputs, others], outputs)
    assert find_binary(binarize(model, "none")) == {"other"} | (
        {layer.name} if is_binary else set()
    )


def add_block(x, filters, name, strides=1, projection=True):
    y = L.BatchNormalization()(conv(filters, name=f"{name}_conv1", strides=strides)(x))
    y = L.BatchNormalization()(conv(filters, 1, name=f"{name}_conv2")(L.ReLU()(y)))
    if projection:
        x = L.AveragePooling2D(strides)(x) if strides > 1 else x
        x = L.BatchNormalization()(conv(filters, 1, name=f"{name}_projection")(x))
    return L.ReLU()(L.Add()([x, y]))


def residual(image):
    x = add_block(L.ReLU()(conv(name="stem")(image)), 4, "narrow", projection=False)
    x = add_block(x, 8, "wide", strides=2)
    # Linear bottlenecks: the shortcut goes around a 1x1 convolution, or begins behind one.
    y = L.BatchNormalization()(conv(8, 1, name="bottleneck1")(x))
    y = y + L.BatchNormalization()(conv(8, 1, name="bottleneck2")(L.ReLU()(conv(name="up")(y))))
    x = x + conv(8, 1, name="alone")(y)
    return L.Dense(2, name="logits")(L.Flatten()(x))


@pytest.mark.slow
def test_projections_of_shortcuts_stay_real_unless_nothing_or_others_are_skipped():
    inner = {"narrow_conv1", "narrow_conv2", "wide_conv1", "wide_conv2", "up"}
    inner |= {"bottleneck1", "bottleneck2", "alone"}
    model = functional(residual)
    assert find_binary(binarize(model)) == inner
    assert find_binary(binarize(model, "last")) == {*inner, "stem"}
    everything = {*inner, "wide_projection", "stem"}
    assert find_binary(binarize(model, "none")) == everything
    assert find_binary(binarize(model, ["up", "logits"])) == everything - {"up"}


@pytest.mark.parametrize(
    ("skip", "message"),
    [
        ("second", "`skip` must be one of 'first and last', .*'none', or a list .* got 'second'"),
        (None, "`skip` must be one of 'first and last', .* got NoneType"),
        (b"first", "`skip` must be one of 'first and last', .* got bytes"),
        (["fourth"], "`skip` must name .* a kernel, first, second, third, logits, got 'fourth'"),
        (["flatten"], "got 'flatten'"),
        (["first", "second", "third"], "binary, got 'plain' .*: .*third is named in `skip`"),
    ],
)
def test_what_cannot_be_skipped_is_refused(skip, message):
    with pytest.raises(ValueError, match=message):
        binarize(chain(), skip)


def test_the_error_says_why_each_layer_stays_real():
    layers = (L.DepthwiseConv2D(3, name="thin"), L.Flatten(), L.Dense(4, name="inner"))
    model = sequential(conv(name="stem"), *layers, L.Dense(4, name="logits"))
    with pytest.raises(ValueError, match="stem is a first layer; thin is a DepthwiseConv2D; inner"):
        binarize(model)
    with pytest.raises(ValueError, match="'plain' without any: no layer has a kernel"):
        binarize(sequential(L.Flatten()))
