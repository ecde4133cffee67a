"""Training a published network, or any Keras classifier, from settings to a run directory.

Examples:
    A published network on a data set takes minutes and more:
    `recu_tf.training.train(recu_tf.settings.Settings("resnet20_1w1a", "digits"), "my_run")`.
    A small one of your own, on images of your own:

    >>> layers = [
    ...     tf.keras.layers.Conv2D(8, 3, strides=2, input_shape=(32, 32, 3)),
    ...     tf.keras.layers.BatchNormalization(),
    ...     lq.layers.QuantConv2D(
    ...         8, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
    ...     ),
    ...     tf.keras.layers.BatchNormalization(),
    ...     tf.keras.layers.GlobalAveragePooling2D(),
    ...     tf.keras.layers.Dense(10),
    ... ]
    >>> images, labels = recu_tf.data.load("digits", "test")
    >>> run = recu_tf.training.train(
    ...     recu_tf.settings.Settings(epochs=2, batch_size=50),
    ...     "my_run",
    ...     model=tf.keras.Sequential(layers),
    ...     data=((images[:300], labels[:300]), (images[300:], labels[300:])),
    ... )
    Epoch 1/2 ...
    Epoch 2/2 ...
    >>> [line["epoch"] for line in run.metrics()]
    [0, 1]
"""

from recu_tf.training.loop import train

__all__ = ["train"]
