"""What a process that maps a bus says when a foreigner truncates the file under it."""

import contextlib
import faulthandler
import sys


def show_crashes() -> None:
    """Turn faulthandler on unless it is: touching a page that was cut off ends in SIGBUS, which should say where."""
    if not faulthandler.is_enabled() and sys.__stderr__ is not None:
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            faulthandler.enable(sys.__stderr__)
