"""Random graphs of binary and float operators: the delegate fuses them, the engine does not."""

import itertools

import pytest
from delegates import BACKENDS, need_delegate, run_delegate, run_engine
from random_graphs import RandomGraph

need_delegate()


def check(seed, length, backends, num_threads):
    flatbuffer, images = RandomGraph(seed, length).finish()
    wanted = run_engine(flatbuffer, images)
    for backend in backends:
        got = run_delegate(flatbuffer, images, backend=backend, num_threads=num_threads)
        for number, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
            assert ours.tobytes() == theirs.tobytes(), (seed, backend, number)


def test_random_graphs_have_the_bits_of_the_engine():
    for seed in range(60):
        check(seed, 12, BACKENDS, 1 + seed % 2)


@pytest.mark.parametrize("start", ["nothing", "pool", "convolve"])
def test_every_order_of_three_operators_has_the_bits_of_the_engine(start):
    graph = RandomGraph(1, length=0)
    graph.activations = (0,)  # which would end most chains
    operators = (graph.scale, graph.shift, graph.clamp, graph.prelu, graph.add_tensors)
    ends = []
    for chain in itertools.product(operators, repeat=3):
        tensor = graph.input if start == "nothing" else getattr(graph, start)(graph.input)
        for operator in chain:
            tensor = operator(tensor)
        ends.append(tensor)
    flatbuffer = graph.builder.finish([graph.input], ends)
    images = graph.draw(*graph.shapes[graph.input])
    wanted = run_engine(flatbuffer, images)
    for backend in BACKENDS:
        got = run_delegate(flatbuffer, images, backend=backend)
        for number, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
            assert ours.tobytes() == theirs.tobytes(), (backend, number)


@pytest.mark.slow
def test_many_random_graphs_have_the_bits_of_the_engine():
    for seed in range(1000, 6000):
        check(seed, 20, [BACKENDS[seed % len(BACKENDS)]], 1 + seed % 3)
