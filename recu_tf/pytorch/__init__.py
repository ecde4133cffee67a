"""Checkpoints of the published PyTorch implementation."""

from recu_tf.pytorch.checkpoint_file import read_checkpoint
from recu_tf.pytorch.identification import infer_network
from recu_tf.pytorch.state_dict import from_state_dict

__all__ = ["from_state_dict", "infer_network", "read_checkpoint"]
