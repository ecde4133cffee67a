r"""The weights of a network in little space: binary kernels as their signs, and a scale per filter.

A network with ReCU computes with the signs of its kernels alone, \(\mathrm{sign}(w - \bar w)\), one
bit each. The scale, \(s = \overline{|w - \bar w|}\), is for further training: with \(n\) weights in
a filter, \(k\) of them positive, the positive ones come back with the mean \(sn/2k\) and the others
with \(-sn/2(n-k)\), as in the filter that was trained. Around these means they are spread evenly,
from nearly 0 to nearly the double, by random numbers that are the same every time: weights that all
lie at the same distance from 0 would keep their signs for epochs, and a network of them learns
slower than a new one (`PRETRAINED.md` has numbers). The mean of a filter is 0, so that no rounding
changes a sign.

A filter that was all positive comes back as zeros, of which ReCU makes +1. A filter of which the
signs would not come back, all of them negative by rounding, keeps its kernel in float32.
"""

import io

import numpy as np
import tensorflow as tf

from recu_tf.kernel_axes import KERNELS, find_kernel_quantizers
from recu_tf.latent_weights import get_latent, read_latent_weights
from recu_tf.quantizers import ReCU, recu
from recu_tf.quantizers.standardization import weight_axes

__all__ = ["pack", "unpack"]

# Magnitudes of restored weights, as multiples of their mean: even the smallest is far from 0 for
# the rounding of a filter's mean.
SPREAD = (0.02, 1.98)


def pack(network: tf.keras.Model) -> bytes:
    """Packs the weights of a network into an `.npz` file of four arrays.

    `is_packed` says of each weight, in the order of `network.weights`, whether it is a kernel whose
    signs are stored; `signs` has a bit for each weight of these, one kernel after the other, set
    for +1; `scales` has their scales in float32, and `values` all other weights in float32.

    Args:
        network: built, of layers.

    Returns:
        The content of the file, the same for the same weights.

    Raises:
        ValueError: a weight that is no binary kernel does not fit into float32.
    """
    axes = _find_axes(network)
    is_packed, signs, scales, values = [], [], [], []
    arrays = read_latent_weights(network)
    for number, (variable, array) in enumerate(zip(network.weights, arrays, strict=True)):
        packed = _pack_kernel(array, axes[number]) if number in axes else None
        is_packed.append(packed is not None)
        if packed is not None:
            signs.append(packed[0])
            scales.append(packed[1])
        elif np.array_equal(np.float32(array), array):
            values.append(np.float32(array).ravel())
        else:
            raise ValueError(
                f"`network` must have weights in float32, {variable.name} is of {array.dtype}."
            )
    file = io.BytesIO()
    np.savez_compressed(
        file,
        is_packed=np.array(is_packed),
        signs=np.packbits(np.concatenate(signs or [np.empty(0, bool)])),
        scales=np.concatenate(scales or [np.empty(0, np.float32)]),
        values=np.concatenate(values or [np.empty(0, np.float32)]),
    )
    return file.getvalue()


def unpack(content: bytes, network: tf.keras.Model) -> None:
    """Gives a network the weights from a file of `pack`.

    Its outputs are then, bit for bit, those of the network that was packed.

    Args:
        content: of the file.
        network: of the same layers.

    Raises:
        ValueError: the file is of another network; no weight is changed.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("is_packed", "signs", "scales", "values")}
    axes, is_packed = _find_axes(network), arrays["is_packed"]
    shapes = [tuple(variable.shape) for variable in network.weights]
    kernels = {number for number in range(len(is_packed)) if is_packed[number]}
    sizes = [int(np.prod(shape)) for shape in shapes]
    filters = {n: _count_filters(shapes[n], axes[n]) for n in kernels if n in axes}
    bits = sum(sizes[number] for number in kernels if number < len(sizes))
    others = sum(size for number, size in enumerate(sizes) if number not in kernels)
    found = (len(is_packed), len(arrays["signs"]), len(arrays["scales"]), len(arrays["values"]))
    expected = (len(shapes), -(-bits // 8), sum(filters.values()), others)
    if found != expected or len(filters) != len(kernels):
        raise ValueError(f"the weights do not fit {network.name}, they are of another network.")
    signs = np.unpackbits(arrays["signs"], count=bits).astype(bool)
    scales, values = arrays["scales"], arrays["values"]
    weights = []
    for number, (shape, size) in enumerate(zip(shapes, sizes, strict=True)):
        if number in kernels:
            count = filters[number]
            kernel = signs[:size].reshape(shape)
            weights.append(_restore(kernel, scales[:count], axes[number]))
            signs, scales = signs[size:], scales[count:]
        else:
            weights.append(values[:size].reshape(shape))
            values = values[size:]
    network.set_weights(weights)


def _find_axes(network: tf.keras.Model) -> dict[int, int | tuple[int, ...]]:
    """The axes of the filters of each kernel that has ReCU, by its number among all weights."""
    axes = {}
    numbers = {id(get_latent(weight)): number for number, weight in enumerate(network.weights)}
    for layer in network.layers:
        for argument, quantizer in find_kernel_quantizers(layer).items():
            if isinstance(quantizer, ReCU):
                kernel = getattr(layer, KERNELS[argument])
                axes[numbers[id(get_latent(kernel))]] = quantizer.axis
    return axes


def _find_weight_axes(shape: tuple[int, ...], axis: int | tuple[int, ...]) -> tuple[int, ...]:
    return tuple(weight_axes(tf.TensorShape(shape), axis))


def _count_filters(shape: tuple[int, ...], axis: int | tuple[int, ...]) -> int:
    axes = _find_weight_axes(shape, axis)
    return int(np.prod([size for number, size in enumerate(shape) if number not in axes]))


def _binarize(kernel: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """The signs with which the network computes, True for +1."""
    # The temperature has no say in the signs.
    return recu(kernel, 1.0, axis).numpy() > 0


def _pack_kernel(
    kernel: np.ndarray, axis: int | tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Signs, True for +1, and scales, both flat; None where the signs would not come back."""
    axes = _find_weight_axes(kernel.shape, axis)
    signs = _binarize(kernel, axis)
    weights = kernel.astype(np.float64)
    centred = weights - weights.mean(axis=axes, keepdims=True)
    scales = np.abs(centred).mean(axis=axes).astype(np.float32).ravel()
    restored = _restore(signs, scales, axis).astype(kernel.dtype)
    if not np.array_equal(_binarize(restored, axis), signs):
        return None
    return signs.ravel(), scales


def _restore(signs: np.ndarray, scales: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Latent weights, float32, of the signs and of the mean magnitude in each filter."""
    axes = _find_weight_axes(signs.shape, axis)
    count = np.prod([signs.shape[number] for number in axes])
    # Of NumPy's generators, the one whose numbers no release will change.
    spread = np.random.RandomState(0).uniform(*SPREAD, signs.shape)
    restored = np.zeros(signs.shape)
    for sign, chosen in ((1, signs), (-1, ~signs)):
        number = chosen.sum(axis=axes, keepdims=True)
        total = np.where(chosen, spread, 0).sum(axis=axes, keepdims=True)
        half = scales.reshape(number.shape) * (count / 2)
        # With weights of one sign only, there is nothing on the other side of their mean.
        is_mixed = (number > 0) & (number < count)
        factor = np.divide(half, total, out=np.zeros_like(total), where=is_mixed)
        restored += sign * np.where(chosen, spread * factor, 0)
    return restored.astype(np.float32)
