"""PyTorch's arrays in the layouts of Keras."""

import numpy as np


def keras_layout(array):
    """A kernel from PyTorch's OIHW to Keras' HWIO."""
    return np.transpose(array, (2, 3, 1, 0))


def nhwc(array):
    """Images from PyTorch's NCHW to Keras' NHWC."""
    return np.transpose(array, (0, 2, 3, 1))
