"""What can be chosen about the built-in exchange."""

from dataclasses import dataclass, field
from pathlib import Path

from .budget import MINUTE_S
from .faults.plan import Plan


@dataclass(frozen=True)
class ExchangeOptions:
    """Settings of one exchange; None means "as the venue does".

    venue                spot or usdm (binance-spot and binance-usdm are understood too)
    symbols              symbols of the simulated market; empty: the first two of its catalogue
    recording            files to play instead of simulating, in order
    speed                times real time, 0 = as fast as the clients take it; 10 turns `@depth@100ms`
                         into 100 frames a second
    seed                 of the simulated market; the same seed gives the same orders
    port                 0 lets the system choose one
    tls                  serve https and wss with a certificate made at start
    ca_file              where to write the certificate authority a client has to trust
    messages_per_second  of one websocket client; 0 = no limit
    weight_per_minute    REST weight of one address
    minute_s             how long the minute of that weight lasts; tests shorten it
    more_symbols         so many small made-up symbols besides: M0000USDT, M0001USDT …
    faults               which faults strike, and the seed of their chance
    """

    venue: str = "spot"
    symbols: tuple[str, ...] = ()
    recording: tuple[Path, ...] = ()
    speed: float = 1.0
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    ca_file: Path | None = None
    messages_per_second: int | None = None
    weight_per_minute: int | None = None
    minute_s: float = MINUTE_S
    more_symbols: int = 0
    ping_s: float | None = None
    pong_timeout_s: float | None = None
    faults: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        if self.speed < 0:
            raise ValueError(f"speed was {self.speed}, expected 0 (as fast as possible) or more")
        if self.symbols and self.recording:
            raise ValueError(
                "symbols choose the simulated market, a recording brings its own: give one of them"
            )
