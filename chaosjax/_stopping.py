"""Ctrl-C and SIGTERM, heard between two calls of the compiled program, so that what was computed is kept."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

TERMINATED = 128 + 15
"""Exit status of a process that SIGTERM has ended."""


class Stop:
    """Whether a sweep was asked to stop.

    Attributes:
        patient: a first signal waits until the sweep looks; else, and at the second, the sweep ends at once.
        signal: the signal that came; None: none.
    """

    def __init__(self) -> None:
        self.patient = False
        self.signal: int | None = None

    def hear(self, number: int, frame: Any) -> None:
        """Note a signal: a handler of Python's."""
        again, self.signal = self.signal is not None, number
        if again or not self.patient:
            if number == signal.SIGTERM:
                print("terminated", file=sys.stderr, flush=True)
            raise SystemExit(TERMINATED) if number == signal.SIGTERM else KeyboardInterrupt

    def end(self, message: str) -> NoReturn:
        """Say how to go on: with Ctrl-C in a KeyboardInterrupt, with SIGTERM on standard error before the exit."""
        if self.signal != signal.SIGTERM:
            raise KeyboardInterrupt(message) from None
        print(f"terminated: {message}", file=sys.stderr, flush=True)
        raise SystemExit(TERMINATED) from None


@contextmanager
def listening() -> Iterator[Stop]:
    """Hear both signals in the main thread, where they have Python's own handlers; those are put back at the end."""
    stop, earlier = Stop(), {}
    if threading.current_thread() is threading.main_thread():
        for number, own in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) == own:
                earlier[number] = signal.signal(number, stop.hear)
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
