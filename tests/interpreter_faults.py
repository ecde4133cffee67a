"""Gives the interpreters that verify files faults that they do not have."""

from export.tflite.interpreter import run_all as run_without_fault

# The modules of the verification that run files.
RUNNING = ("verification", "layer_comparison", "backend_agreement")


def replace_run_all(monkeypatch, run_all):
    """Has all that verifies a file run it with another function, for the rest of a test."""
    for name in RUNNING:
        monkeypatch.setattr(f"export.proof.{name}.run_all", run_all)


def with_faults(monkeypatch, *faulty):
    """The backends named add 5 to what they should give; None is the one that verifies."""

    def run_all(flatbuffer, images, backend=None):
        outputs = run_without_fault(flatbuffer, images, backend)
        return [array + 5 for array in outputs] if backend in faulty else outputs

    replace_run_all(monkeypatch, run_all)
