"""Random graphs of binary and float operators: the delegate fuses them, the engine does not."""

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


@pytest.mark.slow
def test_many_random_graphs_have_the_bits_of_the_engine():
    for seed in range(1000, 6000):
        check(seed, 20, [BACKENDS[seed % len(BACKENDS)]], 1 + seed % 3)
