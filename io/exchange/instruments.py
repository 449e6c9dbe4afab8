"""The instruments of the simulated market: tick, step, printed decimals and the shape of their order flow."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """How order flow is spread over the book of one instrument.

    quantiles     probabilities, ascending from 0 to 1
    distances     distance from the mid in ticks at those probabilities
    delete_share  wanted share of deletes among the levels of diff frames
    """

    quantiles: tuple[float, ...]
    distances: tuple[float, ...]
    delete_share: float

    def scaled(self, factor: float) -> "Shape":
        return self._replace(distances=tuple(d * factor for d in self.distances))


# Spot and USD-M differ in kind: spot orders sit far from the touch and nearly half of all changes delete a
# level; on USD-M most changes resize a level close to the touch. Figures as recorded on BTCUSDT in 2024-08.
SPOT_SHAPE = Shape(
    (0.0, 0.06, 0.10, 0.16, 0.30, 0.50, 0.90, 0.96, 0.985, 0.997, 1.0),
    (0.0, 3.0, 40.0, 900.0, 9_300.0, 15_900.0, 27_500.0, 55_000.0, 580_000.0, 690_000.0, 2_000_000.0),
    0.485,
)
USDM_SHAPE = Shape(
    (0.0, 0.05, 0.12, 0.25, 0.50, 0.70, 0.85, 0.92, 0.99, 1.0),
    (0.0, 3.0, 40.0, 230.0, 880.0, 2_500.0, 8_500.0, 60_000.0, 565_000.0, 600_000.0),
    0.145,
)


@dataclass(frozen=True)
class Instrument:
    """One symbol. Inside the market prices are whole ticks and quantities whole lots."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    price_digits: int  # decimals printed on the wire
    qty_digits: int
    start_price: Decimal
    shape: Shape
    levels: int = 2_600  # levels a side the flow settles at
    typical_lots: int = 5_000

    @property
    def price_unit(self) -> int:
        """One tick as a mantissa at the printed decimals."""
        return int(self.tick.scaleb(self.price_digits))

    @property
    def qty_unit(self) -> int:
        """One lot as a mantissa at the printed decimals."""
        return int(self.step.scaleb(self.qty_digits))

    @property
    def start_tick(self) -> int:
        return int(self.start_price / self.tick)


def spot(symbol: str, tick: str, step: str, price: str, **more: object) -> Instrument:
    """A spot instrument quoted in USDT, printed with 8 decimals unless told otherwise."""
    base = Instrument(
        symbol, symbol.removesuffix("USDT"), "USDT", Decimal(tick), Decimal(step),
        8, 8, Decimal(price), SPOT_SHAPE,
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def usdm(symbol: str, tick: str, step: str, price: str, **more: object) -> Instrument:
    """A USD-M perpetual, printed at the decimals of its tick and step."""
    base = Instrument(
        symbol, symbol.removesuffix("USDT"), "USDT", Decimal(tick), Decimal(step),
        decimals(tick), decimals(step), Decimal(price), USDM_SHAPE,
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def decimals(text: str) -> int:
    """Decimals of a number as printed: "0.010" has 3."""
    return len(text.partition(".")[2])


def catalogue(venue: str) -> dict[str, Instrument]:
    """The symbols the simulated market can open, by name. `venue` is "spot" or "usdm"."""
    return {one.symbol: one for one in (SPOT if venue == "spot" else USDM)}


def made_up(venue: str, count: int) -> list[Instrument]:
    """So many small symbols that no venue has, for runs with very many: M0000USDT, M0001USDT …"""
    make, shape = (spot, SPOT_SHAPE) if venue == "spot" else (usdm, USDM_SHAPE)
    return [
        make(f"M{number:04d}USDT", "0.01", "0.001", "150.00", shape=shape.scaled(0.01), levels=60)
        for number in range(count)
    ]


def typical_sizes(instrument: Instrument, rng: np.random.Generator, count: int) -> list[int]:
    """Order sizes in lots: log-normal, at least one lot."""
    lots = rng.lognormal(np.log(instrument.typical_lots), 1.4, count)
    return np.clip(lots, 1, 10**12).astype(np.int64).tolist()


SPOT = (
    spot("BTCUSDT", "0.01", "0.00001", "61600.00"),
    spot("ETHUSDT", "0.01", "0.0001", "2681.00", shape=SPOT_SHAPE.scaled(0.2), levels=2_300),
    spot("SOLUSDT", "0.01", "0.001", "153.00", shape=SPOT_SHAPE.scaled(0.1), levels=1_200),
    spot("DOGEUSDT", "0.00001", "1", "0.10250", shape=SPOT_SHAPE.scaled(0.1), levels=1_200),
    spot("SHIBUSDT", "0.00000001", "1", "0.00002410", qty_digits=2, shape=SPOT_SHAPE.scaled(0.05), levels=500,
         typical_lots=40_000_000),
    spot("PEPEUSDT", "0.00000001", "1", "0.00000785", shape=SPOT_SHAPE.scaled(0.012), levels=220,
         typical_lots=50_000_000),
    spot("币安人生USDT", "0.00001", "1", "0.18320", shape=SPOT_SHAPE.scaled(0.1), levels=1_200),
)  # fmt: skip
USDM = (
    usdm("BTCUSDT", "0.10", "0.001", "61600.00", price_digits=2, typical_lots=300),
    usdm("ETHUSDT", "0.01", "0.001", "2681.00", shape=USDM_SHAPE.scaled(0.4), typical_lots=3_000),
    usdm("SOLUSDT", "0.0010", "1", "153.0000", shape=USDM_SHAPE.scaled(0.25), levels=1_500, typical_lots=60),
    usdm("1000SHIBUSDT", "0.000001", "1", "0.024100", shape=USDM_SHAPE.scaled(0.2), levels=400,
         typical_lots=90_000),
    usdm("1000PEPEUSDT", "0.0000001", "1", "0.0078500", shape=USDM_SHAPE.scaled(0.1), levels=1_500,
         typical_lots=90_000),
    usdm("币安人生USDT", "0.00001", "1", "0.18320", shape=USDM_SHAPE.scaled(0.2), levels=400),
)  # fmt: skip
