"""The float operators in the delegate against TensorFlow Lite's own, without XNNPACK."""

import numpy as np
import pytest
from builtin_builder import BuiltinBuilder
from delegates import BACKENDS, need_delegate, run_interpreter, run_tflite
from larq_compute_engine.mlir.python import tflite_schema as schema

from export import runtime

need_delegate()

ACTIVATIONS = {
    name: getattr(schema.ActivationFunctionType, name)
    for name in ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
}
PADDINGS = ("SAME", "VALID")


def options(kind, **fields):
    """The options of a builtin operator, with the schema's fields set."""
    made = getattr(schema, f"{kind}OptionsT")()
    for name, value in fields.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def build(shapes, output_shape, name, constants=(), operator_options=None, *, signs):
    """A file of one operator; with `signs` also of the signs of what it gives.

    Without them the file has no operator of the engine, and the delegate leaves it alone.
    """
    builder = BuiltinBuilder()
    inputs = [builder.add_tensor(shape) for shape in shapes]
    output = builder.add_tensor(output_shape)
    given = [*inputs, *(builder.add_constant(constant) for constant in constants)]
    builder.add_builtin(name, given, output, operator_options)
    outputs = [output]
    if signs:
        packed = builder.add_tensor((*output_shape[:-1], -(-output_shape[-1] // 32)), "int32")
        builder.add_custom("LceQuantize", [output], packed)
        outputs.append(builder.add_tensor(output_shape))
        builder.add_custom("LceDequantize", [packed], outputs[1])
    return builder.finish(inputs, outputs)


def draw(rng, *shape):
    return rng.normal(0, 3, shape).astype(np.float32)


def list_cases():
    """Name, shapes of inputs, shape of the output, operator, constants, options."""
    rng = np.random.default_rng(0)
    for channels in (1, 5, 32, 70):
        shape = (2, 5, 4, channels)
        numbers = draw(rng, channels)
        for activation, number in ACTIVATIONS.items():
            fused = {"fusedActivationFunction": number}
            yield f"add {activation}", [shape] * 2, shape, "ADD", (), options("Add", **fused)
            for name, kind in (("ADD", "Add"), ("MUL", "Mul")):
                yield (
                    *(f"{name} per channel {activation}", [shape], shape, name),
                    *((numbers,), options(kind, **fused)),
                )
        for name in ("RELU", "RELU6", "RELU_N1_TO_1"):
            yield name, [shape], shape, name, (), None
        slopes = draw(rng, 1, 1, channels)
        yield "PRELU", [shape], shape, "PRELU", (slopes,), None
        for before, behind in ((0, 3), (2, 0), (1, 32)):
            paddings = np.array([[0, 0], [0, 0], [0, 0], [before, behind]], np.int32)
            padded = (*shape[:3], channels + before + behind)
            yield "PAD", [shape], padded, "PAD", (paddings,), options("Pad")
        many = [(*shape[:3], more) for more in (channels, 1, 33)]
        for count in (1, 2, 3):
            total = sum(part[3] for part in many[:count])
            for axis in (3, -1):
                fields = options("Concatenation", axis=axis, fusedActivationFunction=0)
                together = (*shape[:3], total)
                yield "CONCATENATION", many[:count], together, "CONCATENATION", (), fields
    yield from list_pools()


def list_pools():
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for padding in PADDINGS:
            for window, strides in (
                *(((2, 2), (2, 2)), ((3, 3), (2, 2)), ((1, 1), (2, 1)), ((3, 2), (1, 1))),
                ((7, 6), (1, 1)),
            ):
                for channels, activation in ((3, 0), (40, 1), (33, 3), (8, 2)):
                    shape = (2, 7, 6, channels)
                    sizes = zip(shape[1:3], window, strides, strict=True)
                    counts = [
                        -(-size // stride) if padding == "SAME" else (size - part) // stride + 1
                        for size, part, stride in sizes
                    ]
                    fields = options(
                        "Pool2D",
                        padding=getattr(schema.Padding, padding),
                        filterHeight=window[0],
                        filterWidth=window[1],
                        strideH=strides[0],
                        strideW=strides[1],
                        fusedActivationFunction=activation,
                    )
                    output = (2, *counts, channels)
                    yield f"{name} {padding}", [shape], output, name, (), fields


CASES = list(list_cases())


def compute(case, backend, images):
    """What the delegate and TensorFlow Lite give, and the signs that the delegate gives."""
    _, shapes, output_shape, name, constants, fields = case
    plain = build(shapes, output_shape, name, constants, fields, signs=False)
    (wanted,) = run_tflite(plain, *images)
    with_signs = build(shapes, output_shape, name, constants, fields, signs=True)
    measured = runtime.delegate(backend=backend, measure=True)
    interpreter = runtime.load(with_signs, with_delegate=measured)
    got, signs = run_interpreter(interpreter, *images)
    # Otherwise the delegate left the operator to the interpreter.
    assert runtime.profile(measured)[0].name != "quantize", case[0]
    return got, wanted, signs


@pytest.mark.parametrize("backend", BACKENDS)
def test_operators_have_the_bits_of_tensorflow_lite(backend):
    for case in CASES:
        rng = np.random.default_rng(1)
        images = [draw(rng, *shape) for shape in case[1]]
        got, wanted, signs = compute(case, backend, images)
        assert got.tobytes() == wanted.tobytes(), case[0]
        np.testing.assert_array_equal(signs, np.where(wanted < 0, -1, 1))


def put_special(rng, images):
    """Replaces one in ten numbers by one that is not finite, or by a zero with a sign."""
    special = rng.choice(np.array([np.nan, np.inf, -np.inf, -0.0, 0.0], np.float32), images.shape)
    return np.where(rng.random(images.shape) < 0.1, special, images).astype(np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_infinity_stays_and_so_does_what_is_not_a_number(backend):
    """As with XNNPACK, where TensorFlow Lite's own kernels have the largest number, and 0 for ReLU6
    of what is not a number. All else is as in these kernels.
    """
    largest = np.finfo(np.float32).max
    for case in CASES:
        rng = np.random.default_rng(1)
        images = [put_special(rng, draw(rng, *shape)) for shape in case[1]]
        got, wanted, signs = compute(case, backend, images)
        np.testing.assert_array_equal(signs, np.where(wanted < 0, -1, 1), case[0])
        infinite = np.isinf(got) & (np.abs(wanted) == largest) & (np.sign(got) == np.sign(wanted))
        unknown = np.isnan(got) & (wanted == 0) & (case[0] == "RELU6")
        np.testing.assert_array_equal(np.where(infinite | unknown, wanted, got), wanted, case[0])


def test_operators_that_need_broadcasting_are_left_to_the_interpreter():
    shape = (1, 3, 4, 5)
    rng = np.random.default_rng(2)
    images = draw(rng, *shape)
    for constant in (draw(rng, 1), draw(rng, 3, 4, 5), draw(rng, 1, 3, 1, 1)):
        for name, kind in (("ADD", "Add"), ("MUL", "Mul")):
            case = (name, [shape], shape, name, (constant,), options(kind))
            flatbuffer = build(*case[1:], signs=True)
            measured = runtime.delegate(measure=True)
            interpreter = runtime.load(flatbuffer, with_delegate=measured)
            got, _ = run_interpreter(interpreter, images)
            assert [step.name for step in runtime.profile(measured)] == ["quantize", "dequantize"]
            np.testing.assert_array_equal(
                got, images + constant if name == "ADD" else images * constant
            )
