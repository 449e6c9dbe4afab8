"""The Python door: join a bus and read it; everything works on read-only memory."""

import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import jit, layout
from ..engine.percentiles import percentiles
from .attach import Attachment, attach, only_bus, symbol_table
from .bus_card import bus_html, bus_text
from .depth import Depth
from .errors import BookNotLive, RingbookError
from .follow import Follower
from .ledger import read_gaps
from .owner import Verdict
from .place import Place, check_end, poll_ns
from .records import Records, newest_records
from .running import Running
from .spin import Spinner, SpinReport, check_core, pinned
from .views import Book, full_book, row_of, top_book

__all__ = ["Book", "Bus", "join"]
ROOMS = ("lifecycle", "ring", "board", "histogram", "wait", "cursor", "idle", "merge", "ledger")


class Bus:
    """A bus joined by a reader; made by `join`. Leaving costs the writer nothing, nor does joining."""

    def __init__(self, link: Attachment) -> None:
        self._link: Attachment | None = link
        self._stop = threading.Event()  # of spin and follow; each run in the background has its own
        self._runs: weakref.WeakSet[Running] = weakref.WeakSet()
        self._read_histogram = np.zeros(layout.HIST_WORDS, np.int64)

    @property
    def link(self) -> Attachment:
        """The generation joined now; a successor is joined as soon as there is one."""
        if self._link is None:
            raise RingbookError("this Bus was closed; join again")
        if self._link.verdict() is Verdict.SUPERSEDED:
            self._link = self._link.successor() or self._link
        return self._link

    @property
    def name(self) -> str:
        """Name of the bus."""
        return self.link.name

    @property
    def symbol_rows(self) -> np.ndarray:
        """Copy of the symbol table, symbol_dtype[n]; index = symbol_id."""
        link = self.link
        return symbol_table(link.words, link.geo)

    @property
    def symbols(self) -> list[str]:
        """Names of the symbols, in the order the writer added them."""
        table = self.symbol_rows
        active = table[table["state"] == layout.SYMBOL_ACTIVE]
        return [name.decode(errors="replace") for name in active["symbol"]]

    def book(self, symbol: str, full: bool = False, strict: bool = False) -> Book:
        """The book of a symbol as it is now.

        full    every level held, not only the top N
        strict  raise BookNotLive unless the shown health is LIVE
        """
        link = self.link
        table = symbol_table(link.words, link.geo)
        symbol_id, verdict = row_of(table, symbol), link.verdict()
        book = (full_book if full else top_book)(link, table, symbol_id, verdict)
        if strict and book.health != "LIVE":
            raise BookNotLive(
                f"book of {symbol} was {book.health} (writer {verdict.value}, stored {book.stored_health}), "
                "expected LIVE; wait for it, or ask without strict=True"
            )
        return book

    def records(self, n: int, symbol: str | None = None, kind: str | int | None = None) -> Records:
        """Copy of the newest n records that the ring holds, oldest first: record_dtype[at most n]."""
        return newest_records(self.link, n, symbol, kind)

    def trades(self, n: int, symbol: str | None = None) -> Records:
        """The newest n trades that the ring holds."""
        return self.records(n, symbol, layout.KIND_TRADE)

    def tickers(self, n: int, symbol: str | None = None) -> Records:
        """The newest n best bids and offers, as the venue sent them."""
        return self.records(n, symbol, layout.KIND_TICKER)

    def statuses(self, n: int, symbol: str | None = None) -> Records:
        """The newest n changes of health, and why."""
        return self.records(n, symbol, layout.KIND_STATUS)

    def gaps(self, symbol: str | None = None, since_ns: int | None = None) -> np.ndarray:
        """Outages of the books, newest last: the ledger's gap_dtype[at most LEDGER_ROWS], see docs/records.md.

        symbol    only this one
        since_ns  only those that lasted at that time or began later, wall clock
        """
        return read_gaps(self.link, symbol, since_ns)

    def follow(
        self,
        symbol: str | None = None,
        kind: str | int | None = None,
        start: str = "newest",
        on_end: str = "wait",
        timeout_s: float | None = None,
        mode: str = "hybrid",
        poll_ms: float = 1.0,
    ) -> Follower:
        """Iterate over records as they come; the iterator's `lost` counts what was overwritten unread.

        symbol     only this one, through rescales and successions of the writer
        kind       only this kind, by name or code
        start      "newest": from now on; "board": first the latest BOOK of each symbol (FLAG_FROM_BOARD),
                   then from now on; "oldest": what the ring still holds
        on_end     "wait" for the next writer of the name, or "stop" when the writer closed or died
        timeout_s  end after so long without a record
        mode       "hybrid" sleeps until woken; "poll" looks every `poll_ms`, and the writer never wakes it
        """
        check_end(on_end)
        if mode not in ("hybrid", "poll"):
            raise RingbookError(f"mode was {mode!r}, expected hybrid or poll; bus.spin has more")
        place = Place(self.link, symbol, kind, start, poll_ns(mode, poll_ms))
        return Follower(place, self._stop, on_end, timeout_s)

    def depth(self, symbols: Iterable[str] | None = None) -> Depth:
        """Follow full-depth books from now on, missing nothing; the writer must publish DELTA records.

        symbols  None for all that are active now; each costs one book of private memory
        Returns  a Depth: call `advance()` as often as you like, then `book(symbol)`.
        """
        return Depth(self.link, symbols)

    def spin(
        self,
        handler: Callable[[Any, Any], int],
        state: Any,
        core: int | None = None,
        *,
        mode: str = "spin",
        symbol: str | None = None,
        kind: str | int | None = None,
        start: str = "newest",
        on_end: str = "wait",
        timeout_s: float | None = None,
        measure: bool = False,
        poll_ms: float = 1.0,
        on_ready: Callable[[SpinReport], None] | None = None,
    ) -> SpinReport:
        """Run handler(record, state) -> int on every record, jitted and without the GIL, until it returns 1.

        handler   a numba.njit function; record is one element of record_dtype(top_n), valid during the call
                  only; what it raises comes out of here with the record's seq in a note
        state     anything numba takes: an array, a structured array, a tuple of them
        core      pin this thread there meanwhile; a spinning reader needs a core of its own
        mode      "spin" never sleeps; "hybrid" spins 50 µs, then sleeps until woken; "poll" sleeps `poll_ms`
                  and looks again: the writer never wakes it
        measure   keep publish-to-read times, for stages() and histograms()
        on_ready  called with the report once everything is compiled and the starting place is taken
        Others    as in follow. After a lap the handler gets each symbol's BOOK from the board
                  (FLAG_FROM_BOARD) and goes on at the newest record; report.lost counts exactly.
        """
        check_end(on_end)
        place = Place(self.link, symbol, kind, start, poll_ns(mode, poll_ms))
        with pinned(core):
            return Spinner(
                place=place,
                handler=handler,
                state=state,
                mode=mode,
                stop=self._stop,
                histogram=self._read_histogram,
                measure=measure,
                timeout_s=timeout_s,
                on_end=on_end,
                on_ready=on_ready,
            ).run()

    def run(
        self,
        handler: Callable[[Any, Any], int],
        state: Any,
        core: int | None = None,
        *,
        mode: str = "hybrid",
        symbol: str | None = None,
        kind: str | int | None = None,
        start: str = "newest",
        on_end: str = "wait",
        timeout_s: float | None = None,
        measure: bool = False,
        poll_ms: float = 1.0,
    ) -> Running:
        """Run a handler as `spin` does, but in a thread of its own, without the GIL; returns at once.

        The parameters are those of spin. The handler is compiled and its place taken before this returns, so
        what cannot be compiled is refused here. Several may run at once on one Bus; each has its own stop().
        """
        check_end(on_end)
        check_core(core)
        if symbol is not None:
            row_of(self.symbol_rows, symbol)  # a misspelt one would be waited for in silence
        spinner = Spinner(
            place=Place(self.link, symbol, kind, start, poll_ns(mode, poll_ms)),
            handler=handler,
            state=state,
            mode=mode,
            stop=threading.Event(),
            histogram=np.zeros(layout.HIST_WORDS, np.int64),
            measure=measure,
            timeout_s=timeout_s,
            on_end=on_end,
            on_ready=None,
        )
        running = Running(spinner, core)
        self._runs.add(running)
        return running.start()

    def stop(self) -> None:
        """End the running spin or follow within 50 ms, or the next one if none runs; from any thread."""
        self._stop.set()

    def health(self) -> dict[str, Any]:
        """How the writer and every book are: verdict, heartbeat age, generation, shown health by symbol."""
        link, table = self.link, self.symbol_rows
        verdict, symbols = link.verdict(), {}
        for symbol_id in np.flatnonzero(table["state"] == layout.SYMBOL_ACTIVE):
            book = top_book(link, table, int(symbol_id), verdict)
            symbols[book.symbol] = book.health
        return {
            "bus": link.name,
            "verdict": verdict.value,
            "pid": link.owner.pid,
            "generation": link.generation,
            "heartbeat_age_ns": link.heartbeat_age_ns(),
            "next_seq": int(link.words[layout.H_HEAD]),
            "symbols": symbols,
        }

    def counters(self) -> dict[str, int]:
        """The writer's counters by name."""
        link = self.link
        start = int(link.geo[layout.GEO_COUNTERS])
        values = link.words[start : start + len(layout.COUNTER_NAMES)].copy()
        return dict(zip(layout.COUNTER_NAMES, values.tolist(), strict=True))

    def histograms(self) -> dict[str, np.ndarray]:
        """Copies of the stage histograms, int64[HIST_WORDS] by name; publish_to_read is this reader's own."""
        link, found = self.link, {}
        start = int(link.geo[layout.GEO_HISTOGRAMS])
        for index, name in enumerate(layout.HISTOGRAM_NAMES):
            at = start + index * layout.HIST_WORDS
            found[name] = link.words[at : at + layout.HIST_WORDS].copy()
        found["publish_to_read"] = self._read_histogram.copy()
        return found

    def stages(self) -> dict[str, dict[str, int]]:
        """Percentiles of the stage times in ns, by name; publish_to_read needs spin(measure=True)."""
        return {name: percentiles(words) for name, words in self.histograms().items()}

    def close(self) -> None:
        """Leave the bus, ending what `run` started; arrays handed out stay valid."""
        self._link = None
        for running in list(self._runs):
            running.end()

    def _repr_html_(self) -> str:
        return bus_html(self)

    def __repr__(self) -> str:
        return bus_text(self)

    def __enter__(self) -> "Bus":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def join(name: str | None = None, directory: Path | str | None = None) -> Bus:
    """Join a bus as a reader.

    name       None for the only one there is
    directory  default RINGBOOK_DIR, else /dev/shm/ringbook-<uid>
    """
    link = attach(name if name is not None else only_bus(directory), directory)
    jit.warm(rooms=ROOMS)
    return Bus(link)
