"""Forms of price levels: how a venue prints prices and quantities, for the quick way through levels.py.

A form is a base and a room for every byte of a number: '0' and 9 where a digit may stand, '0' and 0 where the digit
is beyond the scale, '.' and 0 for the point. One subtraction then checks digits and signs alike, and its result is
what the numbers are made of. How many digits stand before a point is not part of a form.
"""

import numba
import numpy as np

from ..jit import INLINE, Pair, bytes_in, i64, kernel, u64
from .decimals import DIGIT_BITS, POW10, QUICK_DIGITS
from .llvm import FORM_ROW, TEXT_BYTES, count_trailing_zeros, load_u64, signs_in

EVERY = 0x0101010101010101  # byte of a word
QUICK_MANTISSA = 10  # 8 digits before the point and 10 decimals stay within int64
BETWEEN, BEHIND = b'","', b'"],["'  # price and quantity; quantity and the next price


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
        for behind in (BETWEEN, BEHIND[:1])
        for places in range(QUICK_DIGITS + 1)
        for kept in range(QUICK_DIGITS + 1)
    ),
    np.uint8,
)
QTY_FORMS = FORMS.size // 2
NO_FORM = (0,) * 11
Form = numba.types.UniTuple(i64, len(NO_FORM))
PRICE_UNIT, QTY_UNIT, MOST = 8, 9, 10  # of a form: factors of both mantissas, digits before a price's point
Fitted = numba.types.Tuple((numba.types.UniTuple(i64, 7), i64, i64))


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


@kernel(i64(bytes_in, i64), **INLINE)
def count_digits(buf, at):
    """Count the digits that a number of the quick way has before its point.

    buf, at  offset behind the opening quote
    Returns  0..8
    """
    return count_trailing_zeros(~load_u64(buf, at) & DIGIT_BITS) >> 3


@kernel(Pair(bytes_in, i64), **INLINE)
def measure(buf, at):
    """Measure the decimals of a level, all of it from one look at 64 bytes.

    buf, at  offset behind the opening quote of the price
    Returns  decimals of the price, of the quantity. Each from 0 to 64, and meaningless unless a level begins here.
    """
    signs, points = signs_in(buf, at)
    others = signs & ~points
    price_digits, price_end = count_trailing_zeros(signs), count_trailing_zeros(others)
    for _ in range(len(BETWEEN)):
        others &= others - u64(1)
    qty_at = min(price_end + len(BETWEEN), i64(63))
    qty_digits, qty_end = count_trailing_zeros(signs >> u64(qty_at)), count_trailing_zeros(others)
    return max(price_end - price_digits - 1, i64(0)), max(qty_end - qty_at - qty_digits - 1, i64(0))


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
    Returns       for llvm.read_pair, of prices and quantities each: their form, the places of the decimals, what a
                  whole is worth; then bytes from the price to the quantity, and to the next price, both without
                  digits before a point; factors of both mantissas; the most digits a price may have before its
                  point. NO_FORM when it is not quick.
    """
    if at + 2 > end or price_digits > QUICK_MANTISSA or qty_digits > QUICK_MANTISSA:
        return NO_FORM
    places, qty_places = measure(buf, at + 2)
    if places > QUICK_DIGITS or qty_places > QUICK_DIGITS:
        return NO_FORM
    price_unit, price_digits = one_word(price_digits)
    qty_unit, qty_digits = one_word(qty_digits)
    price_kept, qty_kept = min(places, price_digits), min(qty_places, qty_digits)
    between = places + (places > 0) + len(BETWEEN)
    return (
        form_at(places, price_kept),
        form_at(qty_places, qty_kept) + QTY_FORMS,
        TAIL_STEPS[price_digits, price_kept],
        TAIL_STEPS[qty_digits, qty_kept],
        i64(POW10[price_digits]),
        i64(POW10[qty_digits]),
        between,
        between + qty_places + (qty_places > 0) + len(BEHIND),
        price_unit,
        qty_unit,
        min(i64(QUICK_DIGITS), TEXT_BYTES - 1 - price_kept),
    )


@kernel(Fitted(Form, i64), **INLINE)
def fit_form(form, count):
    """Fit a form to levels whose prices have so many digits before the point.

    form     as learn_form answers
    count    1..the most of the form
    Returns  (what llvm.read_pair wants, bytes from the price to the quantity, bytes to the next price), the last
             without the digits of the quantity before its point
    """
    head, tail = HEAD_STEPS[count], form[2] + EVERY * count
    return (form[0] - count, form[1], head, tail, *form[3:6]), form[6] + count, form[7] + count
