"""Models of a test as the export loads those of a file."""

from pathlib import Path

from export import Source


def source(model, directory="nowhere"):
    return Source(model, "a network", Path(directory))
