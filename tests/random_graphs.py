"""Random graphs of the operators that the delegate runs."""

import numpy as np
from builtin_builder import BuiltinBuilder
from larq_compute_engine.mlir.python import tflite_schema as schema

ACTIVATIONS = (0, 0, 1, 2, 3)  # of the schema: none, ReLU, ReLU between -1 and 1, ReLU6


class RandomGraph:
    """A file of operators that are drawn one after another, each on tensors that are there."""

    def __init__(self, seed, length):
        self.rng = np.random.default_rng(seed)
        self.activations = ACTIVATIONS
        self.builder = BuiltinBuilder()
        self.shapes = {}
        channels = int(self.rng.choice([8, 32, 40, 64]))
        self.input = self.add((int(self.rng.integers(1, 3)), 6, 5, channels))
        operators = (
            *(self.convolve, self.convolve, self.convolve_twice, self.add_tensors),
            *(self.add_tensors, self.scale, self.shift, self.clamp, self.clamp, self.pool),
            *(self.prelu, self.pad, self.concatenate, self.pool_bits),
        )
        self.last = self.convolve(self.input)
        for _ in range(length):
            tensors = list(self.shapes)
            # Mostly the newest, so that chains become long.
            recent = self.rng.random() < 0.7
            tensor = self.last if recent else int(self.rng.choice(tensors))
            self.last = operators[self.rng.integers(len(operators))](tensor)

    def finish(self):
        """The file and its input; it gives the last tensor and two others."""
        others = [int(tensor) for tensor in self.rng.choice(list(self.shapes)[1:], 2)]
        outputs = sorted({self.last, *others})
        flatbuffer = self.builder.finish([self.input], outputs)
        return flatbuffer, self.draw(*self.shapes[self.input])

    def add(self, shape):
        tensor = self.builder.add_tensor(shape)
        self.shapes[tensor] = shape
        return tensor

    def draw(self, *shape):
        return self.rng.normal(0, 2, shape).astype(np.float32)

    def options(self, kind, **fields):
        made = getattr(schema, f"{kind}OptionsT")()
        made.fusedActivationFunction = int(self.rng.choice(self.activations))
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    def pack(self, tensor):
        shape = self.shapes[tensor]
        packed = self.builder.add_tensor((*shape[:3], -(-shape[3] // 32)), "int32")
        self.builder.add_custom("LceQuantize", [tensor], packed)
        return packed

    def unpack(self, packed, shape):
        output = self.add(shape)
        self.builder.add_custom("LceDequantize", [packed], output)
        return output

    def convolve_packed(self, packed, shape, filters, bits):
        """A convolution of 3x3 or 1x1 with ones around, to floats or to bits."""
        size = int(self.rng.choice([1, 3]))
        words = -(-shape[3] // 32)
        kernel = self.rng.integers(-(2**31), 2**31, (filters, size, size, words), np.int64)
        if shape[3] % 32:  # bits beyond the channels are 0
            kernel[..., -1] &= (1 << shape[3] % 32) - 1
        inputs = [packed, self.builder.add_constant(kernel.astype(np.int32))]
        if bits:
            half = size * size * shape[3] // 2
            thresholds = self.rng.integers(half - 4, half + 4, filters).astype(np.int32)
            inputs += [-1, -1, self.builder.add_constant(thresholds)]
            output = self.builder.add_tensor((*shape[:3], -(-filters // 32)), "int32")
        else:
            for spread in (0.1, 1.0):
                inputs.append(self.builder.add_constant(self.draw(filters) * np.float32(spread)))
            inputs.append(-1)
            output = self.add((*shape[:3], filters))
        options = {"channels_in": shape[3], "padding": 0, "pad_values": 1}
        options |= {"dilation_height_factor": 1, "dilation_width_factor": 1}
        options |= {"stride_height": 1, "stride_width": 1, "fused_activation_function": 0}
        self.builder.add_custom("LceBconv2d", inputs, output, options)
        return output

    def filters(self, channels):
        # The same number as often, so that there is something to add it to.
        return int(self.rng.choice([channels, channels, 8, 33, 64]))

    def convolve(self, tensor):
        shape = self.shapes[tensor]
        return self.convolve_packed(self.pack(tensor), shape, self.filters(shape[3]), bits=False)

    def convolve_twice(self, tensor):
        """The first one gives bits, which the second one reads."""
        shape = self.shapes[tensor]
        filters = self.filters(shape[3])
        packed = self.convolve_packed(self.pack(tensor), shape, filters, bits=True)
        if self.rng.random() < 0.3:
            self.unpack(packed, (*shape[:3], filters))
        return self.convolve_packed(packed, (*shape[:3], filters), shape[3], bits=False)

    def pool_bits(self, tensor):
        shape = self.shapes[tensor]
        packed = self.pack(tensor)
        output = self.builder.add_tensor((*shape[:3], -(-shape[3] // 32)), "int32")
        options = {"filter_height": 2, "filter_width": 3, "padding": 0}
        options |= {"stride_height": 1, "stride_width": 1}
        self.builder.add_custom("LceBMaxPool2d", [packed], output, options)
        return self.unpack(output, shape)

    def add_tensors(self, tensor):
        same = [other for other, shape in self.shapes.items() if shape == self.shapes[tensor]]
        output = self.add(self.shapes[tensor])
        pair = [tensor, int(self.rng.choice(same))]
        self.builder.add_builtin("ADD", [*self.rng.permutation(pair)], output, self.options("Add"))
        return output

    def with_constant(self, name, kind, tensor):
        shape = self.shapes[tensor]
        output, constant = self.add(shape), self.builder.add_constant(self.draw(shape[3]))
        self.builder.add_builtin(name, [tensor, constant], output, self.options(kind))
        return output

    def scale(self, tensor):
        return self.with_constant("MUL", "Mul", tensor)

    def shift(self, tensor):
        return self.with_constant("ADD", "Add", tensor)

    def clamp(self, tensor):
        output = self.add(self.shapes[tensor])
        name = str(self.rng.choice(["RELU", "RELU6", "RELU_N1_TO_1"]))
        self.builder.add_builtin(name, [tensor], output)
        return output

    def prelu(self, tensor):
        shape = self.shapes[tensor]
        slopes = self.builder.add_constant(self.draw(1, 1, shape[3]))
        output = self.add(shape)
        self.builder.add_builtin("PRELU", [tensor, slopes], output)
        return output

    def pool(self, tensor):
        name = str(self.rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
        options = self.options(
            "Pool2D", padding=0, filterHeight=3, filterWidth=2, strideH=1, strideW=1
        )
        output = self.add(self.shapes[tensor])
        self.builder.add_builtin(name, [tensor], output, options)
        return output

    def pad(self, tensor):
        shape = self.shapes[tensor]
        before, behind = (int(count) for count in self.rng.integers(0, 9, 2))
        paddings = np.array([[0, 0], [0, 0], [0, 0], [before, behind]], np.int32)
        output = self.add((*shape[:3], shape[3] + before + behind))
        inputs = [tensor, self.builder.add_constant(paddings)]
        self.builder.add_builtin("PAD", inputs, output, schema.PadOptionsT())
        return output

    def concatenate(self, tensor):
        others = list(self.rng.choice(list(self.shapes), int(self.rng.integers(1, 3))))
        parts = [tensor, *(int(other) for other in others)]
        channels = sum(self.shapes[part][3] for part in parts)
        if channels > 200:
            return self.clamp(tensor)
        output = self.add((*self.shapes[tensor][:3], channels))
        options = self.options("Concatenation", axis=3, fusedActivationFunction=0)
        self.builder.add_builtin("CONCATENATION", parts, output, options)
        return output
