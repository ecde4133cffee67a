"""TFLite files of a few tiny operators, put together one by one: all that the delegate runs."""

import numpy as np
from builtin_builder import BuiltinBuilder
from larq_compute_engine.mlir.python import tflite_schema as schema

FLOAT, INT32, INT8 = "float32", "int32", "int8"
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
WORD = 32


def count_outputs(size, kernel, stride, dilation, padding):
    extent = 1 if padding == SAME else (kernel - 1) * dilation + 1
    return (size - extent) // stride + 1


class GraphBuilder:
    """A file in the making; methods add an operator and return the number of its output."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.file = BuiltinBuilder()
        self.shapes, self.inputs = {}, []

    def tensor(self, shape, dtype=FLOAT, **quantization):
        number = self.file.add_tensor(shape, dtype, **quantization)
        self.shapes[number] = tuple(shape)
        return number

    def constant(self, values):
        number = self.file.add_constant(values)
        self.shapes[number] = values.shape
        return number

    def shape(self, tensor):
        return self.shapes[tensor]

    def input(self, *shape, dtype=FLOAT, **quantization):
        self.inputs.append(self.tensor(shape, dtype, **quantization))
        return self.inputs[-1]

    def floats(self, *shape):
        return self.constant(self.rng.normal(size=shape).astype(np.float32))

    def operator(self, name, inputs, output, kind=None, **options):
        """`kind` is the name of a builtin operator's options; others are the engine's own."""
        if name.startswith("Lce"):
            self.file.add_custom(name, inputs, output, options)
            return output
        fields = None
        if kind is not None:
            fields = getattr(schema, f"{kind}T")()
            for field, value in options.items():
                setattr(fields, field, value)
        self.file.add_builtin(name, inputs, output, fields)
        return output

    def quantize(self, x):
        *sizes, channels = self.shape(x)
        return self.operator("LceQuantize", [x], self.tensor((*sizes, -(-channels // WORD)), INT32))

    def dequantize(self, x, channels, dtype=FLOAT, **quantization):
        output = self.tensor((*self.shape(x)[:-1], channels), dtype, **quantization)
        return self.operator("LceDequantize", [x], output)

    def convolution(
        self, x, channels, filters, kernel=3, *, strides=1, dilation=1, groups=1, padding=SAME,
        pad_values=1, activation=0, output="float", **quantization,
    ):  # fmt: skip
        batch, *sizes, _ = self.shape(x)
        words = -(-(channels // groups) // WORD)
        bits = self.rng.integers(0, 2, (filters, kernel, kernel, words * WORD), np.uint8)
        bits[..., channels // groups :] = 0
        weights = np.packbits(bits, axis=-1, bitorder="little").view(np.int32)
        inputs = [x, self.constant(weights)]
        sizes = [count_outputs(size, kernel, strides, dilation, padding) for size in sizes]
        if output == "bits":
            half = kernel * kernel * channels // groups // 2
            thresholds = self.rng.integers(half - 4, half + 4, filters).astype(np.int32)
            inputs += [-1, -1, self.constant(thresholds)]
            result = self.tensor((batch, *sizes, -(-filters // WORD)), INT32)
        else:
            inputs += [self.floats(filters), self.floats(filters), -1]
            dtype = INT8 if output == "int8" else FLOAT
            result = self.tensor((batch, *sizes, filters), dtype, **quantization)
        return self.operator(
            "LceBconv2d",
            inputs,
            result,
            channels_in=channels,
            dilation_height_factor=dilation,
            dilation_width_factor=dilation,
            fused_activation_function=activation,
            pad_values=pad_values,
            padding=padding,
            stride_height=strides,
            stride_width=strides,
        )

    def pool(self, name, x, size, strides, padding=SAME, activation=0):
        batch, *sizes, channels = self.shape(x)
        sizes = [count_outputs(length, size, strides, 1, padding) for length in sizes]
        if name == "LceBMaxPool2d":
            return self.operator(
                name,
                [x],
                self.tensor((batch, *sizes, channels), INT32),
                padding=padding,
                stride_height=strides,
                stride_width=strides,
                filter_height=size,
                filter_width=size,
            )
        return self.operator(
            name,
            [x],
            self.tensor((batch, *sizes, channels)),
            "Pool2DOptions",
            padding=padding,
            strideH=strides,
            strideW=strides,
            filterHeight=size,
            filterWidth=size,
            fusedActivationFunction=activation,
        )

    def add(self, x, y, activation=0):
        output = self.tensor(self.shape(x))
        return self.operator(
            "ADD", [x, y], output, "AddOptions", fusedActivationFunction=activation
        )

    def multiply(self, x, y, activation=0):
        output = self.tensor(self.shape(x))
        return self.operator(
            "MUL", [x, y], output, "MulOptions", fusedActivationFunction=activation
        )

    def clamp(self, name, x):
        return self.operator(name, [x], self.tensor(self.shape(x)))

    def prelu(self, x):
        slopes = self.floats(1, 1, self.shape(x)[-1])
        return self.operator("PRELU", [x, slopes], self.tensor(self.shape(x)))

    def pad_channels(self, x, before, after):
        *sizes, channels = self.shape(x)
        paddings = np.array([[0, 0], [0, 0], [0, 0], [before, after]], np.int32)
        inputs = [x, self.constant(paddings)]
        output = self.tensor((*sizes, before + channels + after))
        return self.operator("PAD", inputs, output, "PadOptions")

    def concatenate(self, *inputs):
        *sizes, _ = self.shape(inputs[0])
        output = self.tensor((*sizes, sum(self.shape(x)[-1] for x in inputs)))
        return self.operator("CONCATENATION", inputs, output, "ConcatenationOptions", axis=3)

    def finish(self, *outputs):
        return self.file.finish(self.inputs, list(outputs))


def residual_block():
    """Zero and one padding, a sum with a shortcut, all that is fused into a convolution."""
    graph = GraphBuilder(1)
    x = graph.input(2, 5, 6, 40)
    y = graph.convolution(graph.quantize(x), 40, 40, pad_values=0)
    y = graph.clamp("RELU", graph.add(y, x))
    z = graph.convolution(graph.quantize(y), 40, 40, activation=1)
    z = graph.add(graph.multiply(z, graph.floats(40)), graph.floats(40))
    z = graph.prelu(graph.add(z, y, activation=3))
    return graph.finish(graph.clamp("RELU_N1_TO_1", z), y)


def grouped_bits():
    """Groups, packed outputs, strides and dilations, filters that begin within a word."""
    graph = GraphBuilder(2)
    x = graph.quantize(graph.input(1, 9, 9, 96))
    x = graph.convolution(x, 96, 42, groups=3, strides=2, output="bits")
    x = graph.pool("LceBMaxPool2d", x, 2, 1)
    x = graph.convolution(x, 42, 64, dilation=2, padding=VALID, output="bits")
    y = graph.convolution(x, 64, 6, 1, groups=2, padding=VALID)
    return graph.finish(graph.dequantize(x, 64), y)


def int8_outputs():
    """Outputs of eight bits, which are packed again."""
    graph = GraphBuilder(3)
    x = graph.quantize(graph.input(1, 4, 4, 32, dtype=INT8, scale=0.5, zero_point=3))
    x = graph.convolution(x, 32, 33, output="int8", scale=0.25, zero_point=-7, activation=1)
    x = graph.convolution(graph.quantize(x), 33, 20, 2, padding=VALID, output="bits")
    return graph.finish(graph.dequantize(x, 20, INT8, scale=1.0, zero_point=0))


def pools_between():
    """Float operators between binary ones."""
    graph = GraphBuilder(4)
    x = graph.convolution(graph.quantize(graph.input(1, 6, 6, 32)), 32, 8)
    y = graph.add(graph.pool("MAX_POOL_2D", x, 3, 1), x)
    y = graph.pool("AVERAGE_POOL_2D", y, 2, 2, VALID, activation=1)
    shortcut = graph.pad_channels(graph.pool("AVERAGE_POOL_2D", x, 3, 2), 4, 20)
    y = graph.concatenate(y, y, graph.pad_channels(y, 0, 8))
    y = graph.clamp("RELU6", graph.add(y, shortcut))
    return graph.finish(graph.convolution(graph.quantize(y), 32, 16, 1, pad_values=0))


def pooled_sum():
    """A pool whose input is added to it, and read by nobody else."""
    graph = GraphBuilder(6)
    x = graph.convolution(graph.quantize(graph.input(1, 6, 6, 32)), 32, 8)
    y = graph.add(graph.pool("MAX_POOL_2D", x, 3, 1), x)
    return graph.finish(graph.convolution(graph.quantize(graph.add(y, graph.floats(8))), 8, 16))


def many_filters():
    """Several blocks of filters, and windows that take several sums of bytes."""
    graph = GraphBuilder(5)
    x = graph.quantize(graph.input(1, 7, 7, 132))
    x = graph.convolution(x, 132, 300, 3, strides=2, pad_values=0)
    y = graph.convolution(graph.quantize(x), 300, 5, 2, dilation=3, pad_values=0)
    return graph.finish(graph.multiply(y, graph.floats(5)), x)


SMALL_GRAPHS = (
    residual_block,
    grouped_bits,
    int8_outputs,
    pools_between,
    pooled_sum,
    many_filters,
)
