"""The words of messages: an error in one line, and a number with its noun."""

__all__ = ["format_count", "in_one_line"]


def in_one_line(error: Exception) -> str:
    """What an error says, without line breaks; the name of its class where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def format_count(number: int, noun: str) -> str:
    """A number with its noun, as "1 layer" or "1,200 layers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
