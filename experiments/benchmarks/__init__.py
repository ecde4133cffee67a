"""Benchmarks of training; run each with `python -m experiments.benchmarks.NAME`."""

import recu_tf  # noqa: F401  (selects the Keras that Larq needs, before TensorFlow is loaded)
