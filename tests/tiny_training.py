"""`recu` on few digits and a small network, as a process that tests can kill.

python tests/tiny_training.py [--die-in-checkpoint N] ARGUMENTS OF recu
"""

import hashlib
import os
import signal
import sys

import numpy as np

from experiments import cli
from experiments.quiet import quiet_standard_error

with quiet_standard_error():
    from conftest import few_digits

    from recu_tf.training import loop


class _Set:
    @staticmethod
    def setitem(table, name, value):
        table[name] = value


def die_in_checkpoint(number: int) -> None:
    """Has the process kill itself in the middle of writing its checkpoint of that number."""
    savez, written = np.savez, []

    def half(path, **arrays):
        savez(path, **arrays)
        written.append(path)
        if len(written) == number:
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    np.savez = half


def tell_weights() -> None:
    """Has the process print a digest of the weights that its training ends with."""
    fit = loop._fit

    def and_tell(prepared, *arguments):
        fit(prepared, *arguments)
        digest = hashlib.sha256(b"".join(w.tobytes() for w in prepared.learner.get_weights()))
        print(f"Weights: {digest.hexdigest()}")

    loop._fit = and_tell


if __name__ == "__main__":
    few_digits(_Set, train=50)
    tell_weights()
    arguments = sys.argv[1:]
    if arguments[0] == "--die-in-checkpoint":
        die_in_checkpoint(int(arguments[1]))
        arguments = arguments[2:]
    sys.exit(cli.main(arguments))
