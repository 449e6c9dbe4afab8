"""One Binance payload into the frame and rows, its fields in any order, once its shape is known."""

import numpy as np

from .. import layout
from ..jit import INLINE, Frame, Instruments, Pair, Rows, bytes_in, i64, kernel, words_out
from ..layout import ASK, BID, NO_SIDE
from .binance_fields import (
    AGGREGATE,
    CELL_PRICE,
    CELL_QTY,
    F_EVENT,
    F_FIRST,
    F_FIRST_ID,
    F_FLAGS,
    F_ID,
    F_KIND,
    F_LAST,
    F_LAST_ID,
    F_PREV,
    F_PRICE,
    F_QTY,
    F_ROWS,
    F_SIDE,
    F_SYMBOL,
    F_TXN,
    FILLS,
    FRAME_WORDS,
    IGNORED,
    NEEDED,
    TICKER,
    TRADE,
    event_shape,
    read_key,
    usual_event,
)
from .decimals import INT64_MAX, QUICK_DIGITS, quick_decimal, read_decimal, read_integer
from .levels import read_levels
from .llvm import load_u64
from .names import skip_symbol
from .text import (
    CLOSE_OBJECT,
    COMMA,
    LOW_HALF,
    MALFORMED,
    NEEDS_SLOW_PATH,
    OPEN_OBJECT,
    QUOTE,
    TRUE_WORD,
    skip_comma,
    skip_scalar,
    skip_space,
    skip_string,
    skip_value,
)

OVERFLOW = layout.OVERFLOW
SAFE_TIME = 1 << 43  # a time below, in units of at most SAFE_UNIT_NS, is within int64 nanoseconds
SAFE_UNIT_NS = 1 << 20
NOT_A_TRADE = np.uint64(int.from_bytes(b'"NA"', "little"))


@kernel(Pair(bytes_in, i64, i64, i64), **INLINE)
def read_number(buf, at, end, digits):
    """Read a decimal, the quick way when it is printed as usual.

    buf, at, end  as in text.py
    digits        decimals of the mantissa, 0..18
    Returns       as decimals.read_decimal
    """
    if digits <= QUICK_DIGITS and at < end and buf[at] == QUOTE:
        after, value = quick_decimal(buf, at + 1, digits)
        if 0 < after <= end:
            return after, value
    return read_decimal(buf, at, end, digits)


@kernel(Pair(bytes_in, i64, i64, i64, Instruments, i64), **INLINE)
def check_text(buf, at, end, fills, instruments, expected):
    """Step over the event's name or the symbol, which must be the expected one.

    buf, at, end  as in text.py
    fills         F_KIND or F_SYMBOL
    instruments   instrument_dtype[symbols]
    expected      shape, or row of the symbol
    Returns       (offset behind it, 0), or (code, where)
    """
    if at >= end or buf[at] != QUOTE:
        return i64(MALFORMED), at
    if fills == F_SYMBOL:
        after = skip_symbol(buf, at, end, instruments, expected)
        if after > 0:
            return after, i64(0)
    else:
        shape, after = usual_event(buf, at + 1)
        if shape == expected and after <= end:
            return after, i64(0)
    after, escapes = skip_string(buf, at, end)
    if after < 0:
        return after, escapes
    if fills == F_KIND and event_shape(buf, at + 1, after - at - 2) == expected:
        return after, i64(0)
    return i64(NEEDS_SLOW_PATH) if escapes else i64(MALFORMED), at


@kernel(Pair(bytes_in, i64, i64, words_out))
def read_maker(buf, at, end, words):
    """Read whether the buyer was the maker; the aggressor is the other side.

    buf, at, end  as in text.py
    words         int64[FRAME_WORDS], the side is set
    Returns       (offset behind it, 0), or (code, where)
    """
    byte = buf[at]
    after, fact = skip_scalar(buf, at, end)
    if after < 0:
        return after, fact
    is_true = load_u64(buf, at) & LOW_HALF == TRUE_WORD
    if not is_true and byte != ord("f"):
        return i64(MALFORMED), at
    words[F_SIDE] = ASK if is_true else BID
    return after, i64(0)


@kernel(i64(bytes_in, i64, i64))
def skip_mark(buf, at, end):
    """Step over the type of a USD-M trade; an escape may hide what it says.

    buf, at, end  as in text.py
    Returns       offset behind it, or a negative code
    """
    if at < end and buf[at] == QUOTE:
        after, escapes = skip_string(buf, at, end)
        return i64(NEEDS_SLOW_PATH) if after > 0 and escapes else after
    after, _ = skip_value(buf, at, end)
    return after


@kernel(Pair(bytes_in, i64, i64, i64, i64, words_out, Instruments, Rows), **INLINE)
def fill(buf, at, end, fills, shape, words, instruments, rows):
    """Read one field into the word of the frame, or the cell of the rows, that its key fills.

    buf, at, end  as in text.py; at is the offset of the value
    fills         a word of the frame or a cell, from FILLS; not IGNORED
    shape         the payload's shape
    words         int64[FRAME_WORDS], the frame
    instruments   instrument_dtype[symbols]
    rows          level_dtype[2, cap]
    Returns       (offset behind the value, anything), or (code, where)
    """
    symbol_id = words[F_SYMBOL]
    if F_ROWS <= fills < F_ROWS + layout.SIDES:
        price_digits, qty_digits = instruments[symbol_id].price_digits, instruments[symbol_id].qty_digits
        at, value = read_levels(buf, at, end, price_digits, qty_digits, rows, fills - F_ROWS)
    elif fills in (F_KIND, F_SYMBOL):
        return check_text(buf, at, end, fills, instruments, shape if fills == F_KIND else symbol_id)
    elif fills == F_SIDE:
        return read_maker(buf, at, end, words)
    elif fills == F_FLAGS:
        is_none, after = i64(load_u64(buf, at) & LOW_HALF == NOT_A_TRADE), skip_mark(buf, at, end)
        at, value = after, is_none if after >= 0 else at
    elif fills == F_PRICE or CELL_PRICE <= fills < CELL_QTY:
        at, value = read_number(buf, at, end, instruments[symbol_id].price_digits)
    elif fills == F_QTY or fills >= CELL_QTY:
        at, value = read_number(buf, at, end, instruments[symbol_id].qty_digits)
    else:
        at, value = read_integer(buf, at, end)
    if at >= 0:
        if fills < FRAME_WORDS:
            words[fills] = value
        elif fills < CELL_QTY:
            rows[fills - CELL_PRICE, 0].price = value
        else:
            rows[fills - CELL_QTY, 0].qty = value
    return at, value


@kernel(Pair(bytes_in, i64, i64, i64, words_out, Instruments, Rows), **INLINE)
def read_fields(buf, at, end, shape, words, instruments, rows):
    """Read all fields of a payload.

    buf, at, end  as in text.py; at is the offset of the payload's opening brace
    shape         the payload's shape
    words         int64[FRAME_WORDS], the frame; its symbol_id is set
    instruments   instrument_dtype[symbols]
    rows          level_dtype[2, cap]
    Returns       (offset behind the payload, bit mask of what was filled); (NEEDS_SLOW_PATH, where) for a
                  key that came twice; or (code, where)
    """
    seen = i64(0)
    if at >= end or buf[at] != OPEN_OBJECT:
        return i64(MALFORMED), at
    at = skip_space(buf, at + 1, end)
    if at < end and buf[at] == CLOSE_OBJECT:
        return at + 1, seen
    while True:
        at, code = read_key(buf, at, end)
        if at < 0:
            return at, code
        fills = FILLS[shape, code]
        if fills == IGNORED:
            after, fact = skip_value(buf, at, end)
        elif seen >> fills & 1:
            return i64(NEEDS_SLOW_PATH), at
        else:
            seen |= i64(1) << fills
            after, fact = fill(buf, at, end, fills, shape, words, instruments, rows)
        if after < 0:
            return after, fact
        at = after
        if buf[at] == COMMA and buf[at + 1] == QUOTE:  # beyond the end the key does not hold
            at += 1
            continue
        at, is_over = skip_comma(buf, at, end, i64(CLOSE_OBJECT))
        if at < 0 or is_over:
            return at, seen if at >= 0 else is_over


@kernel(i64(words_out, i64, i64), **INLINE)
def scale_time(words, word, unit_ns):
    """Turn a time of the venue into nanoseconds, in place.

    words    int64[FRAME_WORDS], the frame
    word     F_EVENT or F_TXN
    unit_ns  nanoseconds of the venue's unit
    Returns  DECODED or OVERFLOW
    """
    time = words[word]
    if (time >= SAFE_TIME or unit_ns > SAFE_UNIT_NS) and unit_ns > 0 and time > INT64_MAX // unit_ns:
        return i64(OVERFLOW)
    words[word] = time * unit_ns
    return i64(layout.DECODED)


@kernel(i64(i64, words_out, Instruments), **INLINE)
def finish(shape, words, instruments):
    """Fill what follows from the fields: times in ns, ids of trades and tickers, rows that are no trades.

    shape        the payload's shape
    words        int64[FRAME_WORDS], the frame with all needed fields
    instruments  instrument_dtype[symbols]
    Returns      DECODED or OVERFLOW
    """
    unit_ns = instruments[words[F_SYMBOL]].time_unit_ns
    if shape in (TRADE, AGGREGATE):
        words[F_FIRST] = words[F_LAST] = words[F_ID]
        if shape == TRADE:
            words[F_FIRST_ID] = words[F_LAST_ID] = words[F_ID]
        if words[F_FLAGS] and words[F_QTY] == 0:
            words[F_KIND] = 0  # USD-M prints such rows where nothing was traded
        words[F_FLAGS] = layout.FLAG_AGGREGATED if shape == AGGREGATE else 0
    elif shape == TICKER:
        words[F_ROWS + BID] = words[F_ROWS + ASK] = 1
    if shape == TICKER or words[F_KIND] == layout.KIND_DEPTH:
        words[F_FIRST] = words[F_LAST]
    code = scale_time(words, F_EVENT, unit_ns)
    return code if code < 0 else scale_time(words, F_TXN, unit_ns)


@kernel(Pair(bytes_in, i64, i64, i64, i64, Instruments, Frame, Rows))
def read_payload(buf, at, end, shape, kind, instruments, frame, rows):
    """Read a payload of a known shape; the frame is written anew.

    buf, at, end  as in text.py; at is the offset of the payload's opening brace
    shape         the payload's shape
    kind          KIND_* that the frame gets
    instruments   instrument_dtype[symbols]
    frame         frame_dtype[1]; its symbol_id is set and stays
    rows          level_dtype[2, cap]
    Returns       (offset behind the payload, 0), or (code, where)
    """
    words = frame.view(np.int64)
    symbol_id = words[F_SYMBOL]
    words[:] = 0
    words[F_SYMBOL], words[F_KIND], words[F_SIDE], words[F_PREV] = symbol_id, kind, NO_SIDE, -1
    after, fact = read_fields(buf, at, end, shape, words, instruments, rows)
    if after < 0:
        return after, fact
    if fact & NEEDED[shape] != NEEDED[shape]:
        return i64(MALFORMED), at
    code = finish(shape, words, instruments)
    return (after, i64(0)) if code == layout.DECODED else (code, at)
