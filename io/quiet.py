"""Keeps a hostile venue from filling the log: few lines of a kind a minute, none of them long."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)
LINES_MAX, WINDOW_S = 20, 60.0  # of one kind; a kind is a logger with its message before values are filled in
KINDS_MAX = 1_000  # all others count as one kind
TEXT_MAX = 1_000  # characters of a line


@dataclass
class _Kind:
    begun_s: float
    lines: int = 0
    left_out: int = 0


class LogLimit(logging.Filter):
    """A filter for a handler. What is left out is told by number with the next line of its kind.

    clock_s  seconds that pass
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock_s = clock_s
        self.kinds: dict[tuple[str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is shown; it may be shortened."""
        kind, now_s = self._kind(record), self.clock_s()
        if now_s - kind.begun_s >= WINDOW_S:
            kind.begun_s, kind.lines = now_s, 0
        if kind.lines >= LINES_MAX:
            kind.left_out += 1
            return False
        kind.lines += 1
        text = record.getMessage()
        if len(text) > TEXT_MAX:
            text = f"{text[:TEXT_MAX]} … ({len(text)} characters)"
        if kind.left_out:
            text += f" ({kind.left_out} lines like this were left out)"
            kind.left_out = 0
        record.msg, record.args = text, ()
        return True

    def _kind(self, record: logging.LogRecord) -> _Kind:
        key = (record.name, str(record.msg))
        if key not in self.kinds and len(self.kinds) >= KINDS_MAX:
            key = ("", "")
        return self.kinds.setdefault(key, _Kind(self.clock_s()))


def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's exception handler: one line for what nobody caught, of a kind that the limit knows.

    Not asyncio's own: a library may hand over an exception whose traceback cannot be printed, and then logging
    itself prints pages.
    """
    error = context.get("exception")
    try:
        where = (
            "".join(traceback.format_tb(error.__traceback__)[-1:]) if isinstance(error, BaseException) else ""
        )
    except Exception:
        where = ""
    log.error("in the event loop: %s: %r %s", context.get("message", ""), error, " ".join(where.split()))
