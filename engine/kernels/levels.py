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
    DIGIT_BITS,
    POW10,
    QUICK_DIGITS,
    ZEROS,
    read_decimal,
)
from .llvm import FORM_ROW, TEXT_BYTES, count_trailing_zeros, load_u64, read_pair, signs_in
from .text import (
    CLOSE_LIST,
    COMMA,
    INLINE,
    MALFORMED,
    OPEN_LIST,
    QUOTE,
    Pair,
    skip_comma,
    skip_space,
    skip_value,
    u64,
)

TOO_MANY_LEVELS = layout.TOO_MANY_LEVELS
Triple, Four = numba.types.UniTuple(i64, 3), numba.types.UniTuple(i64, 4)
EVERY = 0x0101010101010101
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
NO_FORM = (0,) * 11
Form = numba.types.UniTuple(i64, len(NO_FORM))
Read = numba.types.Tuple((i64, i64, Form))


def _steps(first: int, digits: int, kept: int) -> int:
    """Where the last `digits` bytes of a word come from: `kept` places from `first` on, then, as in front, 0x80."""
    places = [first + place if place < kept else 0x80 for place in range(digits)]
    return int.from_bytes(bytes([0x80] * (QUICK_DIGITS - digits) + places), "little", signed=True)


# Places of the digits before the point, by their number; of the decimals, by those of the mantissa and those kept.
HEAD_STEPS = np.array([_steps(0, count, count) for count in range(QUICK_DIGITS + 1)], np.int64)
TAIL_STEPS = np.array(
    [[_steps(1, digits, kept) for kept in range(QUICK_DIGITS + 1)] for digits in range(QUICK_DIGITS + 1)],
    np.int64,
)


@kernel(Four(bytes_in, i64), **INLINE)
def measure(buf, at):
    """Measure the form of a level, all of it from one look at 64 bytes.

    buf, at  offset behind the opening quote of the price
    Returns  (digits of the price before its point, its decimals, digits of the quantity before its point, its
             decimals). Each from 0 to 64, and meaningless unless a level of that form begins here.
    """
    signs, points = signs_in(buf, at)
    others = signs & ~points
    count, price_end = count_trailing_zeros(signs), count_trailing_zeros(others)
    for _ in range(len(BETWEEN)):
        others &= others - u64(1)
    qty_at = min(price_end + len(BETWEEN), i64(63))
    length, qty_end = count_trailing_zeros(signs >> u64(qty_at)), count_trailing_zeros(others)
    return count, max(price_end - count - 1, i64(0)), length, max(qty_end - qty_at - length - 1, i64(0))


@kernel(Pair(i64), **INLINE)
def one_word(digits):
    """Split a scale into what eight decimals hold and a factor for the rest.

    digits   0..10
    Returns  (factor, decimals 0..8)
    """
    kept = min(digits, i64(QUICK_DIGITS))
    return i64(POW10[digits - kept]), kept


@kernel(i64(i64, i64), **INLINE)
def form_at(places, kept):
    """Find a form.

    places   decimals printed, 0..8
    kept     decimals taken, 0..8
    Returns  offset in FORMS of its first base behind the eight digits
    """
    return (places * (QUICK_DIGITS + 1) + kept) * (2 * FORM_ROW) + QUICK_DIGITS


@kernel(Form(bytes_in, i64, i64, i64, i64), **INLINE)
def learn_form(buf, at, end, price_digits, qty_digits):
    """Learn the form of a level for the quick way.

    buf, at, end  as in text.py; at is the offset of the level's opening bracket
    price_digits  decimals of price mantissas, 0..18
    qty_digits    decimals of quantity mantissas, 0..18
    Returns       what llvm.read_pair wants; bytes from the price to the quantity, and of the level bar the
                  quantity's digits before its point; factors of both mantissas. NO_FORM when it is not quick.
    """
    if at + 2 > end or price_digits > QUICK_MANTISSA or qty_digits > QUICK_MANTISSA:
        return NO_FORM
    count, places, _, qty_places = measure(buf, at + 2)
    if not 1 <= count <= QUICK_DIGITS or places > QUICK_DIGITS or qty_places > QUICK_DIGITS:
        return NO_FORM
    price_unit, price_digits = one_word(price_digits)
    qty_unit, qty_digits = one_word(qty_digits)
    price_kept, qty_kept = min(places, price_digits), min(qty_places, qty_digits)
    if count + price_kept >= TEXT_BYTES:
        return NO_FORM
    qty_from = count + places + (places > 0) + len(BETWEEN)
    return (
        form_at(places, price_kept) - count,
        form_at(qty_places, qty_kept) + QTY_FORMS,
        HEAD_STEPS[count],
        TAIL_STEPS[price_digits, price_kept] + EVERY * count,
        TAIL_STEPS[qty_digits, qty_kept],
        i64(POW10[price_digits]),
        i64(POW10[qty_digits]),
        qty_from,
        qty_from + qty_places + (qty_places > 0) + NEXT_BYTES,
        price_unit,
        qty_unit,
    )


@kernel(i64(Rows, i64, i64, i64, Form), **INLINE)
def widen(rows, side, first, row, form):
    """Multiply mantissas whose scale has more decimals than one word holds.

    rows        level_dtype[2, cap]
    side        BID or ASK
    first, row  rows[side, first:row] are changed
    form        as learn_form answers
    Returns     row
    """
    price_unit, qty_unit = form[9], form[10]
    if price_unit * qty_unit != 1:
        for at in range(first, row):
            rows[side, at].price *= price_unit
            rows[side, at].qty *= qty_unit
    return row


@kernel(Triple(bytes_in, i64, i64, Rows, i64, i64, Form), **INLINE)
def quick_levels(buf, at, end, rows, side, row, form):
    """Read levels as long as they are of one form and without white space.

    buf, at, end  as in text.py; at is the offset of a level's opening bracket
    rows          level_dtype[2, cap], filled from rows[side, row] on
    side, row     BID or ASK; first free row
    form          as learn_form answers
    Returns       (offset behind the list, rows, 1) when the list ended; else (offset of the first level not
                  read, rows so far, 0)
    """
    if form[7] == 0 or at + 2 > end or buf[at] != OPEN_LIST or buf[at + 1] != QUOTE:
        return at, row, i64(0)
    pair_form, qty_from, rest = form[:7], form[7], form[8]
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
        if read_pair(buf, at, qty_at + length, head, FORMS, pair_form, levels, row):
            break
        if stop & NEXT_MASK == NEXT_LEVEL and after + 5 <= end:
            at, row = following, row + 1
        elif stop & LAST_MASK == LAST_LEVEL and after + 3 <= end:
            at, row, is_over = following, row + 1, i64(1)
            break
        else:
            break
    return at - 2, widen(rows, side, first, row, form), is_over


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


@kernel(Read(bytes_in, i64, i64, i64, i64, Rows, i64, Form), **INLINE)
def read_list(buf, at, end, price_digits, qty_digits, rows, side, form):
    """Read a list of levels into rows, in message order.

    buf, at, end  as in text.py; at is the offset of the list's opening bracket
    price_digits  decimals of price mantissas, 0..18
    qty_digits    decimals of quantity mantissas, 0..18
    rows          level_dtype[2, cap]; rows[side] is filled
    side          BID or ASK
    form          of the list before, at the same scales: most likely of this one too; or NO_FORM
    Returns       (offset behind the list, levels, form), or (code, where, form)
    """
    if at >= end or buf[at] != OPEN_LIST:
        return i64(MALFORMED), at, form
    row, is_fresh, at = i64(0), False, skip_space(buf, at + 1, end)
    if at < end and buf[at] == CLOSE_LIST:
        return at + 1, row, form
    while True:
        before = row
        at, row, is_over = quick_levels(buf, at, end, rows, side, row, form)
        if is_over:
            return at, row, form
        if row == rows.shape[1]:
            return i64(TOO_MANY_LEVELS), at, form
        if row == before and is_fresh:
            at, fact = read_level(buf, at, end, price_digits, qty_digits, rows, side, row)
            if at < 0:
                return at, fact, form
            row += 1
            at, fact = skip_comma(buf, at, end, i64(CLOSE_LIST))
            if at < 0 or fact:
                return at, row if at >= 0 else fact, form
        form, is_fresh = learn_form(buf, at, end, price_digits, qty_digits), True


@kernel(Pair(bytes_in, i64, i64, i64, i64, Rows, i64), **INLINE)
def read_levels(buf, at, end, price_digits, qty_digits, rows, side):
    """Read a list of levels into rows, of which nothing is known beforehand.

    buf, at, end  as in text.py; at is the offset of the list's opening bracket
    price_digits  decimals of price mantissas, 0..18
    qty_digits    decimals of quantity mantissas, 0..18
    rows          level_dtype[2, cap]; rows[side] is filled
    side          BID or ASK
    Returns       (offset behind the list, levels), or (code, where)
    """
    at, fact, _ = read_list(buf, at, end, price_digits, qty_digits, rows, side, NO_FORM)
    return at, fact
