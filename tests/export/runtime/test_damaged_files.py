"""Files that no converter writes: each is refused, or stopped before anything runs."""

import numpy as np
import pytest
from delegates import need_delegate, run_delegate
from small_graphs import FLOAT, INT8, GraphBuilder

need_delegate()


def test_output_that_is_a_constant_is_refused():
    graph = GraphBuilder()
    x = graph.input(1, 2, 2, 8)
    constant = graph.floats(1, 2, 2, 8)
    graph.operator("LceDequantize", [graph.quantize(x)], constant)
    with pytest.raises(RuntimeError, match="LceDequantize, cannot be run: its output is a const"):
        run_delegate(graph.finish(constant), np.zeros((1, 2, 2, 8), np.float32))


def test_output_that_two_nodes_give_is_refused():
    graph = GraphBuilder()
    x = graph.quantize(graph.input(1, 2, 2, 8))
    y = graph.dequantize(x, 8)
    graph.operator("LceDequantize", [x], y)
    with pytest.raises(RuntimeError, match=r"node 1, .*: its output is that of another node"):
        run_delegate(graph.finish(y), np.zeros((1, 2, 2, 8), np.float32))


def test_zero_point_that_int8_does_not_have_is_refused():
    graph = GraphBuilder()
    x = graph.quantize(graph.input(1, 2, 2, 8))
    y = graph.dequantize(x, 8, INT8, scale=1.0, zero_point=2**31 - 1)
    with pytest.raises(RuntimeError, match="a zero point outside of -128 to 127"):
        run_delegate(graph.finish(y), np.zeros((1, 2, 2, 8), np.float32))


def test_tensor_that_turns_out_to_be_of_another_type_is_refused():
    graph = GraphBuilder()
    x = graph.input(1, 2, 2, 8, dtype=INT8, scale=1.0)
    # The interpreter's sum is of eight bits, a quarter of what the file says.
    total = graph.tensor((1, 2, 2, 8), FLOAT, scale=1.0)
    graph.operator("ADD", [x, x], total, "AddOptions")
    y = graph.dequantize(graph.quantize(total), 8)
    with pytest.raises(RuntimeError, match="a tensor has another type than in the file"):
        run_delegate(graph.finish(y), np.zeros((1, 2, 2, 8), np.int8))


def test_kernel_that_takes_minutes_to_pad_with_zeros_is_refused():
    graph = GraphBuilder()
    shape = (1, 1, 4000, 1)
    kernel = graph.constant(np.zeros(shape, np.int32))
    inputs = [graph.quantize(graph.input(*shape)), kernel, graph.floats(1), graph.floats(1), -1]
    sizes = ("stride_height", "stride_width", "dilation_height_factor", "dilation_width_factor")
    options = dict.fromkeys(sizes, 1) | {"channels_in": 1, "padding": 0, "pad_values": 0}
    output = graph.operator(
        "LceBconv2d", inputs, graph.tensor(shape), fused_activation_function=0, **options
    )
    with pytest.raises(RuntimeError, match="its kernel is too large to be padded with zeros"):
        run_delegate(graph.finish(output), np.zeros(shape, np.float32))
