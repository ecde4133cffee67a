r"""What can be seen of a binary network's kernels while it trains.

Four numbers of one kernel, as functions, then the callback that takes them of every kernel with a
`ReCU` quantizer at the end of each epoch. All see a kernel as `recu` does: with each output filter
centred, and standardised where that matters.

References:
    Xu et al., "ReCU: Reviving the Dead Weights in Binary Neural Networks", ICCV 2021,
    https://arxiv.org/abs/2103.12369 (dead weights, quantisation error).
    Rastegari et al., "XNOR-Net", ECCV 2016, https://arxiv.org/abs/1603.05279 (the best scale).
    Helwegen et al., "Latent Weights Do Not Exist", NeurIPS 2019,
    https://arxiv.org/abs/1906.02107 (flips).
    Qin et al., "IR-Net", CVPR 2020, https://arxiv.org/abs/1909.10788 (entropy of the signs).
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from recu_tf import quantizers

__all__ = [
    "METRICS",
    "Diagnostics",
    "dead_weights",
    "flipped_signs",
    "quantization_error",
    "quantized_kernels",
    "sign_entropy",
]

METRICS = ("dead_weights", "flipped_signs", "quantization_error", "sign_entropy")

# Where Larq's layers keep their quantizers, and the kernels these quantize.
_KERNELS = {
    "kernel_quantizer": "kernel",
    "depthwise_quantizer": "depthwise_kernel",
    "pointwise_quantizer": "pointwise_kernel",
}


def _share(condition: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(condition, dtype))


def _dead(standardized: tf.Tensor, tau: float | tf.Tensor) -> tf.Tensor:
    limit = quantizers.threshold(standardized, tau)
    return _share(tf.abs(standardized) > limit, standardized.dtype)


def _error(standardized: tf.Tensor, axis: int | Sequence[int]) -> tf.Tensor:
    axes = quantizers._reduction_axes(standardized.shape, axis)
    scale = tf.reduce_mean(tf.abs(standardized), axes, keepdims=True)
    lost = tf.square(tf.abs(standardized) - scale)  # scale * sign(y) has the sign of y
    return tf.math.divide_no_nan(tf.reduce_sum(lost), tf.reduce_sum(tf.square(standardized)))


def _entropy(positive: tf.Tensor) -> tf.Tensor:
    shares = tf.stack([positive, 1 - positive])
    return -tf.reduce_sum(tf.math.xlogy(shares, shares)) / tf.math.log(tf.constant(2, shares.dtype))


def dead_weights(
    kernel: tf.Tensor, tau: float | tf.Tensor | tf.Variable, axis: int | Sequence[int] = -1
) -> tf.Tensor:
    r"""The share of weights that the rectified clamp unit clamps, which get no gradient.

    \[ \overline{[\,|y| > Q\,]} \]

    with \(y\) from `standardize_kernel` and \(Q\) from `threshold`: the "dead weights" in the
    tails of the distribution (ReCU, section 4.1). Weights with a Laplace distribution have
    \(2 - 2\tau\) of them.

    Args:
        kernel: latent weights, any rank from 2, float.
        tau: temperature in (0.5, 1], a number or a scalar tensor.
        axis: the axis or axes that count output filters, see `recu`.

    Returns:
        A scalar from 0 to 1, float64 for a float64 kernel, else float32.

    Raises:
        ValueError: see `recu`.
    """
    quantizers._check_tau(tau)
    return _dead(quantizers.standardize_kernel(kernel, axis), tau)


def flipped_signs(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """The share of a binarised kernel's signs that changed from one moment to another.

    Args:
        before: a binarised kernel: -1 and +1, or booleans; any shape.
        after: the same kernel later, of the same shape and dtype.

    Returns:
        A float32 scalar from 0 to 1.

    Raises:
        ValueError: the two differ in shape or dtype.
    """
    before, after = tf.convert_to_tensor(before), tf.convert_to_tensor(after)
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        raise ValueError(
            f"`after` must have the shape and dtype of `before`, {before.shape} and "
            f"{before.dtype.name}, got {after.shape} and {after.dtype.name}."
        )
    return _share(before != after, tf.float32)


def quantization_error(kernel: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    r"""The share of a kernel's energy that is lost when its filters become scaled signs.

    \[ \frac{\sum_f \lVert y_f - \alpha_f\,\mathrm{sign}(y_f) \rVert^2}{\sum_f \lVert y_f \rVert^2},
       \qquad \alpha_f = \overline{|y_f|} \]

    with \(y\) from `standardize_kernel` and \(f\) over the output filters. The numerator is the
    error that ReCU (section 3) and others seek to lessen, at the scale that makes it smallest
    (XNOR-Net); the denominator makes kernels of any size comparable. Normally distributed weights
    give \(1 - 2/\pi = 0.363\), those with a Laplace distribution 0.5, two values \(\pm a\) give 0.
    The clamp has no part in it: it is that of the weights that are there, at any temperature.

    Args:
        kernel: latent weights, any rank from 2, float.
        axis: the axis or axes that count output filters, see `recu`.

    Returns:
        A scalar from 0 to 1, float64 for a float64 kernel, else float32.

    Raises:
        ValueError: see `standardize_kernel`.
    """
    return _error(quantizers.standardize_kernel(kernel, axis), axis)


def sign_entropy(kernel: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    r"""The information entropy of a layer's binary weights, in bits per weight.

    \[ -p \log_2 p - (1 - p) \log_2 (1 - p) \]

    with \(p\) the share of +1 among all signs of the binarised kernel (Libra-PB of IR-Net, there
    in nats): 1 where +1 and -1 are equally many, 0 where all signs are equal. (ReCU's section 4.3
    speaks of another one, that of the distribution of the latent weights.)

    Args:
        kernel: latent weights, any rank from 2, float.
        axis: the axis or axes that count output filters, see `recu`.

    Returns:
        A scalar from 0 to 1, float64 for a float64 kernel, else float32.

    Raises:
        ValueError: see `standardize_kernel`.
    """
    standardized = quantizers.standardize_kernel(kernel, axis)
    return _entropy(_share(standardized >= 0, standardized.dtype))


def quantized_kernels(
    model: tf.keras.Model,
) -> dict[str, tuple[tf.Variable, quantizers.ReCU]]:
    """Finds the kernels that `ReCU` binarises, those of nested models and wrapped layers too.

    Args:
        model: a built model.

    Returns:
        The latent kernel and its quantizer, by the name of the layer. Kernels of depthwise and
        separable layers have `.depthwise_kernel` or `.pointwise_kernel` behind it, a second layer
        of the same name, in another nested model, has `#2`.

    Raises:
        ValueError: a layer has no kernel yet.
    """
    found = {}
    for layer in model.submodules:
        for attribute, kernel in _KERNELS.items():
            quantizer = getattr(layer, attribute, None)
            if not isinstance(quantizer, quantizers.ReCU):
                continue
            if not layer.built:
                raise ValueError(
                    f"`model` must be built before this, got {model.name!r} with the layer "
                    f"{layer.name!r} that has no kernel yet."
                )
            name = layer.name if kernel == "kernel" else f"{layer.name}.{kernel}"
            # Only layers of one and the same model are sure to have different names.
            same = sum(other.split("#")[0] == name for other in found)
            found[f"{name}#{same + 1}" if same else name] = (getattr(layer, kernel), quantizer)
    return found


class Diagnostics(tf.keras.callbacks.Callback):
    """Takes the metrics of every kernel that `ReCU` binarises, at the end of each epoch.

    The means over the layers, each counted once, go into the epoch's logs under the names of the
    functions above, so this callback must come before those that write logs. Flips are counted from
    the end of the epoch before; in the first one from the start of the training. In a model without
    such kernels it does nothing.

    Args:
        log_dir: directory to write the values of every layer to for TensorBoard, as
            `diagnostics/<metric>/<layer>`; None writes none.

    Attributes:
        layers: the values of the last epoch: name of the layer, as `quantized_kernels` has it, name
            of the metric, number.

    Raises:
        ValueError: when training begins: a layer without a kernel yet, or a state of `set_state`
            that is not this model's.
    """

    def __init__(self, log_dir: str | os.PathLike | None = None):
        super().__init__()
        self.log_dir = log_dir
        self.layers: dict[str, dict[str, float]] = {}
        self._signs: dict[str, tf.Tensor] = {}
        self._state: dict[str, np.ndarray] | None = None
        self._writer = None

    def get_state(self) -> dict[str, np.ndarray]:
        """The signs that the next flips are counted from, packed: name of the layer, uint8."""
        if self._state is not None:
            return dict(self._state)
        return {name: np.packbits(signs.numpy()) for name, signs in self._signs.items()}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Has the next training count its first flips from signs of `get_state`."""
        self._state = {name: np.asarray(bits) for name, bits in state.items()}

    def on_train_begin(self, logs=None):
        """Finds the kernels and keeps their signs."""
        self._kernels = quantized_kernels(self.model)
        axes = [quantizer.axis for _, quantizer in self._kernels.values()]

        @tf.function
        def binarize(kernels):
            pairs = zip(kernels, axes, strict=True)
            return [quantizers.standardize_kernel(*pair) >= 0 for pair in pairs]

        @tf.function
        def measure(kernels, taus, before):
            rows, after = [], []
            for kernel, tau, axis, earlier in zip(kernels, taus, axes, before, strict=True):
                standardized = quantizers.standardize_kernel(kernel, axis)
                signs = standardized >= 0
                values = (
                    _dead(standardized, tau),
                    flipped_signs(earlier, signs),
                    _error(standardized, axis),
                    _entropy(_share(signs, standardized.dtype)),
                )
                rows.append([tf.cast(value, tf.float32) for value in values])
                after.append(signs)
            return tf.stack(rows), after

        self._measure = measure
        signs = binarize(self._latent()) if self._state is None else self._unpacked()
        self._signs = dict(zip(self._kernels, signs, strict=True))
        self._state = None
        if self.log_dir is not None and self._kernels:
            self._writer = tf.summary.create_file_writer(os.fspath(self.log_dir))

    def _latent(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(kernel) for kernel, _ in self._kernels.values()]

    def _unpacked(self) -> list[tf.Tensor]:
        expected = {name: kernel.shape for name, (kernel, _) in self._kernels.items()}
        sizes = {name: -(-shape.num_elements() // 8) for name, shape in expected.items()}
        if {name: bits.size for name, bits in self._state.items()} != sizes:
            raise ValueError(
                "`state` must be that of a training of this network, with the layers "
                f"{', '.join(sizes)}, got one with {', '.join(self._state) or 'none'} or of other "
                "sizes."
            )
        return [
            tf.constant(
                np.unpackbits(self._state[name], count=shape.num_elements()).reshape(shape) > 0
            )
            for name, shape in expected.items()
        ]

    def on_epoch_end(self, epoch, logs=None):
        """Takes the metrics and logs them."""
        if not self._kernels:
            return
        taus = [tf.convert_to_tensor(quantizer.tau) for _, quantizer in self._kernels.values()]
        table, signs = self._measure(self._latent(), taus, list(self._signs.values()))
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
