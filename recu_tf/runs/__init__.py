"""The run directory and the checkpoints in it.

Examples:
    `recu train` and `recu_tf.training.train` write one. By hand:

    >>> config = {
    ...     "settings": {},
    ...     "num_classes": 2,
    ...     "class_names": ["cat", "dog"],
    ...     "input_shape": [8, 8, 3],
    ...     "normalization": {"mean": [0.5] * 3, "std": [0.5] * 3},  # of pixels from 0 to 1
    ... }
    >>> run = recu_tf.runs.Run.create("my_run", config)
    >>> layers = [tf.keras.layers.Flatten(input_shape=(8, 8, 3)), tf.keras.layers.Dense(2)]
    >>> run.save_model(tf.keras.Sequential(layers), "best")
    >>> run.append_metrics({"epoch": 0, "val_accuracy": 0.5})

    What anyone can read of it later:

    >>> run = recu_tf.runs.Run.open("my_run")
    >>> run.load_model("best").output_shape
    (None, 2)
    >>> run.find_best_epoch()
    {'epoch': 0, 'val_accuracy': 0.5}
    >>> run.config["versions"] == recu_tf.runs.list_versions()
    True
"""

from recu_tf.runs.run import TEST_IMAGES, WHICH, Run
from recu_tf.runs.run_config import list_versions

__all__ = ["TEST_IMAGES", "WHICH", "Run", "list_versions"]
