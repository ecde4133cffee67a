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
    >>> path = recu_tf.runs.Run.check_free("my_run")  # raises an error if it is not
    >>> run = recu_tf.runs.Run.create(path, config)
    >>> layers = [tf.keras.layers.Flatten(input_shape=(8, 8, 3)), tf.keras.layers.Dense(2)]
    >>> run.save_model(tf.keras.Sequential(layers), "best")
    >>> run.append_metrics({"epoch": 0, "val_accuracy": 0.5})
    >>> run.append_metrics({"epoch": 1, "val_accuracy": 0.25})
    >>> run.remove_metrics_from(epoch=1)  # to train it again
    >>> run.config["note"] = "by hand"
    >>> run.write_config()

    What anyone can read of it later:

    >>> run = recu_tf.runs.Run.open("my_run")
    >>> run.load_model("best").output_shape
    (None, 2)
    >>> run.find_best_epoch()
    {'epoch': 0, 'val_accuracy': 0.5}
    >>> len(run.metrics()), run.chosen_on == recu_tf.runs.TEST_IMAGES
    (1, True)
    >>> [run.model_path(which).name for which in recu_tf.runs.WHICH]
    ['best.keras', 'last.keras']
    >>> recu_tf.runs.Run.find_around("my_run/best.keras").config["note"]
    'by hand'
    >>> run.config["versions"] == recu_tf.runs.list_versions()
    True
"""

from recu_tf.runs.run import TEST_IMAGES, WHICH, Run
from recu_tf.runs.run_config import list_versions

__all__ = ["TEST_IMAGES", "WHICH", "Run", "list_versions"]
