"""The quantizers of ReCU: one for kernels, and those for activations.

Forward, all are a bare sign, so nothing else reaches an exported network. What makes them ReCU is
their gradient, written here in closed form. `StandardizedApproxSign` has the published gradient of
activations, `StandardizedSteSign` a wider one.

Statistics are computed in float64 for float64 inputs and in float32 for all other types; the result
has the dtype of the input. The sign of 0 is +1, as everywhere in Larq.

References:
    Xu et al., "ReCU: Reviving the Dead Weights in Binary Neural Networks", ICCV 2021,
    https://arxiv.org/abs/2103.12369.
    Liu et al., "Bi-Real Net", ECCV 2018, https://arxiv.org/abs/1808.00278 (ApproxSign).

Examples:
    In a layer of Larq, as objects or by name:

    >>> kernel_quantizer = recu_tf.quantizers.ReCU(tau=0.9)
    >>> input_quantizer = recu_tf.quantizers.StandardizedApproxSign()
    >>> layer = lq.layers.QuantConv2D(
    ...     64, 3, kernel_quantizer=kernel_quantizer, input_quantizer=input_quantizer
    ... )
    >>> layer = lq.layers.QuantConv2D(
    ...     64, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
    ... )
    >>> type(layer.kernel_quantizer).__name__
    'ReCU'
    >>> layer.kernel_quantizer.attach_to(layer)  # as layers do, to find the filters' axis

    A kernel of two filters with four weights each, its signs, and its dead weights:

    >>> kernel = tf.constant([[0.1, 5.0], [0.2, 5.1], [0.3, 5.3], [2.0, 4.8]])
    >>> recu_tf.quantizers.recu(kernel, tau=0.85).numpy()
    array([[-1., -1.],
           [-1.,  1.],
           [-1.,  1.],
           [ 1., -1.]], dtype=float32)
    >>> standardized = recu_tf.quantizers.standardize_kernel(kernel)
    >>> tf.abs(standardized) > recu_tf.quantizers.threshold(standardized, tau=0.85)
    <tf.Tensor: shape=(4, 2), dtype=bool, numpy=
    array([[False, False],
           [False, False],
           [False,  True],
           [ True,  True]])>

    The gradient of activations: near 0 only, or straight through within 1.5 deviations:

    >>> images = tf.constant([[-2.0, -1.2, 0.1, 0.8, 1.0]])
    >>> for quantize in (
    ...     recu_tf.quantizers.standardized_approx_sign,
    ...     recu_tf.quantizers.standardized_ste_sign,
    ... ):
    ...     with tf.GradientTape() as tape:
    ...         tape.watch(images)
    ...         signs = quantize(images)
    ...     print(tape.gradient(signs, images).numpy().round(2))
    [[0.21 0.23 1.38 0.46 0.2 ]]
    [[0.14 0.84 0.74 0.69 0.67]]
    >>> wider = recu_tf.quantizers.StandardizedSteSign(clip_value=3.0)
"""

import tensorflow as tf

from recu_tf.quantizers.approx_sign import StandardizedApproxSign, standardized_approx_sign
from recu_tf.quantizers.kernel_quantizer import ReCU
from recu_tf.quantizers.rectified_clamp import recu
from recu_tf.quantizers.standardization import standardize_kernel, threshold
from recu_tf.quantizers.ste_sign import StandardizedSteSign, standardized_ste_sign

__all__ = [
    "ReCU",
    "StandardizedApproxSign",
    "StandardizedSteSign",
    "recu",
    "standardize_kernel",
    "standardized_approx_sign",
    "standardized_ste_sign",
    "threshold",
]

# The lower-case names are for strings in Larq layers; whole-model .h5 files refer to the bare
# class names.
tf.keras.utils.get_custom_objects().update(
    {
        "recu": ReCU,
        "ReCU": ReCU,
        "standardized_approx_sign": StandardizedApproxSign,
        "StandardizedApproxSign": StandardizedApproxSign,
        "standardized_ste_sign": StandardizedSteSign,
        "StandardizedSteSign": StandardizedSteSign,
    }
)
