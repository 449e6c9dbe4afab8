"""The constitution: every shared dtype, size, magic and code, with the bytes drawn; imports numpy only.

Everything shared between processes is little-endian and 8-byte aligned, so a bus file is also one
int64 array. Kernels address it in *words* (8 bytes); Python looks at the same bytes through the dtypes.

A bus file (`NAME.ring`), each part on a page of its own:

    header | symbol table | counters | histograms | ledger | board | ring | books | scratch book
    4096 B | S x 256 B    |  4096 B  |            | rows   | S cells| slots| S     | one book, on request
"""

from typing import Any

import numpy as np

WORD_BYTES = 8
PAGE_BYTES = 4096
LINE_BYTES = 64

MAGIC = int.from_bytes(b"RINGBOOK", "little")
LAYOUT_MAJOR = 6  # readers refuse another major
LAYOUT_MINOR = 0  # readers ignore a larger minor
BYTE_ORDER_MARK = 0x0102030405060708

# ---------------------------------------------------------------- sides, kinds, health
# One code for both sides: an array has side as its first axis, and KEY_SIGN turns a price into a
# key that is smaller the better the price is.
BID, ASK = 0, 1
NO_SIDE = 255
SIDES = 2
SIDE_NAMES = ("bids", "asks")

KIND_BOOK = 1  # top N of the full book, after an event changed it
KIND_TRADE = 2  # one trade, or one aggregated trade (FLAG_AGGREGATED)
KIND_TICKER = 3  # the venue's own best bid and offer
KIND_STATUS = 4  # a symbol's or the engine's health changed, and why
KIND_DEPTH = 5  # the venue's own partial-depth image (never mixed into the full book)
KIND_DELTA = 6  # rows of one diff as the venue sent them, over as many slots as they need (FLAG_MORE)
KIND_NAMES = {1: "BOOK", 2: "TRADE", 3: "TICKER", 4: "STATUS", 5: "DEPTH", 6: "DELTA"}

INIT, SYNCING, LIVE, STALE, GAP, DOWN = range(6)
HEALTH_NAMES = ("INIT", "SYNCING", "LIVE", "STALE", "GAP", "DOWN")

FLAG_AGGREGATED = 1  # TRADE: several fills of one taker order at one price
FLAG_SNAPSHOT = 2  # BOOK: published because a snapshot was loaded, not because of a diff
FLAG_MORE = 8  # DELTA: the next slot goes on with the same diff
FLAG_FROM_BOARD = 4  # set by a reader in its own copy: taken from the board after a lap or at the start

# Why a symbol changed health; carried by STATUS records and the counters.
CAUSE_NONE = 0
CAUSE_SUBSCRIBED = 1
CAUSE_SNAPSHOT = 2
CAUSE_SEQUENCE_GAP = 3
CAUSE_CROSSED = 4
CAUSE_UNREPRESENTABLE = 5  # a price or quantity off the grid or beyond int64
CAUSE_TOO_MANY_LEVELS = 6
CAUSE_STALE = 7
CAUSE_CONNECTION_LOST = 8
CAUSE_STOPPED = 9
CAUSE_RECOVERED = 10  # data flows again after STALE
CAUSE_MALFORMED = 11
CAUSE_RESCALED = 12  # the instrument continues in another symbol row
CAUSE_UNSUBSCRIBED = 13  # the symbol was taken off while the engine ran
CAUSE_AUDIT = 14  # the book was not what the venue's snapshot said at the same update id
CAUSE_WRITER_DIED = 15  # only in the ledger: the writer was killed while the book was LIVE
CAUSE_NAMES = (
    "none", "subscribed", "snapshot", "sequence gap", "crossed book", "unrepresentable value",
    "too many levels", "stale", "connection lost", "stopped", "recovered", "malformed frame", "rescaled",
    "unsubscribed", "audit", "writer died",
)  # fmt: skip

# ---------------------------------------------------------------- the record
#   0      8    9      10   11    12        16       24      32      40           48         56              64
#   | seq  |kind|health|side|flags|symbol_id|event_ns|txn_ns |recv_ns|recv_mono_ns|publish_ns|first_update_id|
#   64             72                  88               96              104     112       120        128
#   | last_update_id | horizon bid,ask | count bid,ask  | depth bid,ask | cause | ids_missed | checksum |
#   128 payload: BOOK, DEPTH, TICKER, DELTA   price[2][N] then qty[2][N]
#                TRADE                 trade_price trade_qty trade_id trade_first_id trade_last_id
#                STATUS                old_health blind_ns status_detail
RECORD_HEADER_BYTES = 128
MIN_PAYLOAD_BYTES = 64
TOP_N_DEFAULT = 20
TOP_N_MAX = 50

_HEADER_FIELDS = [
    ("seq", "<i8", 0),
    ("kind", "u1", 8),
    ("health", "u1", 9),
    ("side", "u1", 10),  # TRADE: the aggressor, BID = a buyer took; else NO_SIDE
    ("flags", "u1", 11),
    ("symbol_id", "<u4", 12),
    ("event_ns", "<i8", 16),  # venue's push time; 0 where the venue sends none
    ("txn_ns", "<i8", 24),  # venue's matching time; 0 where the venue sends none
    ("recv_ns", "<i8", 32),  # CLOCK_REALTIME at the socket read
    ("recv_mono_ns", "<i8", 40),  # CLOCK_MONOTONIC at the socket read
    ("publish_ns", "<i8", 48),  # CLOCK_REALTIME at the commit, or injected
    ("first_update_id", "<i8", 56),
    ("last_update_id", "<i8", 64),
    ("horizon", ("<i8", (SIDES,)), 72),  # worst price up to which the book is known complete, per side
    ("count", ("<u4", (SIDES,)), 88),  # levels in this record, per side
    ("depth", ("<u4", (SIDES,)), 96),  # levels held in the full book, per side
    ("cause", "<i8", 104),
    ("ids_missed", "<i8", 112),
    ("checksum", "<i8", 120),  # reserved: 0 unless the writer was told to sum its records
]
_PAYLOAD_FIELDS = [
    ("trade_price", "<i8", 0),
    ("trade_qty", "<i8", 8),
    ("trade_id", "<i8", 16),
    ("trade_first_id", "<i8", 24),
    ("trade_last_id", "<i8", 32),
    ("old_health", "<i8", 0),
    ("blind_ns", "<i8", 8),  # STATUS: how long the book had not been LIVE
    ("status_detail", "<i8", 16),
]


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple of `multiple` that is at least `value`."""
    return -(-value // multiple) * multiple


def wrap_seq(value: int) -> int:
    """A seq as int64 holds it: after 2^63 - 1 comes -2^63."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def slot_bytes(top_n: int) -> int:
    """Bytes of one record and of one ring slot: header, payload, rounded to whole cache lines."""
    if not 1 <= top_n <= TOP_N_MAX:
        raise ValueError(f"top_n was {top_n}, expected 1..{TOP_N_MAX}")
    payload = max(MIN_PAYLOAD_BYTES, 32 * top_n)
    return round_up(RECORD_HEADER_BYTES + payload, LINE_BYTES)


def record_dtype(top_n: int = TOP_N_DEFAULT) -> np.dtype:
    """The record as a structured dtype; payload fields of the different kinds overlap on purpose."""
    fields: list[tuple[str, Any, int]] = list(_HEADER_FIELDS)
    fields += [(name, kind, RECORD_HEADER_BYTES + offset) for name, kind, offset in _PAYLOAD_FIELDS]
    fields.append(("price", ("<i8", (SIDES, top_n)), RECORD_HEADER_BYTES))
    fields.append(("qty", ("<i8", (SIDES, top_n)), RECORD_HEADER_BYTES + 16 * top_n))
    return np.dtype(
        {
            "names": [name for name, _, _ in fields],
            "formats": [kind for _, kind, _ in fields],
            "offsets": [offset for _, _, offset in fields],
            "itemsize": slot_bytes(top_n),
        },
        align=True,
    )


# Word offsets inside a record, for kernels.
R_SEQ, R_TAGS, R_EVENT, R_TXN, R_RECV, R_MONO, R_PUBLISH, R_FIRST, R_LAST = range(9)
R_HORIZON = 9  # two words
R_COUNT = 11  # two u32: bid low half, ask high half
R_DEPTH = 12  # likewise
R_CAUSE, R_MISSED, R_CHECKSUM = 13, 14, 15
R_PAYLOAD = RECORD_HEADER_BYTES // WORD_BYTES

# ---------------------------------------------------------------- file header (page 0)
header_dtype = np.dtype(
    {
        "names": [
            "magic", "layout_major", "layout_minor", "byte_order", "schema_hash", "file_bytes",
            "slot_count", "top_n", "symbol_capacity", "book_levels", "slot_bytes",
            "symbols_off", "counters_off", "histograms_off", "board_off", "ring_off", "books_off", "scratch_off",
            "ledger_off",
            "generation", "prev_last_seq", "first_seq", "created_ns",
            "pid", "pid_namespace", "start_ticks", "boot_id", "venue", "init_state", "symbol_count",
            "features",
            "head", "heartbeat_ns", "writer_state",
        ],
        "formats": [
            "<u8", "<u4", "<u4", "<u8", "<u8", "<i8",
            "<i8", "<i8", "<i8", "<i8", "<i8",
            "<i8", "<i8", "<i8", "<i8", "<i8", "<i8", "<i8",
            "<i8",
            "<i8", "<i8", "<i8", "<i8",
            "<i8", "<i8", "<i8", "S16", "S32", "<i8", "<i8",
            "<i8",
            "<i8", "<i8", "<i8",
        ],
        "offsets": [
            0, 8, 12, 16, 24, 32,
            40, 48, 56, 64, 72,
            80, 88, 96, 104, 112, 120, 128,
            136,
            256, 264, 272, 280,
            288, 296, 304, 312, 328, 384, 392,
            400,
            512, 640, 648,
        ],
        "itemsize": PAGE_BYTES,
    }
)  # fmt: skip


def _header_word(field: str) -> int:
    return header_dtype.fields[field][1] // WORD_BYTES  # type: ignore[index]


H_SYMBOL_COUNT = _header_word("symbol_count")  # rows valid in the symbol table; append only
H_GENERATION = _header_word("generation")
H_FEATURES = _header_word("features")  # FEATURE_* of this writer
H_HEAD = _header_word("head")  # next seq to publish; stored once per drained batch
H_HEARTBEAT = _header_word("heartbeat_ns")  # CLOCK_REALTIME, by the ingest loop itself
H_WRITER_STATE = _header_word("writer_state")

NOT_READY, READY = 0, 1  # init_state
FEATURE_DELTAS = 1  # every diff applied to a book is on the ring as DELTA records
BOOT, RUN, CLOSED, SUPERSEDED = range(4)  # writer_state
WRITER_STATE_NAMES = ("BOOT", "RUN", "CLOSED", "SUPERSEDED")

# ---------------------------------------------------------------- symbol table
SYMBOL_BYTES = 64  # longest symbol in UTF-8
symbol_dtype = np.dtype(
    {
        "names": [
            "symbol", "venue", "price_digits", "qty_digits", "price_tick", "qty_step", "state", "successor",
        ],
        "formats": [f"S{SYMBOL_BYTES}", "S32", "<i4", "<i4", "<i8", "<i8", "<i4", "<i4"],
        "offsets": [0, 64, 96, 100, 104, 112, 120, 124],
        "itemsize": 256,
    }
)  # fmt: skip
SYMBOL_FREE, SYMBOL_ACTIVE, SYMBOL_RETIRED = 0, 1, 2

# ---------------------------------------------------------------- counters (words from GEO_COUNTERS)
COUNTER_NAMES = (
    "reads", "bytes", "frames", "handed_back", "records", "books", "trades", "tickers", "statuses", "depths",
    "levels", "duplicates", "buffered", "buffer_drops", "gaps", "resyncs", "orphan_deletes", "evictions",
    "slow_decodes", "unknown_frames", "acks", "venue_errors", "malformed", "unrepresentable", "oversize",
    "crossed", "full_reads", "backlog_bytes", "wakes", "connects", "disconnects", "snapshots",
    "snapshot_failures", "stale_streams", "control_frames", "unchanged_books", "book_requests", "deltas",
    "rollovers", "repeats", "held", "filled", "holds_expired", "a_wins", "b_wins", "resubscribes",
    "outages", "blind_ns", "connections", "weight_used", "weight_limit",
    "audits", "audit_levels", "audit_differences", "audits_wrong",
    "audits_gap", "audits_old", "audits_late", "audits_full", "audits_failed",
    "pongs_skipped", "rows_refused",
)  # fmt: skip
COUNTER_WORDS = PAGE_BYTES // WORD_BYTES
C = {name: index for index, name in enumerate(COUNTER_NAMES)}

# ---------------------------------------------------------------- histograms
# Log-linear buckets of nanoseconds: exact below 64, then 32 per power of two (error below 3.2 %).
# a_after_b: with two connections per stream, how much later than B's the copy of the same diff came on A.
HISTOGRAM_NAMES = (
    "venue_to_recv", "recv_to_publish", "publish_to_read", "read_duration", "a_after_b", "b_after_a",
)  # fmt: skip
HIST_SUB_BITS = 5
HIST_BUCKETS = (1 << (HIST_SUB_BITS + 1)) + (62 - HIST_SUB_BITS) * (1 << HIST_SUB_BITS)
HIST_EXTRA = 4  # words before the buckets: count, negative count, maximum, minimum
HIST_WORDS = round_up(HIST_EXTRA + HIST_BUCKETS, LINE_BYTES // WORD_BYTES)

# ---------------------------------------------------------------- ledger: when books were not LIVE, and why
#   one line: outages so far | pad ; then LEDGER_ROWS rows of two lines each, outage n in row (n - 1) % LEDGER_ROWS
#   0       8        16         24       32      33           34       36          40           48         56
#   |version| number | begin_ns | end_ns | cause | last_cause | health | symbol_id | ids_missed | blind_ns | generation|
#   64 symbol, as in the symbol table: a row is understood without it, for it outlives its generation
LEDGER_ROWS = 1024
LEDGER_HEADER_WORDS = LINE_BYTES // WORD_BYTES
gap_dtype = np.dtype(
    {
        "names": [
            "version", "number", "begin_ns", "end_ns", "cause", "last_cause", "health", "symbol_id",
            "ids_missed", "blind_ns", "generation", "symbol",
        ],
        "formats": [
            "<i8", "<i8", "<i8", "<i8", "u1", "u1", "u1", "<i4", "<i8", "<i8", "<i8", f"S{SYMBOL_BYTES}",
        ],
        "offsets": [0, 8, 16, 24, 32, 33, 34, 36, 40, 48, 56, 64],
        "itemsize": 2 * LINE_BYTES,
    }
)  # fmt: skip
GAP_WORDS = gap_dtype.itemsize // WORD_BYTES
G_VERSION, G_NUMBER, G_BEGIN, G_END, G_TAGS, G_MISSED, G_BLIND, G_GENERATION, G_SYMBOL = range(9)
NO_ROW = -1  # symbol_id of an outage that began in an earlier generation and that no symbol goes on with

# ---------------------------------------------------------------- board: latest record per symbol, two-cell latch
#   line 0: version | pad to 128 B ; then two cells, each: cell seq | pad to 64 B | one record
BOARD_HEADER_WORDS = 16
CELL_HEADER_WORDS = 8

# ---------------------------------------------------------------- full books (see kernels/book.py)
BOOK_LEVELS_DEFAULT = 10_240  # a side; about 450 KB a symbol
BOOK_LEVELS_MIN, BOOK_LEVELS_MAX = 64, 65_536
BOOK_HEADER_WORDS = 64
#   words 0..: version as_of_seq last_update_id health recv_ns event_ns horizon[2] … sides at B_SIDE
B_VERSION, B_AS_OF, B_LAST_ID, B_HEALTH, B_RECV, B_EVENT, B_HORIZON = range(7)  # B_HORIZON: two words
B_GROUPS = 8  # groups a side's table has room for
B_LEVELS = 9  # levels a side holds at most
B_ORPHANS = 10  # deletes of levels not held
B_EVICTED = 11  # levels dropped because a side was full; the horizon moved in
B_FLOOR = 12  # levels a side that are kept in order at least, if there are as many
B_SIDE = 16  # two side headers of B_SIDE_WORDS each
B_SIDE_WORDS = 8
S_LEVELS = 0  # inside a side header: levels held
S_NEAR, S_NEAR_LIVE = 1, 2  # slots of the near part in use; how many of them are levels
S_LIMIT = 3  # worst key the book still takes; KEY_NONE until it had to drop levels
S_CUTOFF = 4  # the near part has every level up to this key; KEY_NONE when it has all
S_SPAN = 5  # width of the keys looked at when the near part was last filled up
S_SHOWN = 6  # worst key of the last record, KEY_NONE when it had all; the writer's own, not under the version
S_GROUPS = 7  # groups in use: a table begins small and grows, so that a small book fits into caches
# Behind the header, then from BOOK_TABLES on, so that a small book takes three pages, then once a book:
#   near     slots of the best levels a side: keys[NEAR_LEVELS] qtys[NEAR_LEVELS], tags of two bytes, each the end of
#            its slot's key, and the order of the slots, a byte each, those in use first, best first
#   table    all other levels, groups of two lines a side:  key 0 .. key 6 | keys that went on from here
#                                                           qty 0 .. qty 6 | unused
#   sieve    keys[SIEVE_LEVELS] places[SIEVE_LEVELS], for filling up the near part; a place is an offset in the table
# key = price for ASK, -price for BID: better is smaller on both sides. An empty place and a slot that is not in use
# have KEY_FREE and quantity 0. A level that was deleted within the near part keeps its slot, with quantity 0, until the
# near part is tidied.
NEAR_LEVELS = LINE_BYTES  # their order fills a line
TAG_BYTES = 2
NEAR_QTY = NEAR_LEVELS  # words behind the first key
NEAR_TAG = NEAR_QTY + NEAR_LEVELS
NEAR_ORDER = NEAR_TAG + NEAR_LEVELS * TAG_BYTES // WORD_BYTES
NEAR_WORDS = NEAR_ORDER + LINE_BYTES // WORD_BYTES
NEAR_KEPT = 40  # levels kept when a full near part is tidied, or B_FLOOR if that is more
SIEVE_LEVELS = NEAR_LEVELS
GROUP_LEVELS = 7
GROUP_WORDS = 2 * LINE_BYTES // WORD_BYTES
GROUP_QTY = GROUP_WORDS // 2  # quantities lie so far behind their keys
GROUP_ONWARD = GROUP_LEVELS  # the word that counts keys whose search goes on from a full group
GROUP_LEVELS_MEAN = 6  # so full is a table that holds as many levels as it may
GROUP_LEVELS_GROWN = 4  # so full is a table when it grows
BOOK_TABLES = PAGE_BYTES // WORD_BYTES  # a page: header and near parts stand in the first
GROUPS_FIRST = BOOK_TABLES // GROUP_WORDS  # groups in use at first: a page; the room is whole pages
KEY_FREE = -1 << 63  # below every key
KEY_NONE = (1 << 63) - 1
NO_PRICE = -1 << 63  # best_price of an empty side
HORIZON_OPEN = (0, (1 << 63) - 1)  # horizon of a side known completely: bids, asks


def book_groups(levels: int) -> int:
    """Groups of a side's table for `levels` levels, whole pages."""
    return round_up(-(-levels // GROUP_LEVELS_MEAN), GROUPS_FIRST)


def book_words(levels: int) -> int:
    """Words of one full book of at most `levels` levels a side, whole pages."""
    return round_up(BOOK_TABLES + SIDES * book_groups(levels) * GROUP_WORDS + 2 * SIEVE_LEVELS, BOOK_TABLES)


# A copy of a full book for another process: the header, then per side keys[places] qtys[places], in no order; S_LEVELS
# says how many are there. It takes no more than the book itself.
def packed_places(levels: int) -> int:
    """Entries of each column of a packed copy."""
    return NEAR_LEVELS + book_groups(levels) * GROUP_LEVELS


# ---------------------------------------------------------------- geometry: what kernels need of the file, in words
(
    GEO_WORDS, GEO_SLOT_WORDS, GEO_SLOT_MASK, GEO_TOP_N, GEO_SYMBOLS, GEO_BOOK_LEVELS, GEO_SYMBOL_TABLE,
    GEO_COUNTERS, GEO_HISTOGRAMS, GEO_BOARD, GEO_BOARD_STRIDE, GEO_RING, GEO_BOOKS, GEO_BOOK_STRIDE, GEO_SCRATCH,
    GEO_LEDGER,
) = range(16)  # fmt: skip
GEO_LENGTH = 16


def geometry(
    slot_count: int, top_n: int, symbol_capacity: int, book_levels: int = BOOK_LEVELS_DEFAULT
) -> np.ndarray:
    """Offsets and sizes of a bus, in words, from its four parameters.

    slot_count       ring slots, a power of two, 2..2^24
    top_n            levels a side in a record, 1..TOP_N_MAX
    symbol_capacity  rows of symbol table, board and books, 1..65536
    book_levels      levels a side of one full book, BOOK_LEVELS_MIN..BOOK_LEVELS_MAX
    Returns          int64[GEO_LENGTH]; private to each process, never read back from shared memory.
    Raises           ValueError saying what was found and what was expected.
    """
    if not (2 <= slot_count <= 1 << 24 and slot_count & (slot_count - 1) == 0):
        raise ValueError(f"slot_count was {slot_count}, expected a power of two in 2..2^24")
    if not 1 <= symbol_capacity <= 65536:
        raise ValueError(f"symbol_capacity was {symbol_capacity}, expected 1..65536")
    if not BOOK_LEVELS_MIN <= book_levels <= BOOK_LEVELS_MAX:
        raise ValueError(f"book_levels was {book_levels}, expected {BOOK_LEVELS_MIN}..{BOOK_LEVELS_MAX}")
    slot_words = slot_bytes(top_n) // WORD_BYTES
    page_words = PAGE_BYTES // WORD_BYTES
    board_stride = BOARD_HEADER_WORDS + SIDES * (CELL_HEADER_WORDS + slot_words)
    book_stride = book_words(book_levels)
    sizes = (
        (GEO_SYMBOL_TABLE, symbol_capacity * symbol_dtype.itemsize // WORD_BYTES),
        (GEO_COUNTERS, COUNTER_WORDS),
        (GEO_HISTOGRAMS, len(HISTOGRAM_NAMES) * HIST_WORDS),
        (GEO_LEDGER, LEDGER_HEADER_WORDS + LEDGER_ROWS * GAP_WORDS),
        (GEO_BOARD, symbol_capacity * board_stride),
        (GEO_RING, slot_count * slot_words),
        (GEO_BOOKS, symbol_capacity * book_stride),
        (GEO_SCRATCH, LINE_BYTES // WORD_BYTES + book_stride),
    )
    geo = np.zeros(GEO_LENGTH, np.int64)
    geo[[GEO_SLOT_WORDS, GEO_SLOT_MASK, GEO_TOP_N]] = slot_words, slot_count - 1, top_n
    geo[[GEO_SYMBOLS, GEO_BOOK_LEVELS]] = symbol_capacity, book_levels
    geo[[GEO_BOARD_STRIDE, GEO_BOOK_STRIDE]] = board_stride, book_stride
    offset = page_words
    for part, words in sizes:
        geo[part] = offset
        offset += round_up(words, page_words)
    geo[GEO_WORDS] = offset
    return geo


# ---------------------------------------------------------------- the control page (`NAME.ctl`, writable by readers)
CTL_WAKE = 0  # the futex word (low 32 bits), bumped by the writer's slow path
CTL_WOKEN_FOR = 1  # head at the last bump: tells a late wake-up from one that never came
CTL_WAITERS = 16  # 0 or 1: somebody sleeps
CTL_BOOK_REQUEST = 32  # symbol_id + 1: a reader asks for a copy in the scratch book
CTL_WORDS = PAGE_BYTES // WORD_BYTES

# ---------------------------------------------------------------- private to the engine: what a scanner fills
level_dtype = np.dtype([("price", "<i8"), ("qty", "<i8")], align=True)  # mantissas; qty 0 deletes
frame_dtype = np.dtype(
    [
        ("kind", "<i8"),
        ("symbol_id", "<i8"),
        ("side", "<i8"),
        ("flags", "<i8"),
        ("event_ns", "<i8"),
        ("txn_ns", "<i8"),
        ("first_id", "<i8"),  # depth U; ticker and partial depth: as last_id
        ("last_id", "<i8"),  # depth u
        ("prev_id", "<i8"),  # USD-M pu; -1 where absent
        ("rows", ("<i8", (SIDES,))),  # levels per side
        ("trade_price", "<i8"),
        ("trade_qty", "<i8"),
        ("trade_id", "<i8"),
        ("trade_first_id", "<i8"),
        ("trade_last_id", "<i8"),
        ("error_at", "<i8"),  # offset in the buffer where decoding stopped, for error messages
    ],
    align=True,
)
ROWS_CAPACITY = 16_384  # levels per side and frame

# One instrument as the scanner needs it; index = symbol_id.
instrument_dtype = np.dtype(
    [
        ("price_digits", "<i8"),  # decimals of the price mantissa, 0..18
        ("qty_digits", "<i8"),
        ("time_unit_ns", "<i8"),  # 1_000_000 for ms streams, 1_000 for µs streams
        ("rule", "<i8"),  # sequence rule code, see kernels/sync.py
        ("symbol_length", "<i8"),
        ("symbol", ("<i8", (SYMBOL_BYTES // WORD_BYTES,))),  # bytes, zero padded
        ("state_at", "<i8"),  # addresses of what a diff changes, see kernels/ahead.py; 0: none
        ("book_at", "<i8"),
        ("board_at", "<i8"),
    ],
    align=True,
)

# One stream or symbol name → (symbol, kind): open addressing, linear probing, power-of-two table.
ROUTE_NAME_BYTES = 96
route_dtype = np.dtype(
    [
        ("used", "<i8"),
        ("length", "<i8"),
        ("symbol_id", "<i8"),
        ("kind", "<i8"),  # KIND_* the stream carries; 0 for a bare symbol
        ("name", ("<i8", (ROUTE_NAME_BYTES // WORD_BYTES,))),
    ],
    align=True,
)

# What a scanner answers; negative = not decoded: of the frame only `error_at` counts, and for OFF_GRID, OVERFLOW
# and TOO_MANY_LEVELS also the symbol, kind and ids read so far.
DECODED = 0
NOT_MARKET_DATA = -1  # ack, error, serverShutdown, unknown shape → Python
NEEDS_SLOW_PATH = -2  # escapes in keys, duplicate keys …: valid JSON this scanner leaves to orjson
MALFORMED = -3
OFF_GRID = -4  # non-zero digits beyond the instrument's scale
OVERFLOW = -5  # beyond int64 at the instrument's scale, or a negative number
TOO_MANY_LEVELS = -6
UNKNOWN_SYMBOL = -7  # a well-formed envelope for a stream nobody registered
DECODE_NAMES = {
    0: "decoded", -1: "not market data", -2: "needs slow path", -3: "malformed", -4: "off grid",
    -5: "overflow", -6: "too many levels", -7: "unknown symbol",
}  # fmt: skip

# What a ring read answers.
READ_OK, READ_EARLY, READ_LAPPED, READ_BUSY, READ_EMPTY = range(5)

assert GAP_WORDS == G_SYMBOL + SYMBOL_BYTES // WORD_BYTES
assert header_dtype.itemsize == PAGE_BYTES and symbol_dtype.itemsize % LINE_BYTES == 0
assert slot_bytes(TOP_N_DEFAULT) == 768 and record_dtype(TOP_N_DEFAULT).itemsize == 768
assert len(COUNTER_NAMES) <= COUNTER_WORDS and len(CAUSE_NAMES) == CAUSE_WRITER_DIED + 1
assert instrument_dtype.itemsize == 128 and route_dtype.itemsize == 128
assert B_SIDE + SIDES * B_SIDE_WORDS <= BOOK_HEADER_WORDS <= BOOK_TABLES - SIDES * NEAR_WORDS
assert TOP_N_MAX < NEAR_LEVELS <= BOOK_LEVELS_MIN and NEAR_KEPT < NEAR_LEVELS and SIEVE_LEVELS == NEAR_LEVELS
assert all(
    BOOK_HEADER_WORDS + 4 * packed_places(n) <= book_words(n) for n in (BOOK_LEVELS_MIN, BOOK_LEVELS_MAX)
)
