"""Runs the delegate on processors that are not here, in an emulator: the same bits everywhere."""

import platform
import subprocess
from typing import NamedTuple

import network_dump
import numpy as np
import pytest
from binary_parts import cut
from delegate_host import compile_program
from delegates import need_delegate, run_delegate
from networks import with_random_statistics
from operator_cases import SIGNS, ZERO_PADDED, sample
from programs import EMULATOR, need_programs
from random_graphs import RandomGraph

import export
from export.proof import sweep
from export.proof.operator_oracle import compute_rounded
from export.proof.single_operator import build_file, draw_numbers
from recu_tf import models

need_delegate()


class Processor(NamedTuple):
    """A processor, emulated.

    Attributes:
        compiler: for it.
        emulator: the command before that of the program.
        backends: that it has, the fastest first.
    """

    compiler: str
    emulator: tuple[str, ...]
    backends: tuple[str, ...]


PROCESSORS = {
    "64-bit ARM": Processor(
        "aarch64-linux-gnu-g++",
        EMULATOR,
        ("NEON", "portable"),
    ),
    "x86-64 with AVX2": Processor("g++", ("qemu-x86_64", "-cpu", "Haswell"), ("AVX2", "portable")),
    "x86-64 without AVX": Processor("g++", ("qemu-x86_64", "-cpu", "Nehalem"), ("portable",)),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The host's program by the name of the compiler; each is compiled once."""
    folder, compiled = tmp_path_factory.mktemp("programs"), {}

    def compile_once(compiler):
        if compiler not in compiled:
            compiled[compiler] = compile_program(
                "run_network", folder / compiler, ("-O2",), [compiler]
            )
        return compiled[compiler]

    return compile_once


@pytest.fixture(params=PROCESSORS)
def emulate(request, programs, tmp_path):
    """Runs a file on a processor, with the options of the delegate."""
    processor = PROCESSORS[request.param]
    need_programs(processor.compiler, processor.emulator[0])
    if processor.compiler == "g++" and platform.machine() != "x86_64":
        pytest.skip("needs a compiler for x86-64 by the name of g++")
    program = programs(processor.compiler)

    def run(content, inputs, *options):
        (tmp_path / "network").write_bytes(network_dump.dump(content))
        (tmp_path / "inputs").write_bytes(b"".join(values.tobytes() for values in inputs))
        names = [str(tmp_path / name) for name in ("network", "inputs", "outputs")]
        command = [*processor.emulator, str(program), *names, *options]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), (tmp_path / "outputs").read_bytes()

    run.processor, run.program = processor, program
    return run


def check(emulate, content, inputs, wanted):
    """Compares the bytes of all outputs with those of every backend of a processor."""
    wanted = b"".join(values.tobytes() for values in wanted)
    chosen, got = emulate(content, inputs)
    assert chosen == emulate.processor.backends[0]
    assert got == wanted
    for backend in emulate.processor.backends[1:]:
        assert emulate(content, inputs, f"backend={backend}") == (backend, wanted)
    assert emulate(content, inputs, "num_threads=3") == (chosen, wanted)


@pytest.mark.slow
def test_operators_have_the_same_bits(emulate):
    every = {"activations": 2, "large maps, many channels": 40}
    for name in sweep.SWEEPS:
        cases = [(case, draw_numbers(case)) for case in sample(name, every.get(name, 100))]
        wanted = [compute_rounded(*case) for case in cases]
        images = [numbers["images"] for _, numbers in cases]
        check(emulate, build_file(*cases), images, wanted)


@pytest.mark.slow
def test_options_of_operators_have_the_same_bits(emulate):
    cases = [(case, draw_numbers(case)) for case in (*SIGNS, *ZERO_PADDED)]
    images = [numbers["images"] for _, numbers in cases]
    check(emulate, build_file(*cases), images, [compute_rounded(*case) for case in cases])


@pytest.mark.slow
def test_random_graphs_have_the_same_bits(emulate):
    for seed in range(30):
        content, images = RandomGraph(seed, 15).finish()
        check(emulate, content, [images], run_delegate(content, images))


# Of each kind one: zero padding and shortcuts, bits as outputs and max-pools, PReLU.
NETWORKS = (
    ("resnet20_1w1a", "cifar10", 32),
    ("vgg_small_1w1a", "cifar10", 32),
    ("two_stage_resnet18_1w1a", "imagenet", 64),
)


@pytest.fixture(scope="module")
def parts():
    """What the delegate runs of some published networks, and its inputs."""
    np.random.seed(0)
    found = []
    for name, dataset, size in NETWORKS:
        shape = (size, size, 3)
        model = models.build(name, dataset, num_classes=10, input_shape=shape)
        images = np.random.normal(size=(4, *shape)).astype(np.float32)
        rewritten, _ = export.rewrite(export.float32_model(with_random_statistics(model)), images)
        found.append(cut(export.convert(rewritten)))
    return found


@pytest.mark.slow
def test_networks_have_the_same_bits(emulate, parts):
    for content, inputs in parts:
        check(emulate, content, inputs, run_delegate(content, *inputs))


@pytest.mark.slow
def test_backend_that_a_processor_lacks_is_refused(emulate):
    command = [*emulate.processor.emulator, str(emulate.program), *["unread"] * 3]
    done = subprocess.run([*command, "backend=AVX-512"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "must be one that this processor has" in done.stderr
    assert done.stderr.strip().endswith("got backend=AVX-512")
