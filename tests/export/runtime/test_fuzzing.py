"""Damaged networks and files in the delegate, with sanitizers that see each byte it reads."""

import re
import subprocess

import network_dump
import numpy as np
import pytest
import tiny_files
from delegate_host import compile_program
from programs import need_sanitizers
from small_graphs import SMALL_GRAPHS

from export.tflite import flatbuffer

SANITIZERS = (
    # Threads share everything, however small.
    *("-DRECU_LEAST_COST=0.001", "-O1", "-g1", "-fno-omit-frame-pointer"),
    *("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"),
)


@pytest.fixture(scope="module")
def networks():
    """The contents of files, by their names."""
    small = {build.__name__: build() for build in SMALL_GRAPHS}
    return small | {"exported": tiny_files.binary_file()}


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory):
    """Runs the delegate on dumps and on mutations of them; returns the counts that it prints."""
    folder = tmp_path_factory.mktemp("fuzz")
    need_sanitizers(SANITIZERS)
    program = compile_program("fuzz_delegate", folder / "fuzz_delegate", SANITIZERS)

    def run(dumps, mutations=0):
        paths = []
        for name, content in dumps.items():
            paths.append(folder / name)
            paths[-1].write_bytes(content)
        command = [str(program), str(mutations), "0", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [
            [int(count) for count in re.findall(r"\d+", line)] for line in done.stdout.split("\n")
        ]

    return run


@pytest.mark.slow
def test_damaged_networks_are_refused_or_run_within_their_tensors(fuzz, networks):
    dumps = {name: network_dump.dump(content) for name, content in networks.items()}
    as_they_are, mutated, _ = fuzz(dumps, 10_000)
    assert as_they_are == [len(dumps), 0, 0, 0]
    assert sum(mutated) == 10_000
    # The mutations get past the first check, and some past all of them.
    assert min(mutated) > 300


def list_structure(content):
    """The places of the bytes that are no constants."""
    is_structure = np.ones(len(content), bool)
    for operator in flatbuffer.read(content).operators:
        for tensor in filter(None, operator.inputs):
            if tensor.constant is not None:
                start = content.index(tensor.constant.tobytes())
                is_structure[start : start + len(tensor.constant)] = False
    return np.flatnonzero(is_structure)


def damage(content, places, rng):
    """A file with a few other bytes."""
    changed = bytearray(content)
    for place in rng.choice(places, rng.integers(1, 4)):
        changed[place] = rng.choice([0, 1, 255, rng.integers(256)])
    return bytes(changed)


@pytest.mark.slow
def test_damaged_files_are_refused_or_run_within_their_tensors(fuzz, networks):
    rng = np.random.default_rng(0)
    files = [(name, content, list_structure(content)) for name, content in networks.items()]
    dumps = {}
    for number in range(4_000):
        name, content, places = files[number % len(files)]
        try:
            dumps[f"{name}_{number}"] = network_dump.dump(damage(content, places, rng))
        except ValueError:  # our own reader refuses it
            continue
    assert len(dumps) > 500
    counts, *_ = fuzz(dumps)
    assert sum(counts) == len(dumps)
    assert counts[0] > 300
