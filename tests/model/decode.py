"""The Binance decoder as plain Python: json texts, Decimal and dicts; orjson decides what is valid JSON.

`expect` says which codes a scanner may answer for a message and, where DECODED is among them, with what frame
and rows. More than one code is right when a message has more than one fault, as nobody promises which is
found first.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson

from ringbook.engine import layout
from ringbook.engine.layout import ASK, BID

INT64_MAX = 2**63 - 1
FAULTS = frozenset(range(layout.UNKNOWN_SYMBOL, 0))
MAX_DEPTH = 64
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
EVENTS = {"depthUpdate": "diff", "trade": "trade", "aggTrade": "aggregate", "bookTicker": "ticker"}
KNOWN = {
    "diff": "e s E T U u pu b a",
    "image": "e s E T lastUpdateId bids asks",
    "trade": "e s E T p q m X t",
    "aggregate": "e s E T p q m X a f l",
    "ticker": "e s E T u b a B A",
}
TICKER_KEYS = set("ubBaA")


class Number(str):
    """The text of a bare JSON number."""


class Pairs(list):
    """The members of a JSON object in their order."""

    def as_dict(self) -> dict[str, Any]:
        return dict(self)

    def has_twice(self, keys: Sequence[str]) -> bool:
        names = [name for name, _ in self]
        return any(names.count(key) > 1 for key in keys)


@dataclass
class Instrument:
    symbol: bytes
    price_digits: int
    qty_digits: int
    time_unit_ns: int = 1_000_000


@dataclass
class Expected:
    codes: frozenset[int]
    frame: dict[str, Any] = field(default_factory=dict)
    rows: tuple[list, list] = field(default_factory=lambda: ([], []))


class Faults(set):
    """Codes of what is wrong with a message."""

    def mantissa(self, value: Any, digits: int) -> int:
        if not isinstance(value, str) or not DECIMAL.fullmatch(value):
            self.add(layout.MALFORMED)
            return 0
        if "e" in value or "E" in value:
            self.add(layout.NEEDS_SLOW_PATH)
            return 0
        scaled = Fraction(Decimal(value)) * 10**digits
        if scaled.denominator != 1:
            self.add(layout.OFF_GRID)
        if value.startswith("-") or scaled > INT64_MAX:
            self.add(layout.OVERFLOW)
        return int(scaled)

    def integer(self, value: Any, unit: int = 1) -> int:
        if not isinstance(value, Number):
            self.add(layout.MALFORMED)
            return 0
        if not value.lstrip("-").isdigit():
            self.add(layout.MALFORMED)
        number = int(Fraction(Decimal(value))) if "e" not in value.lower() else 0
        if value.startswith("-") or number * unit > INT64_MAX:
            self.add(layout.OVERFLOW)
        return number * unit

    def levels(self, value: Any, instrument: Instrument) -> list[tuple[int, int]]:
        if not isinstance(value, list) or isinstance(value, Pairs):
            self.add(layout.MALFORMED)
            return []
        if len(value) > layout.ROWS_CAPACITY:
            self.add(layout.TOO_MANY_LEVELS)
        found = []
        for level in value:
            if not isinstance(level, list) or isinstance(level, Pairs) or len(level) < 2:
                self.add(layout.MALFORMED)
                if isinstance(level, list) and not isinstance(level, Pairs) and level:
                    self.mantissa(level[0], instrument.price_digits)  # may be found before what is missing
                continue
            price = self.mantissa(level[0], instrument.price_digits)
            found.append((price, self.mantissa(level[1], instrument.qty_digits)))
        return found


def parse(data: bytes) -> Any:
    """JSON with numbers as their text and objects as pairs; ValueError when it is none."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    text = data.decode("utf-8", "surrogateescape")
    return json.loads(
        text, parse_int=Number, parse_float=Number, parse_constant=refuse, object_pairs_hook=Pairs
    )


def depth_of(value: Any) -> int:
    """Nesting of lists and objects."""
    if isinstance(value, Pairs):
        return 1 + max((depth_of(member) for _, member in value), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def name_of(text: str) -> bytes:
    """The bytes a name had; a lone surrogate written as an escape never was any, so it is none of ours."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def loosen(expected: Expected, data: bytes, message: Any) -> Expected:
    """Allow what the scanner may leave to Python, and any fault where orjson finds one that we do not."""
    codes = set(expected.codes)
    if b"\\" in data or depth_of(message) > MAX_DEPTH:
        codes.add(layout.NEEDS_SLOW_PATH)
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        codes |= FAULTS
    return Expected(frozenset(codes), expected.frame, expected.rows)


def expect(
    data: bytes, names: Mapping[bytes, tuple[int, int]], instruments: Sequence[Instrument]
) -> Expected:
    """What a scanner may make of one websocket message."""
    try:
        message = parse(data)
    except (ValueError, RecursionError):
        return Expected(FAULTS)
    return loosen(_message(message, names, instruments), data, message)


def expect_snapshot(data: bytes, symbol_id: int, instruments: Sequence[Instrument]) -> Expected:
    """What a scanner may make of the body of a REST depth reply."""
    try:
        message = parse(data)
    except (ValueError, RecursionError):
        return Expected(FAULTS)
    if not isinstance(message, Pairs):
        return loosen(Expected(frozenset({layout.MALFORMED})), data, message)
    found = _payload(message, "image", symbol_id, layout.KIND_BOOK, instruments)
    if message.has_twice(["e", "s", "stream", "data"]):
        found = Expected(found.codes | FAULTS, found.frame, found.rows)
    elif "lastUpdateId" not in message.as_dict():
        codes = (found.codes - {layout.MALFORMED}) | {layout.NOT_MARKET_DATA}
        found = Expected(codes, found.frame, found.rows)
    return loosen(found, data, message)


def _message(message: Any, names: Mapping[bytes, tuple[int, int]], instruments: Sequence) -> Expected:
    def answer(code: int) -> Expected:
        return Expected(frozenset({code}))

    if not isinstance(message, Pairs):
        return answer(layout.NOT_MARKET_DATA)
    if message.has_twice(["stream", "data", "e", "s"]):
        return Expected(FAULTS)
    outer, route_kind = message.as_dict(), 0
    stream, payload = outer.get("stream"), outer.get("data")
    wears_envelope = "stream" in outer and isinstance(payload, Pairs)
    if not wears_envelope:
        payload = message
    elif not isinstance(stream, str) or isinstance(stream, Number):
        return answer(layout.NOT_MARKET_DATA)
    else:
        if name_of(stream) not in names:
            return answer(layout.NOT_MARKET_DATA if stream.startswith("!") else layout.UNKNOWN_SYMBOL)
        symbol_id, route_kind = names[name_of(stream)]
        if payload.has_twice(["e", "s"]):
            return Expected(FAULTS)
    shape = _shape(payload.as_dict(), route_kind)
    if shape is None or (shape == "image" and not wears_envelope):
        return answer(layout.NOT_MARKET_DATA)
    if not wears_envelope:
        symbol = outer.get("s")
        if not isinstance(symbol, str) or isinstance(symbol, Number):
            return answer(layout.MALFORMED)
        if name_of(symbol) not in names:
            return answer(layout.NOT_MARKET_DATA if symbol.startswith("!") else layout.UNKNOWN_SYMBOL)
        symbol_id = names[name_of(symbol)][0]
    kind = _kind(shape, route_kind)
    if route_kind not in (0, kind):
        return answer(layout.MALFORMED)
    found = _payload(payload, shape, symbol_id, kind, instruments)
    if payload.has_twice(["stream", "data"]):  # only a survey of the payload minds
        found.codes |= {layout.NEEDS_SLOW_PATH}
    return found


def _shape(payload: dict[str, Any], route_kind: int) -> str | None:
    if "e" in payload:
        event = payload["e"]
        return EVENTS.get(event) if isinstance(event, str) and not isinstance(event, Number) else None
    has_id = "lastUpdateId" in payload
    if payload.keys() >= TICKER_KEYS and (not has_id or route_kind in (0, layout.KIND_TICKER)):
        return "ticker"
    return "image" if has_id else None


def _kind(shape: str, route_kind: int) -> int:
    if shape == "diff":
        return layout.KIND_DEPTH if route_kind == layout.KIND_DEPTH else layout.KIND_BOOK
    kinds = {"image": layout.KIND_DEPTH, "ticker": layout.KIND_TICKER}
    return kinds.get(shape, layout.KIND_TRADE)


def _payload(pairs: Pairs, shape: str, symbol_id: int, kind: int, instruments: Sequence) -> Expected:
    if pairs.has_twice(KNOWN[shape].split()):
        return Expected(FAULTS)
    payload, faults, instrument = pairs.as_dict(), Faults(), instruments[symbol_id]
    frame: dict[str, Any] = dict.fromkeys(layout.frame_dtype.names or (), 0)
    del frame["error_at"]
    frame |= {"kind": kind, "symbol_id": symbol_id, "side": layout.NO_SIDE, "prev_id": -1}
    for key, name in (("E", "event_ns"), ("T", "txn_ns")):
        if key in payload:
            frame[name] = faults.integer(payload[key], instrument.time_unit_ns)
    symbol = payload.get("s", "")
    if "s" in payload and (not isinstance(symbol, str) or name_of(symbol) != instrument.symbol):
        faults.add(layout.MALFORMED)
    if "e" in payload and shape == "image":
        faults.add(layout.MALFORMED)
    fill = {"diff": _depth, "image": _depth, "ticker": _ticker}.get(shape, _trade)
    rows = fill(payload, shape, frame, faults, instrument)
    frame["rows"] = [len(rows[BID]), len(rows[ASK])]
    if faults:
        return Expected(frozenset(faults), frame, rows)
    return Expected(frozenset({layout.DECODED}), frame, rows)


def _depth(payload: dict, shape: str, frame: dict, faults: Faults, instrument: Instrument) -> tuple:
    frame["last_id"] = faults.integer(payload.get("lastUpdateId" if shape == "image" else "u"))
    if shape == "diff":
        frame["first_id"] = faults.integer(payload.get("U"))
        if "pu" in payload:
            frame["prev_id"] = faults.integer(payload["pu"])
    if frame["kind"] == layout.KIND_DEPTH:
        frame["first_id"] = frame["last_id"]
    sides = ("bids", "asks") if shape == "image" else ("b", "a")
    return tuple(faults.levels(payload.get(side), instrument) for side in sides)


def _ticker(payload: dict, shape: str, frame: dict, faults: Faults, instrument: Instrument) -> tuple:
    frame["first_id"] = frame["last_id"] = faults.integer(payload.get("u"))
    return tuple(
        [
            (
                faults.mantissa(payload.get(price), instrument.price_digits),
                faults.mantissa(payload.get(qty), instrument.qty_digits),
            )
        ]
        for price, qty in (("b", "B"), ("a", "A"))
    )


def _trade(payload: dict, shape: str, frame: dict, faults: Faults, instrument: Instrument) -> tuple:
    aggregated = shape == "aggregate"
    trade_id = faults.integer(payload.get("a" if aggregated else "t"))
    frame["first_id"] = frame["last_id"] = frame["trade_id"] = trade_id
    frame["trade_first_id"] = faults.integer(payload.get("f")) if aggregated else trade_id
    frame["trade_last_id"] = faults.integer(payload.get("l")) if aggregated else trade_id
    frame["trade_price"] = faults.mantissa(payload.get("p"), instrument.price_digits)
    frame["trade_qty"] = faults.mantissa(payload.get("q"), instrument.qty_digits)
    frame["flags"] = layout.FLAG_AGGREGATED if aggregated else 0
    if not isinstance(payload.get("m"), bool):
        faults.add(layout.MALFORMED)
    frame["side"] = ASK if payload.get("m") else BID
    if payload.get("X") == "NA" and frame["trade_qty"] == 0:
        frame["kind"] = 0
    return [], []
