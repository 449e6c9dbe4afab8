"""Records as text: one line for people, one JSON object for programs; prices exact, as decimal strings."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..engine import layout, units

SIDE_WORDS = {layout.BID: "buy", layout.ASK: "sell"}


def _levels(record: np.void, row: np.void, side: int, most: int) -> list[list[str]]:
    count = min(int(record["count"][side]), most)
    price_digits, qty_digits = int(row["price_digits"]), int(row["qty_digits"])
    return [
        [
            units.to_text(int(record["price"][side][i]), price_digits),
            units.to_text(int(record["qty"][side][i]), qty_digits),
        ]
        for i in range(count)
    ]


def as_dict(record: np.void, row: np.void, levels: int = layout.TOP_N_MAX) -> dict[str, Any]:
    """A record as plain values.

    record  one element of record_dtype
    row     its symbol's row, symbol_dtype
    levels  most levels a side
    """
    kind = int(record["kind"])
    shown: dict[str, Any] = {
        "seq": int(record["seq"]),
        "kind": layout.KIND_NAMES.get(kind, str(kind)),
        "symbol": row["symbol"].decode(errors="replace"),
        "health": layout.HEALTH_NAMES[int(record["health"])],
        **{
            name: int(record[name])
            for name in ("event_ns", "txn_ns", "recv_ns", "recv_mono_ns", "publish_ns")
        },
    }
    if kind == layout.KIND_TRADE:
        shown |= _trade(record, row)
    elif kind == layout.KIND_STATUS:
        shown |= {
            "was": layout.HEALTH_NAMES[int(record["old_health"])],
            "cause": layout.CAUSE_NAMES[int(record["cause"])],
            "ids_missed": int(record["ids_missed"]),
            "blind_ns": int(record["blind_ns"]),
        }
    else:
        shown |= {
            "first_update_id": int(record["first_update_id"]),
            "last_update_id": int(record["last_update_id"]),
            **{name: _levels(record, row, side, levels) for side, name in enumerate(layout.SIDE_NAMES)},
        }
    if kind == layout.KIND_BOOK:
        shown["depth"] = [int(n) for n in record["depth"]]
        shown["horizon"] = [_horizon(record, row, side) for side in range(layout.SIDES)]
    return shown


def _horizon(record: np.void, row: np.void, side: int) -> str | None:
    price = int(record["horizon"][side])
    return None if price == layout.HORIZON_OPEN[side] else units.to_text(price, int(row["price_digits"]))


def _trade(record: np.void, row: np.void) -> dict[str, Any]:
    return {
        "side": SIDE_WORDS.get(int(record["side"]), ""),
        "price": units.to_text(int(record["trade_price"]), int(row["price_digits"])),
        "qty": units.to_text(int(record["trade_qty"]), int(row["qty_digits"])),
        "trade_id": int(record["trade_id"]),
        "first_trade_id": int(record["trade_first_id"]),
        "last_trade_id": int(record["trade_last_id"]),
        "aggregated": bool(int(record["flags"]) & layout.FLAG_AGGREGATED),
    }


def as_line(record: np.void, row: np.void) -> str:
    """A record as one line for people; arguments as in as_dict."""
    shown = as_dict(record, row, levels=1)
    clock = datetime.fromtimestamp(shown["recv_ns"] / 1e9, UTC).strftime("%H:%M:%S.%f")
    head = f"{clock} {shown['seq']:>9} {shown['kind']:<6} {shown['symbol']:<12} {shown['health']:<7}"
    if shown["kind"] == "TRADE":
        return f"{head} {shown['side']:<4} {shown['qty']} @ {shown['price']}  #{shown['trade_id']}"
    if shown["kind"] == "STATUS":
        missed = f", {shown['ids_missed']} ids missed" if shown["ids_missed"] else ""
        return f"{head} was {shown['was']}: {shown['cause']}{missed}"
    best = [" x ".join(reversed(shown[name][0])) if shown[name] else "-" for name in layout.SIDE_NAMES]
    return f"{head} {best[0]}  |  {best[1]}  id {shown['last_update_id']}"
