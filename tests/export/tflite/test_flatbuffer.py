import flatbuffers
import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.mlir.python import tflite_schema as schema

import export
from export.tflite import flatbuffer

K = tf.keras.layers


@pytest.fixture(scope="module")
def plain():
    """A network without anything binary, and its file."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input((9, 8, 3))
    x = K.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu6")(inputs)
    x = K.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")(x)
    x = K.MaxPool2D((2, 1), strides=1)(x)
    x = K.Dense(5, activation="softmax", name="classes")(K.Flatten()(x))
    model = tf.keras.Model(inputs, x)
    return model, export.convert_float_baseline(model)


@pytest.fixture(scope="module")
def binary():
    """Two binary convolutions, of which the first hands bits to the second."""
    tf.keras.utils.set_random_seed(0)
    signs = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "padding": "same"}
    inputs = tf.keras.Input((8, 6, 40))
    x = lq.layers.QuantConv2D(64, 3, strides=2, pad_values=1.0, use_bias=False, **signs)(inputs)
    x = K.BatchNormalization()(x)
    x = lq.layers.QuantConv2D(32, 3, dilation_rate=2, groups=2, use_bias=False, **signs)(x)
    return export.convert(tf.keras.Model(inputs, x))


def test_everything_agrees_with_the_interpreter(plain):
    _, content = plain
    interpreter = tf.lite.Interpreter(model_content=content)
    file = flatbuffer.read(content)
    # TensorFlow Lite may add a delegate of its own behind the operators of the file.
    expected = interpreter._get_ops_details()[: len(file.operators)]
    assert [operator.name for operator in file.operators] == [
        details["op_name"] for details in expected
    ]
    for operator, details in zip(file.operators, expected, strict=True):
        inputs = [-1 if tensor is None else tensor.index for tensor in operator.inputs]
        assert inputs == list(details["inputs"])
        assert [tensor.index for tensor in operator.outputs] == list(details["outputs"])
    tensors = {
        tensor.index: tensor
        for operator in file.operators
        for tensor in (*operator.inputs, *operator.outputs)
        if tensor is not None
    }
    details = {found["index"]: found for found in interpreter.get_tensor_details()}
    for index, tensor in tensors.items():
        assert tensor.name == details[index]["name"]
        assert tensor.shape == tuple(details[index]["shape"])
        assert tensor.dtype.lower() == np.dtype(details[index]["dtype"]).name
        if tensor.constant is not None:
            np.testing.assert_array_equal(tensor.values(), interpreter.get_tensor(index))
    assert file.inputs[0].index == interpreter.get_input_details()[0]["index"]
    assert file.outputs[0].index == interpreter.get_output_details()[0]["index"]


def test_options_are_those_of_the_layers(plain):
    operators = {operator.name: operator for operator in flatbuffer.read(plain[1]).operators}
    assert operators["CONV_2D"].options == {
        "padding": "SAME",
        "strides": (2, 2),
        "dilation": (1, 1),
        "activation": "RELU6",
    }
    assert operators["DEPTHWISE_CONV_2D"].options == {
        "padding": "VALID",
        "strides": (1, 1),
        "dilation": (1, 1),
        "depth_multiplier": 2,
        "activation": "RELU",
    }
    pool = operators["MAX_POOL_2D"].options
    assert (pool["window"], pool["strides"], pool["padding"]) == ((2, 1), (1, 1), "VALID")


@pytest.mark.parametrize(
    ("window", "stride", "padding"), [((2, 3), 2, "valid"), ((3, 3), 1, "same")]
)
def test_options_of_binary_pools_are_decoded(window, stride, padding):
    inputs = tf.keras.Input((8, 6, 32))
    signs = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
    x = K.MaxPool2D(window, stride, padding)(lq.quantizers.SteSign()(inputs))
    model = tf.keras.Model(inputs, lq.layers.QuantConv2D(32, 2, **signs)(x))
    file = flatbuffer.read(export.convert(model))
    operators = {operator.name: operator for operator in file.operators}
    assert operators["LceBMaxPool2d"].options == {
        "padding": padding.upper(),
        "strides": (stride, stride),
        "window": window,
    }


def test_constants_are_the_weights(plain):
    model, content = plain
    operators = {operator.name: operator for operator in flatbuffer.read(content).operators}
    kernel, _ = model.get_layer("classes").get_weights()
    dense = operators["FULLY_CONNECTED"]
    np.testing.assert_array_equal(dense.inputs[1].values(), kernel.T)
    assert dense.inputs[0].constant is None
    with pytest.raises(ValueError, match="is not constant"):
        dense.inputs[0].values()
    assert len(dense.inputs[1].constant) == kernel.nbytes


def test_options_of_binary_convolutions_are_decoded(binary):
    quantize, first, second = flatbuffer.read(binary).operators
    assert (quantize.name, first.name, second.name) == ("LceQuantize", "LceBconv2d", "LceBconv2d")
    assert first.options == {
        "padding": "SAME",
        "strides": (2, 2),
        "dilation": (1, 1),
        "activation": "NONE",
        "channels_in": 40,
        "pad_values": 1,
    }
    assert second.options == {
        "padding": "SAME",
        "strides": (1, 1),
        "dilation": (2, 2),
        "activation": "NONE",
        "channels_in": 64,
        "pad_values": 0,
    }
    assert first.outputs[0].shape == (1, 4, 3, 2)
    assert first.outputs[0].dtype == "INT32"
    assert first.inputs[1].shape == (64, 3, 3, 2)
    assert second.inputs[1].shape == (32, 3, 3, 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"TFL3", b"PK\3\4 something else", b"\x1c\0\0\0TFL2" + bytes(99), "TFL3" * 2, None],
)
def test_what_is_no_tflite_file_is_refused(content):
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file; these bytes have no"):
        flatbuffer.read(content)


def read_or_refused(content):
    try:
        flatbuffer.read(content)
        export.audit(content)
    except ValueError as error:
        assert "`flatbuffer` must be a TFLite file" in str(error)  # noqa: PT017 (some are read)
        return True
    return False


def test_files_cut_short_are_refused(binary):
    refused = [read_or_refused(binary[:length]) for length in range(8, len(binary), 41)]
    # The very end of a file is padding and names.
    assert np.mean(refused) > 0.9


def test_noise_behind_the_mark_is_refused():
    rng = np.random.default_rng(0)
    noise = [rng.bytes(4) + b"TFL3" + rng.bytes(length) for length in range(0, 2000, 13)]
    assert all(map(read_or_refused, noise))


@pytest.mark.parametrize("name", ["binary", "plain"])
def test_wild_offsets_raise_nothing_but_value_errors(name, request):
    content = request.getfixturevalue(name)
    content = content if isinstance(content, bytes) else content[1]
    rng = np.random.default_rng(0)
    words = [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\4\0\0\0"]
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for at in 4 * rng.integers(2, len(content) // 4 - 1, size=4):
            damaged[at : at + 4] = words[rng.integers(len(words))]
        refused += read_or_refused(bytes(damaged))
    assert refused > 20


def file_of_shared_offsets(count):
    """A small file that names one graph `count` times, which names one operator as often."""
    builder = flatbuffers.Builder()

    def vector(start, offsets):
        start(builder, len(offsets))
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    schema.OperatorCodeStart(builder)
    codes = vector(schema.ModelStartOperatorCodesVector, [schema.OperatorCodeEnd(builder)])
    schema.OperatorStart(builder)
    operator = schema.OperatorEnd(builder)
    operators = vector(schema.SubGraphStartOperatorsVector, [operator] * count)
    schema.SubGraphStart(builder)
    schema.SubGraphAddOperators(builder, operators)
    graphs = vector(schema.ModelStartSubgraphsVector, [schema.SubGraphEnd(builder)] * count)
    schema.ModelStart(builder)
    schema.ModelAddOperatorCodes(builder, codes)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_small_file_cannot_claim_to_be_endless():
    assert len(flatbuffer.read(file_of_shared_offsets(2)).operators) == 4
    with pytest.raises(ValueError, match="damaged: it claims to hold more than its length"):
        flatbuffer.read(file_of_shared_offsets(2000))
