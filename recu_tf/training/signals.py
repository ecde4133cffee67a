"""SIGTERM and Ctrl-C, heard but not obeyed at once."""

import signal
import threading
from types import FrameType

__all__ = ["Interruption", "TrainingInterrupted"]

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingInterrupted(Exception):
    """A signal ended the training; `exit_code` is 128 and the signal's number, as in shells."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = 128 + number


class Interruption:
    """Remembers the first signal while the context is open; a second one ends the process's work.

    Attributes:
        received: the signal, None until there is one.
    """

    def __init__(self):
        self.received: signal.Signals | None = None
        self._handlers = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def __enter__(self) -> "Interruption":
        # Python lets the main thread alone set handlers; elsewhere signals keep their meaning.
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
