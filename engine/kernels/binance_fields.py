"""Binance payloads as fields in any order: which key of which shape fills which word of the frame.

The five shapes (Binance spot docs, web-socket-streams and rest-api; USD-M and COIN-M docs, websocket market
streams), * optional:

    diff        {"e":"depthUpdate","E","T"*,"s","U","u","pu"*,"b":[["p","q"],…],"a":[…]}
    image       {"lastUpdateId","E"*,"T"*,"bids":[["p","q"],…],"asks":[…]}; USD-M prints images as diffs
    trade       {"e":"trade","E","s","t","p","q","X"*,"T","m"}
    aggregate   {"e":"aggTrade","E","s","a","p","q","f","l","T","m"}
    ticker      {"e":"bookTicker"*,"u","s","b","B","a","A","T"*,"E"*}

A key that a shape does not know is skipped, whatever its value is: "b" and "a" were order ids of spot trades
until 2024, and "p" may mean anything in a diff.
"""

import numpy as np

from .. import layout
from ..jit import INLINE, Pair, bytes_in, i64, kernel, u64
from .llvm import load_u64
from .names import load_some
from .text import BACKSLASH, MALFORMED, NEEDS_SLOW_PATH, QUOTE, SPACE, skip_colon, skip_space, skip_string

SHAPES = DIFF, IMAGE, TRADE, AGGREGATE, TICKER = range(5)
NO_SHAPE = -1

# A key is known by a small code: its character, or one of these.
KEY_OTHER, KEY_PREV, KEY_ID, KEY_BIDS, KEY_ASKS, KEY_STREAM, KEY_DATA = 0, 1, 2, 3, 4, 5, 6
KEY_CODES = 128
KEY_E, KEY_S = ord("e"), ord("s")


def _word(field: str) -> int:
    return layout.frame_dtype.fields[field][1] // layout.WORD_BYTES  # type: ignore[index]


# What a key fills: a word of the frame, or for a ticker a cell of the rows.
F_KIND, F_SYMBOL, F_SIDE, F_FLAGS = _word("kind"), _word("symbol_id"), _word("side"), _word("flags")
F_EVENT, F_TXN, F_FIRST, F_LAST, F_PREV = (
    _word(name) for name in ("event_ns", "txn_ns", "first_id", "last_id", "prev_id")
)
F_ROWS, F_PRICE, F_QTY = _word("rows"), _word("trade_price"), _word("trade_qty")
F_ID, F_FIRST_ID, F_LAST_ID = _word("trade_id"), _word("trade_first_id"), _word("trade_last_id")
F_ERROR = _word("error_at")
FRAME_WORDS = layout.frame_dtype.itemsize // layout.WORD_BYTES
CELL_PRICE, CELL_QTY = FRAME_WORDS, FRAME_WORDS + layout.SIDES  # + side
IGNORED = -1

_COMMON = {"e": F_KIND, "s": F_SYMBOL, "E": F_EVENT, "T": F_TXN}
_TRADE = {**_COMMON, "p": F_PRICE, "q": F_QTY, "m": F_SIDE, "X": F_FLAGS}
_KEYS: dict[int, dict] = {
    DIFF: {**_COMMON, "U": F_FIRST, "u": F_LAST, KEY_PREV: F_PREV, "b": F_ROWS, "a": F_ROWS + 1},
    IMAGE: {**_COMMON, KEY_ID: F_LAST, KEY_BIDS: F_ROWS, KEY_ASKS: F_ROWS + 1},
    TRADE: {**_TRADE, "t": F_ID},
    AGGREGATE: {**_TRADE, "a": F_ID, "f": F_FIRST_ID, "l": F_LAST_ID},
    TICKER: {**_COMMON, "u": F_LAST, "b": CELL_PRICE, "a": CELL_PRICE + 1, "B": CELL_QTY, "A": CELL_QTY + 1},
}
_NEEDED = {
    DIFF: (F_FIRST, F_LAST, F_ROWS, F_ROWS + 1),
    IMAGE: (F_LAST, F_ROWS, F_ROWS + 1),
    TRADE: (F_ID, F_PRICE, F_QTY, F_SIDE),
    AGGREGATE: (F_ID, F_FIRST_ID, F_LAST_ID, F_PRICE, F_QTY, F_SIDE),
    TICKER: (F_LAST, CELL_PRICE, CELL_PRICE + 1, CELL_QTY, CELL_QTY + 1),
}
FILLS = np.full((len(SHAPES), KEY_CODES), IGNORED, np.int64)
for _shape, _keys in _KEYS.items():
    for _key, _fills in _keys.items():
        FILLS[_shape, ord(_key) if isinstance(_key, str) else _key] = _fills
NEEDED = np.array([sum(1 << word for word in _NEEDED[shape]) for shape in SHAPES], np.int64)


def _text_word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text[:8], "little"))


# Long keys and event names, by their first eight bytes and the rest.
WORD_PREV, WORD_BIDS, WORD_ASKS = _text_word(b"pu"), _text_word(b"bids"), _text_word(b"asks")
WORD_STREAM, WORD_DATA = _text_word(b"stream"), _text_word(b"data")
WORD_LAST_UPDATE, REST_ID = _text_word(b"lastUpda"), _text_word(b"teId")
WORD_DEPTH_UPDATE, REST_DATE = _text_word(b"depthUpd"), _text_word(b"ate")
WORD_TRADE, WORD_AGGREGATE = _text_word(b"trade"), _text_word(b"aggTrade")
WORD_TICKER, REST_TICKER = _text_word(b"bookTick"), _text_word(b"er")
END_DATE, END_TICKER = _text_word(b'ate"'), _text_word(b'er"')
END_TRADE, END_AGGREGATE = _text_word(b'trade"'), _text_word(b'"')
MASK_1, MASK_3, MASK_4, MASK_6 = (np.uint64((1 << 8 * count) - 1) for count in (1, 3, 4, 6))

ONE_KEY_MASK = np.uint64(0xFFFF00FF)  # `"x":` in one load
ONE_KEY_FORM = np.uint64(int.from_bytes(b'"\0":', "little"))
PREV_KEY_MASK = np.uint64((1 << 40) - 1)
PREV_KEY_FORM = np.uint64(int.from_bytes(b'"pu":', "little"))


@kernel(i64(bytes_in, i64, i64), **INLINE)
def event_shape(buf, at, length):
    """Tell the shape from the name of an event.

    buf, at  first byte of the name
    length   bytes of the name
    Returns  a shape, or NO_SHAPE
    """
    word, rest = load_some(buf, at, length), load_some(buf, at + 8, length - 8)
    if length == 11 and word == WORD_DEPTH_UPDATE and rest == REST_DATE:
        return i64(DIFF)
    if length == 10 and word == WORD_TICKER and rest == REST_TICKER:
        return i64(TICKER)
    if length == 8 and word == WORD_AGGREGATE:
        return i64(AGGREGATE)
    if length == 5 and word == WORD_TRADE:
        return i64(TRADE)
    return i64(NO_SHAPE)


@kernel(Pair(bytes_in, i64), **INLINE)
def usual_event(buf, at):
    """Tell the shape from the name of an event that is printed without escapes.

    buf, at  offset behind the opening quote
    Returns  (shape, offset behind the closing quote), or (NO_SHAPE, at)
    """
    word, rest = load_u64(buf, at), load_u64(buf, at + 8)
    if word == WORD_DEPTH_UPDATE and rest & MASK_4 == END_DATE:
        return i64(DIFF), at + 12
    if word == WORD_TICKER and rest & MASK_3 == END_TICKER:
        return i64(TICKER), at + 11
    if word & MASK_6 == END_TRADE:
        return i64(TRADE), at + 6
    if word == WORD_AGGREGATE and rest & MASK_1 == END_AGGREGATE:
        return i64(AGGREGATE), at + 9
    return i64(NO_SHAPE), at


@kernel(i64(bytes_in, i64, i64))
def key_code(buf, at, length):
    """Tell a key's code.

    buf, at  first byte of the key, which holds no escape
    length   bytes of the key
    Returns  its character, a KEY_* code, or KEY_OTHER
    """
    if length == 1:
        return i64(buf[at]) if buf[at] < KEY_CODES else i64(KEY_OTHER)
    word = load_some(buf, at, length)
    if length == 2 and word == WORD_PREV:
        return i64(KEY_PREV)
    if length == 4 and word == WORD_BIDS:
        return i64(KEY_BIDS)
    if length == 4 and word == WORD_ASKS:
        return i64(KEY_ASKS)
    if length == 4 and word == WORD_DATA:
        return i64(KEY_DATA)
    if length == 6 and word == WORD_STREAM:
        return i64(KEY_STREAM)
    if length == 12 and word == WORD_LAST_UPDATE and load_some(buf, at + 8, i64(4)) == REST_ID:
        return i64(KEY_ID)
    return i64(KEY_OTHER)


@kernel(Pair(bytes_in, i64, i64), **INLINE)
def read_key(buf, at, end):
    """Read a key of an envelope or payload.

    buf, at, end  as in text.py
    Returns       (offset of the value, key code), (NEEDS_SLOW_PATH, where) for a key with an escape, or
                  (MALFORMED, where)
    """
    word = load_u64(buf, at)
    if word & ONE_KEY_MASK == ONE_KEY_FORM:
        code = (word >> u64(8)) & u64(0xFF)
        if code >= u64(0x20) and code < u64(KEY_CODES) and code != u64(QUOTE) and code != u64(BACKSLASH):
            return (at + 4 if buf[at + 4] > SPACE else skip_space(buf, at + 4, end)), i64(code)
    elif word & PREV_KEY_MASK == PREV_KEY_FORM and buf[at + 5] > SPACE:
        return at + 5, i64(KEY_PREV)
    if at >= end or buf[at] != QUOTE:
        return i64(MALFORMED), at
    after, escapes = skip_string(buf, at, end)
    if after < 0 or escapes:
        return (after, escapes) if after < 0 else (i64(NEEDS_SLOW_PATH), at)
    code = key_code(buf, at + 1, after - at - 2)
    after, fact = skip_colon(buf, after, end)
    return after, code if after >= 0 else fact
