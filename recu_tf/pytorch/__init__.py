"""Checkpoints of the published PyTorch implementation.

Examples:
    A file with a checkpoint's tensors; in a published one they are trained, here all are 1:

    >>> import torch
    >>> from recu_tf.pytorch.tensor_names import list_tensors
    >>> tensors = list_tensors(recu_tf.models.build("vgg_small_1w1a"))
    >>> ones = {tensor.name: torch.ones(tensor.shape) for tensor in tensors}
    >>> torch.save({"state_dict": ones, "epoch": 600}, "model_best.pth.tar")

    From the file to a Keras model:

    >>> state_dict, facts = recu_tf.pytorch.read_checkpoint("model_best.pth.tar")
    >>> facts
    {'epoch': 600}
    >>> recu_tf.pytorch.infer_network(state_dict)
    ('vgg_small_1w1a', 'cifar10')
    >>> network = recu_tf.pytorch.from_state_dict(state_dict)
    >>> network.output_shape
    (None, 10)
"""

from recu_tf.pytorch.checkpoint_file import read_checkpoint
from recu_tf.pytorch.identification import infer_network
from recu_tf.pytorch.state_dict import from_state_dict

__all__ = ["from_state_dict", "infer_network", "read_checkpoint"]
