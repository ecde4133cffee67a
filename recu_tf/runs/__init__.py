"""The run directory, and the checkpoints in it."""

from recu_tf.runs.run import WHICH, Run, versions

__all__ = ["WHICH", "Run", "versions"]
