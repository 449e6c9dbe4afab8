"""The exchange's own books while it plays a recording: kept from the recorded frames, and known at each.

Numbers are whole mantissas at the decimals the recording prints, so nothing is rounded.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson

from ..recording import read_recording, stream_of
from .instruments import Instrument, catalogue, decimals, spot, usdm
from .ladder import ASK, BID, Ladder
from .truth import History
from .wire import Printer

PENDING_MAX = 20_000  # diffs kept while no snapshot has come
Rows = list[list[str]]


class PlayedBook:
    """One symbol's book: waiting for a snapshot, then following the diffs by the venue's rule."""

    def __init__(self, instrument: Instrument, is_usdm: bool) -> None:
        self.instrument, self.usdm = instrument, is_usdm
        self.history: History | None = None
        self._pending: list[dict] = []
        self._fresh = False  # no diff applied since the snapshot
        unit_tick, unit_step = (
            Decimal(1).scaleb(-d) for d in (instrument.price_digits, instrument.qty_digits)
        )
        self.printer = Printer(replace(instrument, tick=unit_tick, step=unit_step), is_usdm)

    def load(self, snapshot: dict) -> None:
        """Start over from a REST depth reply, and apply the diffs that came before it."""
        book, digits = Ladder(), self.instrument.price_digits
        for side, rows in ((BID, snapshot["bids"]), (ASK, snapshot["asks"])):
            book.apply((side, mantissa(p, digits), mantissa(q, self.instrument.qty_digits)) for p, q in rows)
        self.history = History(book, snapshot["lastUpdateId"], every_id=False)
        self._fresh = True
        pending, self._pending = self._pending, []
        for event in pending:
            self.follow(event)

    def follow(self, event: dict) -> None:
        """Apply a depthUpdate; a missing one makes the book unknown until the next snapshot."""
        if self.history is None:
            if len(self._pending) < PENDING_MAX:
                self._pending.append(event)
            return
        last = self.history.last_id
        if self._is_old(event, last):
            return
        if not self._fits(event, last):
            self.history, self._pending = None, [event]
            return
        self._fresh = False
        for side, rows in ((BID, event["b"]), (ASK, event["a"])):
            for price, qty in rows:
                ticks = mantissa(price, self.instrument.price_digits)
                lots = mantissa(qty, self.instrument.qty_digits)
                self.history.append(event["u"], side, ticks, lots)
        self.history.pass_to(event["u"])

    def _is_old(self, event: dict, last: int) -> bool:
        if self.usdm:
            return event["u"] < last if self._fresh else event["u"] <= last
        return event["u"] <= last

    def _fits(self, event: dict, last: int) -> bool:
        if not self.usdm:
            return event["U"] <= last + 1
        return event["pu"] == last or (self._fresh and event["U"] <= last <= event["u"])


def mantissa(text: str, digits: int) -> int:
    """`text` as a whole number of 10^-digits, exactly; ValueError when it has finer digits."""
    whole, _, fraction = text.partition(".")
    if len(fraction) == digits:
        return int(whole + fraction)
    value = Decimal(text).scaleb(digits)
    if value != int(value):
        raise ValueError(
            f"number was {text!r}, expected at most {digits} decimals, as the first frame prints"
        )
    return int(value)


def recorded_instruments(
    paths: Iterable[Path | str], symbols: list[str], venue: str
) -> dict[str, Instrument]:
    """Instruments of a recording: known ones from the catalogue, others from the finest digits they print."""
    known = catalogue(venue)
    finest: dict[str, list[int]] = {symbol: [0, 0, 0, 0] for symbol in symbols}
    for line in read_recording(paths):
        _, payload = stream_of(line.body)
        if b'"depthUpdate"' in payload[:40]:
            event = orjson.loads(payload)
            note_digits(finest[event["s"]], event["b"] + event["a"])
    found = {}
    for symbol, (price, qty, printed_price, printed_qty) in finest.items():
        if symbol in known:
            tick, step = f"{known[symbol].tick:f}", f"{known[symbol].step:f}"
            price, qty = max(price, decimals(tick)), max(qty, decimals(step))
        make = usdm if venue == "usdm" else spot
        tick, step = f"{Decimal(1).scaleb(-price):f}", f"{Decimal(1).scaleb(-qty):f}"
        found[symbol] = make(symbol, tick, step, "1", price_digits=printed_price, qty_digits=printed_qty)
    return found


def note_digits(finest: list[int], rows: Rows) -> None:
    """Raise `finest`: decimals needed by price and quantity, decimals printed of both."""
    for row in rows:
        for column, text in enumerate(row):
            printed = decimals(text)
            finest[column] = max(finest[column], decimals(text.rstrip("0")) if printed else 0)
            finest[column + 2] = max(finest[column + 2], printed)
