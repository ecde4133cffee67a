r"""The two quantizers of ReCU: for kernels and for activations.

Forward, both are a bare sign, so nothing else reaches an exported network. What makes them ReCU is
their gradient, written here in closed form. The following are equivalent:

```python
lq.layers.QuantConv2D(64, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign")
lq.layers.QuantConv2D(64, 3, kernel_quantizer=ReCU(), input_quantizer=StandardizedApproxSign())
```

Statistics are taken in float32 for narrower types and in float64 for float64; the result has the
type that came in. The sign of 0 is +1, as everywhere in Larq.

References:
    Xu et al., "ReCU: Reviving the Dead Weights in Binary Neural Networks", ICCV 2021,
    https://arxiv.org/abs/2103.12369.
    Liu et al., "Bi-Real Net", ECCV 2018, https://arxiv.org/abs/1808.00278 (ApproxSign).
"""

import math
import weakref
from collections.abc import Callable, Sequence

import larq as lq
import numpy as np
import tensorflow as tf

from recu_tf.kernel_axes import (
    calling_layer,
    filter_axis,
    is_filter_axis,
    kernel_quantizers,
)

__all__ = [
    "ReCU",
    "StandardizedApproxSign",
    "recu",
    "standardize_kernel",
    "standardized_approx_sign",
    "threshold",
]

EPSILON = 1e-5  # added to every variance
KERNEL_DEVIATION = 2 * math.sqrt(2)  # of a standardised kernel


def _statistics_dtype(dtype: tf.DType) -> tf.DType:
    return tf.float64 if dtype == tf.float64 else tf.float32


def _check_tau(tau: float | tf.Tensor | tf.Variable) -> None:
    """Refuses a tau outside (0.5, 1]; one that is only known inside a graph passes."""
    if isinstance(tau, tf.Tensor | tf.Variable):
        tau = tf.get_static_value(tf.convert_to_tensor(tau))
        if tau is None:
            return
    try:
        number = math.nan if isinstance(tau, bool) else float(tau)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.5 < number <= 1:
        raise ValueError(f"`tau` must be a number in (0.5, 1], got {tau!r}.")


def _check_floating(name: str, tensor: tf.Tensor) -> None:
    if not tensor.dtype.is_floating:
        raise ValueError(f"`{name}` must be of a floating type, got {tensor.dtype.name}.")


def _as_scalar(tau: float | tf.Tensor | tf.Variable, dtype: tf.DType) -> tf.Tensor:
    # tf.cast would first make a float32 of a Python number.
    return tf.constant(tau, dtype) if isinstance(tau, float) else tf.cast(tau, dtype)


def _reduction_axes(shape: tf.TensorShape, axis: int | Sequence[int]) -> list[int]:
    """The axes that lie within one output filter."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if shape.rank is None or shape.rank < 2 or not shape.is_fully_defined():
        raise ValueError(f"`kernel` must have a fixed shape of rank 2 or more, got shape {shape}.")
    if not axes or any(not -shape.rank <= a < shape.rank for a in axes):
        raise ValueError(
            f"`axis` must name axes of the kernel, which has shape {shape}, got {axis}."
        )
    filters = {a % shape.rank for a in axes}
    rest = [a for a in range(shape.rank) if a not in filters]
    if math.prod(shape[a] for a in rest) < 2:
        raise ValueError(
            "`kernel` must have at least 2 weights per output filter (one has no variance), "
            f"got shape {shape} with the filters on axis {axis}."
        )
    return rest


def _scale(centred: tf.Tensor, axes: Sequence[int]) -> tuple[tf.Tensor, int]:
    """1 / sqrt(unbiased variance + epsilon) of each filter, and its weights less one."""
    freedom = math.prod(centred.shape[a] for a in axes) - 1
    variance = tf.reduce_sum(tf.square(centred), axes, keepdims=True) / freedom
    return 1 / tf.sqrt(variance + EPSILON), freedom


def _after_upstream(gradient: Callable) -> Callable:
    """Lets nothing of a gradient run before what comes from upstream is there.

    Most of a gradient here depends on the inputs alone. The executor would run that part as soon as
    they are there, in the forward pass, and keep the results of every layer until the backward
    pass: a third more memory for the step.
    """

    def ordered(upstream):
        with tf.control_dependencies([upstream]):
            return gradient(upstream)

    return ordered


def standardize_kernel(kernel: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    r"""Brings each output filter to mean 0 and standard deviation \(2\sqrt{2}\).

    \[ y = 2\sqrt{2}\,\frac{w - \bar w}{\sqrt{\mathrm{var}(w) + 10^{-5}}} \]

    with the unbiased variance.

    Args:
        kernel: latent weights, any rank from 2, float; the output filters lie on `axis`.
        axis: the axis or axes that count output filters.

    Returns:
        A tensor of the kernel's shape, float64 for a float64 kernel, else float32.

    Raises:
        ValueError: the kernel is not floating or has one weight per filter, or `axis` is not an
            axis of it.
    """
    kernel = tf.convert_to_tensor(kernel)
    _check_floating("kernel", kernel)
    axes = _reduction_axes(kernel.shape, axis)
    weights = tf.cast(kernel, _statistics_dtype(kernel.dtype))
    centred = weights - tf.reduce_mean(weights, axes, keepdims=True)
    return centred * (KERNEL_DEVIATION * _scale(centred, axes)[0])


def threshold(standardized: tf.Tensor, tau: float | tf.Tensor) -> tf.Tensor:
    r"""The clamp's threshold: \(Q = -\overline{|y|}\,\ln(2 - 2\tau)\), one for the whole layer.

    It is the quantile `tau` of a Laplace distribution with the layer's mean magnitude. Weights
    beyond it are the "dead" ones. `tau = 1` gives infinity: nothing is dead.

    Args:
        standardized: a kernel from `standardize_kernel`, any shape.
        tau: temperature in (0.5, 1], a number or a scalar tensor.

    Returns:
        A scalar of the dtype of `standardized`.
    """
    tau = _as_scalar(tau, standardized.dtype)
    return -tf.reduce_mean(tf.abs(standardized)) * tf.math.log(2 - 2 * tau)


def recu(
    kernel: tf.Tensor, tau: float | tf.Tensor | tf.Variable, axis: int | Sequence[int] = -1
) -> tf.Tensor:
    r"""Binarises a kernel with the rectified clamp unit.

    Forward, with \(c = w - \bar w\) for each output filter:
    \[ q(w) = \mathrm{sign}(c) \]

    Backward, with \(y\) from `standardize_kernel`, \(Q\) from `threshold` (held constant),
    \(v\) the filter's variance plus epsilon, \(N\) its number of weights and
    \(g' = g \cdot [\,|y| \le Q\,]\) the gradient that passes the clamp:
    \[ \frac{\partial L}{\partial w} = \frac{2\sqrt{2}}{\sqrt{v}}
       \left( g' - \overline{g'} - c\,\frac{\sum g' c}{(N-1)\,v} \right) \]

    which is the derivative of the standardisation, through its mean and its variance. `tau` gets
    no gradient.

    Args:
        kernel: latent weights, any rank from 2, float16, bfloat16, float32 or float64.
        tau: temperature in (0.5, 1], a number or a scalar tensor.
        axis: the axis or axes that count output filters: -1 for dense and ordinary convolution
            kernels, -2 for transposed convolutions, (-2, -1) for depthwise ones.

    Returns:
        A tensor of -1 and +1 with the kernel's shape and dtype.

    Raises:
        ValueError: `tau` lies outside (0.5, 1], the kernel is not floating or has one weight per
            filter, or `axis` is not an axis of it.
    """
    _check_tau(tau)
    kernel = tf.convert_to_tensor(kernel)
    _check_floating("kernel", kernel)
    axes = _reduction_axes(kernel.shape, axis)
    dtype = _statistics_dtype(kernel.dtype)

    @tf.custom_gradient
    def binarize(kernel, tau):
        weights = tf.cast(kernel, dtype)
        centred = weights - tf.reduce_mean(weights, axes, keepdims=True)

        @_after_upstream
        def gradient(upstream):
            scale, freedom = _scale(centred, axes)
            standardized = centred * (KERNEL_DEVIATION * scale)
            dead = tf.abs(standardized) > threshold(standardized, tau)
            upstream = tf.where(dead, tf.zeros([], dtype), tf.cast(upstream, dtype))
            through_mean = tf.reduce_mean(upstream, axes, keepdims=True)
            through_variance = tf.square(scale) * (
                tf.reduce_sum(upstream * centred, axes, keepdims=True) / freedom
            )
            gradient = upstream - through_mean - centred * through_variance
            return tf.cast(KERNEL_DEVIATION * scale * gradient, kernel.dtype), None

        return tf.cast(lq.math.sign(centred), kernel.dtype), gradient

    return binarize(kernel, _as_scalar(tau, dtype))


def _row_dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The scalar product of each row, (rows, n) and (rows, n) to (rows, 1)."""
    return tf.reduce_sum(a * b, axis=1, keepdims=True)


def standardized_approx_sign(activations: tf.Tensor) -> tf.Tensor:
    r"""Binarises activations; the gradient sees them scaled to unit variance per image.

    Forward:
    \[ q(a) = \mathrm{sign}(a) \]

    Backward, with \(v\) the unbiased variance of one image (over all axes but the first) plus
    epsilon, \(M\) its number of values, \(u = a / \sqrt{v}\), and
    \(g' = g \cdot \max(0, 2 - 2|u|)\) (ApproxSign):
    \[ \frac{\partial L}{\partial a} = \frac{1}{\sqrt{v}}
       \left( g' - (a - \bar a)\,\frac{\sum g' a}{(M-1)\,v} \right) \]

    Args:
        activations: (batch, ...), rank 2 or more, float16, bfloat16, float32 or float64.

    Returns:
        A tensor of -1 and +1 with the shape and dtype of the activations.

    Raises:
        ValueError: the type is not floating, an image holds a single value, or the rank is below 2.
    """
    activations = tf.convert_to_tensor(activations)
    _check_floating("activations", activations)
    shape = activations.shape
    if shape.rank is None or shape.rank < 2 or shape[1:].num_elements() == 1:
        raise ValueError(
            "`activations` must have shape (batch, ...) with at least 2 values per image (one has "
            f"no variance), got shape {shape}."
        )
    dtype = _statistics_dtype(activations.dtype)

    @tf.custom_gradient
    def binarize(activations):
        @_after_upstream
        def gradient(upstream):
            # Written for few passes over memory; a row per image.
            values = tf.reshape(tf.cast(activations, dtype), [tf.shape(activations)[0], -1])
            upstream = tf.reshape(tf.cast(upstream, dtype), tf.shape(values))
            freedom = tf.cast(tf.shape(values)[1] - 1, dtype)
            centred = values - tf.reduce_mean(values, axis=1, keepdims=True)
            inverse_variance = 1 / (_row_dot(centred, centred) / freedom + EPSILON)
            scale = tf.sqrt(inverse_variance)
            # The slope of ApproxSign, already divided by the deviation.
            slope = tf.nn.relu(2 * scale - tf.abs(values) * (2 * inverse_variance))
            upstream = upstream * slope
            through_variance = inverse_variance * _row_dot(upstream, values) / freedom
            result = upstream - centred * through_variance
            return tf.cast(tf.reshape(result, tf.shape(activations)), activations.dtype)

        return lq.math.sign(activations), gradient

    return binarize(activations)


# The layer that each ReCU binarises a kernel of. Not an attribute: Keras would track it.
_layer_of = weakref.WeakKeyDictionary()


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class ReCU(lq.quantizers.Quantizer):
    """The kernel quantizer of ReCU, `recu` with a temperature of its own. Alias `"recu"`.

    Forward and gradient are those of `recu`. The temperature `tau` is a non-trainable float32
    weight, which `recu_tf.schedules.TauScheduler` moves and every saving format keeps. It belongs
    to one kernel: a `.keras` file of layers that share one could not be loaded. No
    `kernel_constraint` is needed: dead weights are what ReCU revives.

    Args:
        tau: temperature in (0.5, 1] to start with.
        axis: the axis or axes of the kernel that count output filters; None takes those of the
            Larq layer that it is in: -1 for dense and ordinary convolution kernels, -2 for
            transposed convolutions, (-2, -1) for depthwise ones. Outside of such layers it is -1.

    Raises:
        ValueError: `tau` lies outside (0.5, 1]; when called, see `recu`.
        RuntimeError: when its layer is called for the first time, as a functional or sequential
            model does when it is built: another kernel has this instance already, or `axis` is
            another than where a depthwise or transposed layer has its filters.
    """

    precision = 1

    def __init__(self, tau: float = 0.85, axis: int | Sequence[int] | None = None, **kwargs):
        _check_tau(tau)
        # Keras would cast a float64 kernel to the policy's type before `call` sees it.
        super().__init__(autocast=False, **kwargs)
        self._given_axis = axis if axis is None or isinstance(axis, int) else tuple(axis)
        self._found_axis = -1
        # Named after the quantizer: a layer may hold two of them, and .h5 wants distinct names.
        self.tau = self.add_weight(
            name=f"{self.name}/tau",
            shape=(),
            dtype=tf.float32,
            initializer=tf.keras.initializers.Constant(tau),
            trainable=False,
            experimental_autocast=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    @property
    def axis(self) -> int | tuple[int, ...]:
        """The axis or axes that count output filters: as given, or as its layer has them."""
        return self._found_axis if self._given_axis is None else self._given_axis

    @tf.autograph.experimental.do_not_convert
    def belong_to(self, layer: tf.Module) -> None:
        """Takes the axis from the layer that has this as the quantizer of a kernel, if it has.

        Args:
            layer: any module; one without this quantizer changes nothing.

        Raises:
            ValueError: another kernel has this instance already, or `axis` was given and the layer
                has its filters elsewhere.
        """
        arguments = [name for name, own in kernel_quantizers(layer).items() if own is self]
        if not arguments:
            return
        owners = [f"the {name} of layer {layer.name!r}" for name in arguments]
        earlier = _layer_of.get(self, lambda: None)()
        if earlier is not None and earlier is not layer:
            names = [name for name, own in kernel_quantizers(earlier).items() if own is self]
            owners = [f"the {name} of layer {earlier.name!r}" for name in names] + owners
        if len(owners) > 1:
            raise ValueError(
                f"A ReCU instance must belong to one kernel, got one for {' and '.join(owners)}: "
                'write "recu", or a ReCU() of its own, for each.'
            )
        axis, given = filter_axis(layer, arguments[0]), self._given_axis
        if given is not None and not is_filter_axis(layer, arguments[0], given):
            raise ValueError(
                f"`axis` of {owners[0]} must be {axis}, where a {type(layer).__name__} has its "
                f"filters, got {given}. Left out, it is found."
            )
        _layer_of[self] = weakref.ref(layer)
        self._found_axis = axis

    def __call__(self, *args, **kwargs):
        """Binarises a kernel, see `recu`; within a layer, that layer's."""
        layer = calling_layer()
        if layer is not None:
            try:
                self.belong_to(layer)
            except ValueError as error:
                # The layer has opened Larq's scope in which kernels are their signs, and leaves it
                # open on errors: all models saved from then on would hold signs for weights.
                lq.context.quantized_scope(False).__enter__()
                # Of another type: TensorFlow tries again where converting a kernel is a ValueError.
                raise RuntimeError(str(error)) from error
        return super().__call__(*args, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises a kernel, see `recu`."""
        return recu(inputs, self.tau, self.axis)

    def get_config(self) -> dict:
        """The constructor's arguments, with the temperature as it is now."""
        # The shortest decimal that gives this float32: 0.85, not 0.8500000238418579.
        tau = float(str(np.float32(tf.keras.backend.get_value(self.tau))))
        return {**super().get_config(), "tau": tau, "axis": self._given_axis}


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class StandardizedApproxSign(lq.quantizers.Quantizer):
    """The activation quantizer of ReCU. Alias `"standardized_approx_sign"`.

    Forward and gradient are those of `standardized_approx_sign`.
    """

    precision = 1

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises activations of shape (batch, ...), see `standardized_approx_sign`."""
        return standardized_approx_sign(inputs)


# Strings name them in Larq layers; from a whole-model .h5, Larq asks for the bare class names.
tf.keras.utils.get_custom_objects().update(
    {
        "recu": ReCU,
        "ReCU": ReCU,
        "standardized_approx_sign": StandardizedApproxSign,
        "StandardizedApproxSign": StandardizedApproxSign,
    }
)
