"""`recu` on a few digits and a tiny network, as a process that tests can kill.

python tests/tiny_training.py [--die-in-checkpoint N] ARGUMENTS OF recu
"""

import hashlib
import os
import signal
import sys

from experiments import cli
from experiments.quiet import quiet_standard_error

with quiet_standard_error():
    from conftest import few_digits, tiny_resnet

    from recu_tf.runs import checkpoints
    from recu_tf.training import loop


class _Table:
    """Sets entries of tables as pytest's monkeypatch does, for as long as the process lives."""

    @staticmethod
    def setitem(table, name, value):
        table[name] = value


def die_in_checkpoint(number: int) -> None:
    """Makes the process kill itself in the middle of writing its checkpoint of that number."""
    write, paths = checkpoints._write, []

    def write_or_die(path, arrays):
        write(path, arrays)
        paths.append(path)
        if len(paths) == number:
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoints._write = write_or_die


def print_digest_of_weights() -> None:
    """Makes the process print a digest of the weights that its training ends with."""
    fit = loop._fit

    def fit_and_print(prepared, *arguments):
        fit(prepared, *arguments)
        digest = hashlib.sha256(
            b"".join(weight.tobytes() for weight in prepared.learner.get_weights())
        )
        print(f"Weights: {digest.hexdigest()}")

    loop._fit = fit_and_print


if __name__ == "__main__":
    few_digits(_Table, train=50, build=tiny_resnet)
    print_digest_of_weights()
    arguments = sys.argv[1:]
    if arguments[0] == "--die-in-checkpoint":
        die_in_checkpoint(int(arguments[1]))
        arguments = arguments[2:]
    sys.exit(cli.main(arguments))
