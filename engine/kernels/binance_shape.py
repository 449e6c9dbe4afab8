"""What a Binance message is, before its values matter: envelope or payload, and which of the five shapes."""

import numba

from .. import layout
from ..jit import INLINE, Pair, bytes_in, i64, kernel, u64
from .binance_fields import (
    DIFF,
    FILLS,
    IMAGE,
    KEY_DATA,
    KEY_E,
    KEY_ID,
    KEY_S,
    KEY_STREAM,
    NEEDED,
    NO_SHAPE,
    TICKER,
    WORD_LAST_UPDATE,
    event_shape,
    read_key,
    usual_event,
)
from .llvm import load_u64
from .text import (
    CLOSE_OBJECT,
    MALFORMED,
    NEEDS_SLOW_PATH,
    OPEN_OBJECT,
    QUOTE,
    skip_comma,
    skip_space,
    skip_string,
    skip_value,
)

Survey = numba.types.UniTuple(i64, 6)
OPEN_EVENT, OPEN_EVENT_MASK = u64(int.from_bytes(b'{"e":"', "little")), u64((1 << 48) - 1)
OPEN_TICKER, OPEN_TICKER_MASK = u64(int.from_bytes(b'{"u":', "little")), u64((1 << 40) - 1)
HAS_ID = 1 << 62  # in a survey's mask: the key lastUpdateId


@kernel(Survey(bytes_in, i64, i64))
def survey(buf, at, end):
    """Walk over an object and note where the keys are that tell what it is.

    buf, at, end  as in text.py; at is the offset of the opening brace
    Returns       (offset behind it, mask of ticker fields and HAS_ID, offsets of the values of "e", "s",
                  "stream" and "data", -1 where absent); (NEEDS_SLOW_PATH, where, …) when one of those comes
                  twice or a key holds an escape; or (code, where, …)
    """
    mask, event_at, symbol_at, stream_at, data_at = i64(0), i64(-1), i64(-1), i64(-1), i64(-1)
    at = skip_space(buf, at + 1, end)
    is_over = i64(at < end and buf[at] == CLOSE_OBJECT)
    at += is_over
    while not is_over:
        where, code = read_key(buf, at, end)
        if where < 0:
            return where, code, event_at, symbol_at, stream_at, data_at
        is_twice = False
        if code == KEY_E:
            is_twice, event_at = event_at >= 0, where
        elif code == KEY_S:
            is_twice, symbol_at = symbol_at >= 0, where
        elif code == KEY_STREAM:
            is_twice, stream_at = stream_at >= 0, where
        elif code == KEY_DATA:
            is_twice, data_at = data_at >= 0, where
        elif code == KEY_ID:
            mask |= HAS_ID
        elif FILLS[TICKER, code] >= 0:
            mask |= i64(1) << FILLS[TICKER, code]
        after, fact = skip_value(buf, where, end)
        if is_twice or after < 0:
            code = i64(NEEDS_SLOW_PATH) if is_twice else after
            return code, where if is_twice else fact, event_at, symbol_at, stream_at, data_at
        at, is_over = skip_comma(buf, after, end, i64(CLOSE_OBJECT))
        if at < 0:
            break
    return at, mask if at >= 0 else is_over, event_at, symbol_at, stream_at, data_at


@kernel(i64(bytes_in, i64, i64, i64, i64))
def shape_of(buf, event_at, end, mask, route_kind):
    """Tell the shape of a surveyed payload: by its event, else by its keys, and by its stream if both fit.

    buf, end    as in text.py
    event_at    offset of the value of "e", or -1
    mask        from the survey
    route_kind  KIND_* of the stream; 0 for a bare payload
    Returns     a shape, NOT_MARKET_DATA (which is NO_SHAPE) or NEEDS_SLOW_PATH
    """
    if event_at >= 0:
        if buf[event_at] != QUOTE:
            return i64(NO_SHAPE)
        after, escapes = skip_string(buf, event_at, end)
        return i64(NEEDS_SLOW_PATH) if escapes else event_shape(buf, event_at + 1, after - event_at - 2)
    has_id = mask & HAS_ID != 0
    if mask & NEEDED[TICKER] == NEEDED[TICKER] and (not has_id or route_kind in (0, layout.KIND_TICKER)):
        return i64(TICKER)
    return i64(IMAGE) if has_id else i64(NO_SHAPE)


@kernel(i64(i64, i64), **INLINE)
def kind_of(shape, route_kind):
    """Tell the kind of a frame.

    shape       the payload's shape
    route_kind  KIND_* of the stream; 0 for a bare payload
    Returns     KIND_*, or MALFORMED when a stream carries what it cannot
    """
    if shape == IMAGE or (shape == DIFF and route_kind == layout.KIND_DEPTH):
        kind = i64(layout.KIND_DEPTH)
    elif shape == DIFF:
        kind = i64(layout.KIND_BOOK)
    else:
        kind = i64(layout.KIND_TICKER) if shape == TICKER else i64(layout.KIND_TRADE)
    return kind if route_kind == 0 or route_kind == kind else i64(MALFORMED)


@kernel(Pair(bytes_in, i64, i64), **INLINE)
def guess_shape(buf, at, end):
    """Guess a payload's shape from its first key.

    buf, at, end  as in text.py; at is the offset of the payload's opening brace
    Returns       (shape or NO_SHAPE, 1 when it is certain as it comes from the event)
    """
    word = load_u64(buf, at)
    if word & OPEN_EVENT_MASK == OPEN_EVENT:
        shape, after = usual_event(buf, at + 6)
        return shape, i64(after <= end)
    if word & OPEN_TICKER_MASK == OPEN_TICKER:
        return i64(TICKER), i64(0)
    if buf[at] == OPEN_OBJECT and buf[at + 1] == QUOTE and load_u64(buf, at + 2) == WORD_LAST_UPDATE:
        return i64(IMAGE), i64(0)
    return i64(NO_SHAPE), i64(0)
