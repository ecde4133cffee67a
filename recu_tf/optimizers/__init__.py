r"""The published optimizers, SGD and Adam with L2, and Muon for kernels with ReCU.

SGD and Adam have the formulas of PyTorch. Keras' optimizers differ in three ways that change the
weights: SGD has the learning rate inside its momentum buffer, Adam scales epsilon by the bias
correction, and `weight_decay` is decoupled from the gradient. Here L2 is added to the gradient
before anything else, \(g \leftarrow g + \lambda w\), once per step for any number of replicas. On
a CPU, the same step gives the same bits every time.

Examples:
    >>> weight = tf.Variable(1.0)
    >>> optimizer = recu_tf.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=0.01)
    >>> step = optimizer.apply_gradients([(tf.constant(0.5), weight)])
    >>> f"{weight.numpy():.3f}"  # 1 - 0.1 * (0.5 + 0.01 * 1)
    '0.949'
    >>> optimizer = recu_tf.optimizers.Adam(learning_rate=0.001, l2=1e-4)
    >>> optimizer.exclude_from_l2([weight])  # as of batch norms in the networks for ImageNet

    In your own training, Muon has to know which kernels ReCU binarises:

    >>> model = tf.keras.Sequential([lq.layers.QuantDense(2, kernel_quantizer="recu")])
    >>> model.build((None, 8))
    >>> optimizer = recu_tf.optimizers.Muon(learning_rate=0.1, nesterov=True)
    >>> optimizer.set_kernels(recu_tf.models.select_recu_kernels(model))
    >>> model.compile(optimizer, "mse")
"""

from recu_tf.optimizers.adam import Adam
from recu_tf.optimizers.muon import Muon
from recu_tf.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "Muon"]
