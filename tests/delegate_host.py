"""Compiles the programs of runtime/host: the delegate in a host that plays the interpreter."""

import concurrent.futures
import subprocess
import tempfile
from pathlib import Path

from export.runtime import compile_delegate

HOST = Path(__file__).parent / "export" / "runtime" / "host"
PLAYING = ("host", "network", "partition")
MUTATING = ("mutation", "node_mutation", "tensor_mutation", "repair", "option_map")
PROGRAMS = {
    "run_network": ("run_network", *PLAYING),
    "fuzz_delegate": ("fuzz_delegate", *PLAYING, *MUTATING),
}


def compile_program(name, path, flags=(), compiler=None):
    """Compiles one of `PROGRAMS` together with the delegate.

    Args:
        name: of the program.
        path: of the file to write.
        flags: more of them, such as ("-fsanitize=address",).
        compiler: the command, a list, of a compiler for another processor.

    Raises:
        FileNotFoundError: there is no compiler.
        subprocess.CalledProcessError: the compiler failed; its messages are in `stderr`.
    """
    compiler = compiler or compile_delegate.find_compiler()

    def run(command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    machine = run([*compiler, "-dumpmachine"]).split("-")[0]
    sources = compile_delegate.list_sources(machine)
    # Without what is for one file alone.
    common = min(sources.values(), key=len)
    sources |= {HOST / f"{part}.cc": common for part in PROGRAMS[name]}
    with tempfile.TemporaryDirectory() as directory:
        commands, objects = [], []
        for source, own in sources.items():
            objects.append(f"{directory}/{len(objects)}.o")
            own = [*own, *flags, f"-I{compile_delegate.SOURCES}"]
            commands.append([*compiler, *own, "-c", str(source), "-o", objects[-1]])
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(run, commands))
        run([*compiler, "-pthread", *flags, "-o", str(path), *objects])
    return path
