"""Testing the best model of a training once, where held-out training images chose its epoch."""

import tensorflow as tf

from recu_tf import evaluation, networks, runs

__all__ = ["measure_best_model"]


def measure_best_model(run: runs.Run, batches: tf.data.Dataset) -> None:
    """Measures the best model of a run on the test images, and keeps the result.

    `test` in `config.json` gets the `epoch` of the model, counted from 0, its `top_1`, `top_5` and
    `loss`, and the number of `images`.

    Args:
        run: whose training has ended.
        batches: of (images, labels), the test images.
    """
    best = run.find_best_epoch()
    classifier = networks.make_keras_classifier(run.load_model("best"))
    values = evaluation.evaluate(classifier.predict, batches)
    run.config = {**run.config, "test": {"epoch": best["epoch"], **values}}
    run.write_config()
