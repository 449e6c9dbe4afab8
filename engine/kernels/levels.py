"""Lists of price levels, `[["61601.50","0.12000"],…]`, into rows: where most bytes of a depth frame are.

A venue prints all levels of a message alike, so the quick way learns the *form* of one level and expects it
of the next: how many digits the price has before the point, how many decimals price and quantity have. Where
the quantity begins then follows from the form by addition, without waiting for the bytes in between, and the
core works on several levels at once. A level of another form is read carefully and the form learned anew.

A form is a base and a room for every byte of a level: '0' and 9 where a digit may stand, '0' and 0 where the digit
is beyond the scale, '.' and 0 for the point. One subtraction then checks digits and signs alike, and its
result is what the numbers are made of.
"""

import numba
import numpy as np

from .. import layout
from ..jit import Rows, bytes_in, i64, kernel
from .decimals import (
    ALL_BITS,
    DIGIT_BITS,
    POW10,
    QUICK_DIGITS,
    ZEROS,
    not_digits,
    read_decimal,
)
from .llvm import FORM_ROW, TEXT_BYTES, count_trailing_zeros, load_u64, read_pair
from .text import (
    CLOSE_LIST,
    COMMA,
    DOT,
    HIGHS,
    INLINE,
    MALFORMED,
    ONES,
    OPEN_LIST,
    QUOTE,
    Pair,
    skip_comma,
    skip_space,
    skip_value,
    u64,
)

TOO_MANY_LEVELS = layout.TOO_MANY_LEVELS
Triple = numba.types.UniTuple(i64, 3)
RAMP = u64(0x0807060504030201)
QUICK_MANTISSA = 10  # 8 digits before the point and 10 decimals stay within int64

BETWEEN = b'","'  # price and quantity
WORD_BITS = 0x78  # of a number of bits: whole bytes
NEXT_LEVEL = u64(int.from_bytes(b'"],["', "little"))
NEXT_BYTES, NEXT_MASK = 5, u64((1 << 40) - 1)
LAST_LEVEL = u64(int.from_bytes(b'"]]', "little"))
LAST_MASK = u64((1 << 24) - 1)


def _form(places: int, kept: int, behind: bytes) -> bytes:
    """Bases and rooms of `places` decimals behind eight digits, of which all but `kept` must be zero."""
    point = places > 0
    base = b"0" * QUICK_DIGITS + b"." * point + b"0" * places + behind
    room = b"\x09" * QUICK_DIGITS + b"\0" * point + b"\x09" * kept + b"\0" * (places - kept + len(behind))
    return base.ljust(FORM_ROW, b"\0") + room.ljust(FORM_ROW, b"\xff")


# By what stands behind the decimals (0 for prices, 1 for quantities), how many are printed, how many are kept.
FORMS = np.frombuffer(
    b"".join(
        _form(places, min(places, kept), behind)
        for behind in (BETWEEN, b"")
        for places in range(QUICK_DIGITS + 1)
        for kept in range(QUICK_DIGITS + 1)
    ),
    np.uint8,
)
QTY_FORMS = FORMS.size // 2


@kernel(Pair(bytes_in, i64), **INLINE)
def measure(buf, at):
    """Measure the form of a decimal string.

    buf, at  offset behind the opening quote
    Returns  (digits before the point 0..8, decimals 0..8), or (-1, 0) when it ends in its point
    """
    count = count_trailing_zeros(~load_u64(buf, at) & DIGIT_BITS) >> 3
    if buf[at + count] != DOT:
        return count, i64(0)
    places = count_trailing_zeros(not_digits(load_u64(buf, at + count + 1) ^ ZEROS)) >> 3
    return (count, places) if places > 0 else (i64(-1), places)


@kernel(u64(i64), **INLINE)
def first_bytes(count):
    """Mask of the first `count` bytes of a word.

    count    0..8
    Returns  mask
    """
    return ALL_BITS >> u64((64 - 8 * count) & 63) if count > 0 else u64(0)


@kernel(Pair(i64), **INLINE)
def one_word(digits):
    """Split a scale into what eight decimals hold and a factor for the rest.

    digits   0..10
    Returns  (factor, decimals 0..8)
    """
    kept = min(digits, i64(QUICK_DIGITS))
    return i64(POW10[digits - kept]), kept


@kernel(u64(i64), **INLINE)
def head_steps(count):
    """Say where the digits before the point stand, as llvm.read_pair wants it.

    count    digits before the point, 1..8
    Returns  per byte the offset of a digit, 0x80 for a 0 in front
    """
    lift = u64(64 - 8 * count)
    return (RAMP - ONES) << lift | HIGHS & ~(ALL_BITS << lift)


@kernel(u64(i64, i64), **INLINE)
def tail_steps(digits, kept):
    """Say where the decimals of a mantissa stand, as llvm.read_pair wants it.

    digits   decimals of the mantissa, 0..8
    kept     decimals taken from the text, 0..digits
    Returns  per byte the distance from the point, 0x80 for a 0 that is not printed
    """
    lift = u64((64 - 8 * digits) & 63)
    taken = first_bytes(kept) << lift
    return (RAMP << lift) & taken | HIGHS & ~taken


@kernel(i64(i64, i64), **INLINE)
def form_at(places, kept):
    """Find a form.

    places   decimals printed, 0..8
    kept     decimals taken, 0..8
    Returns  offset in FORMS of its first base behind the eight digits
    """
    return (places * (QUICK_DIGITS + 1) + kept) * (2 * FORM_ROW) + QUICK_DIGITS


@kernel(i64(Rows, i64, i64, i64, i64, i64), **INLINE)
def widen(rows, side, first, row, price_unit, qty_unit):
    """Multiply mantissas whose scale has more decimals than one word holds.

    rows        level_dtype[2, cap]
    side        BID or ASK
    first, row  rows[side, first:row] are changed
    price_unit  factor of prices, 1..100
    qty_unit    factor of quantities, 1..100
    Returns     row
    """
    if price_unit * qty_unit != 1:
        for at in range(first, row):
            rows[side, at].price *= price_unit
            rows[side, at].qty *= qty_unit
    return row


@kernel(Triple(bytes_in, i64, i64, i64, i64, Rows, i64, i64), **INLINE)
def quick_levels(buf, at, end, price_digits, qty_digits, rows, side, row):
    """Read levels as long as they are printed like the first and without white space.

    buf, at, end  as in text.py; at is the offset of a level's opening bracket
    price_digits  decimals of price mantissas, 0..18; quick up to QUICK_MANTISSA
    qty_digits    decimals of quantity mantissas, likewise
    rows          level_dtype[2, cap], filled from rows[side, row] on
    side, row     BID or ASK; first free row
    Returns       (offset behind the list, rows, 1) when the list ended; else (offset of the first level not
                  read, rows so far, 0)
    """
    count, places = measure(buf, at + 2)
    qty_from = count + places + (places > 0) + len(BETWEEN)
    _, qty_places = measure(buf, at + 2 + qty_from)
    is_text = buf[at] == OPEN_LIST and buf[at + 1] == QUOTE
    if not is_text or count < 1 or price_digits > QUICK_MANTISSA or qty_digits > QUICK_MANTISSA or at > end:
        return at, row, i64(0)
    price_unit, price_digits = one_word(price_digits)
    qty_unit, qty_digits = one_word(qty_digits)
    price_kept, qty_kept = min(places, price_digits), min(qty_places, qty_digits)
    if count + price_kept >= TEXT_BYTES:
        return at, row, i64(0)
    form = (
        form_at(places, price_kept) - count,
        form_at(qty_places, qty_kept) + QTY_FORMS,
        i64(head_steps(count)),
        i64(tail_steps(price_digits, price_kept) + ONES * u64(count)),
        i64(tail_steps(qty_digits, qty_kept)),
        i64(POW10[price_digits]),
        i64(POW10[qty_digits]),
    )
    qty_width = qty_places + (qty_places > 0)
    rest = qty_from + qty_width + NEXT_BYTES  # of a level, bar the quantity's digits before its point
    levels, first, at, is_over = rows[side], row, at + 2, i64(0)
    while row < levels.size:
        qty_at, following = at + qty_from, at + rest
        word = load_u64(buf, qty_at)
        bits = count_trailing_zeros(~word & DIGIT_BITS)
        length = bits >> 3
        following += length  # one addition behind the count: every further level waits for it
        after = following - NEXT_BYTES
        stop = load_u64(buf, after)
        head = (word ^ ZEROS) << u64(-(bits & WORD_BITS) & 63)  # without a digit: all of it, which is refused
        if read_pair(buf, at, qty_at + length, head, FORMS, form, levels, row):
            break
        if stop & NEXT_MASK == NEXT_LEVEL and after + 5 <= end:
            at, row = following, row + 1
        elif stop & LAST_MASK == LAST_LEVEL and after + 3 <= end:
            at, row, is_over = following, row + 1, i64(1)
            break
        else:
            break
    return at - 2, widen(rows, side, first, row, price_unit, qty_unit), is_over


@kernel(Pair(bytes_in, i64, i64, i64, i64, Rows, i64, i64))
def read_level(buf, at, end, price_digits, qty_digits, rows, side, row):
    """Read one level, printed any way JSON allows; elements behind price and quantity are skipped.

    buf, at, end  as in text.py; at is the offset of the level's opening bracket
    price_digits  decimals of price mantissas, 0..18
    qty_digits    decimals of quantity mantissas, 0..18
    rows          level_dtype[2, cap]; rows[side, row] is filled
    side, row     BID or ASK; row < cap
    Returns       (offset behind the level, 1), or (code, where)
    """
    if at >= end or buf[at] != OPEN_LIST:
        return i64(MALFORMED), at
    at, price = read_decimal(buf, skip_space(buf, at + 1, end), end, price_digits)
    if at < 0:
        return at, price
    at = skip_space(buf, at, end)
    if at >= end or buf[at] != COMMA:
        return i64(MALFORMED), at
    at, qty = read_decimal(buf, skip_space(buf, at + 1, end), end, qty_digits)
    if at < 0:
        return at, qty
    rows[side, row].price, rows[side, row].qty = price, qty
    while True:
        at, is_over = skip_comma(buf, at, end, i64(CLOSE_LIST))
        if at < 0 or is_over:
            return at, is_over
        at, fact = skip_value(buf, at, end)
        if at < 0:
            return at, fact


@kernel(Pair(bytes_in, i64, i64, i64, i64, Rows, i64), **INLINE)
def read_levels(buf, at, end, price_digits, qty_digits, rows, side):
    """Read a list of levels into rows, in message order.

    buf, at, end  as in text.py; at is the offset of the list's opening bracket
    price_digits  decimals of price mantissas, 0..18
    qty_digits    decimals of quantity mantissas, 0..18
    rows          level_dtype[2, cap]; rows[side] is filled
    side          BID or ASK
    Returns       (offset behind the list, levels), or (code, where)
    """
    if at >= end or buf[at] != OPEN_LIST:
        return i64(MALFORMED), at
    row, at = i64(0), skip_space(buf, at + 1, end)
    if at < end and buf[at] == CLOSE_LIST:
        return at + 1, row
    while True:
        before = row
        at, row, is_done = quick_levels(buf, at, end, price_digits, qty_digits, rows, side, row)
        if is_done:
            return at, row
        if row == rows.shape[1]:
            return i64(TOO_MANY_LEVELS), at
        if row > before:  # the next level may only have another form: measure it
            continue
        at, fact = read_level(buf, at, end, price_digits, qty_digits, rows, side, row)
        if at < 0:
            return at, fact
        row += 1
        at, fact = skip_comma(buf, at, end, i64(CLOSE_LIST))
        if at < 0 or fact:
            return at, row if at >= 0 else fact
