"""Checkpoints of the published PyTorch implementation."""

from recu_tf.pytorch.checkpoint import (
    from_state_dict,
    guess_network,
    read_checkpoint,
)

__all__ = ["from_state_dict", "guess_network", "read_checkpoint"]
