"""Numbers out of JSON text into int64, eight digits at a time: integers, and decimals at a given scale.

A word holds eight characters, the first in its lowest byte. `word ^ ZEROS` turns digits into 0..9, a shift to
the left drops what follows the number and puts zeros in front of it, and three multiplications add up the
rest ("SIMD within a register"). Nothing is rounded; the answers are those of text.py: (next, value), or
(code, where).
"""

import numpy as np

from .. import layout
from ..jit import INLINE, Pair, Triple, bytes_in, i64, kernel, u64
from .llvm import count_trailing_zeros, load_u64
from .text import DOT, LOWER_E, MINUS, NINE, PLUS, QUOTE, UPPER_E, ZERO, skip_digits, skip_string

MALFORMED, NEEDS_SLOW_PATH = layout.MALFORMED, layout.NEEDS_SLOW_PATH
OFF_GRID, OVERFLOW = layout.OFF_GRID, layout.OVERFLOW


INT64_MAX = (1 << 63) - 1
NO_LIMIT = 1 << 62  # digits before the point are never beyond the scale
QUICK_DIGITS = 8  # one word

ZEROS = np.uint64(0x3030303030303030)
SIXES = np.uint64(0x0606060606060606)
HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
DIGIT_BITS = np.uint64(0x1010101010101010)  # set in '0'..'9', clear in '.' and '"'
ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
PAIRS = np.uint64(0x000000FF000000FF)
PAIR_WEIGHTS = np.uint64(0x000F424000000064)  # 1_000_000 and 100
NEXT_WEIGHTS = np.uint64(0x0000271000000001)  # 10_000 and 1
POW10 = np.array([10**power for power in range(20)], np.uint64)


@kernel(u64(u64), **INLINE)
def add_digits(word):
    """Add up eight digits.

    word     eight bytes 0..9, the first digit in the lowest
    Returns  0..99_999_999
    """
    pairs = word * u64(10) + (word >> u64(8))
    upper = (pairs & PAIRS) * PAIR_WEIGHTS
    lower = ((pairs >> u64(16)) & PAIRS) * NEXT_WEIGHTS
    return (upper + lower) >> u64(32)


@kernel(u64(u64), **INLINE)
def not_digits(word):
    """Mark the bytes of a word that are no digits.

    word     eight characters xor ZEROS
    Returns  0 when all are digits; else the lowest byte that is not 0 is the first that is no digit
    """
    return ((word + SIXES) | word) & HIGH_NIBBLES


@kernel(Pair(bytes_in, i64, i64), **INLINE)
def read_integer(buf, at, end):
    """Read a JSON integer.

    buf, at, end  as in text.py
    Returns       (offset behind it, 0..2^63-1); (OVERFLOW, where) beyond that or negative; or (MALFORMED,
                  where). A fraction or exponent is left to the caller, who expects a comma or bracket there.
    """
    start, value = at, u64(0)
    if at < end and buf[at] == MINUS:
        at, count = skip_digits(buf, at + 1, end)
        return i64(OVERFLOW) if count > 0 else i64(MALFORMED), start
    while at < end:
        word = load_u64(buf, at) ^ ZEROS
        stops = not_digits(word)
        if stops:
            count = count_trailing_zeros(stops) >> 3
            if count > 0:
                value = value * POW10[count] + add_digits(word << u64(64 - 8 * count))
            at += count
            break
        value = value * u64(100_000_000) + add_digits(word)
        at += 8
    length = at - start
    if at > end or length == 0 or (buf[start] == ZERO and length > 1):
        return i64(MALFORMED), start
    if length > 19 or value > u64(INT64_MAX):
        return i64(OVERFLOW), start
    return at, i64(value)


@kernel(Pair(bytes_in, i64, i64), **INLINE)
def quick_decimal(buf, at, digits):
    """Read a decimal string of at most eight digits before and after the point.

    buf, at  offset behind the opening quote
    digits   decimals of the mantissa, 0..8
    Returns  (offset behind the closing quote, mantissa); the caller checks it against the end. (0, 0) when
             the text is anything else, or has digits beyond the scale: read_decimal then says what.
    """
    whole, places, part, fraction = load_u64(buf, at), i64(0), u64(0), u64(0)
    count = count_trailing_zeros(~whole & DIGIT_BITS) >> 3
    after = at + count
    if buf[after] == DOT:
        fraction = load_u64(buf, after + 1) ^ ZEROS
        places = count_trailing_zeros(not_digits(fraction)) >> 3
        after += 1 + places
        if places == 0:
            return i64(0), i64(0)
    if count == 0 or buf[after] != QUOTE:
        return i64(0), i64(0)
    head = (whole ^ ZEROS) << u64(64 - 8 * count)
    if places > 0:
        part = fraction << u64(64 - 8 * places)  # digits at the top, zeros in front
        part >>= u64(64 - 8 * places)
    keep = (ALL_BITS >> u64(64 - 8 * digits)) if digits > 0 else u64(0)
    if not_digits(head) or part & ~keep:
        return i64(0), i64(0)
    kept = (part & keep) << u64((64 - 8 * digits) & 63)
    return after + 1, i64(add_digits(head) * POW10[digits] + add_digits(kept))


@kernel(Triple(bytes_in, i64, i64, i64, i64))
def push_digits(buf, at, end, value, room):
    """Append decimal digits to a number, one by one.

    buf, at, end  as in text.py
    value         the number so far
    room          digits that are kept; the further ones must be zero
    Returns       (offset behind the digits, the number, 0 or OVERFLOW or OFF_GRID)
    """
    code = i64(0)
    while at < end and ZERO <= buf[at] <= NINE:
        digit = i64(buf[at]) - ZERO
        if room > 0:
            if value > (INT64_MAX - digit) // 10:
                code = i64(OVERFLOW)
            else:
                value = value * 10 + digit
        elif digit != 0 and code == 0:
            code = i64(OFF_GRID)
        room, at = room - 1, at + 1
    return at, value, code


@kernel(Triple(bytes_in, i64, i64, i64))
def read_mantissa(buf, at, end, digits):
    """Read digits and an optional fraction at a scale.

    buf, at, end  as in text.py
    digits        decimals of the mantissa, 0..18
    Returns       (offset behind it, mantissa, 0 or OVERFLOW or OFF_GRID), or (MALFORMED, where, 0)
    """
    start = at
    at, value, code = push_digits(buf, at, end, i64(0), i64(NO_LIMIT))
    if at == start:
        return i64(MALFORMED), at, i64(0)
    missing = digits
    if at < end and buf[at] == DOT:
        start = at + 1
        at, value, beyond = push_digits(buf, start, end, value, digits)
        if at == start:
            return i64(MALFORMED), at, i64(0)
        missing -= at - start
        code = code if code != 0 else beyond
    while missing > 0:
        if value > INT64_MAX // 10:
            code = i64(OVERFLOW)
        else:
            value *= 10
        missing -= 1
    return at, value, code


@kernel(i64(bytes_in, i64, i64))
def skip_exponent(buf, at, end):
    """Step over an exponent, if there is one.

    buf, at, end  as in text.py
    Returns       offset behind it (`at` when there is none), or MALFORMED
    """
    if at >= end or (buf[at] != LOWER_E and buf[at] != UPPER_E):
        return at
    at += 1
    if at < end and (buf[at] == PLUS or buf[at] == MINUS):
        at += 1
    at, count = skip_digits(buf, at, end)
    return at if count > 0 else i64(MALFORMED)


@kernel(i64(bytes_in, i64, i64))
def unread_decimal(buf, at, end):
    """Say why a token is no decimal.

    buf, at, end  as in text.py
    Returns       NEEDS_SLOW_PATH for a string with an escape, which may still mean a number; else MALFORMED
    """
    if at < end and buf[at] == QUOTE:
        after, escapes = skip_string(buf, at, end)
        if after >= 0 and escapes:
            return i64(NEEDS_SLOW_PATH)
    return i64(MALFORMED)


@kernel(Pair(bytes_in, i64, i64, i64))
def read_decimal(buf, at, end, digits):
    """Read a decimal, a string or a bare JSON number, as a mantissa: the careful way, any length, any error.

    A string may lead with zeros, as no other reading is possible; a bare number may not, as JSON forbids it.

    buf, at, end  as in text.py
    digits        decimals of the mantissa, 0..18
    Returns       (offset behind it, mantissa); (OFF_GRID, where) for non-zero digits beyond the scale;
                  (OVERFLOW, where) beyond int64 or below zero; (NEEDS_SLOW_PATH, where) for an exponent or
                  an escape; (MALFORMED, where) for anything else
    """
    start = at
    is_text = at < end and buf[at] == QUOTE
    at += 1 if is_text else 0
    is_negative = at < end and buf[at] == MINUS
    at += 1 if is_negative else 0
    first = at
    after, value, code = read_mantissa(buf, at, end, digits)
    at = after if after >= 0 else value
    power = skip_exponent(buf, at, end) if after >= 0 else at
    if power >= 0 and power != at:
        at, code = power, i64(NEEDS_SLOW_PATH)
    is_open = is_text and (at >= end or buf[at] != QUOTE)
    leads_with_zero = not is_text and buf[first] == ZERO and ZERO <= buf[first + 1] <= NINE
    if after < 0 or power < 0 or leads_with_zero or is_open:
        return unread_decimal(buf, start, end), start
    if code == 0 and is_negative:
        code = i64(OVERFLOW)
    return (at + is_text, value) if code == 0 else (code, start)
