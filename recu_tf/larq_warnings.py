"""Keeps Larq from advising a `kernel_constraint` for ReCU, which needs none."""

import logging
import re
import sys

import larq as lq
import larq.layers_base

from recu_tf.quantizers import ReCU


class KernelConstraintAdvice(logging.Filter):
    """Drops Larq's advice to set a `kernel_constraint` where it is about a ReCU quantizer.

    Larq gives it for every binary kernel without one, in the constructor of the layer, which the
    log record does not name; so look for the layer in the calling frames.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be shown."""
        named = re.search(r"`(kernel|depthwise|pointwise)_constraint`", record.getMessage())
        frame = sys._getframe()
        while named and frame:
            if frame.f_globals.get("__name__") == lq.layers_base.__name__:
                layer = frame.f_locals.get("self")
                return not isinstance(getattr(layer, f"{named[1]}_quantizer", None), ReCU)
            frame = frame.f_back
        return True


logging.getLogger(lq.layers_base.__name__).addFilter(KernelConstraintAdvice())
