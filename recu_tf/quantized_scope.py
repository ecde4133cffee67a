"""Keeps a layer that fails from changing which weights Larq's other layers give."""

import contextlib
from collections.abc import Iterator

import larq as lq

__all__ = ["preserve_quantized_scope"]


@contextlib.contextmanager
def preserve_quantized_scope() -> Iterator[None]:
    """Restores Larq's quantized scope afterwards, whatever fails within; a decorator as well.

    A layer of Larq opens `lq.context.quantized_scope(True)` when it is called, and an error in it
    leaves that open (larq 0.14.0): from then on `get_weights` and `save` of all models give signs
    instead of latent weights.
    """
    is_quantized = lq.context.should_quantize()
    try:
        yield
    finally:
        lq.context.quantized_scope(is_quantized).__enter__()
