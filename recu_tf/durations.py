"""Durations in units that people use."""

__all__ = ["format_duration"]

# Each unit and its length in seconds.
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def format_duration(seconds: float) -> str:
    """Formats a duration in one or two units of suitable size: `0.31 s`, `1 min 12 s`, `2 h 5 min`.

    Args:
        seconds: at least 0.
    """
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole >= 3600:
        whole = round(whole / 60) * 60
    if whole >= 86400:
        whole = round(whole / 3600) * 3600
    parts = []
    for name, size in UNITS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)
