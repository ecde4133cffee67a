"""The directories that runs are kept in: creating and recognising them."""

from pathlib import Path

__all__ = ["CONFIG", "create_directory", "has_run"]

CONFIG = "config.json"  # without it, a directory is none of a run


def has_run(directory: Path) -> bool:
    """Whether a directory holds a run."""
    return (directory / CONFIG).exists()


def create_directory(directory: Path, run: Path) -> None:
    """Creates a directory and its parents where they are missing.

    Args:
        directory: to create.
        run: the run directory it is needed for, which the error names.

    Raises:
        OSError: it cannot be created.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"The run directory {run} cannot be created: {error.strerror}") from error
