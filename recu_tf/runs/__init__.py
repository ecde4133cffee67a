"""The run directory and the checkpoints in it."""

from recu_tf.runs.run import TEST_IMAGES, WHICH, Run
from recu_tf.runs.run_config import list_versions

__all__ = ["TEST_IMAGES", "WHICH", "Run", "list_versions"]
