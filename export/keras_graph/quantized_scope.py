"""Keeps what a failing layer leaves open from reaching other layers' weights."""

import contextlib
from collections.abc import Iterator

import larq as lq

__all__ = ["restored_scope"]


@contextlib.contextmanager
def restored_scope() -> Iterator[None]:
    """Has Larq's layers tell the same weights afterwards as before, whatever fails within.

    A layer of Larq opens `lq.context.quantized_scope(True)` when it is called, and an error in it
    leaves that open (larq 0.14.0): from then on `get_weights` and `save` of all models give signs
    for the latent weights.
    """
    quantized = lq.context.should_quantize()
    try:
        yield
    finally:
        lq.context.quantized_scope(quantized).__enter__()
