import subprocess

import network_dump
import numpy as np
import pytest
from delegate_host import compile_program
from small_graphs import SMALL_GRAPHS

from export import runtime


@pytest.fixture(scope="module")
def run_network(tmp_path_factory):
    """Runs a file in the C++ host, as the interpreter would."""
    folder = tmp_path_factory.mktemp("host")
    try:
        program = compile_program("run_network", folder / "run_network", ("-O1",))
    except FileNotFoundError as error:
        pytest.skip(str(error))

    def run(content, inputs, *options):
        (folder / "network").write_bytes(network_dump.dump(content))
        (folder / "inputs").write_bytes(b"".join(values.tobytes() for values in inputs))
        names = [str(folder / name) for name in ("network", "inputs", "outputs")]
        subprocess.run([str(program), *names, *options], check=True)
        return (folder / "outputs").read_bytes()

    return run


@pytest.mark.slow
@pytest.mark.parametrize("build", SMALL_GRAPHS)
def test_host_gives_what_the_interpreter_gives(build, run_network):
    content = build()
    interpreter = runtime.load(content)
    inputs = []
    for details in interpreter.get_input_details():
        values = np.random.normal(0, 30, details["shape"]).astype(details["dtype"])
        inputs.append(values)
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    wanted = [
        interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()
    ]
    # Bit by bit, also with the slower backend and with threads.
    for options in ((), ("backend=portable", "num_threads=2")):
        assert run_network(content, inputs, *options) == b"".join(
            values.tobytes() for values in wanted
        )
