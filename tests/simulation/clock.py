"""Virtual time: a clock that only moves when there is nothing to do, and the event loop that moves it."""

import asyncio
from collections.abc import Callable
from typing import Any

from ringbook.io.clock import Clock

START_NS = 1_000 * 1_000_000_000
TURN_NS = 1_000  # a turn of the loop costs so much: who asks again and again gets on
EPOCH_NS = 1_700_000_000 * 1_000_000_000  # what the wall clock shows at the start


class VirtualClock(Clock):
    """Nanoseconds that pass only when `pass_ns` is called."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def mono_ns(self) -> int:  # type: ignore[override]
        return self.now_ns

    def wall_ns(self) -> int:  # type: ignore[override]
        return self.now_ns - START_NS + EPOCH_NS

    def now_s(self) -> float:
        """As an event loop tells the time."""
        return self.now_ns / 1e9

    @property
    def since_s(self) -> float:
        """Seconds since the start, for people."""
        return (self.now_ns - START_NS) / 1e9


class Stuck(RuntimeError):
    """Nothing will ever happen again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without sockets: where another one would sleep, this one moves the clock.

    on_turn  called before the clock moves, when everything due now has run
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock, self.turns = clock, 0
        self.on_turn: Callable[[], None] = lambda: None
        self._selector = self  # asyncio's loop asks it with select()

    def time(self) -> float:
        return self.clock.now_s()

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass, as much as asyncio would sleep."""
        if timeout is None:
            raise Stuck("nothing is scheduled and nothing is ready")
        self.turns += 1
        self.on_turn()
        self.clock.now_ns += max(TURN_NS, round(timeout * 1e9))
        return []

    def _process_events(self, events: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...
