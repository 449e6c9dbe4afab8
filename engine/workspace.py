"""The engine's private memory: one int64 array, so that a jitted call takes one argument for all of it.

    geometry | scalars | frame | instruments | symbol states | arrivals | routes | rows | legs | pending |
    audit book

Kernels reach the parts through the offsets kept among the scalars; Python through the views made here.
"""

from dataclasses import dataclass

import numpy as np

from . import layout
from .layout import WORD_BYTES, round_up

# ---------------------------------------------------------------- scalars; the geometry fills words 0..15
W_NEXT_SEQ = 16  # seq the next record gets
W_INJECTED_CLOCK = 17  # 1: publish stamps repeat the receive stamp, for replays to the bit
W_PUBLISH_ALL = 18  # 1: publish a BOOK for every accepted diff, changed or not
W_RECV_NS, W_MONO_NS = 19, 20  # stamps of the read being worked on
W_CURSOR = 21  # where the last call stopped in the buffer
W_NEED_BYTES = 22  # bytes from the cursor needed for the next frame
W_HAND_CODE, W_HAND_START, W_HAND_LENGTH, W_HAND_TAG = 23, 24, 25, 26  # the frame handed back to Python
W_CHANGED = 27  # 1: some symbol's state changed and Python should look
W_MAX_MESSAGE = 28
W_SNAPSHOT_LIMIT = 29  # levels a side the last REST request asked for
W_PENDING_WORDS = 30  # room for buffered diffs per symbol
W_DELTAS = 31  # 1: publish every applied diff as DELTA records too
W_FRAME, W_INSTRUMENTS, W_STATES, W_ARRIVALS, W_ROUTES, W_ROWS, W_PENDING, W_ROUTE_COUNT = range(32, 40)
W_HOLD_NS = 40  # how long a diff that does not chain waits for another connection; 0: only one feeds
W_LEGS = 41
W_LEG = 42  # slot of the connection being read, 0..LEG_SLOTS - 1; only looked at while W_HOLD_NS > 0
# The audit: one symbol at a time; its diffs are kept in the buffer of row GEO_SYMBOLS, behind those of all symbols.
W_AUDIT = 43  # symbol_id + 1 while that symbol's diffs are kept; else why they are not: AUDIT_*
W_AUDIT_FROM = 44  # id the book stood at when keeping began
W_AUDIT_BOOK = 45  # the private book made of a snapshot and the kept diffs
W_AUDIT_LEVELS, W_AUDIT_DIFFERENT = 46, 47  # of the last comparison
W_AUDIT_SIDE, W_AUDIT_PRICE, W_AUDIT_HELD, W_AUDIT_TRUE = (
    48,
    49,
    50,
    51,
)  # its first difference; 0 where a level is absent
W_BOOK = 52  # first word of the book that the last diff was for
SCALAR_WORDS = 64
AUDIT_OFF = 0  # nothing is audited
AUDIT_LOST = -1  # the book was not LIVE in between
AUDIT_FULL = -2  # more diffs than there is room for

# ---------------------------------------------------------------- one symbol's state
# Phases: what the engine does with the next diff. Health: what readers are told.
PHASE_IDLE = 0  # no depth stream: diffs are ignored
PHASE_BUFFERING = 1  # diffs are kept until a snapshot fits
PHASE_SYNCED = 2  # diffs are applied
PHASE_HOLDING = 3  # as SYNCED, but diffs wait in the buffer for one that another connection may still bring

state_dtype = np.dtype(
    [
        ("phase", "<i8"),
        ("health", "<i8"),
        ("wants_snapshot", "<i8"),
        ("is_first", "<i8"),  # the next diff is the first after a snapshot
        ("book_id", "<i8"),  # id the book stands at; -1 without a book
        ("pending_used", "<i8"),  # words used in the pending buffer
        ("pending_count", "<i8"),
        ("blind_since_ns", "<i8"),  # receive time of the event that ended LIVE
        ("gaps", "<i8"),
        ("ids_missed", "<i8"),
        ("has_diffs", "<i8"),  # a diff stream feeds this symbol's book
        ("resyncs", "<i8"),
        ("cause", "<i8"),
        ("held_since_ns", "<i8"),  # PHASE_HOLDING: monotonic time since which something is missing
        ("spoiled_id", "<i8"),  # book_id + 1 at which a diff came that could not be read; 0 for none
        ("outage", "<i8"),  # number of the outage in the ledger that is open; 0: none
    ],
    align=True,
)
STATE_WORDS = state_dtype.itemsize // WORD_BYTES
(
    ST_PHASE, ST_HEALTH, ST_WANTS, ST_FIRST, ST_BOOK_ID, ST_USED, ST_COUNT, ST_BLIND, ST_GAPS, ST_MISSED,
    ST_HAS_DIFFS, ST_RESYNCS, ST_CAUSE, ST_HELD_SINCE, ST_SPOILED, ST_OUTAGE,
) = range(16)  # fmt: skip

# Arrivals: per symbol and kind, when the last frame came and how many did (the watchdogs read this).
ARRIVAL_KINDS = 8
ARRIVAL_WORDS = 2 * ARRIVAL_KINDS

# Legs: the connections that feed a symbol at once, two per stream (A, B) and each one's successor. What came
# from which, so that copies are known for copies. Slot & 1 is the leg: 0 and 2 are A, 1 and 3 are B.
LEG_SLOTS = 4
WINS = 16  # diffs remembered until their copy comes
TRADE_WORDS = 16  # 1,024 trade ids remembered, one bit each, around the newest
legs_dtype = np.dtype(
    [
        ("last_id", ("<i8", (LEG_SLOTS,))),  # u of the newest diff of each slot; -1 for none
        ("image_id", ("<i8", (2,))),  # newest ticker, newest partial depth
        ("wins", "<i8"),  # diffs that came first on some leg
        ("win_id", ("<i8", (WINS,))),
        ("win_ns", ("<i8", (WINS,))),  # monotonic
        ("win_slot", ("<i8", (WINS,))),
        ("trade_id", ("<i8", (2,))),  # newest trade, newest aggregated trade
        ("trades", ("<i8", (2, TRADE_WORDS))),
        ("spare", ("<i8", (7,))),
    ],
    align=True,
)
LEGS_WORDS = legs_dtype.itemsize // WORD_BYTES
LG_LAST, LG_IMAGE, LG_WINS, LG_WIN_ID, LG_WIN_NS, LG_WIN_SLOT, LG_TRADE_ID, LG_TRADES = (
    legs_dtype.fields[name][1] // WORD_BYTES  # type: ignore[index]
    for name in ("last_id", "image_id", "wins", "win_id", "win_ns", "win_slot", "trade_id", "trades")
)

# One buffered diff: P_WORDS, ids, stamps, row counts, then the rows of both sides.
P_WORDS, P_FIRST, P_LAST, P_PREV, P_EVENT, P_TXN, P_RECV, P_MONO, P_ROWS = range(9)  # P_ROWS: two words
PENDING_HEADER_WORDS = 10
PENDING_WORDS_DEFAULT = 32_768  # 256 KiB a symbol, touched only while buffering

LEVEL_WORDS = layout.level_dtype.itemsize // WORD_BYTES


@dataclass(frozen=True)
class Workspace:
    """The private array and Python's views of its parts (all of one memory)."""

    work: np.ndarray  # int64[:]
    frame: np.ndarray  # frame_dtype[1]
    instruments: np.ndarray  # instrument_dtype[symbols]
    states: np.ndarray  # state_dtype[symbols]
    arrivals: np.ndarray  # int64[symbols, ARRIVAL_KINDS, 2]: last_mono_ns, count
    routes: np.ndarray  # route_dtype[route_count]
    rows: np.ndarray  # level_dtype[2, ROWS_CAPACITY]
    legs: np.ndarray  # legs_dtype[symbols]


def create(
    geo: np.ndarray,
    route_count: int,
    pending_words: int = PENDING_WORDS_DEFAULT,
    max_message_bytes: int = 16 << 20,
) -> Workspace:
    """Allocate the engine's private memory, zeroed.

    geo                int64[GEO_LENGTH], from layout.geometry
    route_count        slots of the route table, a power of two
    pending_words      words of buffered diffs per symbol
    max_message_bytes  largest websocket message accepted
    """
    symbols = int(geo[layout.GEO_SYMBOLS])
    parts = (
        (W_FRAME, layout.frame_dtype.itemsize // WORD_BYTES),
        (W_INSTRUMENTS, symbols * layout.instrument_dtype.itemsize // WORD_BYTES),
        (W_STATES, (symbols + 1) * STATE_WORDS),  # one more: the buffer of the audit is counted there
        (W_ARRIVALS, symbols * ARRIVAL_WORDS),
        (W_ROUTES, route_count * layout.route_dtype.itemsize // WORD_BYTES),
        (W_ROWS, layout.SIDES * layout.ROWS_CAPACITY * LEVEL_WORDS),
        (W_LEGS, symbols * LEGS_WORDS),
        (W_PENDING, (symbols + 1) * pending_words),
        (W_AUDIT_BOOK, layout.book_words(int(geo[layout.GEO_BOOK_LEVELS]))),
    )
    offsets, at = {}, SCALAR_WORDS
    for name, words in parts:
        offsets[name] = (at, words)
        at += round_up(words, layout.LINE_BYTES // WORD_BYTES)
    work = np.zeros(at, np.int64)
    work[: layout.GEO_LENGTH] = geo
    for name, (offset, _) in offsets.items():
        work[name] = offset
    work[W_ROUTE_COUNT], work[W_PENDING_WORDS], work[W_MAX_MESSAGE] = (
        route_count,
        pending_words,
        max_message_bytes,
    )
    work[W_NEXT_SEQ] = 1

    def part(name: int) -> np.ndarray:
        offset, words = offsets[name]
        return work[offset : offset + words]

    space = Workspace(
        work,
        part(W_FRAME).view(layout.frame_dtype),
        part(W_INSTRUMENTS).view(layout.instrument_dtype),
        part(W_STATES).view(state_dtype)[:symbols],
        part(W_ARRIVALS).reshape(symbols, ARRIVAL_KINDS, 2),
        part(W_ROUTES).view(layout.route_dtype),
        part(W_ROWS).view(layout.level_dtype).reshape(layout.SIDES, layout.ROWS_CAPACITY),
        part(W_LEGS).view(legs_dtype),
    )
    space.states["book_id"] = -1
    space.legs["last_id"] = -1
    return space


assert state_dtype.itemsize == STATE_WORDS * WORD_BYTES and SCALAR_WORDS >= layout.GEO_LENGTH + 24
assert PENDING_HEADER_WORDS == P_ROWS + 2 and LEGS_WORDS == 96
