"""Refusing numbers out of range, in the same words wherever they come from."""

import math
import numbers

__all__ = ["check_above_zero", "check_at_least_zero", "check_below_one"]


def check_at_least_zero(**arguments: float) -> None:
    """Refuses arguments, by their names, that are no finite numbers from 0."""
    for name, value in arguments.items():
        if not (isinstance(value, numbers.Real) and math.isfinite(value) and value >= 0):
            raise ValueError(f"`{name}` must be a finite number from 0, got {value!r}.")


def check_above_zero(**arguments: float) -> None:
    """Refuses arguments, by their names, that are no finite numbers above 0."""
    for name, value in arguments.items():
        if not (isinstance(value, numbers.Real) and math.isfinite(value) and value > 0):
            raise ValueError(f"`{name}` must be a finite number above 0, got {value!r}.")


def check_below_one(**arguments: float) -> None:
    """Refuses arguments, by their names, that are no numbers in [0, 1)."""
    for name, value in arguments.items():
        if not (isinstance(value, numbers.Real) and 0 <= value < 1):
            raise ValueError(f"`{name}` must be a number in [0, 1), got {value!r}.")
