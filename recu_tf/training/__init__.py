"""Training a published network, from settings to a run directory."""

from recu_tf.training.loop import train

__all__ = ["train"]
