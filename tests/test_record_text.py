"""Records as text: every number exactly what Decimal makes of its mantissa, whatever the scales."""

from decimal import Decimal, localcontext

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.io.record_text import as_dict, as_line

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
POSITIVE = st.integers(0, (1 << 63) - 1)
DIGITS = st.integers(0, 18)
TOP_N = 5


def scaled(mantissa: int, digits: int) -> str:
    """Plain decimal text without trailing zeros, by Decimal."""
    with localcontext() as context:
        context.prec = 60
        text = f"{Decimal(mantissa).scaleb(-digits):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def symbol_row(price_digits: int, qty_digits: int, name: str = "BTCUSDT") -> np.void:
    row = np.zeros(1, layout.symbol_dtype)[0]
    row["symbol"], row["price_digits"], row["qty_digits"] = name.encode(), price_digits, qty_digits
    return row


def blank(kind: int, **fields) -> np.void:
    record = np.zeros(1, layout.record_dtype(TOP_N))[0]
    record["kind"], record["side"], record["horizon"] = kind, layout.NO_SIDE, layout.HORIZON_OPEN
    for name, value in fields.items():
        record[name] = value
    return record


LEVELS = st.lists(st.tuples(INT64, POSITIVE), max_size=TOP_N)


@given(st.tuples(LEVELS, LEVELS), DIGITS, DIGITS, st.tuples(POSITIVE, POSITIVE))
def test_levels_are_exact(sides, price_digits, qty_digits, horizon):
    record = blank(layout.KIND_BOOK, horizon=horizon, health=layout.LIVE, depth=(7, 8))
    record["count"] = [len(levels) for levels in sides]
    for side, levels in enumerate(sides):
        for place, (price, qty) in enumerate(levels):
            record["price"][side][place], record["qty"][side][place] = price, qty
    shown = as_dict(record, symbol_row(price_digits, qty_digits))
    for name, levels in zip(layout.SIDE_NAMES, sides, strict=True):
        assert shown[name] == [[scaled(p, price_digits), scaled(q, qty_digits)] for p, q in levels]
    known = [
        None if price == layout.HORIZON_OPEN[side] else scaled(price, price_digits)
        for side, price in enumerate(horizon)
    ]
    assert (shown["horizon"], shown["depth"]) == (known, [7, 8])
    assert orjson.loads(orjson.dumps(shown)) == shown
    best = [levels[0] if levels else None for levels in sides]
    line = as_line(record, symbol_row(price_digits, qty_digits))
    assert all(
        scaled(p, price_digits) in line and scaled(q, qty_digits) in line for p, q in filter(None, best)
    )


@given(INT64, POSITIVE, DIGITS, DIGITS, st.sampled_from([layout.BID, layout.ASK, layout.NO_SIDE]), POSITIVE)
def test_trades_are_exact(price, qty, price_digits, qty_digits, side, trade_id):
    record = blank(
        layout.KIND_TRADE, trade_price=price, trade_qty=qty, trade_id=trade_id, side=side,
        trade_first_id=1, trade_last_id=2, flags=layout.FLAG_AGGREGATED,
    )  # fmt: skip
    shown = as_dict(record, symbol_row(price_digits, qty_digits))
    assert (shown["price"], shown["qty"]) == (scaled(price, price_digits), scaled(qty, qty_digits))
    assert (shown["trade_id"], shown["first_trade_id"], shown["last_trade_id"]) == (trade_id, 1, 2)
    assert shown["aggregated"] is True
    assert shown["side"] == {layout.BID: "buy", layout.ASK: "sell"}.get(side, "")
    assert shown["price"] in as_line(record, symbol_row(price_digits, qty_digits))


@given(
    st.integers(0, len(layout.CAUSE_NAMES) - 1),
    st.integers(0, len(layout.HEALTH_NAMES) - 1),
    st.integers(0, len(layout.HEALTH_NAMES) - 1),
    POSITIVE,
)
def test_statuses_tell_what_happened(cause, old, new, missed):
    record = blank(layout.KIND_STATUS, cause=cause, old_health=old, health=new, ids_missed=missed, blind_ns=5)
    shown = as_dict(record, symbol_row(2, 3))
    assert (shown["was"], shown["health"]) == (layout.HEALTH_NAMES[old], layout.HEALTH_NAMES[new])
    assert (shown["cause"], shown["ids_missed"], shown["blind_ns"]) == (layout.CAUSE_NAMES[cause], missed, 5)
    line = as_line(record, symbol_row(2, 3))
    assert f"was {shown['was']}: {shown['cause']}" in line
    assert (f"{missed} ids missed" in line) == (missed > 0)


def test_every_kind_and_both_ends_of_time_have_a_line():
    for kind in (*layout.KIND_NAMES, 0, 99):
        for recv_ns in (0, 1, 1_700_000_000_123_456_789, (1 << 63) - 1):
            record = blank(kind, recv_ns=recv_ns, event_ns=-1)
            assert "币安人生USDT" in as_line(record, symbol_row(18, 0, "币安人生USDT"))
            assert as_dict(record, symbol_row(18, 0))["recv_ns"] == recv_ns


def test_fewer_levels_when_asked():
    record = blank(layout.KIND_DEPTH, count=(3, 2))
    shown = as_dict(record, symbol_row(2, 3), levels=2)
    assert [len(shown[name]) for name in layout.SIDE_NAMES] == [2, 2]
    assert "horizon" not in shown
