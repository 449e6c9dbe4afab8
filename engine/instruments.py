"""Instruments: which integer scales a symbol's prices and quantities have, from the venue's own metadata."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import units

# Scales for an instrument nobody described: separate, since one would not fit both PEPE's prices and its
# quantities (int64 holds 9.2e8 at 10 decimals and 9.2e10 at 8).
FALLBACK_PRICE_DIGITS, FALLBACK_QTY_DIGITS = 10, 8


class InstrumentError(ValueError):
    """Metadata that cannot be used; says what was found and what was expected."""


@dataclass(frozen=True)
class Instrument:
    """One tradable symbol.

    symbol        as the venue spells it, UTF-8
    price_digits  decimals of the price mantissa: those of the tick size
    qty_digits    decimals of the quantity mantissa: those of the step size
    price_tick    tick size as a mantissa
    qty_step      step size as a mantissa
    status        the venue's word, "TRADING" normally
    """

    symbol: bytes
    price_digits: int
    qty_digits: int
    price_tick: int
    qty_step: int
    status: str = "TRADING"

    @property
    def name(self) -> str:
        """The symbol as text."""
        return self.symbol.decode(errors="replace")


def from_steps(
    symbol: bytes, tick: str, step: str, status: str = "TRADING", asset_digits: int = 0
) -> Instrument:
    """An instrument from its tick and step sizes as decimal text. Raises InstrumentError.

    asset_digits  decimals of the base asset where the venue tells: resting quantities may be finer than the
                  step of new orders (recorded: 25.42618900 BTC at a step of 0.00001)
    """
    try:
        price_digits, qty_digits = units.digits_of(tick), max(asset_digits, units.digits_of(step))
        price_tick, qty_step = units.to_mantissa(tick, price_digits), units.to_mantissa(step, qty_digits)
    except ValueError as error:
        raise InstrumentError(f"{symbol!r}: {error}") from None
    return Instrument(symbol, price_digits, qty_digits, price_tick, qty_step, status)


def fallback(symbol: bytes) -> Instrument:
    """The widest useful scales, for a symbol without metadata."""
    return Instrument(symbol, FALLBACK_PRICE_DIGITS, FALLBACK_QTY_DIGITS, 1, 1)


def _filter(entry: Mapping[str, Any], kind: str, field: str) -> str:
    filters = entry.get("filters")
    for one in filters if isinstance(filters, list) else ():
        if isinstance(one, dict) and one.get("filterType") == kind and isinstance(one.get(field), str):
            return one[field]
    raise InstrumentError(f"{entry.get('symbol')!r}: no {field} in its {kind} filter")


def _asset_digits(entry: Mapping[str, Any]) -> int:
    """Decimals of a spot symbol's quantities. Futures print quantities at the step, whatever the asset has."""
    digits = entry.get("baseAssetPrecision", 0)
    return digits if isinstance(digits, int) and 0 <= digits <= 8 and "contractType" not in entry else 0


def parse_exchange_info(body: Any, wanted: Iterable[bytes] | None = None) -> dict[bytes, Instrument]:
    """Instruments of a Binance exchangeInfo reply.

    body    decoded JSON: {"symbols": [{"symbol", "status", "filters": […]}, …]}
    wanted  only these symbols; all when None
    Raises  InstrumentError when the body, or a wanted symbol's entry, has another shape.
    Source  Binance spot docs, filters.md: PRICE_FILTER.tickSize, LOT_SIZE.stepSize; USD-M docs, exchangeInfo:
            pricePrecision and quantityPrecision are for display and are not the tick.
    """
    entries = body.get("symbols") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise InstrumentError(
            f"exchangeInfo was {str(body)[:60]!r}, expected an object with a list `symbols`"
        )
    chosen = None if wanted is None else set(wanted)
    found: dict[bytes, Instrument] = {}
    for entry in entries:
        symbol = str(entry.get("symbol", "")).encode() if isinstance(entry, dict) else b""
        if not symbol or (chosen is not None and symbol not in chosen):
            continue
        tick, step = _filter(entry, "PRICE_FILTER", "tickSize"), _filter(entry, "LOT_SIZE", "stepSize")
        status = str(entry.get("status", entry.get("contractStatus", "")))
        found[symbol] = from_steps(symbol, tick, step, status, _asset_digits(entry))
    return found
