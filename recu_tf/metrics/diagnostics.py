"""The callback that measures every kernel with a `ReCU` quantizer at the end of each epoch."""

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from recu_tf.kernel_axes import KERNELS, find_kernel_quantizers
from recu_tf.metrics.kernel_metrics import (
    METRICS,
    entropy_of_signs,
    error_of_standardized,
    flipped_signs,
    share_beyond_threshold,
)
from recu_tf.quantizers import ReCU, standardize_kernel

__all__ = ["Diagnostics", "find_quantized_kernels"]


def find_quantized_kernels(
    model: tf.keras.Model,
) -> dict[str, tuple[tf.Variable, ReCU]]:
    """Finds the kernels that `ReCU` binarises, also in nested models and wrapped layers.

    Args:
        model: a built model.

    Returns:
        The latent kernel and its quantizer, by the name of the layer. For kernels of depthwise and
        separable layers, `.depthwise_kernel` or `.pointwise_kernel` is appended to the name; for a
        second layer of the same name, in another nested model, `#2`.

    Raises:
        ValueError: a layer is not built and has no kernel yet.
    """
    found = {}
    for layer in model.submodules:
        for argument, quantizer in find_kernel_quantizers(layer).items():
            if not isinstance(quantizer, ReCU):
                continue
            kernel = KERNELS[argument]
            if not layer.built:
                raise ValueError(
                    f"`model` must be built, got {model.name!r}, whose layer {layer.name!r} has no "
                    "kernel yet."
                )
            name = layer.name if kernel == "kernel" else f"{layer.name}.{kernel}"
            # Names are unique within a model, but not across nested models.
            earlier = sum(other.split("#")[0] == name for other in found)
            found[f"{name}#{earlier + 1}" if earlier else name] = (
                getattr(layer, kernel),
                quantizer,
            )
    return found


class Diagnostics(tf.keras.callbacks.Callback):
    """Measures every kernel that `ReCU` binarises, at the end of each epoch.

    The metrics are `dead_weights`, `flipped_signs`, `quantization_error` and `sign_entropy`. Their
    unweighted means over the layers go into the epoch's logs under the names in `METRICS`, so this
    callback must come before callbacks that write logs. Flips are counted since the end of the
    previous epoch; in the first epoch, since the start of the training. For a model without such
    kernels it does nothing.

    Args:
        log_dir: directory to which the values of every layer are written for TensorBoard, as
            `diagnostics/<metric>/<layer>`; None writes nothing.

    Attributes:
        layers: the values of the last epoch, by name of the layer (as in
            `find_quantized_kernels`) and name of the metric.

    Raises:
        ValueError: when training begins: a layer has no kernel yet, or the state given to
            `set_state` is another model's.
    """

    def __init__(self, log_dir: str | os.PathLike | None = None):
        super().__init__()
        self.log_dir = log_dir
        self.layers: dict[str, dict[str, float]] = {}
        self._signs: dict[str, tf.Tensor] = {}
        self._state: dict[str, np.ndarray] | None = None
        self._writer = None

    def get_state(self) -> dict[str, np.ndarray]:
        """The signs since which the next flips are counted.

        Returns:
            By name of the layer, uint8 of shape (bytes,): a bit for each weight.
        """
        if self._state is not None:
            return dict(self._state)
        return {name: np.packbits(signs.numpy()) for name, signs in self._signs.items()}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Makes the next training count its first flips since the signs of a `get_state`.

        Args:
            state: what it returned, uint8 of shape (bytes,) by name of the layer.
        """
        self._state = {name: np.asarray(bits) for name, bits in state.items()}

    def on_train_begin(self, logs=None):
        """Finds the kernels and records their signs."""
        self._kernels = find_quantized_kernels(self.model)
        axes = [quantizer.axis for _, quantizer in self._kernels.values()]

        @tf.function
        def binarize(kernels):
            pairs = zip(kernels, axes, strict=True)
            return [standardize_kernel(*pair) >= 0 for pair in pairs]

        @tf.function
        def measure(kernels, taus, before):
            rows, after = [], []
            for kernel, tau, axis, earlier in zip(kernels, taus, axes, before, strict=True):
                standardized = standardize_kernel(kernel, axis)
                signs = standardized >= 0
                values = (
                    share_beyond_threshold(standardized, tau),
                    flipped_signs(earlier, signs),
                    error_of_standardized(standardized, axis),
                    entropy_of_signs(signs, standardized.dtype),
                )
                rows.append([tf.cast(value, tf.float32) for value in values])
                after.append(signs)
            return tf.stack(rows), after

        self._measure = measure
        signs = binarize(self._latent_kernels()) if self._state is None else self._unpack_state()
        self._signs = dict(zip(self._kernels, signs, strict=True))
        self._state = None
        if self.log_dir is not None and self._kernels:
            self._writer = tf.summary.create_file_writer(os.fspath(self.log_dir))

    def _latent_kernels(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(kernel) for kernel, _ in self._kernels.values()]

    def _unpack_state(self) -> list[tf.Tensor]:
        expected = {name: kernel.shape for name, (kernel, _) in self._kernels.items()}
        sizes = {name: -(-shape.num_elements() // 8) for name, shape in expected.items()}
        if {name: bits.size for name, bits in self._state.items()} != sizes:
            raise ValueError(
                "`state` must come from a training of this network, with the layers "
                f"{', '.join(sizes)}, got one with {', '.join(self._state) or 'no layers'}, or "
                "with kernels of other sizes."
            )
        return [
            tf.constant(
                np.unpackbits(self._state[name], count=shape.num_elements()).reshape(shape) > 0
            )
            for name, shape in expected.items()
        ]

    def on_epoch_end(self, epoch, logs=None):
        """Measures the kernels and logs the metrics."""
        if not self._kernels:
            return
        taus = [tf.convert_to_tensor(quantizer.tau) for _, quantizer in self._kernels.values()]
        table, signs = self._measure(self._latent_kernels(), taus, list(self._signs.values()))
        self._signs = dict(zip(self._kernels, signs, strict=True))
        table = table.numpy()
        self.layers = {
            name: dict(zip(METRICS, row, strict=True))
            for name, row in zip(self._kernels, table.tolist(), strict=True)
        }
        if logs is not None:
            logs.update(zip(METRICS, table.mean(axis=0, dtype=np.float64).tolist(), strict=True))
        if self._writer is not None:
            with self._writer.as_default(step=epoch):
                for name, values in self.layers.items():
                    for metric, value in values.items():
                        tf.summary.scalar(f"diagnostics/{metric}/{name}", value)
            self._writer.flush()

    def on_train_end(self, logs=None):
        """Closes the file for TensorBoard."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
