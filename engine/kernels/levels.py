"""Lists of price levels, `[["61601.50","0.12000"],…]`, into rows: where most bytes of a depth frame are.

A venue prints all levels of a message alike, so the quick way learns the *form* of one level and expects it of
the next: how many decimals price and quantity have. Prices that stand side by side mostly have as many digits
before the point, too, so that is counted once for a run of them. Where a quantity begins then follows by
addition, without waiting for the bytes in between, and the core works on several levels at once. A level of
another form is read carefully and the form learned anew.
"""

import numba

from .. import layout
from ..jit import INLINE, Pair, Rows, Triple, bytes_in, i64, kernel, u64
from .decimals import DIGIT_BITS, ZEROS, read_decimal
from .forms import (
    FORMS,
    MOST,
    NO_FORM,
    PRICE_UNIT,
    QTY_UNIT,
    Form,
    count_digits,
    fit_form,
    learn_form,
)
from .llvm import count_trailing_zeros, load_u64, read_pair
from .text import CLOSE_LIST, COMMA, MALFORMED, OPEN_LIST, QUOTE, skip_comma, skip_space, skip_value

TOO_MANY_LEVELS = layout.TOO_MANY_LEVELS
NEXT_LEVEL, LAST_LEVEL = u64(int.from_bytes(b'],["', "little")), u64(int.from_bytes(b"]]", "little"))
NEXT_BYTES, NEXT_MASK = 4, u64((1 << 32) - 1)
LAST_BYTES, LAST_MASK = 2, u64((1 << 16) - 1)
WORD_BITS = 0x78  # of a number of bits: whole bytes
Read = numba.types.Tuple((i64, i64, Form))


@kernel(i64(Rows, i64, i64, i64, Form), **INLINE)
def widen(rows, side, first, row, form):
    """Multiply mantissas whose scale has more decimals than one word holds.

    rows        level_dtype[2, cap]
    side        BID or ASK
    first, row  rows[side, first:row] are changed
    form        as learn_form answers
    Returns     row
    """
    price_unit, qty_unit = form[PRICE_UNIT], form[QTY_UNIT]
    if price_unit * qty_unit != 1:
        for at in range(first, row):
            rows[side, at].price *= price_unit
            rows[side, at].qty *= qty_unit
    return row


@kernel(Triple(bytes_in, i64, i64, Rows, i64, i64, Form, i64), **INLINE)
def run_of_levels(buf, at, end, rows, side, row, form, count):
    """Read levels as long as they are of one form, their prices as long, and without white space.

    buf, at, end  as in text.py; at is the offset behind the opening quote of a price
    rows          level_dtype[2, cap], filled from rows[side, row] on
    side, row     BID or ASK; first free row
    form          as learn_form answers
    count         digits of the prices before their points, 1..the most of the form
    Returns       (offset + 2 behind the list, rows, 1) when the list ended; else (offset behind the opening quote of
                  the first price not read, rows so far, 0)
    """
    levels = rows[side]
    pair_form, qty_from, rest = fit_form(form, count)
    while row < levels.size:
        qty_at, following = at + qty_from, at + rest
        word = load_u64(buf, qty_at)
        bits = count_trailing_zeros(~word & DIGIT_BITS)
        length = bits >> 3
        following += length  # one addition behind the count: every further level waits for it
        behind = load_u64(buf, following - NEXT_BYTES)
        head = (word ^ ZEROS) << u64(-(bits & WORD_BITS) & 63)  # without a digit: all of it, which is refused
        if read_pair(buf, at, qty_at + length, head, FORMS, pair_form, levels, row):
            break
        if behind & NEXT_MASK == NEXT_LEVEL and following <= end:
            at, row = following, row + 1
        elif behind & LAST_MASK == LAST_LEVEL and following - LAST_BYTES <= end:
            return following, row + 1, i64(1)
        else:
            break
    return at, row, i64(0)


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
    most, first, begun, is_over = form[MOST], row, i64(-1), i64(0)
    if most == 0 or at + 2 > end or buf[at] != OPEN_LIST or buf[at + 1] != QUOTE:
        return at, row, i64(0)
    at += 2
    while is_over == 0 and row > begun:
        begun, count = row, count_digits(buf, at)
        if 0 < count <= most:
            at, row, is_over = run_of_levels(buf, at, end, rows, side, row, form, count)
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
