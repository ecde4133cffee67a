"""Signals that come in the middle of a training."""

import signal

import tensorflow as tf


class RaiseSignal(tf.keras.callbacks.Callback):
    """Sends SIGTERM after some steps; the training ends after the next one."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)
