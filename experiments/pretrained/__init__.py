"""The trained networks that come with `recu_tf`: packing them, and photographs to show them on."""

from experiments.tensorflow_start import load_tensorflow

load_tensorflow()
