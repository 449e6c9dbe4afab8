"""Following a bus from plain Python: an iterator that sleeps between records and hears Ctrl-C."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from ..engine.kernels.cursor import count_ticks
from ..engine.layout import READ_EARLY, READ_OK
from .owner import Verdict

LOOK_AROUND_S = 0.1  # how often a reader without news asks how the writer is
SPIN_NS = 20_000


class Follower(Iterator[Any]):
    """Records one by one, as copies: record["seq"], record["price"] …

    place      where to read: a Place, or a MergedPlace
    stop       ends the iteration when set
    on_end     "wait": for the next writer of that name; "stop": when the writer closed or died
    timeout_s  end after so long without a record; None never
    """

    def __init__(self, place: Any, stop: threading.Event, on_end: str, timeout_s: float | None) -> None:
        self.place, self.timeout_s, self.on_end = place, timeout_s, on_end
        self._stop, self._looked, self._idle_since = stop, 0.0, time.monotonic()
        self._spin_ticks = count_ticks(SPIN_NS)

    @property
    def lost(self) -> int:
        """Records overwritten before they were read, so far."""
        return self.place.lost

    @property
    def generation(self) -> int:
        """Generation of the bus being read; it grows when a writer succeeded another."""
        return self.place.link.generation

    def __next__(self) -> Any:
        """The next record; waits for it."""
        place = self.place
        while True:
            code = place.advance()
            if code == READ_OK:
                self._idle_since = 0.0
                return place.take()
            if self._stop.is_set() or (code == READ_EARLY and self._is_over()):
                self._stop.clear()
                raise StopIteration

    def _is_over(self) -> bool:
        """Wait a little; True when there will be no more."""
        self.place.wait(self._spin_ticks)
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if now - self._looked >= LOOK_AROUND_S:
            self._looked = now
            ended = self.place.look_around() in (Verdict.CLOSED, Verdict.DEAD)
            if ended and self.on_end == "stop" and self.place.is_drained():
                return True
        return self.timeout_s is not None and now - self._idle_since >= self.timeout_s
