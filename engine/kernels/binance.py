"""The scanner of the Binance family: one message of spot, USD-M or COIN-M into the frame and rows.

Messages of a combined connection wear an envelope, `{"stream":"<name>","data":<payload>}` in that order
(Binance spot docs, web-socket-streams: "General WSS information"), whose stream name leads to symbol and
kind; it alone tells a USD-M partial-depth image from a diff. Bare payloads are led by their symbol.

The quick way believes the usual order and checks it as it goes; a depth diff has one of its own, which is inlined
where a message comes in, while the rest is called. Whatever it cannot finish is surveyed: a walk
over the outer object finds envelope, event and symbol wherever they are, and whether the text is JSON at all.
"""

from .. import layout
from ..jit import INLINE, Frame, Instruments, Pair, Routes, Rows, bytes_in, i64, kernel, u64
from .ahead import expect_symbol
from .binance_fields import IMAGE
from .binance_payload import read_payload
from .binance_shape import HAS_ID, guess_shape, kind_of, shape_of, survey
from .binance_usual import read_usual
from .llvm import LONG_BYTES, bytes_like, count_trailing_zeros, load_u64
from .names import find_route
from .text import CLOSE_OBJECT, OPEN_OBJECT, QUOTE, find_quote, skip_space, skip_string, skip_value

DECODED, NOT_MARKET_DATA, NEEDS_SLOW_PATH = layout.DECODED, layout.NOT_MARKET_DATA, layout.NEEDS_SLOW_PATH
MALFORMED, UNKNOWN_SYMBOL = layout.MALFORMED, layout.UNKNOWN_SYMBOL

OPEN_STREAM = u64(int.from_bytes(b'{"stream', "little"))
AFTER_STREAM, AFTER_STREAM_MASK = u64(int.from_bytes(b'":"', "little")), u64((1 << 24) - 1)
BEFORE_DATA = u64(int.from_bytes(b',"data":', "little"))
VENUE_WIDE = ord("!")  # names of streams that belong to no symbol


@kernel(Pair(bytes_in, i64, i64, i64, Instruments, Frame, Rows))
def read_any_payload(buf, at, end, route_kind, instruments, frame, rows):
    """Read the payload of an envelope, whatever its shape.

    buf, at, end  as in text.py; at is the offset of the payload's opening brace
    route_kind    KIND_* of the stream
    instruments   instrument_dtype[symbols]
    frame         frame_dtype[1]; its symbol_id is set
    rows          level_dtype[2, cap]
    Returns       (offset behind the payload, 0), or (code, where)
    """
    shape, is_certain = guess_shape(buf, at, end)
    if shape >= 0:
        kind = kind_of(shape, route_kind)
        if kind > 0:
            after, fact = read_payload(buf, at, end, shape, kind, instruments, frame, rows)
            if after >= 0 or is_certain:
                return after, fact
    after, mask, event_at, _, _, _ = survey(buf, at, end)
    if after < 0:
        return after, mask
    shape = shape_of(buf, event_at, end, mask, route_kind)
    kind = kind_of(shape, route_kind) if shape >= 0 else shape
    if kind < 0:
        return kind, at
    return read_payload(buf, at, end, shape, kind, instruments, frame, rows)


@kernel(Pair(bytes_in, i64, i64, Routes, Instruments, Frame), **INLINE)
def route_text(buf, at, end, routes, instruments, frame):
    """Look the name in a string up and set the frame's symbol.

    buf, at, end  as in text.py; at is the offset of the value
    routes        route_dtype[2^k]
    instruments   instrument_dtype[symbols]
    frame         frame_dtype[1]; its symbol_id becomes that of the name, or -1
    Returns       (offset behind it, KIND_* of the stream or 0 for a symbol), or (code, where)
    """
    before, frame[0].symbol_id = frame[0].symbol_id, -1
    if at >= end or buf[at] != QUOTE:
        return i64(MALFORMED), at
    close = at + 1 + count_trailing_zeros(bytes_like(buf, at + 1, i64(QUOTE)))
    if close > at + LONG_BYTES or close >= end:
        close, _ = find_quote(buf, at + 1, end)
    slot = find_route(buf, at + 1, close - at - 1, routes)
    if slot >= 0 and 0 <= routes[slot].symbol_id < instruments.size:
        frame[0].symbol_id = routes[slot].symbol_id
        if frame[0].symbol_id != before:
            expect_symbol(instruments, frame[0].symbol_id)
        return close + 1, routes[slot].kind
    close, _ = find_quote(buf, at + 1, end)  # what looked like the end may have been an escaped quote
    if close < 0:
        after, where = skip_string(buf, at, end)
        return (after, where) if after < 0 else (i64(NEEDS_SLOW_PATH), at)
    return i64(NOT_MARKET_DATA) if buf[at + 1] == VENUE_WIDE else i64(UNKNOWN_SYMBOL), at


@kernel(Pair(bytes_in, i64, i64, Routes, Instruments, Frame, Rows), **INLINE)
def scan_usual(buf, begin, end, routes, instruments, frame, rows):
    """Read an envelope in the usual order, without white space around its parts.

    buf, begin, end  as in scan
    routes           route_dtype[2^k]
    instruments      instrument_dtype[symbols]
    frame            frame_dtype[1]
    rows             level_dtype[2, cap]
    Returns          (DECODED, end); else (code, where), of which MALFORMED, UNKNOWN_SYMBOL and
                     NOT_MARKET_DATA only mean that it is not usual
    """
    is_usual = load_u64(buf, begin) == OPEN_STREAM
    if not is_usual or load_u64(buf, begin + 8) & AFTER_STREAM_MASK != AFTER_STREAM:
        return i64(MALFORMED), begin
    at, kind = route_text(buf, begin + 10, end, routes, instruments, frame)
    if at < 0:
        return at, kind
    if load_u64(buf, at) != BEFORE_DATA or buf[at + 8] != OPEN_OBJECT:
        return i64(MALFORMED), at
    after, fact = read_usual(buf, at + 8, end, kind, instruments, frame, rows), i64(0)
    if after < 0:
        after, fact = read_any_payload(buf, at + 8, end, kind, instruments, frame, rows)
        if after < 0:
            return after, fact
    at = after
    if at >= end or buf[at] != CLOSE_OBJECT or skip_space(buf, at + 1, end) != end:
        return i64(MALFORMED), at
    return i64(DECODED), end


@kernel(Pair(bytes_in, i64, i64, Routes, Instruments, Frame, Rows))
def scan_surveyed(buf, begin, end, routes, instruments, frame, rows):
    """Read any message: an envelope or a bare payload, in any order, or say what else it is.

    buf, begin, end  as in scan
    routes           route_dtype[2^k]
    instruments      instrument_dtype[symbols]
    frame            frame_dtype[1]
    rows             level_dtype[2, cap]
    Returns          (DECODED, end), or (code, where)
    """
    frame[0].symbol_id = -1
    at = skip_space(buf, begin, end)
    if at >= end or buf[at] != OPEN_OBJECT:
        after, _ = skip_value(buf, at, end)
        is_json = after >= 0 and skip_space(buf, after, end) == end
        return i64(NOT_MARKET_DATA) if is_json else i64(MALFORMED), at
    after, mask, event_at, symbol_at, stream_at, data_at = survey(buf, at, end)
    if after < 0:
        return after, mask
    after = skip_space(buf, after, end)
    if after != end:
        return i64(MALFORMED), after
    if stream_at >= 0 and data_at >= 0 and buf[data_at] == OPEN_OBJECT:
        if buf[stream_at] != QUOTE:
            return i64(NOT_MARKET_DATA), stream_at
        after, kind = route_text(buf, stream_at, end, routes, instruments, frame)
        if after >= 0:
            after, kind = read_any_payload(buf, data_at, end, kind, instruments, frame, rows)
        return (i64(DECODED), end) if after >= 0 else (after, kind)
    shape = shape_of(buf, event_at, end, mask, i64(0))
    if shape < 0 or shape == IMAGE:  # an image without its stream belongs to nobody
        return shape if shape < 0 else i64(NOT_MARKET_DATA), at
    if symbol_at < 0:
        return i64(MALFORMED), at
    after, kind = route_text(buf, symbol_at, end, routes, instruments, frame)
    if after >= 0:
        kind = kind_of(shape, i64(0))
        after, kind = read_payload(buf, at, end, shape, kind, instruments, frame, rows)
    return (i64(DECODED), end) if after >= 0 else (after, kind)


@kernel(i64(bytes_in, i64, i64, Routes, Instruments, Frame, Rows), **INLINE)
def scan(buf, begin, end, routes, instruments, frame, rows):
    """Decode one message of a websocket connection.

    buf, begin, end  uint8[:]; the whole text is buf[begin:end], and len(buf) >= end + 64
    routes           route_dtype[2^k], streams with their KIND_* and bare symbols with 0
    instruments      instrument_dtype[symbols]
    frame            frame_dtype[1]: written anew when DECODED; kind 0 then means valid, but nothing to do
                     (USD-M trade rows of type NA). On OFF_GRID, OVERFLOW and TOO_MANY_LEVELS symbol_id and
                     kind are set; on other codes symbol_id is the routed symbol or -1. error_at tells where
                     reading stopped, -1 when DECODED.
    rows             level_dtype[2, cap], levels in message order
    Returns          layout.DECODED or a negative code of layout
    """
    code, where = scan_usual(buf, begin, end, routes, instruments, frame, rows)
    if code in (MALFORMED, UNKNOWN_SYMBOL, NOT_MARKET_DATA):
        code, where = scan_surveyed(buf, begin, end, routes, instruments, frame, rows)
    frame[0].error_at = where if code < 0 else i64(-1)
    return code


@kernel(i64(bytes_in, i64, i64, i64, Instruments, Frame, Rows))
def scan_snapshot(buf, begin, end, symbol_id, instruments, frame, rows):
    """Decode the body of a REST depth reply (Binance spot docs, rest-api: "Order book").

    buf, begin, end  uint8[:]; the whole text is buf[begin:end], and len(buf) >= end + 64
    symbol_id        whose book it is
    instruments      instrument_dtype[symbols]
    frame            frame_dtype[1]: kind KIND_BOOK, last_id = lastUpdateId; on failure as in scan
    rows             level_dtype[2, cap], levels in message order
    Returns          layout.DECODED; NOT_MARKET_DATA for another JSON object, such as an error of the venue;
                     or a negative code of layout
    """
    if symbol_id < 0 or symbol_id >= instruments.size:
        frame[0].symbol_id, frame[0].error_at = -1, begin
        return i64(UNKNOWN_SYMBOL)
    frame[0].symbol_id = symbol_id
    start = skip_space(buf, begin, end)
    kind = i64(layout.KIND_BOOK)
    code, where = read_payload(buf, start, end, i64(IMAGE), kind, instruments, frame, rows)
    if code >= 0:
        where = skip_space(buf, code, end)
        code = i64(DECODED) if where == end else i64(MALFORMED)
    if code == MALFORMED and start < end and buf[start] == OPEN_OBJECT:
        after, mask, _, _, _, _ = survey(buf, start, end)
        if after < 0:
            code, where = after, mask
        elif skip_space(buf, after, end) == end and mask & HAS_ID == 0:
            code = i64(NOT_MARKET_DATA)
    frame[0].error_at = where if code < 0 else i64(-1)
    return code
