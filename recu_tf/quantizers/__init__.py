"""The quantizers of ReCU: one for kernels, and those for activations.

Forward, all are a bare sign, so nothing else reaches an exported network. What makes them ReCU is
their gradient, written here in closed form. `StandardizedApproxSign` has the published gradient of
activations, `StandardizedSteSign` a wider one. The following are equivalent:

```python
lq.layers.QuantConv2D(64, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign")
lq.layers.QuantConv2D(64, 3, kernel_quantizer=ReCU(), input_quantizer=StandardizedApproxSign())
```

Statistics are computed in float64 for float64 inputs and in float32 for all other types; the result
has the dtype of the input. The sign of 0 is +1, as everywhere in Larq.

References:
    Xu et al., "ReCU: Reviving the Dead Weights in Binary Neural Networks", ICCV 2021,
    https://arxiv.org/abs/2103.12369.
    Liu et al., "Bi-Real Net", ECCV 2018, https://arxiv.org/abs/1808.00278 (ApproxSign).
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
