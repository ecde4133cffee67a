import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.mlir.python import tflite_schema as schema
from rewritten import binary, head, images_for

import export
from export.conversion.stripping import strip
from export.measurement.latency import benchmark
from export.measurement.subgraphs import extract_subgraphs
from export.tflite.backends import find_backends, load_in_tensorflow_lite, make_runner
from export.tflite.flatbuffer import read
from export.tflite.interpreter import run
from export.tflite.packing import pack, unpack

L = tf.keras.layers


@pytest.fixture(scope="module")
def model():
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((8, 8, 32))
    x = L.BatchNormalization()(binary(name="first")(image))
    return tf.keras.Model(image, head(binary(name="second")(x)))


@pytest.fixture(scope="module")
def files(model):
    file = export.convert(model, batch_size=2)
    return file, strip(file)


def names(file):
    parsed = read(file)
    tensors = [tensor for operator in parsed.operators for tensor in operator.outputs]
    ends = {tensor.index for tensor in (*parsed.inputs, *parsed.outputs)}
    return [tensor.name for tensor in tensors if tensor.index not in ends]


def test_file_gives_the_same_without_names(model, files):
    file, small = files
    images = images_for(model, count=3)
    np.testing.assert_array_equal(run(small, images), run(file, images))
    assert any(names(file))
    assert not any(names(small))
    assert len(small) < 0.9 * len(file)


def test_operators_options_and_constants_stay(files):
    def describe(file):
        return [
            (
                operator.name,
                operator.options,
                [
                    tensor and (tensor.shape, tensor.dtype, _bytes(tensor))
                    for tensor in operator.inputs
                ],
            )
            for operator in read(file).operators
        ]

    def _bytes(tensor):
        return None if tensor.constant is None else tensor.constant.tobytes()

    assert describe(files[1]) == describe(files[0])


def test_inputs_and_outputs_keep_their_names_and_the_signature_runs():
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, head(L.Conv2D(4, 3)(image)))
    interpreter = load_in_tensorflow_lite(strip(export.convert(model)))
    image = images_for(model, count=1)
    outputs = interpreter.get_signature_runner()(image=image)["output_000"]
    # Sums in another order.
    np.testing.assert_allclose(outputs, model(image), rtol=0, atol=1e-4)
    (name,) = (tensor["name"] for tensor in interpreter.get_input_details())
    assert name == "serving_default_image:0"


def test_buffers_begin_at_multiples_of_16_and_none_is_there_twice(files):
    small = files[1]
    start = np.frombuffer(small, np.uint8).ctypes.data
    file = schema.Model.GetRootAs(small, 0)
    buffers = [file.Buffers(number) for number in range(file.BuffersLength())]
    data = [buffer.DataAsNumpy() for buffer in buffers if buffer.DataLength()]
    assert {(values.ctypes.data - start) % 16 for values in data} == {0}
    assert len({values.tobytes() for values in data}) == len(data)
    assert [buffer.DataLength() for buffer in buffers].count(0) == 1


def test_metadata_that_others_read_stays(files):
    file = unpack(files[0])
    assert [metadata.name for metadata in file.metadata] == [b"min_runtime_version"]
    file.metadata[0].name = b"TFLITE_METADATA"
    with_metadata = pack(file)
    before = schema.Model.GetRootAs(with_metadata, 0)
    after = schema.Model.GetRootAs(strip(with_metadata), 0)
    assert after.Metadata(0).Name() == b"TFLITE_METADATA"
    kept = after.Buffers(after.Metadata(0).Buffer()).DataAsNumpy()
    assert kept.tobytes() == before.Buffers(before.Metadata(0).Buffer()).DataAsNumpy().tobytes()
    assert schema.Model.GetRootAs(files[1], 0).MetadataLength() == 0


def test_stripped_files_are_verified_audited_taken_apart_and_measured(model, files):
    file, small = files
    verification = export.verify(small, model, images_for(model))
    assert verification.passed
    # Mapped by the signs of their kernels; operators without a kernel are mapped by names alone.
    audited = export.audit(small, model)
    assert audited.lost == {}
    assert {row.layer for row in audited.rows if row.kind == "binary"} >= {"first", "second"}
    assert export.audit(small).binary == 2
    before, after = (extract_subgraphs(content) for content in (file, small))
    assert [group.operators for group in after] == [group.operators for group in before]
    for backend in find_backends(small):
        make_runner(small, backend)()
    assert benchmark({"small": small}, repeats=1).latencies
    assert strip(small) == small


def test_damaged_files_are_refused(files):
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file"):
        strip(files[0][:200])
