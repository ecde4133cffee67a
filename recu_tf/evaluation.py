"""Evaluating a network on all test images of a data set."""

import tensorflow as tf

from recu_tf import data, runs
from recu_tf.training import Settings, compile_model

__all__ = ["evaluate", "evaluation_set"]


def evaluation_set(run: runs.Run, data_path: str | None = None) -> tuple[tf.data.Dataset, int]:
    """The test images of a run's data set, normalised as in its training.

    Args:
        run: the run.
        data_path: where the data set lies, if not where the training found it.

    Returns:
        Batches of (float32 images, int64 labels), and how many images they hold.

    Raises:
        ValueError, ImportError, OSError: see `Settings.of_run`, `recu_tf.data.evaluation_set`.
    """
    settings = Settings.of_run(run)
    return data.evaluation_set(
        settings.dataset,
        data_path or settings.data_path,
        run.normalization,
        settings.batch_size_test,
    )


def evaluate(run: runs.Run, which: str = "best", data_path: str | None = None) -> dict[str, float]:
    """Evaluates a model of a run on all test images of its data set, each counted once.

    Args:
        run: the run.
        which: "best" or "last".
        data_path: where the data set lies, if not where the training found it.

    Returns:
        `top_1` and `top_5` (shares from 0 to 1), `loss` (mean cross-entropy), `images` (count).

    Raises:
        FileNotFoundError, ValueError: the model is missing or damaged.
        ImportError, OSError: the data set cannot be read.
    """
    settings = Settings.of_run(run)
    model = run.load_model(which)
    batches, count = evaluation_set(run, data_path)
    compile_model(model, "sgd")  # Keras wants one; it is not used
    try:
        values = model.evaluate(batches, verbose=0, return_dict=True)
    except tf.errors.OpError as error:
        raise ValueError(
            f"`data_path`: a test image of {settings.dataset} cannot be read: {error.message}"
        ) from error
    return {
        "top_1": values["accuracy"],
        "top_5": values["top_5"],
        "loss": values["loss"],
        "images": count,
    }
