"""Binds one venue family's kernels to one bus and one workspace: the engine without its edges."""

import importlib
from types import ModuleType

import numpy as np

from . import layout, workspace
from .kernels import session
from .kernels.book import book_reset
from .kernels.ledger import adopt_outage
from .kernels.pending import clear_pending
from .kernels.session import DRAINED, HANDED_BACK
from .workspace import (
    AUDIT_OFF,
    PHASE_HOLDING,
    W_AUDIT,
    W_AUDIT_FROM,
    W_DELTAS,
    W_HOLD_NS,
    W_INJECTED_CLOCK,
    W_LEG,
    W_MONO_NS,
    W_NEXT_SEQ,
    W_PUBLISH_ALL,
    W_RECV_NS,
    W_SNAPSHOT_LIMIT,
)

__all__ = ["DRAINED", "HANDED_BACK", "Pipeline", "ingest_room"]


def ingest_room(family: str) -> ModuleType:
    """The kernels of a venue family, `kernels/<family>_ingest.py`: serve, ingest, ingest_message, _snapshot, _audit."""
    return importlib.import_module(f".kernels.{family}_ingest", __package__)


COPIES_FEW = 8  # diffs that came and were not kept, before those kept are given up


class Pipeline:
    """One writer's path from bytes to records.

    words          int64[geo[GEO_WORDS]], the bus; this object is its only writer
    ctl            int64[CTL_WORDS], the control page
    geo            int64[GEO_LENGTH], from layout.geometry
    family         names `kernels/<family>_ingest.py`
    route_count    slots of the route table, a power of two
    next_seq       seq of the first record
    injected_clock publish stamps repeat the receive stamps, so that a replay is the same to the bit
    publish_all    publish a BOOK for every accepted diff, not only when the top N changed
    deltas         publish the rows of every applied diff too, for readers that keep full books
    """

    def __init__(
        self,
        words: np.ndarray,
        ctl: np.ndarray,
        geo: np.ndarray,
        family: str,
        *,
        route_count: int = 1024,
        next_seq: int = 1,
        injected_clock: bool = False,
        publish_all: bool = False,
        deltas: bool = False,
        pending_words: int = workspace.PENDING_WORDS_DEFAULT,
        max_message_bytes: int = 16 << 20,
    ) -> None:
        room = ingest_room(family)
        self.ingest, self.ingest_message, self._serve = room.ingest, room.ingest_message, room.serve
        self._ingest_snapshot, self._ingest_audit = room.ingest_snapshot, room.ingest_audit
        self.words, self.ctl, self.geo = words, ctl, geo
        self.space = workspace.create(geo, route_count, pending_words, max_message_bytes)
        self.work = self.space.work
        self.work[W_NEXT_SEQ] = next_seq
        self.work[W_INJECTED_CLOCK], self.work[W_PUBLISH_ALL] = int(injected_clock), int(publish_all)
        self.work[W_DELTAS] = int(deltas)
        words[layout.H_FEATURES] = layout.FEATURE_DELTAS if deltas else 0
        start = int(geo[layout.GEO_COUNTERS])
        self.counters = words[start : start + len(layout.COUNTER_NAMES)]
        self._newest_kept: dict[
            int, tuple[int, int]
        ] = {}  # symbol → id of its newest buffered diff, frames then
        self.is_shared = False  # several connections feed the same streams: readers say which, see read_leg

    @property
    def next_seq(self) -> int:
        """Seq the next record will get."""
        return int(self.work[W_NEXT_SEQ])

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of the bus."""
        self.counters[layout.C[name]] += amount

    def stamp(self, recv_ns: int, mono_ns: int) -> None:
        """Set the stamps of what follows when no read brings them."""
        self.work[W_RECV_NS], self.work[W_MONO_NS] = recv_ns, mono_ns

    def snapshot(self, buf: np.ndarray, size: int, symbol_id: int, limit: int) -> int:
        """Take a REST depth body; returns a SNAPSHOT_* code or a scanner's negative code.

        buf        uint8[:], body first, at least 64 bytes longer
        size       bytes of the body
        symbol_id  row of the symbol table
        limit      levels a side that were asked for; 0 unknown
        """
        self.work[W_SNAPSHOT_LIMIT] = limit
        return int(self._ingest_snapshot(self.words, self.ctl, buf, self.work, 0, size, symbol_id))

    def serve(self, table: np.ndarray) -> int:
        """Wait for sockets and take what they bring, without Python; returns a SERVE_* code of socket_table.py.

        table  int64[:], the sockets
        """
        return int(self._serve(self.words, self.ctl, self.work, table))

    def begin_audit(self, symbol_id: int) -> None:
        """From now on keep the diffs of this symbol, and of no other, for an audit."""
        clear_pending(self.work, int(self.geo[layout.GEO_SYMBOLS]))
        self.work[W_AUDIT_FROM] = self.space.states[symbol_id]["book_id"]
        self.work[W_AUDIT] = symbol_id + 1

    def is_auditing(self, symbol_id: int) -> bool:
        """Whether this symbol's diffs are kept, all of them since begin_audit."""
        return bool(self.work[W_AUDIT] == symbol_id + 1)

    def end_audit(self) -> None:
        """Keep nothing more."""
        self.work[W_AUDIT] = AUDIT_OFF

    def audit(self, buf: np.ndarray, size: int, symbol_id: int, limit: int) -> int:
        """Judge a live book by a REST depth body; an AUDIT_* code of kernels/audit.py, or the scanner's.

        Parameters as in snapshot; begin_audit came before the body was asked for.
        """
        self.work[W_SNAPSHOT_LIMIT] = limit
        return int(self._ingest_audit(self.words, buf, self.work, 0, size, symbol_id))

    def adopt_outage(self, symbol_id: int) -> None:
        """Go on with the outage this symbol was in when the last generation ended."""
        adopt_outage(self.words, self.work, symbol_id)

    def move_outage(self, old_id: int, new_id: int) -> None:
        """A symbol goes on in another row: an open outage is that row's now."""
        states = self.space.states
        for name in ("outage", "blind_since_ns"):
            states[name][new_id] = states[name][old_id]
        states["outage"][old_id] = 0

    def apply_decoded(self, recv_ns: int, mono_ns: int) -> None:
        """Act on what the slow path left in space.frame and space.rows."""
        session.apply_decoded(self.words, self.ctl, self.work, recv_ns, mono_ns)

    def tell_health(self, symbol_id: int, health: int, cause: int) -> None:
        """Change a symbol's health for a reason outside the data, with records that say so."""
        session.tell_health(self.words, self.ctl, self.work, symbol_id, health, cause)

    def lose(self, symbol_id: int, cause: int) -> None:
        """Declare a book lost and ask for a snapshot."""
        session.lose(self.words, self.ctl, self.work, symbol_id, cause)

    def share(self, hold_ns: int) -> None:
        """From now on several connections may bring the same stream (hold_ns > 0), or only one does (0)."""
        self.work[W_HOLD_NS], self.is_shared = hold_ns, hold_ns > 0

    def read_leg(self, slot: int) -> None:
        """What is taken next came from the connection in this slot, 0..LEG_SLOTS - 1."""
        self.work[W_LEG] = slot

    def forget_legs(self, symbol_id: int) -> None:
        """What connections brought before tells nothing about what comes: a venue may count anew."""
        legs = self.space.legs[symbol_id : symbol_id + 1]
        legs[:] = np.zeros(1, legs.dtype)
        legs["last_id"] = -1

    def holds(self) -> bool:
        """Whether diffs of some symbol wait for another connection."""
        return bool((self.space.states["phase"] == PHASE_HOLDING).any())

    def end_holds(self) -> None:
        """Declare the gaps of symbols that waited too long for another connection; stamp first."""
        for symbol_id in np.flatnonzero(self.space.states["phase"] == PHASE_HOLDING):
            session.end_hold(self.words, self.ctl, self.work, int(symbol_id))

    def spoil(self, symbol_id: int) -> None:
        """A diff came that could not be read: if the next one does not chain, that was why."""
        state = self.space.states[symbol_id]
        state["spoiled_id"] = state["book_id"] + 1

    def forget_misnumbered(self, symbol_id: int) -> bool:
        """Drop buffered diffs whose oldest is ahead of the newest: no snapshot would ever fit before them.

        So it is when the venue's ids jumped back while they were kept, or an id was damaged on the way. With
        several legs what is numbered lower counts as a copy and is not kept: then nothing is added though diffs come.
        Returns  whether they were dropped.
        """
        room, start = int(self.work[workspace.W_PENDING_WORDS]), int(self.work[workspace.W_PENDING])
        state = self.space.states[symbol_id]
        used, at = int(state["pending_used"]), 0
        kept = self.work[start + symbol_id * room :][:used]
        oldest = newest = None
        while at < used:
            newest = kept[at + workspace.P_FIRST], kept[at + workspace.P_LAST]
            oldest = oldest or newest
            at += int(kept[at + workspace.P_WORDS])
        if oldest is None or newest is None:
            return False
        arrived = int(self.space.arrivals[symbol_id, layout.KIND_BOOK, 1])
        last_id, before = self._newest_kept.get(symbol_id, (-1, 0))
        if last_id != newest[1]:
            self._newest_kept[symbol_id], before = (int(newest[1]), arrived), arrived
        if oldest[0] <= min(oldest[1], newest[1]) and arrived - before < COPIES_FEW:
            return False
        state["pending_used"] = state["pending_count"] = 0
        return True

    def book_base(self, symbol_id: int) -> int:
        """Word offset of a symbol's full book."""
        return int(self.geo[layout.GEO_BOOKS] + symbol_id * self.geo[layout.GEO_BOOK_STRIDE])

    def addresses(self, symbol_id: int) -> tuple[int, int, int]:
        """Where a symbol's state, full book and board entry lie in this process."""
        geo, start = self.geo, self.words.ctypes.data
        entry = int(geo[layout.GEO_BOARD] + symbol_id * geo[layout.GEO_BOARD_STRIDE])
        book, entry = (start + word * layout.WORD_BYTES for word in (self.book_base(symbol_id), entry))
        return self.space.states[symbol_id:].ctypes.data, book, entry

    def open_book(self, symbol_id: int) -> None:
        """Make a new symbol row's book an empty one."""
        levels, floor = (int(self.geo[word]) for word in (layout.GEO_BOOK_LEVELS, layout.GEO_TOP_N))
        book_reset(self.words, self.book_base(symbol_id), levels, floor)

    def start_sync(self, symbol_id: int) -> None:
        """Begin buffering a symbol's diffs and ask for a snapshot: SYNCING."""
        state = self.space.states[symbol_id]
        state["phase"], state["wants_snapshot"], state["has_diffs"] = workspace.PHASE_BUFFERING, 1, 1
        self.forget_legs(symbol_id)
        self.tell_health(symbol_id, layout.SYNCING, layout.CAUSE_SUBSCRIBED)

    def stop_sync(self, symbol_id: int, health: int, cause: int) -> None:
        """Stop following a symbol's diffs: connection lost, or unsubscribed."""
        state = self.space.states[symbol_id]
        state["phase"], state["wants_snapshot"] = workspace.PHASE_IDLE, 0
        self.tell_health(symbol_id, health, cause)

    def tell_rescaled(self, symbol_id: int, health: int) -> None:
        """A carried-over row begins with the health its predecessor had; its buffered diffs stay."""
        self.space.states[symbol_id]["health"] = layout.SYNCING
        self.tell_health(symbol_id, health, layout.CAUSE_RESCALED)
