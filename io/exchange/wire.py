"""Payloads as the venues print them: key order, padding and level order included. Pure text making.

Spot prints every number at the asset precision (8 decimals for most) and bids descending; USD-M prints
at the decimals of tick and step, both sides ascending, with `T`, `ps` and `st` (order seen in 2026).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .instruments import Instrument
from .ladder import ASK, BID
from .matching import AggTrade, Ticker, Trade

PRICE_CACHE = 100_000  # printed prices kept per instrument
MILLISECOND_NS, MICROSECOND_NS = 1_000_000, 1_000
Level = tuple[int, int]  # ticks, lots


class Diff(NamedTuple):
    """One depthUpdate: the levels changed in ids [first_id, last_id], best price first on both sides."""

    first_id: int
    last_id: int
    prev_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]


def decimal_text(mantissa: int, digits: int) -> str:
    """`mantissa` × 10^-digits with exactly `digits` decimals."""
    if not digits:
        return str(mantissa)
    text = str(mantissa).zfill(digits + 1)
    return f"{text[:-digits]}.{text[-digits:]}"


class Printer:
    """Writes the payloads of one instrument; `usdm` chooses the venue's form."""

    def __init__(self, instrument: Instrument, usdm: bool) -> None:
        self.instrument, self.usdm = instrument, usdm
        self._price_unit, self._qty_unit = instrument.price_unit, instrument.qty_unit
        self._prices: dict[int, str] = {}

    def price(self, ticks: int) -> str:
        text = self._prices.get(ticks)
        if text is None:
            if len(self._prices) >= PRICE_CACHE:
                self._prices.clear()
            text = decimal_text(ticks * self._price_unit, self.instrument.price_digits)
            self._prices[ticks] = text
        return text

    def qty(self, lots: int) -> str:
        return decimal_text(lots * self._qty_unit, self.instrument.qty_digits)

    def levels(self, levels: Iterable[Level]) -> str:
        price, qty = self.price, self.qty
        return ",".join([f'["{price(ticks)}","{qty(lots)}"]' for ticks, lots in levels])

    def diff(self, diff: Diff, now_ns: int, unit_ns: int) -> bytes:
        """A depthUpdate event."""
        s, now = self.instrument.symbol, now_ns // unit_ns
        asks = self.levels(diff.asks)
        if not self.usdm:
            return (
                f'{{"e":"depthUpdate","E":{now},"s":"{s}","U":{diff.first_id},"u":{diff.last_id},'
                f'"b":[{self.levels(diff.bids)}],"a":[{asks}]}}'
            ).encode()
        return (
            f'{{"e":"depthUpdate","E":{now},"T":{now},"s":"{s}","ps":"{s}","U":{diff.first_id},'
            f'"u":{diff.last_id},"pu":{diff.prev_id},"b":[{self.levels(reversed(diff.bids))}],'
            f'"a":[{asks}],"st":1}}'
        ).encode()

    def partial(self, top: Diff, now_ns: int, unit_ns: int) -> bytes:
        """The best levels as an image: nameless on spot, shaped like a diff on USD-M."""
        if self.usdm:
            return self.diff(top, now_ns, unit_ns)
        return (
            f'{{"lastUpdateId":{top.last_id},"bids":[{self.levels(top.bids)}],'
            f'"asks":[{self.levels(top.asks)}]}}'
        ).encode()

    def trade(self, trade: Trade, now_ns: int, unit_ns: int) -> bytes:
        s, now = self.instrument.symbol, now_ns // unit_ns
        maker = "true" if trade.buyer_is_maker else "false"
        numbers = f'"t":{trade.trade_id},"p":"{self.price(trade.price)}","q":"{self.qty(trade.lots)}"'
        if self.usdm:
            return (
                f'{{"e":"trade","E":{now},"T":{now},"s":"{s}",{numbers},"X":"MARKET","m":{maker},"st":1}}'
            ).encode()
        return f'{{"e":"trade","E":{now},"s":"{s}",{numbers},"T":{now},"m":{maker},"M":true}}'.encode()

    def agg_trade(self, trade: AggTrade, now_ns: int, unit_ns: int) -> bytes:
        s, now = self.instrument.symbol, now_ns // unit_ns
        maker = "true" if trade.buyer_is_maker else "false"
        price, qty = self.price(trade.price), self.qty(trade.lots)
        span = f'"f":{trade.first_trade_id},"l":{trade.last_trade_id},"T":{now},"m":{maker}'
        if self.usdm:
            return (
                f'{{"e":"aggTrade","E":{now},"a":{trade.agg_id},"s":"{s}","p":"{price}","q":"{qty}",'
                f'"nq":"{qty}",{span},"st":1}}'
            ).encode()
        return (
            f'{{"e":"aggTrade","E":{now},"s":"{s}","a":{trade.agg_id},"p":"{price}","q":"{qty}",'
            f'{span},"M":true}}'
        ).encode()

    def book_ticker(self, ticker: Ticker, now_ns: int, unit_ns: int) -> bytes:
        s = self.instrument.symbol
        bid = f'"b":"{self.price(ticker.bid[0])}","B":"{self.qty(ticker.bid[1])}"'
        ask = f'"a":"{self.price(ticker.ask[0])}","A":"{self.qty(ticker.ask[1])}"'
        if not self.usdm:
            return f'{{"u":{ticker.update_id},"s":"{s}",{bid},{ask}}}'.encode()
        now = now_ns // unit_ns
        return (
            f'{{"e":"bookTicker","u":{ticker.update_id},"s":"{s}","ps":"{s}",{bid},{ask},'
            f'"T":{now},"E":{now},"st":1}}'
        ).encode()

    def snapshot(self, update_id: int, tops: tuple[Sequence[Level], Sequence[Level]], now_ns: int) -> bytes:
        """The body of a REST depth reply, best first on both sides."""
        now = now_ns // MILLISECOND_NS
        times = f'"E":{now},"T":{now},' if self.usdm else ""
        return (
            f'{{"lastUpdateId":{update_id},{times}"bids":[{self.levels(tops[BID])}],'
            f'"asks":[{self.levels(tops[ASK])}]}}'
        ).encode()

    def pairs(self, levels: Iterable[Level]) -> list[list[str]]:
        """Levels as lists of printed numbers, for JSON made elsewhere."""
        return [[self.price(ticks), self.qty(lots)] for ticks, lots in levels]


def envelope(stream: str, payload: bytes) -> bytes:
    """The combined form: the stream's name around its payload."""
    return b'{"stream":"' + stream.encode() + b'","data":' + payload + b"}"
