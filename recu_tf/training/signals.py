"""Handling SIGTERM and Ctrl-C so that a training can save before it stops."""

import signal
import threading
from types import FrameType

__all__ = ["SignalHandler"]

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalHandler:
    """Remembers the first signal while its context is open; a second one raises KeyboardInterrupt.

    Attributes:
        received: the first signal; None until there is one.
    """

    def __init__(self):
        self.received: signal.Signals | None = None
        self._previous_handlers = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def __enter__(self) -> "SignalHandler":
        # Python lets only the main thread set handlers; in others, signals keep their effect.
        if threading.current_thread() is threading.main_thread():
            self._previous_handlers = {
                number: signal.signal(number, self._handle) for number in SIGNALS
            }
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
