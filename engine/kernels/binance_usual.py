"""The payload that is most of the traffic, a depth diff printed as Binance prints it: no key is looked up.

    {"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[…],"a":[…]}                   spot
    {"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[…],"a":[…]}      USD-M, COIN-M

What stands between the values is compared a word at a time, and where numbers end is seen at one look. Anything
else, and every error, is left to binance_payload: it reads the payload anew and has the last word.
"""

import numpy as np

from .. import layout
from ..jit import INLINE, Frame, Instruments, Pair, Rows, bytes_in, i64, kernel, u64, words_out
from .binance_fields import (
    DIFF,
    F_EVENT,
    F_FIRST,
    F_FLAGS,
    F_KIND,
    F_LAST,
    F_PREV,
    F_PRICE,
    F_ROWS,
    F_SIDE,
    F_SYMBOL,
    F_TXN,
    FRAME_WORDS,
)
from .binance_payload import scale_time
from .binance_shape import kind_of
from .levels import NO_FORM, read_list
from .llvm import LONG_BYTES, TEXT_BYTES, bytes_unlike, count_trailing_zeros, load_u64, read_count, signs_in
from .text import CLOSE_OBJECT

SYMBOL_AT = layout.instrument_dtype.fields["symbol"][1]  # type: ignore[index]


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text[:8], "little"))


OPEN = b'{"e":"depthUpdate","E":'
OPEN_0, OPEN_1, OPEN_2, LAST_AT = _word(OPEN), _word(OPEN[8:]), _word(OPEN[-8:]), len(OPEN) - 8
BEFORE_TXN, BEFORE_SYMBOL, BEHIND_SYMBOL = b',"T":', b',"s":"', b'","U":'
BEFORE_LAST, BEFORE_PREV, BEFORE_BIDS, BEFORE_ASKS = b',"u":', b',"pu":', b',"b":', b',"a":'
FIVE, SIX = np.uint64((1 << 40) - 1), np.uint64((1 << 48) - 1)
TXN_WORD, SYMBOL_WORD, FIRST_WORD = _word(BEFORE_TXN), _word(BEFORE_SYMBOL), _word(BEHIND_SYMBOL)
LAST_WORD, PREV_WORD = _word(BEFORE_LAST), _word(BEFORE_PREV)
BIDS_WORD, ASKS_WORD = _word(BEFORE_BIDS), _word(BEFORE_ASKS)
FIRST_DIGIT, DIGITS = ord("1"), 9  # of numbers other than 0


@kernel(Pair(bytes_in, i64, i64, u64, i64), **INLINE)
def usual_count(buf, at, end, signs, window):
    """Read a number of at most sixteen digits that is not 0.

    buf, at, end   as in text.py; at <= end + 8
    signs, window  which of the 64 bytes at offset `window` are no digits, by bits; at < window + 64
    Returns        (offset behind it, the number); (at - 1, anything) when there is none within `end`: what must
                   follow a number cannot stand there, for a colon does
    """
    digits = count_trailing_zeros(signs >> u64((at - window) & 63))
    is_count = u64(buf[at]) - u64(FIRST_DIGIT) < u64(DIGITS) and digits <= TEXT_BYTES and at + digits <= end
    return at + digits if is_count else at - 1, read_count(buf, at, digits)


@kernel(i64(bytes_in, i64, i64, words_out, Instruments), **INLINE)
def usual_times(buf, at, end, words, instruments):
    """Read what stands before the ids.

    buf, at, end  as in text.py; at is the offset of the payload's opening brace, at <= end
    words         int64[FRAME_WORDS], the frame; its symbol_id is set, times are filled
    instruments   instrument_dtype[symbols]
    Returns       offset of the first id, or -1 when it is not usual
    """
    length = instruments[words[F_SYMBOL]].symbol_length
    if (
        load_u64(buf, at) != OPEN_0
        or load_u64(buf, at + 8) != OPEN_1
        or load_u64(buf, at + LAST_AT) != OPEN_2
    ):
        return i64(-1)
    at += len(OPEN)
    if at > end or not 0 < length <= LONG_BYTES:
        return i64(-1)
    (signs, _), window = signs_in(buf, at), at
    at, words[F_EVENT] = usual_count(buf, at, end, signs, window)
    words[F_TXN] = 0
    if load_u64(buf, at) & FIVE == TXN_WORD:
        at, words[F_TXN] = usual_count(buf, at + len(BEFORE_TXN), end, signs, window)
    if load_u64(buf, at) & SIX != SYMBOL_WORD:
        return i64(-1)
    at += len(BEFORE_SYMBOL)
    if bytes_unlike(buf, at, instruments, words[F_SYMBOL], i64(SYMBOL_AT)) << u64(64 - length):
        return i64(-1)
    at += length
    return at + len(BEHIND_SYMBOL) if load_u64(buf, at) & SIX == FIRST_WORD else i64(-1)


@kernel(i64(bytes_in, i64, i64, words_out), **INLINE)
def usual_ids(buf, at, end, words):
    """Read the ids.

    buf, at, end  as in text.py; at is the offset of the first id
    words         int64[FRAME_WORDS], the frame; ids are filled
    Returns       offset of the bids, or -1 when it is not usual
    """
    if at > end:
        return i64(-1)
    (signs, _), window = signs_in(buf, at), at
    at, words[F_FIRST] = usual_count(buf, at, end, signs, window)
    if load_u64(buf, at) & FIVE != LAST_WORD:
        return i64(-1)
    at, words[F_LAST] = usual_count(buf, at + len(BEFORE_LAST), end, signs, window)
    words[F_PREV] = -1
    if load_u64(buf, at) & SIX == PREV_WORD:
        at, words[F_PREV] = usual_count(buf, at + len(BEFORE_PREV), end, signs, window)
    return at + len(BEFORE_BIDS) if load_u64(buf, at) & FIVE == BIDS_WORD else i64(-1)


@kernel(i64(bytes_in, i64, i64, i64, Instruments, Frame, Rows), **INLINE)
def read_usual(buf, at, end, route_kind, instruments, frame, rows):
    """Read a depth diff that is printed as usual; the frame is written anew.

    buf, at, end  as in text.py; at is the offset of the payload's opening brace, at <= end
    route_kind    KIND_* of the stream
    instruments   instrument_dtype[symbols]
    frame         frame_dtype[1]; its symbol_id is set and stays
    rows          level_dtype[2, cap]
    Returns       offset behind the payload, or -1 when it is not usual: frame and rows then mean nothing
    """
    words = frame.view(np.int64)
    symbol_id, kind = words[F_SYMBOL], kind_of(i64(DIFF), route_kind)
    at = usual_times(buf, at, end, words, instruments) if kind > 0 else i64(-1)
    at = usual_ids(buf, at, end, words) if at > 0 else at
    if at < 0:
        return at
    price_digits, qty_digits = instruments[symbol_id].price_digits, instruments[symbol_id].qty_digits
    form = NO_FORM
    for side in range(layout.SIDES):
        at, count, form = read_list(buf, at, end, price_digits, qty_digits, rows, side, form)
        words[F_ROWS + side] = count
        if at < 0:
            return i64(-1)
        if side == layout.BID:
            if load_u64(buf, at) & FIVE != ASKS_WORD:
                return i64(-1)
            at += len(BEFORE_ASKS)
    if at >= end or buf[at] != CLOSE_OBJECT:
        return i64(-1)
    words[F_KIND], words[F_SIDE], words[F_FLAGS] = kind, layout.NO_SIDE, 0
    for word in range(F_PRICE, FRAME_WORDS):
        words[word] = 0
    if kind == layout.KIND_DEPTH:
        words[F_FIRST] = words[F_LAST]
    unit_ns = instruments[symbol_id].time_unit_ns
    if scale_time(words, F_EVENT, unit_ns) < 0 or scale_time(words, F_TXN, unit_ns) < 0:
        return i64(-1)
    return at + 1
