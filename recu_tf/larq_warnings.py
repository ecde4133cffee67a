"""Silences warnings that ask for nothing: of Larq for kernels with ReCU, and of Keras."""

import contextlib
import logging
import re
import sys
import warnings
from collections.abc import Iterator

import larq as lq
import larq.layers_base

from recu_tf.quantizers import ReCU

__all__ = ["KernelConstraintAdvice", "silence_advice", "silence_initializers"]


class KernelConstraintAdvice(logging.Filter):
    """Drops Larq's advice to set a `kernel_constraint` for kernels with a ReCU quantizer.

    Larq logs it for every binary kernel without a constraint, in the constructor of the layer. The
    log record does not name the layer, so it is looked up in the calling frames.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show the record."""
        named = re.search(r"`(kernel|depthwise|pointwise)_constraint`", record.getMessage())
        frame = sys._getframe()
        while named and frame:
            if frame.f_globals.get("__name__") == lq.layers_base.__name__:
                layer = frame.f_locals.get("self")
                return not isinstance(getattr(layer, f"{named[1]}_quantizer", None), ReCU)
            frame = frame.f_back
        return True


@contextlib.contextmanager
def silence_advice() -> Iterator[None]:
    """Drops the advice of Larq's layers, where layers are built that will be replaced."""
    logger = logging.getLogger(lq.layers_base.__name__)

    def drop(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)


@contextlib.contextmanager
def silence_initializers() -> Iterator[None]:
    """Drops Keras' warning of initializers that are functions, such as one of larq-zoo.

    Keras reads and writes them all the same.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"The `keras.initializers.serialize\(\)` API")
        yield


logging.getLogger(lq.layers_base.__name__).addFilter(KernelConstraintAdvice())
