"""The Python door to several buses at once: one engine process per shard, one stream for the reader."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.kernels.merge import MERGE_MOST
from .errors import RingbookError, SymbolNotFound
from .follow import Follower
from .merged_place import MergedPlace
from .place import Place, check_end, poll_ns
from .reader import Bus, join
from .spin import Spinner, SpinReport, pinned
from .views import Book

WINDOW_US = 1000
LONGEST_WINDOW_US = 10_000_000


class MergedFollower(Follower):
    """Iterator of (bus name, record) over several buses."""

    @property
    def by_bus(self) -> dict[str, dict[str, int]]:
        """Records, late, lost, laps, skipped and held, by name of the bus, so far."""
        return self.place.by_bus

    @property
    def generation(self) -> int:
        """Latest generation among the buses."""
        return max(place.link.generation for place in self.place.places)

    @property
    def late(self) -> int:
        """Records that came too late for their place in the order, so far."""
        return sum(counts["late"] for counts in self.by_bus.values())


class Merged:
    """Several buses joined as one stream; made by `merge`. Their writers do not know of each other, or of it.

    buses      Bus by name, for what concerns one of them
    window_us  how long an empty bus is waited for
    """

    def __init__(self, buses: dict[str, Bus], window_us: float) -> None:
        self.buses, self.window_us = buses, window_us
        self._stop = threading.Event()
        self._place: MergedPlace | None = None

    def _enter(
        self, symbol: str | None, kind: str | int | None, start: str, mode: str, poll_ms: float
    ) -> MergedPlace:
        places = [Place(bus.link, symbol, kind, start) for bus in self.buses.values()]
        self._place = MergedPlace(places, round(self.window_us * 1000), poll_ns(mode, poll_ms))
        return self._place

    def follow(
        self,
        symbol: str | None = None,
        kind: str | int | None = None,
        start: str = "newest",
        on_end: str = "wait",
        timeout_s: float | None = None,
    ) -> MergedFollower:
        """Iterate over (bus name, record) in the order of receive times; parameters as in Bus.follow.

        on_end="stop" ends when all writers have closed or died.
        """
        check_end(on_end)
        place = self._enter(symbol, kind, start, "hybrid", 1.0)
        return MergedFollower(place, self._stop, on_end, timeout_s)

    def spin(
        self,
        handler: Callable[[Any, Any, Any], int],
        state: Any,
        core: int | None = None,
        *,
        mode: str = "spin",
        symbol: str | None = None,
        kind: str | int | None = None,
        start: str = "newest",
        on_end: str = "wait",
        timeout_s: float | None = None,
        poll_ms: float = 1.0,
        on_ready: Callable[[SpinReport], None] | None = None,
    ) -> SpinReport:
        """Run handler(bus, record, state) -> int on every record of all buses, as Bus.spin does on one.

        handler  a numba.njit function; bus is the index of the name given to `merge`: a symbol_id means
                 something only together with it
        mode     "spin" never sleeps; "hybrid" spins 50 µs, then looks every `poll_ms`; "poll" only the latter
        Others   as in Bus.spin; report.by_bus has the counts of each bus
        """
        check_end(on_end)
        place = self._enter(symbol, kind, start, mode, poll_ms)
        with pinned(core):
            return Spinner(
                place=place,
                handler=handler,
                state=state,
                mode=mode,
                stop=self._stop,
                histogram=np.zeros(0, np.int64),
                measure=False,
                timeout_s=timeout_s,
                on_end=on_end,
                on_ready=on_ready,
            ).run()

    def _count(self, what: str) -> dict[str, int]:
        found = self._place.by_bus if self._place else {}
        return {name: found[name][what] if found else 0 for name in self.buses}

    @property
    def lost(self) -> dict[str, int]:
        """Records overwritten before they were read, by bus, of the follow or spin begun last."""
        return self._count("lost")

    @property
    def late(self) -> dict[str, int]:
        """Records that came too late for their place in the order, by bus, of the follow or spin begun last."""
        return self._count("late")

    def bus_of(self, symbol: str) -> Bus:
        """The one bus that has the symbol."""
        having = [name for name, bus in self.buses.items() if symbol in bus.symbols]
        if len(having) == 1:
            return self.buses[having[0]]
        if having:
            raise RingbookError(
                f"symbol {symbol!r} is on the buses {', '.join(having)}, expected it on one; "
                f"ask that one: merged.buses[{having[0]!r}].book({symbol!r})"
            )
        listed = "; ".join(f"{name}: {', '.join(bus.symbols[:4])}" for name, bus in self.buses.items())
        raise SymbolNotFound(f"symbol was {symbol!r}, expected one on these buses: {listed}")

    def book(self, symbol: str, full: bool = False, strict: bool = False) -> Book:
        """The book of a symbol, from the one bus that has it; parameters as in Bus.book."""
        return self.bus_of(symbol).book(symbol, full, strict)

    def stop(self) -> None:
        """End the running spin or follow within 50 ms, or the next one if none runs; from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Leave all buses."""
        for bus in self.buses.values():
            bus.close()

    def __enter__(self) -> "Merged":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def merge(names: Iterable[str], directory: Path | str | None = None, window_us: float = WINDOW_US) -> Merged:
    """Join several buses as one stream ordered by receive time.

    names      1 to 64 names; their order breaks ties
    directory  default RINGBOOK_DIR, else /dev/shm/ringbook-<uid>
    window_us  a record waits for buses with nothing to show until it is that old, so that what is published
               within this time of its receipt comes in order; later records are handed out at once and counted
    """
    chosen = [names] if isinstance(names, str) else list(names)
    if not 1 <= len(chosen) <= MERGE_MOST or len(set(chosen)) != len(chosen):
        raise RingbookError(f"buses to merge were {chosen}, expected 1 to {MERGE_MOST} different names")
    if not 0 <= window_us <= LONGEST_WINDOW_US:
        raise RingbookError(f"window_us was {window_us!r}, expected 0..{LONGEST_WINDOW_US}")
    return Merged({name: join(name, directory) for name in chosen}, window_us)
