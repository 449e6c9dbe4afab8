"""A reader's place on many buses at once: a Place on each, and the table that the merging kernel works on."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine import burst as bursts
from ..engine import layout
from ..engine.kernels import merge as merging
from ..engine.kernels.cursor import CUR_SEQ, CUR_SKIPPED, NEW_SYMBOL
from .errors import RingbookError
from .owner import Verdict
from .place import POLL_NS, Place

LOOK_AROUND_S = 0.1
LOOK_EVERY = 256  # records between two looks at the clock
NEVER = -(1 << 63)


class MergedPlace:
    """Where one reader stands on several buses; offers what Place offers to Follower and Spinner.

    places     one per bus, in the order that breaks ties
    window_ns  how long an empty bus is waited for, from the receive time of the record in hand
    poll_ns    longest nap; nobody wakes a reader of many buses
    """

    make_burst = staticmethod(bursts.make_merged_burst)
    looks_always = True  # one busy bus must not hide that another changed hands

    def __init__(self, places: Sequence[Place], window_ns: int, poll_ns: int | None = None) -> None:
        self.places, self.poll_ns = list(places), poll_ns
        self.table = np.zeros(len(places) * merging.ROW_WORDS, np.int64)
        self.rows = self.table.reshape(len(places), merging.ROW_WORDS)
        self.state = np.zeros(merging.MERGE_WORDS, np.int64)
        self.state[merging.MG_WINDOW] = window_ns
        self.out = np.zeros(0, np.int64)
        self._seqs, self._looked, self._calls = [0] * len(places), 0.0, 0
        self._verdicts = [Verdict.RUNNING] * len(places)
        self.begin()

    def begin(self) -> None:
        """Stand where `start` says, as of now, with nothing in hand."""
        self.rows[:, merging.M_HELD :] = 0
        self.state[merging.MG_MARK], self.state[merging.MG_PATIENCE] = NEVER, merging.NOTHING_HELD
        for bus, place in enumerate(self.places):
            place.begin()
            self._wire(bus)

    def _wire(self, bus: int) -> None:
        """Put the arrays of a bus into the table; its place keeps them alive."""
        place = self.places[bus]
        arrays = (place.link.words, place.link.geo, place.cursor, place.seen, place.wanted, place.out)
        for column, array in enumerate(arrays):
            assert array.dtype == np.int64 and array.flags.c_contiguous
            self.rows[bus, 2 * column : 2 * column + 2] = array.ctypes.data, len(array)

    @property
    def top_n(self) -> int:
        """Levels a side, for a handler: it is compiled for one kind of record."""
        found = {place.link.name: place.link.top_n for place in self.places}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{name} {top_n}" for name, top_n in found.items())
            raise RingbookError(
                f"the buses hold records of different top_n ({listed}), a handler takes one; "
                "run the engines with the same --top-n, or use follow"
            )
        return self.places[0].link.top_n

    def burst_arguments(self, _: np.ndarray) -> tuple:
        """What the loop around a handler takes before the user's state; see engine/burst.py."""
        if len(self.out) != len(self.places[0].out):
            self.out = np.zeros_like(self.places[0].out)
            self.record = self.out.view(layout.record_dtype(self.top_n))
        return self.table, (self.state, self.out, self.record)

    @property
    def sleep_ns(self) -> int:
        """Longest nap."""
        return self.poll_ns or POLL_NS

    def advance(self) -> int:
        """Step to the next record of the merged stream; `take` copies it if READ_OK comes back."""
        self._calls += 1
        if self._calls % LOOK_EVERY == 0 and time.monotonic() - self._looked >= LOOK_AROUND_S:
            self.look_around()
        code = merging.next_merged(self.table, self.state, time.time_ns())
        if code == NEW_SYMBOL:
            self.learn_symbols()
        return code

    def take(self) -> tuple[str, Any]:
        """Name of the bus, and a copy of its record just stepped to."""
        place = self.places[int(self.state[merging.MG_BUS])]
        return place.link.name, place.record[0].copy()

    def learn_symbols(self) -> None:
        """Mark the new rows of the symbol table that a record just asked about."""
        self.places[int(self.state[merging.MG_BUS])].learn_symbols()

    def wait(self, spin_ticks: int) -> None:
        """Wait for anything to do, at most for one nap."""
        merging.wait_merged(self.table, self.state, 0 if self.poll_ns else spin_ticks, self.sleep_ns)

    def progress(self) -> tuple[int, ...]:
        """Changes whenever something was read, skipped or lost."""
        return tuple(value for place in self.places for value in place.progress())

    def look_around(self) -> Verdict:
        """See how the silent writers are, and move to their successors; one that has gone is not waited for.

        Returns  CLOSED once all writers have gone, RUNNING before.
        """
        self._looked = time.monotonic()
        for bus, place in enumerate(self.places):
            seq = int(place.cursor[CUR_SEQ])
            if self.rows[bus, merging.M_HELD] or seq != self._seqs[bus]:
                self._seqs[bus], self._verdicts[bus] = seq, Verdict.RUNNING
                continue
            place.learn_symbols()
            link = place.link
            self._verdicts[bus] = place.look_around()
            self.rows[bus, merging.M_GONE] = self.has_gone(bus)
            if place.link is not link:
                self._wire(bus)
        gone = all(self.has_gone(bus) for bus in range(len(self.places)))
        return Verdict.CLOSED if gone else Verdict.RUNNING

    def has_gone(self, bus: int) -> bool:
        """Whether the writer of a bus had closed or died when it was last looked at."""
        return self._verdicts[bus] in (Verdict.CLOSED, Verdict.DEAD)

    def is_drained(self) -> bool:
        """Whether nothing is left to hand out right now."""
        return not self.rows[:, merging.M_HELD].any() and all(place.is_drained() for place in self.places)

    def counts(self, bus: int) -> dict[str, int]:
        """What happened on one bus: records handed out, late, lost, laps, skipped, held."""
        place, row = self.places[bus], self.rows[bus]
        return {
            "records": int(row[merging.M_READ]),
            "late": int(row[merging.M_LATE]),
            "lost": place.lost,
            "laps": place.laps,
            "skipped": int(place.cursor[CUR_SKIPPED]),
            "held": place.read - int(row[merging.M_READ]),
        }

    @property
    def by_bus(self) -> dict[str, dict[str, int]]:
        """The counts of each bus by its name."""
        return {place.link.name: self.counts(bus) for bus, place in enumerate(self.places)}

    @property
    def lost(self) -> int:
        """Records overwritten before they were read, on all buses together."""
        return sum(place.lost for place in self.places)

    def fill(self, report: Any) -> None:
        """Put the counts into a SpinReport."""
        report.by_bus = self.by_bus
        for name in ("records", "late", "lost", "laps", "skipped", "held"):
            setattr(report, name, sum(counts[name] for counts in report.by_bus.values()))
        report.generation = max(place.link.generation for place in self.places)
