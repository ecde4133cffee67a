"""The search for a training that needs fewer epochs; see README.md beside this file."""

from experiments.tensorflow_start import load_tensorflow

load_tensorflow()
