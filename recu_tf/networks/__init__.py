"""Trained networks in every format: one loader for all commands.

Nothing that a file brings along is executed: `Lambda` layers, layers and functions of other
packages, functions of TensorFlow that do more than compute, and pickles are refused, as are files
that would become far longer when they are unpacked.

Examples:
    >>> model = tf.keras.Sequential([tf.keras.layers.Flatten(input_shape=(8, 8, 3))])
    >>> model.add(tf.keras.layers.Dense(2))
    >>> model.save("my_model.keras")
    >>> network = recu_tf.networks.load("my_model.keras")
    >>> network.format, network.model.output_shape, network.normalization
    ('keras', (None, 2), None)
    >>> found: recu_tf.networks.Format = recu_tf.networks.find_format("pretrained/digits-resnet20")
    >>> found
    'pretrained'

    A function from any number of images to outputs, from a model or from whatever else computes:

    >>> classifier = recu_tf.networks.make_keras_classifier(network.model)
    >>> classifier.input_shape, classifier.predict(np.zeros((5, 8, 8, 3))).shape
    ((8, 8, 3), TensorShape([5, 2]))
    >>> inputs, outputs = [tf.TensorSpec((2, 8, 8, 3))], [tf.TensorSpec((2, 4))]
    >>> classifier = recu_tf.networks.make_classifier(
    ...     lambda images: np.zeros((2, 4), "float32"), inputs, outputs
    ... )
    >>> classifier.predict(np.zeros((5, 8, 8, 3))).shape  # two at a time
    (5, 4)
"""

from recu_tf.networks.classifiers import Classifier, make_classifier, make_keras_classifier
from recu_tf.networks.formats import Format, find_format
from recu_tf.networks.loader import Network, load

__all__ = [
    "Classifier",
    "Format",
    "Network",
    "find_format",
    "load",
    "make_classifier",
    "make_keras_classifier",
]
