"""Small networks of all operators: in the interpreter, and in a host that plays it."""

import subprocess

import network_dump
import numpy as np
import pytest
from delegate_host import compile_program
from delegates import need_delegate, run_delegate, run_engine
from programs import need_compiler
from small_graphs import SMALL_GRAPHS

from export.tflite.flatbuffer import read

need_delegate()


def draw_inputs(content):
    # Signs of both kinds beside a zero point.
    return [
        np.random.normal(0, 10, tensor.shape).astype(tensor.dtype.lower())
        for tensor in read(content).inputs
    ]


def as_bytes(arrays):
    return b"".join(array.tobytes() for array in arrays)


@pytest.mark.parametrize("build", SMALL_GRAPHS)
def test_small_networks_have_the_bits_of_the_engine(build):
    content = build()
    inputs = draw_inputs(content)
    found = run_engine(content, *inputs)
    assert as_bytes(run_delegate(content, *inputs)) == as_bytes(found)


@pytest.fixture(scope="module")
def run_network(tmp_path_factory):
    """Runs a file in the C++ host, as the interpreter would."""
    folder = tmp_path_factory.mktemp("host")
    program = compile_program("run_network", folder / "run_network", ("-O1",), need_compiler())

    def run(content, inputs, *options, limit="unlimited"):
        (folder / "network").write_bytes(network_dump.dump(content))
        (folder / "inputs").write_bytes(as_bytes(inputs))
        names = [str(folder / name) for name in ("network", "inputs", "outputs")]
        command = f'ulimit -v {limit}; exec "$0" "$@"'
        subprocess.run(["sh", "-c", command, str(program), *names, *options], check=True)
        return (folder / "outputs").read_bytes()

    return run


@pytest.mark.slow
@pytest.mark.parametrize("build", SMALL_GRAPHS)
def test_host_gives_what_the_interpreter_gives(build, run_network):
    content = build()
    inputs = draw_inputs(content)
    wanted = as_bytes(run_delegate(content, *inputs))
    # Also with the slower backend and with threads.
    for options in ((), ("backend=portable", "num_threads=2")):
        assert run_network(content, inputs, *options) == wanted


@pytest.mark.slow
def test_threads_that_the_system_does_not_give_are_done_without(run_network):
    content = SMALL_GRAPHS[0]()
    inputs = draw_inputs(content)
    wanted = as_bytes(run_delegate(content, *inputs))
    # In kilobytes; a thread takes 8 MB for its stack.
    assert run_network(content, inputs, "num_threads=256", limit="300000") == wanted
