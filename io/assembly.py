"""Puts an engine's parts together from its configuration: instruments, bus, pipeline, connections."""

import difflib
import logging
import random
from collections.abc import Sequence

from ..engine import routes
from ..engine.backoff import NS_PER_S, Budget
from ..engine.connection import Connection
from ..engine.instruments import Instrument
from ..engine.pipeline import Pipeline
from ..engine.subscription import Subscriptions
from .bus import WriterBus, create
from .config import ConfigError, EngineConfig
from .venues.base import Venue

log = logging.getLogger(__name__)
LIFE_SHARE = 23 / 24  # of the venue's connection life: replaced before the venue cuts it
SILENCE_PINGS = 3.5  # server pings that may be missed before we ask


def choose_instruments(
    venue: Venue, symbols: Sequence[str], known: dict[bytes, Instrument]
) -> list[Instrument]:
    """The instruments of the symbols. Raises ConfigError for one the venue does not have."""
    chosen = []
    for name in symbols:
        symbol = name.encode()
        if symbol not in known:
            near = difflib.get_close_matches(name, [one.decode(errors="replace") for one in known], 3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ConfigError(f"{venue.name} has no symbol {name!r}, expected one of its {len(known)}{hint}")
        if known[symbol].status not in ("TRADING", ""):
            log.warning("%s is %s: it may stay silent", name, known[symbol].status)
        chosen.append(known[symbol])
    return chosen


def open_bus(config: EngineConfig, venue: Venue) -> WriterBus:
    """Create the bus; twice as many symbol rows as symbols, since a rescaled symbol takes another row."""
    capacity = config.symbol_capacity or max(4, 2 * len(config.symbols))
    return create(
        config.bus or venue.name, venue=venue.name, symbol_capacity=capacity,
        slot_count=config.slots, top_n=config.top_n, book_levels=config.book_levels,
        directory=config.directory or None, group_readable=config.group_readable,
        lock_memory=config.lock_memory, huge_pages=config.huge_pages,
    )  # fmt: skip


def open_pipeline(config: EngineConfig, venue: Venue, bus: WriterBus) -> Pipeline:
    """The kernels on the bus, with room for every stream name."""
    names = len(bus.symbol_rows) * (1 + len(config.streams or venue.default_streams))
    return Pipeline(
        bus.words, bus.ctl, bus.geo, venue.scanner,
        route_count=routes.slots_for(names), next_seq=bus.next_seq, publish_all=config.publish_all,
        deltas=config.deltas, pending_words=config.pending_words,
        max_message_bytes=config.max_message_bytes,
    )  # fmt: skip


def stream_names(
    config: EngineConfig, venue: Venue, symbols: Sequence[str]
) -> dict[bytes, tuple[bytes, int]]:
    """Every stream to subscribe for these symbols: name → (symbol, KIND_*)."""
    found = {}
    for symbol in (name.encode() for name in symbols):
        for suffix in config.streams or venue.default_streams:
            name = venue.stream_name(symbol, suffix)
            parsed = venue.parse_stream(name)
            assert parsed is not None  # config checked every suffix
            found[name] = (symbol, parsed[1])
    return found


def share_out(venue: Venue, streams: Sequence[bytes]) -> list[tuple[str, list[bytes]]]:
    """(group, streams) of each lane needed: by the venue's groups, then by its streams per connection."""
    groups: dict[str, list[bytes]] = {}
    for name in streams:
        groups.setdefault(venue.group_of(name), []).append(name)
    most = venue.limits.streams
    return [
        (group, names[start : start + most])
        for group, names in groups.items()
        for start in range(0, len(names), most)
    ]


def open_attempts(venue: Venue) -> Budget:
    """The venue's budget of connection attempts, one for all connections."""
    return Budget(venue.limits.attempts, int(venue.limits.attempts_s * NS_PER_S))


def open_connection(
    config: EngineConfig, venue: Venue, streams: list[bytes], attempts: Budget, rng: random.Random
) -> Connection:
    """The machine of one connection; it keeps `streams`, which may change while it runs."""
    limits = venue.limits
    requests = Subscriptions(Budget(limits.messages_per_s, NS_PER_S), venue.subscribe, venue.unsubscribe)
    silence_s = config.silence_s or SILENCE_PINGS * limits.ping_s
    life_s = config.life_s or limits.life_s * LIFE_SHARE
    return Connection(
        streams, requests, attempts, rng,
        int(silence_s * NS_PER_S), int(config.pong_timeout_s * NS_PER_S), int(life_s * NS_PER_S),
    )  # fmt: skip
