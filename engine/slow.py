"""The slow, fully general path: one message by a JSON library, for what the scanners leave alone. Binance shapes.

It fills the same frame and rows as the scanner, so everything behind it is shared. It makes a Python object
per level, which is why every use is counted. The library is the standard one, not orjson, because it hands
over numbers as they were written: a bare 0.1 becomes Decimal("0.1"), never a float.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from . import layout, units
from .layout import ASK, BID, NO_SIDE

DIFF_KEYS, IMAGE_KEYS = ("u", "b", "a"), ("lastUpdateId", "bids", "asks")  # USD-M prints its images as diffs
TICKER_KEYS = (("b", "B"), ("a", "A"))
LEVEL_KEYS = ("b", "a", "bids", "asks")


@dataclass(frozen=True)
class Reply:
    """A message that is not market data: an ack, an error, a notice of the venue."""

    body: dict[str, Any]


@dataclass(frozen=True)
class Rejected:
    """A message that could not be used, and why; `code` is a layout scanner code."""

    code: int
    reason: str
    symbol_id: int = -1
    kind: int = 0  # KIND_* of the stream it came on; 0 where the message alone was sent


class _Unusable(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _mantissa(value: Any, digits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _Unusable(layout.MALFORMED, f"a price or quantity was {value!r:.40}, expected a number")
    text = str(value)
    try:
        mantissa = units.to_mantissa(text, digits)
    except ValueError as error:
        code = layout.OFF_GRID if units.is_decimal(text) else layout.MALFORMED
        raise _Unusable(code, str(error)) from None
    if mantissa < 0:
        raise _Unusable(layout.OVERFLOW, f"number was {text!r}, expected 0 or more")
    return mantissa


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _number(text: str) -> Decimal | int:
    """A bare number as it was written; NaN for one whose exponent or length Python refuses to hold."""
    try:
        return int(text) if text.lstrip("-").isdigit() else Decimal(text)
    except (ValueError, ArithmeticError):
        return Decimal("NaN")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _parse(payload: bytes) -> Any:
    return json.loads(payload, parse_float=_number, parse_int=_number, parse_constant=_no_constant)


def _integer(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63:
        return value
    raise _Unusable(layout.MALFORMED, f"field {key!r} was {value!r:.40}, expected an integer")


def _is_ticker(data: Mapping[str, Any], kind: int) -> bool:
    """Whether it says so, or has a ticker's fields without saying what it is."""
    if not {"u", "b", "B", "a", "A"} <= data.keys() or data.get("e", "bookTicker") != "bookTicker":
        return False
    return "e" in data or "lastUpdateId" not in data or kind in (0, layout.KIND_TICKER)


def _time(data: Mapping[str, Any], key: str, unit_ns: int) -> int:
    stamp = _integer(data, key) * unit_ns if key in data else 0
    if stamp >= 1 << 63:
        raise _Unusable(layout.MALFORMED, f"time {key!r} was {data[key]!r}, too large for int64 ns")
    return stamp


def _expect_kind(kind: int, *allowed: int) -> None:
    """A stream carries what it was subscribed for; 0 is a bare payload, which may be anything."""
    if kind not in (0, *allowed):
        raise _Unusable(
            layout.MALFORMED, f"a stream of kind {layout.KIND_NAMES[kind]} carried something else"
        )


class SlowPath:
    """Decodes one message into `frame` and `rows`.

    names        bytes → (symbol_id, kind), as in the route table; symbols carry kind 0
    instruments  instrument_dtype[symbols]
    frame        frame_dtype[1]
    rows         level_dtype[2, cap]
    """

    def __init__(
        self,
        names: Mapping[bytes, tuple[int, int]],
        instruments: np.ndarray,
        frame: np.ndarray,
        rows: np.ndarray,
    ) -> None:
        self.names, self.instruments, self.frame, self.rows = names, instruments, frame, rows

    def decode(self, payload: bytes) -> Reply | Rejected | None:
        """Decode; None when frame and rows were filled (kind 0: valid, nothing to do)."""
        try:
            message = _parse(payload)
        except (ValueError, RecursionError) as error:
            return Rejected(layout.MALFORMED, f"not JSON: {error}")
        if not isinstance(message, dict):
            return Rejected(layout.NOT_MARKET_DATA, f"a JSON {type(message).__name__}, expected an object")
        symbol_id, kind = -1, 0
        try:
            stream, data = message.get("stream"), message.get("data")
            if isinstance(stream, str) and stream.startswith("!"):
                return Reply(message)  # !serverShutdown and the like concern no symbol
            if stream is not None and isinstance(data, dict):
                symbol_id, kind = self._route(stream)
            else:
                data = message
                if not isinstance(data.get("s"), str):
                    return Reply(message)
                symbol_id, kind = self._route(data["s"])
            if isinstance(data.get("s"), str) and self._route(data["s"])[0] != symbol_id:
                raise _Unusable(layout.MALFORMED, f"stream {stream!r} carried symbol {data['s']!r}")
            if not self._fill(data, symbol_id, kind):
                return Reply(message)
        except _Unusable as error:
            return Rejected(error.code, str(error), symbol_id, kind)
        return None

    @staticmethod
    def pairs(payload: bytes) -> list[tuple[Decimal, Decimal]]:
        """Every (price, quantity) a message or REST body holds; nothing when it cannot be read."""
        try:
            message = _parse(payload)
            data = message.get("data", message)
            found = [level[:2] for key in LEVEL_KEYS for level in _list(data, key) if len(level) > 1]
            for price, qty in (("p", "q"), ("b", "B"), ("a", "A")):
                if price in data and qty in data and not isinstance(data[price], list):
                    found.append([data[price], data[qty]])
            return [(Decimal(str(price)), Decimal(str(qty))) for price, qty in found]
        except (ValueError, ArithmeticError, AttributeError, TypeError, RecursionError):
            return []

    def _route(self, name: Any) -> tuple[int, int]:
        # a lone surrogate, which JSON may spell as an escape, has no UTF-8: then it is no name of ours
        found = self.names.get(name.encode(errors="surrogatepass")) if isinstance(name, str) else None
        if found is None:
            raise _Unusable(layout.UNKNOWN_SYMBOL, f"stream or symbol {name!r} is not subscribed")
        return found

    def _fill(self, data: dict[str, Any], symbol_id: int, kind: int) -> bool:
        """Fill frame and rows from one payload; False when its shape is none of market data."""
        event, unit = data.get("e"), int(self.instruments[symbol_id]["time_unit_ns"])
        frame = self.frame[0]
        frame["symbol_id"], frame["side"], frame["flags"] = symbol_id, NO_SIDE, 0
        frame["prev_id"], frame["rows"] = -1, 0
        for name in ("price", "qty", "id", "first_id", "last_id"):
            frame[f"trade_{name}"] = 0
        frame["event_ns"], frame["txn_ns"] = _time(data, "E", unit), _time(data, "T", unit)
        if event in ("trade", "aggTrade"):
            _expect_kind(kind, layout.KIND_TRADE)
            self._trade(data, event == "aggTrade")
        elif event == "depthUpdate":
            _expect_kind(kind, layout.KIND_BOOK, layout.KIND_DEPTH)
            self._depth(data, kind or layout.KIND_BOOK, DIFF_KEYS)
        elif _is_ticker(data, kind):
            _expect_kind(kind, layout.KIND_TICKER)
            self._ticker(data)
        elif "e" not in data and "lastUpdateId" in data and kind:  # without its stream it belongs to nobody
            _expect_kind(kind, layout.KIND_DEPTH)
            self._depth(data, kind, IMAGE_KEYS)
        else:
            return False
        return True

    def _trade(self, data: dict[str, Any], aggregated: bool) -> None:
        frame = self.frame[0]
        instrument = self.instruments[int(frame["symbol_id"])]
        frame["kind"], frame["flags"] = layout.KIND_TRADE, layout.FLAG_AGGREGATED if aggregated else 0
        if not isinstance(data.get("m"), bool):
            raise _Unusable(layout.MALFORMED, f"field 'm' was {data.get('m')!r}, expected true or false")
        frame["side"] = ASK if data["m"] else BID
        frame["trade_price"] = _mantissa(data.get("p"), int(instrument["price_digits"]))
        frame["trade_qty"] = _mantissa(data.get("q"), int(instrument["qty_digits"]))
        trade_id = _integer(data, "a" if aggregated else "t")
        frame["trade_id"] = frame["first_id"] = frame["last_id"] = trade_id
        frame["trade_first_id"] = _integer(data, "f") if aggregated else trade_id
        frame["trade_last_id"] = _integer(data, "l") if aggregated else trade_id
        if data.get("X") == "NA" and frame["trade_qty"] == 0:
            frame["kind"] = 0  # USD-M prints such rows for trades that did not happen

    def _depth(self, data: dict[str, Any], kind: int, keys: tuple[str, str, str]) -> None:
        frame, (last_key, *side_keys) = self.frame[0], keys
        frame["kind"] = kind
        frame["last_id"] = _integer(data, last_key)
        frame["first_id"] = _integer(data, "U") if kind == layout.KIND_BOOK else frame["last_id"]
        if "pu" in data and keys is DIFF_KEYS:
            frame["prev_id"] = _integer(data, "pu")
        for side, key in enumerate(side_keys):
            levels = data.get(key)
            if not isinstance(levels, list):
                raise _Unusable(layout.MALFORMED, f"field {key!r} was {levels!r:.40}, expected a list")
            self._levels(side, levels)

    def _ticker(self, data: dict[str, Any]) -> None:
        frame = self.frame[0]
        frame["kind"] = layout.KIND_TICKER
        frame["first_id"] = frame["last_id"] = _integer(data, "u")
        for side, (price, qty) in enumerate(TICKER_KEYS):
            self._levels(side, [[data[price], data[qty]]])

    def _levels(self, side: int, levels: list[Any]) -> None:
        frame = self.frame[0]
        instrument = self.instruments[int(frame["symbol_id"])]
        if len(levels) > self.rows.shape[1]:
            raise _Unusable(layout.TOO_MANY_LEVELS, f"{len(levels)} levels, room for {self.rows.shape[1]}")
        price_digits, qty_digits = int(instrument["price_digits"]), int(instrument["qty_digits"])
        for row, level in enumerate(levels):
            if not isinstance(level, list) or len(level) < 2:
                raise _Unusable(layout.MALFORMED, f"a level was {level!r:.40}, expected [price, quantity]")
            self.rows[side, row] = _mantissa(level[0], price_digits), _mantissa(level[1], qty_digits)
        frame["rows"][side] = len(levels)
