"""Silences Larq's advice to set a `kernel_constraint` for ReCU, which needs none."""

import logging
import re
import sys

import larq as lq
import larq.layers_base

from recu_tf.quantizers import ReCU


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


logging.getLogger(lq.layers_base.__name__).addFilter(KernelConstraintAdvice())
