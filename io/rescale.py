"""A value the instrument's scale cannot carry: find a scale that can, and carry the book over to it."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext

import numpy as np

from ..engine import layout, workspace
from ..engine.books import sides_of
from ..engine.instruments import Instrument
from ..engine.kernels.book import book_reset, set_horizon
from ..engine.kernels.book_apply import load_rows
from ..engine.kernels.book_area import book_begin, book_end
from ..engine.pipeline import Pipeline
from ..engine.slow import SlowPath

INT64_MAX = (1 << 63) - 1
MAX_DIGITS = 18
Pairs = list[tuple[Decimal, Decimal]]
EXACT = Context(prec=40, traps=[InvalidOperation, Inexact])  # refuses rather than rounds


def _digits(values: list[Decimal], at_least: int) -> int | None:
    """Fewest decimals, not below `at_least` if possible, that carry every value exactly within int64."""
    wanted = max([0, *(-int(v.normalize().as_tuple().exponent) for v in values if v)])
    for digits in (max(wanted, at_least), wanted):
        if digits <= MAX_DIGITS and all(abs(v).scaleb(digits) <= INT64_MAX for v in values):
            return digits
    return None


def finer(
    instrument: Instrument, payload: bytes, pairs_of: Callable[[bytes], Pairs] = SlowPath.pairs
) -> Instrument | None:
    """The instrument at a scale that carries every price and quantity of `payload` exactly.

    pairs_of  the venue family's reading of a message: its (price, quantity) pairs
    Returns   None when no scale within int64 does, or the message holds nothing to learn from.
    """
    pairs = pairs_of(payload)
    if not pairs or not all(value.is_finite() for pair in pairs for value in pair):
        return None
    try:
        with localcontext(EXACT):
            price_digits = _digits([price for price, _ in pairs], instrument.price_digits)
            qty_digits = _digits([qty for _, qty in pairs], instrument.qty_digits)
    except (InvalidOperation, Inexact):
        return None
    if price_digits is None or qty_digits is None:
        return None
    if (price_digits, qty_digits) == (instrument.price_digits, instrument.qty_digits):
        return None
    return replace(
        instrument,
        price_digits=price_digits,
        qty_digits=qty_digits,
        price_tick=_moved(instrument.price_tick, price_digits - instrument.price_digits),
        qty_step=_moved(instrument.qty_step, qty_digits - instrument.qty_digits),
    )


def fits(instrument: Instrument, payload: bytes, pairs_of: Callable[[bytes], Pairs] = SlowPath.pairs) -> bool:
    """Whether the instrument's scale carries every price and quantity of `payload` already.

    Then what a scanner found too large was an id or a time: the message is bad, not the scale.
    """
    digits = (instrument.price_digits, instrument.qty_digits)
    try:
        with localcontext(EXACT):
            return all(
                value.is_finite() and value >= 0 and _digits([value], have) == have
                for pair in pairs_of(payload)
                for value, have in zip(pair, digits, strict=True)
            )
    except (InvalidOperation, Inexact):
        return False


def _moved(mantissa: int, digits: int) -> int:
    return mantissa * 10**digits if digits >= 0 else max(1, mantissa // 10**-digits)


def _scaled(values: np.ndarray, factor: int) -> np.ndarray | None:
    """values x factor, or None when one would leave int64."""
    if len(values) and int(np.abs(values).max()) > INT64_MAX // factor:
        return None
    return values * factor


def _scale_rows(rows: np.ndarray, factors: tuple[int, int]) -> bool:
    price, qty = (_scaled(rows[name], factor) for name, factor in zip(("price", "qty"), factors, strict=True))
    if price is None or qty is None:
        return False
    rows["price"], rows["qty"] = price, qty
    return True


def carry_over(pipeline: Pipeline, old_id: int, new_id: int, factors: tuple[int, int]) -> bool:
    """Give a new symbol row the book, buffered diffs and state of an old one, at a finer scale.

    factors  powers of ten for price and quantity, both at least 1
    Returns  False when something would leave int64, or levels had been evicted: then it must sync anew.
    """
    space, words = pipeline.space, pipeline.words
    levels, floor = (int(pipeline.geo[word]) for word in (layout.GEO_BOOK_LEVELS, layout.GEO_TOP_N))
    old, new = (pipeline.book_base(symbol_id) for symbol_id in (old_id, new_id))
    if words[old + layout.B_EVICTED] or not _carry_pending(pipeline, old_id, new_id, factors):
        return False
    held = sides_of(words, old, levels)
    if max(map(len, held)) > layout.ROWS_CAPACITY or not all(_scale_rows(rows, factors) for rows in held):
        return False
    horizons = [int(words[old + layout.B_HORIZON + side]) for side in range(layout.SIDES)]
    is_open = [horizon == layout.HORIZON_OPEN[side] for side, horizon in enumerate(horizons)]
    if any(
        not free and abs(at) > INT64_MAX // factors[0] for at, free in zip(horizons, is_open, strict=True)
    ):
        return False
    state = space.states[old_id]
    book_begin(words, new)
    book_reset(words, new, levels, floor)
    for side, rows in enumerate(held):
        space.rows[side, : len(rows)] = rows
        load_rows(words, new, side, space.rows, len(rows))
        if not is_open[side]:
            set_horizon(words, new, side, horizons[side] * factors[0])
    book_end(words, new, 0, int(state["book_id"]), 0, 0, layout.SYNCING)
    space.states[new_id], space.legs[new_id] = state, space.legs[old_id]
    return True


def _carry_pending(pipeline: Pipeline, old_id: int, new_id: int, factors: tuple[int, int]) -> bool:
    room = int(pipeline.work[workspace.W_PENDING_WORDS])
    start, used = int(pipeline.work[workspace.W_PENDING]), int(pipeline.space.states[old_id]["pending_used"])
    kept = pipeline.work[start + old_id * room :][:used].copy()
    at = 0
    while at < used:
        stop = at + int(kept[at + workspace.P_WORDS])
        rows = kept[at + workspace.PENDING_HEADER_WORDS : stop].view(layout.level_dtype)
        if not _scale_rows(rows, factors):
            return False
        at = stop
    pipeline.work[start + new_id * room :][:used] = kept
    return True
