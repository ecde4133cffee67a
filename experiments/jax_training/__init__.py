"""The training step of a network, compiled here and run by JAX where there is no TensorFlow.

See README.md beside this file.
"""

from experiments.tensorflow_start import load_tensorflow

load_tensorflow()
