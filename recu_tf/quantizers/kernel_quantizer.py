"""The kernel quantizer of ReCU: `recu` with a temperature of its own, as a Keras layer."""

import weakref
from collections.abc import Sequence

import larq as lq
import numpy as np
import tensorflow as tf

from recu_tf.kernel_axes import (
    accepts_axis,
    find_filter_axis,
    find_kernel_quantizers,
    get_calling_layer,
)
from recu_tf.quantizers.rectified_clamp import recu
from recu_tf.quantizers.standardization import check_tau

__all__ = ["ReCU"]

# The layer whose kernel each ReCU binarises. Not an attribute of it: Keras would track the layer.
_layer_of = weakref.WeakKeyDictionary()


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class ReCU(lq.quantizers.Quantizer):
    """The kernel quantizer of ReCU: `recu` with a temperature of its own. Alias `"recu"`.

    Forward and gradient are those of `recu`, for a kernel of rank 2 or more. The temperature `tau`
    is a non-trainable float32 weight, which `recu_tf.schedules.TauScheduler` sets in each epoch and
    every saving format keeps. An instance belongs to one kernel: a `.keras` file of layers that
    share an instance could not be loaded. No `kernel_constraint` is needed: dead weights are what
    ReCU revives.

    Args:
        tau: initial temperature in (0.5, 1].
        axis: the axis or axes of the kernel that index output filters. None takes them from the
            Larq layer that has the quantizer: -1 for dense and ordinary convolution kernels, -2 for
            transposed convolutions, (-2, -1) for depthwise convolutions. Outside of such layers
            None means -1.

    Raises:
        ValueError: `tau` lies outside (0.5, 1]; when called, see `recu`.
        RuntimeError: when its layer is called for the first time, as a functional or sequential
            model does when it is built: another kernel already has this instance, or a depthwise or
            transposed layer has its filters on other axes than `axis`.
    """

    precision = 1

    def __init__(self, tau: float = 0.85, axis: int | Sequence[int] | None = None, **kwargs):
        check_tau(tau)
        # Keras would cast a float64 kernel to the policy's dtype before `call` sees it.
        super().__init__(autocast=False, **kwargs)
        self._given_axis = axis if axis is None or isinstance(axis, int) else tuple(axis)
        self._found_axis = -1
        # Named after the quantizer: a layer may have two quantizers, and .h5 needs distinct names.
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
        """The axis or axes that index output filters: as given, or as found in the layer."""
        return self._found_axis if self._given_axis is None else self._given_axis

    @tf.autograph.experimental.do_not_convert
    def attach_to(self, layer: tf.Module) -> None:
        """Records a layer as the owner of this quantizer, and takes the filters' axis from it.

        Args:
            layer: any module; a module that does not quantize a kernel with this instance changes
                nothing.

        Raises:
            ValueError: another kernel already has this instance, or `axis` was given and the layer
                has its filters elsewhere.
        """
        arguments = self._find_arguments(layer)
        if not arguments:
            return
        owners = [f"the {name} of layer {layer.name!r}" for name in arguments]
        earlier = _layer_of.get(self, lambda: None)()
        if earlier is not None and earlier is not layer:
            names = self._find_arguments(earlier)
            owners = [f"the {name} of layer {earlier.name!r}" for name in names] + owners
        if len(owners) > 1:
            raise ValueError(
                "A ReCU instance must belong to a single kernel, got the same instance for "
                f'{" and ".join(owners)}: pass "recu", or a separate ReCU(), for each.'
            )
        axis, given = find_filter_axis(layer, arguments[0]), self._given_axis
        if given is not None and not accepts_axis(layer, arguments[0], given):
            raise ValueError(
                f"`axis` of {owners[0]} must be {axis}, where a {type(layer).__name__} has its "
                f"filters, got {given}. Without `axis`, the quantizer finds it in its layer."
            )
        _layer_of[self] = weakref.ref(layer)
        self._found_axis = axis

    def _find_arguments(self, layer: tf.Module) -> list[str]:
        """The arguments of a layer that have this instance as a kernel quantizer."""
        quantizers = find_kernel_quantizers(layer)
        return [name for name, quantizer in quantizers.items() if quantizer is self]

    def __call__(self, *args, **kwargs):
        """Binarises a kernel, see `recu`; called by a layer, attaches itself to that first."""
        layer = get_calling_layer()
        if layer is not None:
            try:
                self.attach_to(layer)
            except ValueError as error:
                # The layer has opened Larq's scope in which kernels are their signs, and leaves it
                # open on errors: all models saved from then on would hold signs for weights. A
                # scope that the caller had opened is closed as well: nothing tells the two apart.
                lq.context.quantized_scope(False).__enter__()
                # Not a ValueError: when converting a kernel raises that, TensorFlow tries again.
                raise RuntimeError(str(error)) from error
        return super().__call__(*args, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises a kernel, see `recu`."""
        return recu(inputs, self.tau, self.axis)

    def get_config(self) -> dict:
        """The constructor's arguments, with the current temperature."""
        # The shortest decimal that gives this float32: 0.85, not 0.8500000238418579.
        tau = float(str(np.float32(tf.keras.backend.get_value(self.tau))))
        return {**super().get_config(), "tau": tau, "axis": self._given_axis}
