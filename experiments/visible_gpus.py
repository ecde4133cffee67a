"""Which GPUs TensorFlow sees."""

import tensorflow as tf

__all__ = ["choose_gpus"]


def choose_gpus(text: str | None) -> None:
    """Makes only these GPUs visible; prints a line if there is none at all.

    Args:
        text: their numbers, as in "0,1"; None leaves all visible.

    Raises:
        ValueError: no such GPU.
    """
    if text is None:
        return
    gpus = tf.config.list_physical_devices("GPU")
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"--gpus must be numbers separated by commas, got {text!r}.") from None
    if not gpus:
        print("No GPU is visible here: using the CPU.")
        return
    if not all(0 <= number < len(gpus) for number in numbers):
        raise ValueError(f"--gpus must be numbers from 0 to {len(gpus) - 1}, got {text!r}.")
    tf.config.set_visible_devices([gpus[number] for number in numbers], "GPU")
