"""JSON scanning primitives: white space, strings, keys, and skipping any value without recursion.

All of them read `buf`, whose caller guarantees 64 bytes behind `end`. Those bytes may hold anything, the next
frame for example: they are loaded, never believed, and every token is checked to stop within `end`.

Every primitive answers (next, fact): the offset behind the token, or (negative code, offset of the trouble).
The grammar is RFC 8259; UTF-8 is not checked.
"""

import numpy as np

from .. import layout
from ..jit import INLINE, Pair, bytes_in, i64, kernel, u64
from .llvm import count_trailing_zeros, load_u64

MALFORMED, NEEDS_SLOW_PATH = layout.MALFORMED, layout.NEEDS_SLOW_PATH
MAX_DEPTH = 64  # open brackets while skipping: one bit each

QUOTE, BACKSLASH, COLON, COMMA = ord('"'), ord("\\"), ord(":"), ord(",")
OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST = ord("{"), ord("}"), ord("["), ord("]")
MINUS, PLUS, DOT, ZERO, NINE = ord("-"), ord("+"), ord("."), ord("0"), ord("9")
LOWER_E, UPPER_E, LOWER_U = ord("e"), ord("E"), ord("u")
TAB, NEWLINE, RETURN, SPACE = 9, 10, 13, 32

ONES = np.uint64(0x0101010101010101)
HIGHS = np.uint64(0x8080808080808080)
QUOTES = np.uint64(0x2222222222222222)
BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
SPACES = np.uint64(0x2020202020202020)

TRUE_WORD = np.uint64(int.from_bytes(b"true", "little"))
NULL_WORD = np.uint64(int.from_bytes(b"null", "little"))
ALSE_WORD = np.uint64(int.from_bytes(b"alse", "little"))
LOW_HALF = np.uint64(0xFFFFFFFF)


@kernel(i64(bytes_in, i64, i64), **INLINE)
def skip_space(buf, at, end):
    """Step over white space.

    buf, at, end  as the whole room
    Returns       first offset >= at that holds none, at most `end`.
    """
    while at < end:
        byte = buf[at]
        if byte != SPACE and byte != NEWLINE and byte != TAB and byte != RETURN:
            break
        at += 1
    return at


@kernel(i64(bytes_in, i64))
def skip_escape(buf, at):
    """Step over one escape.

    buf, at  offset of the backslash
    Returns  offset behind the escape, or MALFORMED.
    """
    byte = buf[at + 1]
    if byte == LOWER_U:
        for i in range(2, 6):
            digit = i64(buf[at + i])
            letter = digit | 0x20
            if not (ZERO <= digit <= NINE or 97 <= letter <= 102):
                return i64(MALFORMED)
        return at + 6
    for known in b'"\\/bfnrt':
        if byte == known:
            return at + 2
    return i64(MALFORMED)


@kernel(Pair(bytes_in, i64, i64), **INLINE)
def find_quote(buf, at, end):
    """Look for the end of a string that holds no escape.

    buf, at, end  as the whole room; at is the offset behind the opening quote or a later one
    Returns       (offset of the first quote, 0); or (-1, offset of the first backslash or control
                  character, or of the end)
    """
    while at < end:
        word = load_u64(buf, at)
        quote, slash = word ^ QUOTES, word ^ BACKSLASHES
        stops = ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((word - SPACES) & ~word)
        stops &= HIGHS
        if stops:
            at += count_trailing_zeros(stops) >> 3
            return (at, i64(0)) if at < end and buf[at] == QUOTE else (i64(-1), at)
        at += 8
    return i64(-1), at


@kernel(Pair(bytes_in, i64, i64))
def skip_string(buf, at, end):
    """Step over a string.

    buf, at, end  at is the offset of the opening quote, at < end
    Returns       (offset behind the closing quote, 1 if it holds an escape else 0), or (code, where).
    """
    escapes, at = i64(0), at + 1
    while True:
        found, at = find_quote(buf, at, end)
        if found >= 0:
            return found + 1, escapes
        after = skip_escape(buf, at) if at < end and buf[at] == BACKSLASH else i64(MALFORMED)
        if after < 0:
            return i64(MALFORMED), at
        escapes, at = i64(1), after


@kernel(Pair(bytes_in, i64, i64))
def skip_digits(buf, at, end):
    """Step over decimal digits.

    buf, at, end  as the whole room
    Returns       (offset behind them, how many).
    """
    start = at
    while at < end and ZERO <= buf[at] <= NINE:
        at += 1
    return at, at - start


@kernel(Pair(bytes_in, i64, i64))
def skip_number(buf, at, end):
    """Step over a JSON number.

    buf, at, end  as the whole room
    Returns       (offset behind it, 0), or (code, where).
    """
    if at < end and buf[at] == MINUS:
        at += 1
    leads_with_zero = at < end and buf[at] == ZERO
    at, count = skip_digits(buf, at, end)
    if count == 0 or (leads_with_zero and count > 1):
        return i64(MALFORMED), at
    if at < end and buf[at] == DOT:
        at, count = skip_digits(buf, at + 1, end)
        if count == 0:
            return i64(MALFORMED), at
    if at < end and (buf[at] == LOWER_E or buf[at] == UPPER_E):
        at += 1
        if at < end and (buf[at] == PLUS or buf[at] == MINUS):
            at += 1
        at, count = skip_digits(buf, at, end)
        if count == 0:
            return i64(MALFORMED), at
    return at, i64(0)


@kernel(Pair(bytes_in, i64, i64))
def skip_scalar(buf, at, end):
    """Step over a string, a number, true, false or null.

    buf, at, end  as the whole room
    Returns       (offset behind it, 1 if it is a string with an escape else 0), or (code, where).
    """
    if at >= end:
        return i64(MALFORMED), at
    if buf[at] == QUOTE:
        return skip_string(buf, at, end)
    word = load_u64(buf, at)
    if word & LOW_HALF == TRUE_WORD or word & LOW_HALF == NULL_WORD:
        after = at + 4
    elif buf[at] == ord("f") and (word >> u64(8)) & LOW_HALF == ALSE_WORD:
        after = at + 5
    else:
        return skip_number(buf, at, end)
    if after > end:
        return i64(MALFORMED), end
    return after, i64(0)


@kernel(Pair(bytes_in, i64, i64), **INLINE)
def skip_colon(buf, at, end):
    """Step over the colon behind a key and the white space around it.

    buf, at, end  as the whole room
    Returns       (offset of the value, 0), or (code, where).
    """
    at = skip_space(buf, at, end)
    if at >= end or buf[at] != COLON:
        return i64(MALFORMED), at
    return skip_space(buf, at + 1, end), i64(0)


@kernel(Pair(bytes_in, i64, i64, i64), **INLINE)
def skip_comma(buf, at, end, closer):
    """Step to the next member of an object or list.

    buf, at, end  as the whole room; at is the offset behind a value
    closer        the bracket that ends it
    Returns       (offset of the next member, 0), (offset behind the bracket, 1), or (code, where).
    """
    at = skip_space(buf, at, end)
    if at < end and buf[at] == closer:
        return at + 1, i64(1)
    if at >= end or buf[at] != COMMA:
        return i64(MALFORMED), at
    return skip_space(buf, at + 1, end), i64(0)


@kernel(Pair(bytes_in, i64, i64))
def skip_key(buf, at, end):
    """Step over a key, its colon and the white space around it.

    buf, at, end  as the whole room
    Returns       (offset of the value, 1 if the key holds an escape else 0), or (code, where).
    """
    if at >= end or buf[at] != QUOTE:
        return i64(MALFORMED), at
    at, escapes = skip_string(buf, at, end)
    if at < 0:
        return at, escapes
    at, fact = skip_colon(buf, at, end)
    return at, escapes if at >= 0 else fact


@kernel(Pair(bytes_in, i64, i64, u64, i64))
def skip_closers(buf, at, end, kinds, depth):
    """After a value: step over closing brackets, up to a comma or to the end of the outermost value.

    buf, at, end  as the whole room
    kinds         bit i: 1 when the i-th innermost open bracket is an object
    depth         open brackets
    Returns       (offset of the comma, open brackets left); with none left the offset behind the last
                  bracket; or (code, where).
    """
    while depth > 0:
        at = skip_space(buf, at, end)
        if at >= end:
            break
        if buf[at] == COMMA:
            return at, depth
        closer = CLOSE_OBJECT if kinds & u64(1) else CLOSE_LIST
        if buf[at] != closer:
            break
        at, depth, kinds = at + 1, depth - 1, kinds >> u64(1)
    return (at, depth) if depth == 0 else (i64(MALFORMED), at)


@kernel(Pair(bytes_in, i64, i64))
def skip_value(buf, at, end):
    """Step over any JSON value, checking its grammar.

    buf, at, end  as the whole room; white space before the value is allowed
    Returns       (offset behind it, 0); (NEEDS_SLOW_PATH, where) beyond MAX_DEPTH; or (MALFORMED, where).
    """
    kinds, depth = u64(0), i64(0)
    while True:
        at = skip_space(buf, at, end)
        if at < end and (buf[at] == OPEN_OBJECT or buf[at] == OPEN_LIST):
            if depth == MAX_DEPTH:
                return i64(NEEDS_SLOW_PATH), at
            is_object = buf[at] == OPEN_OBJECT
            kinds, depth = (kinds << u64(1)) | u64(is_object), depth + 1
            at = skip_space(buf, at + 1, end)
            is_empty = at < end and buf[at] == (CLOSE_OBJECT if is_object else CLOSE_LIST)
            if not is_empty:
                if is_object:
                    at, fact = skip_key(buf, at, end)
                    if at < 0:
                        return at, fact
                continue
        else:
            at, fact = skip_scalar(buf, at, end)
            if at < 0:
                return at, fact
        before = depth
        at, depth = skip_closers(buf, at, end, kinds, depth)
        if at < 0 or depth == 0:
            return at, depth
        kinds, at = kinds >> u64(before - depth), at + 1
        if kinds & u64(1):
            at, fact = skip_key(buf, skip_space(buf, at, end), end)
            if at < 0:
                return at, fact
