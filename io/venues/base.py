"""What a venue file provides; everything else of the engine is the same for all venues."""

import difflib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ...engine.instruments import Instrument
from ...engine.slow import SlowPath
from ..errors import RingbookError


class UnknownVenue(RingbookError):
    """A venue name nobody registered; the message lists those that are."""

    exit_code = 2


@dataclass(frozen=True)
class Ack:
    """The venue took a request."""

    id: int | None


@dataclass(frozen=True)
class VenueError:
    """The venue refused a request."""

    id: int | None
    code: int
    message: str


@dataclass(frozen=True)
class ServerShutdown:
    """The venue announces that it will close the connection."""


@dataclass(frozen=True)
class UnknownReply:
    """Something else."""


Reply = Ack | VenueError | ServerShutdown | UnknownReply


@dataclass(frozen=True)
class Limits:
    """What the venue allows one client.

    messages_per_s   websocket messages per connection and second, pongs counted
    streams          per connection
    life_s           a connection is cut after this long
    ping_s           the server's ping interval: silence much longer than this means a dead connection
    attempts         connection attempts per attempts_s
    weight_per_min   REST request weight per minute and address
    """

    messages_per_s: int
    streams: int
    life_s: float
    ping_s: float
    attempts: int
    attempts_s: float
    weight_per_min: int


@dataclass(frozen=True)
class Venue:
    """One venue.

    name            "binance-spot"
    scanner         family: engine/kernels/<scanner>_ingest.py
    rule            sequence rule, a key of sync.RULES
    time_unit_ns    nanoseconds per unit of the time fields
    rest_url        base of REST requests
    ws_urls         group → websocket base; streams of different groups need different connections
    ws_paths        group → path of the combined endpoint
    limits          what the venue allows
    snapshot_limit  levels a side asked of REST
    exchange_path   REST path of the instruments
    depth_path      REST path of a depth snapshot
    group_of        stream name → group
    parse_stream    stream name → (symbol, KIND_*), None for streams this engine does not read
    stream_name     (symbol, stream suffix) → stream name
    subscribe       (id, stream names) → message
    unsubscribe     (id, stream names) → message
    classify        decoded reply → Reply
    depth_weight    levels → request weight
    clamp_limit     levels wanted → a value the venue accepts
    parse_instruments   exchangeInfo body → symbol → Instrument
    slow_path       decodes what the scanner leaves alone; see engine/slow.py
    """

    name: str
    scanner: str
    rule: str
    time_unit_ns: int
    rest_url: str
    ws_urls: dict[str, str]
    ws_paths: dict[str, str]
    limits: Limits
    snapshot_limit: int
    exchange_path: str
    depth_path: str
    group_of: Callable[[bytes], str]
    parse_stream: Callable[[bytes], tuple[bytes, int] | None]
    stream_name: Callable[[bytes, str], bytes]
    subscribe: Callable[[int, Sequence[bytes]], str]
    unsubscribe: Callable[[int, Sequence[bytes]], str]
    classify: Callable[[dict[str, Any]], Reply]
    depth_weight: Callable[[int], int]
    clamp_limit: Callable[[int], int]
    parse_instruments: Callable[..., dict[bytes, Instrument]]
    slow_path: type[SlowPath] = SlowPath
    exchange_weight: int = 20
    default_streams: tuple[str, ...] = ("depth@100ms", "trade", "bookTicker")

    def at(self, rest_url: str | None = None, ws_url: str | None = None, **groups: str | None) -> "Venue":
        """The same venue at other addresses; `groups` gives the websocket base of single groups."""
        urls = {group: groups.get(group) or ws_url or url for group, url in self.ws_urls.items()}
        return replace(self, rest_url=rest_url or self.rest_url, ws_urls=urls)

    def ws_address(self, group: str) -> str:
        """Where to connect for a group; streams are subscribed by message afterwards."""
        return self.ws_urls[group].rstrip("/") + self.ws_paths[group]

    def depth_address(self, symbol: str) -> str:
        """Where to ask for a snapshot, without the query."""
        return self.rest_url.rstrip("/") + self.depth_path


@functools.cache
def venues() -> dict[str, Venue]:
    """Every venue by name: each file beside this one has a dict VENUES, so a new file is all a venue needs."""
    found: dict[str, Venue] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "base":
            found |= import_module(f".{path.stem}", __package__).VENUES
    return found


def get_venue(name: str) -> Venue:
    """A venue by name. Raises UnknownVenue naming those there are."""
    known = venues()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownVenue(f"venue was {name!r}, expected one of {', '.join(known)}{hint}")
    return known[name]


def families() -> list[str]:
    """Scanner families of all venues."""
    return sorted({venue.scanner for venue in venues().values()})
