"""A feed: one pipeline with its symbols, its stream names and everything that is not the fast path.

No sockets, no clock, no loop: the frame sources, `replay` and the tests drive the same object.
"""

import logging
from typing import Any, Protocol

import numpy as np

from ..engine import layout, routes
from ..engine.instruments import Instrument
from ..engine.kernels.sync import RULES
from ..engine.pipeline import DRAINED, Pipeline
from ..engine.slow import Rejected, Reply, SlowPath
from ..engine.workspace import W_CHANGED, W_HAND_CODE
from .errors import RingbookError
from .rescale import carry_over, finer, fits

log = logging.getLogger(__name__)
MESSAGE_BYTES = 1 << 20
PADDING_BYTES = 64
RESCALES_MAX = 8  # of one symbol: each takes a row of the table, and rows are never used again
NO_SUCCESSOR = -1  # of a symbol row that goes on nowhere


class SymbolTable(Protocol):
    """Where symbol rows are kept: a bus, or memory for a replay."""

    def add_symbol(
        self, symbol: bytes, venue: str, price_digits: int, qty_digits: int, price_tick: int, qty_step: int
    ) -> int: ...
    def retire_symbol(self, symbol_id: int, successor: int) -> None: ...


class Listener(Protocol):
    """What a feed tells its owner."""

    def on_reply(self, body: dict[str, Any]) -> None: ...
    def on_unknown_stream(self, payload: bytes) -> bool: ...
    def on_rejected(self, why: Rejected) -> None: ...
    def on_changed(self) -> None: ...
    def on_rescaled(self, old_id: int, new_id: int) -> None: ...


class Feed:
    """Frames in, records out.

    pipeline  the kernels bound to a bus
    table     where symbol rows are made
    venue     name shown in the symbol table
    rule      name of the venue's sequence rule, a key of sync.RULES
    unit_ns   nanoseconds per unit of the venue's time fields
    listener  told about replies, unknown streams, rejected frames and changed states
    slow_path the venue family's decoder of what the scanner leaves alone
    """

    def __init__(
        self,
        pipeline: Pipeline,
        table: SymbolTable,
        venue: str,
        rule: str,
        unit_ns: int,
        listener: Listener,
        slow_path: type[SlowPath] = SlowPath,
    ) -> None:
        self.pipeline, self.table, self.listener = pipeline, table, listener
        self.venue, self.rule, self.unit_ns = venue, RULES[rule], unit_ns
        self.names: dict[bytes, tuple[int, int]] = {}
        self.ids: dict[bytes, int] = {}
        self.known: dict[int, Instrument] = {}
        self.rescales: dict[bytes, int] = {}  # how often each symbol has gone on in another row
        self.origin: Any = None  # the receiver whose message is handed back, for replies
        space = pipeline.space
        self.slow = slow_path(self.names, space.instruments, space.frame, space.rows)
        self._buf = np.zeros(MESSAGE_BYTES + PADDING_BYTES, np.uint8)

    # -- symbols and streams
    def add_instrument(self, instrument: Instrument) -> int:
        """Give an instrument a symbol row and tell the scanners its scales; returns its symbol_id."""
        symbol = instrument.symbol
        symbol_id = self.table.add_symbol(
            symbol, self.venue, instrument.price_digits, instrument.qty_digits,
            instrument.price_tick, instrument.qty_step,
        )  # fmt: skip
        row = self.pipeline.space.instruments[symbol_id]
        row["price_digits"], row["qty_digits"] = instrument.price_digits, instrument.qty_digits
        row["time_unit_ns"], row["rule"] = self.unit_ns, self.rule
        row["symbol_length"] = len(symbol)
        row["symbol"] = np.frombuffer(symbol.ljust(layout.SYMBOL_BYTES, b"\0"), "<i8")
        row["state_at"], row["book_at"], row["board_at"] = self.pipeline.addresses(symbol_id)
        self.pipeline.open_book(symbol_id)
        self.pipeline.adopt_outage(symbol_id)
        self.ids[symbol], self.known[symbol_id] = symbol_id, instrument
        self.names[symbol] = (symbol_id, 0)
        return symbol_id

    def add_streams(self, streams: dict[bytes, tuple[bytes, int]]) -> None:
        """Route stream names: name → (symbol, KIND_*); the symbols were added before."""
        for name, (symbol, kind) in streams.items():
            self.names[name] = (self.ids[symbol], kind)
        self._write_routes()

    def remove_symbol(self, symbol: bytes) -> None:
        """Retire a symbol's row and forget its streams; frames still under way count as unknown."""
        symbol_id = self.ids.pop(symbol)
        self.rescales.pop(symbol, None)
        self.table.retire_symbol(symbol_id, NO_SUCCESSOR)
        for name in [name for name, (owner, _) in self.names.items() if owner == symbol_id]:
            del self.names[name]
        self._write_routes()

    def _write_routes(self) -> None:
        table = routes.build(self.names, len(self.pipeline.space.routes))
        self.pipeline.space.routes[:] = table

    # -- input
    def _load(self, payload: bytes) -> int:
        size = len(payload)
        if size + PADDING_BYTES > len(self._buf):
            self._buf = np.zeros((1 << size.bit_length()) + PADDING_BYTES, np.uint8)
        self._buf[:size] = np.frombuffer(payload, np.uint8)
        return size

    def message(self, payload: bytes, recv_ns: int, mono_ns: int) -> None:
        """Take one whole message."""
        pipeline, size = self.pipeline, self._load(payload)
        result = pipeline.ingest_message(
            pipeline.words, pipeline.ctl, self._buf, pipeline.work, 0, size, recv_ns, mono_ns
        )
        if result != DRAINED:
            self.handed_back(int(pipeline.work[W_HAND_CODE]), payload, recv_ns, mono_ns)

    def snapshot(self, symbol_id: int, body: bytes, limit: int, recv_ns: int, mono_ns: int) -> int:
        """Take a REST depth body; returns a SNAPSHOT_* code, or a scanner's negative code."""
        size = self._load(body)
        self.pipeline.stamp(recv_ns, mono_ns)
        code = self.pipeline.snapshot(self._buf, size, symbol_id, limit)
        if code in (layout.OFF_GRID, layout.OVERFLOW):
            self.pipeline.count("unrepresentable")
            new_id = self.rescale(symbol_id, body)
            if new_id is not None:
                return self.snapshot(new_id, body, limit, recv_ns, mono_ns)
        elif code < 0:
            self.pipeline.count("malformed")
        return code

    def audit(self, symbol_id: int, body: bytes, limit: int) -> int:
        """Judge a live book by a REST depth body; an AUDIT_* code, or a scanner's negative code."""
        size = self._load(body)  # may make a larger buffer
        return self.pipeline.audit(self._buf, size, symbol_id, limit)

    def poll_changed(self) -> None:
        """Tell the listener once if some symbol's state changed since the last call."""
        if self.pipeline.work[W_CHANGED]:
            self.pipeline.work[W_CHANGED] = 0
            self.listener.on_changed()

    # -- what the kernels hand back
    def handed_back(self, code: int, payload: bytes, recv_ns: int, mono_ns: int) -> None:
        """Give a message the kernels did not take to the general path."""
        outcome = self.slow.decode(payload)
        if outcome is None:
            self.pipeline.apply_decoded(recv_ns, mono_ns)
        elif isinstance(outcome, Reply):
            self.listener.on_reply(outcome.body)
        elif outcome.code == layout.UNKNOWN_SYMBOL:
            if self.listener.on_unknown_stream(payload):
                self.message(payload, recv_ns, mono_ns)
            else:
                self.pipeline.count("unknown_frames")
        elif outcome.code in (layout.OFF_GRID, layout.OVERFLOW) and outcome.symbol_id >= 0:
            self.pipeline.count("unrepresentable")
            self.pipeline.stamp(recv_ns, mono_ns)
            if self.rescale(outcome.symbol_id, payload) is not None:
                self.message(payload, recv_ns, mono_ns)
            else:
                self._refuse(outcome)
        else:
            self.pipeline.count("malformed")
            if outcome.code == layout.TOO_MANY_LEVELS and outcome.symbol_id >= 0:
                self.pipeline.stamp(recv_ns, mono_ns)
                self.pipeline.lose(outcome.symbol_id, layout.CAUSE_TOO_MANY_LEVELS)
            self._refuse(outcome)

    def _refuse(self, why: Rejected) -> None:
        """A diff that cannot be read may be missing from the book: if so its sequence will say, with this cause."""
        if why.symbol_id >= 0 and why.kind in (0, layout.KIND_BOOK):
            self.pipeline.spoil(why.symbol_id)
        self.listener.on_rejected(why)

    def _another_row(self, wider: Instrument) -> int:
        """A row at another scale for a symbol that has one. Raises RingbookError when it had too many."""
        taken = self.rescales.get(wider.symbol, 0)
        if taken >= RESCALES_MAX:
            raise RingbookError(
                f"its scale changed more than {RESCALES_MAX} times; it stays at the present one"
            )
        symbol_id = self.add_instrument(wider)
        self.rescales[wider.symbol] = taken + 1
        return symbol_id

    def rescale(self, symbol_id: int, payload: bytes) -> int | None:
        """Continue a symbol in a row with enough decimals for `payload`; None when int64 cannot hold it, or
        when its prices and quantities are not what is wrong with it.

        A price or quantity the instrument's scale cannot carry is never rounded or skipped: the old row goes
        to GAP and is retired; its book goes on in the new row, or syncs anew where it cannot be carried over.
        """
        pipeline, old = self.pipeline, self.known[symbol_id]
        wider = finer(old, payload, self.slow.pairs)
        if wider is None and fits(old, payload, self.slow.pairs):
            return None
        if wider is None:
            log.error("%s: a value does not fit int64 at any scale; its book stays GAP", old.name)
            pipeline.stop_sync(symbol_id, layout.GAP, layout.CAUSE_UNREPRESENTABLE)
            return None
        state = pipeline.space.states[symbol_id].copy()
        try:
            new_id = self._another_row(wider)
        except RingbookError as error:  # the symbol table is full: this book stays GAP, the others go on
            pipeline.count("rows_refused")
            log.error("%s: %s", old.name, error)
            pipeline.stop_sync(symbol_id, layout.GAP, layout.CAUSE_UNREPRESENTABLE)
            return None
        steps = (wider.price_digits - old.price_digits, wider.qty_digits - old.qty_digits)
        carried = min(steps) >= 0 and carry_over(
            pipeline, symbol_id, new_id, (10 ** steps[0], 10 ** steps[1])
        )
        pipeline.stop_sync(symbol_id, layout.GAP, layout.CAUSE_RESCALED)
        pipeline.move_outage(symbol_id, new_id)
        self.table.retire_symbol(symbol_id, new_id)
        for name, (owner, kind) in list(self.names.items()):
            if owner == symbol_id:
                self.names[name] = (new_id, kind)
        self._write_routes()
        log.warning(
            "%s: %d/%d decimals of price/quantity were not enough, it goes on with %d/%d in row %d",
            old.name, old.price_digits, old.qty_digits, wider.price_digits, wider.qty_digits, new_id,
        )  # fmt: skip
        if not carried and state["has_diffs"]:
            pipeline.start_sync(new_id)
        elif carried:
            pipeline.tell_rescaled(new_id, int(state["health"]))
        self.listener.on_rescaled(symbol_id, new_id)
        return new_id
