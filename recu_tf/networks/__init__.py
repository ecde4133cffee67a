"""Trained networks in every format: one loader for all commands.

Nothing that a file brings along is executed: `Lambda` layers, layers and functions of other
packages, functions of TensorFlow that do more than compute, and pickles are refused, as are files
that would become far longer when they are unpacked.
"""

from recu_tf.networks.classifiers import Classifier, make_classifier, make_keras_classifier
from recu_tf.networks.formats import FORMATS, Format, find_format
from recu_tf.networks.loader import Network, load

__all__ = [
    "FORMATS",
    "Classifier",
    "Format",
    "Network",
    "find_format",
    "load",
    "make_classifier",
    "make_keras_classifier",
]
