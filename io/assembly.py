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
IDS_PER_LINK = 1_000_000  # request ids tell which link an ack is for
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
        slot_count=config.slots, top_n=config.top_n, book_blocks=config.book_blocks,
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


def stream_names(config: EngineConfig, venue: Venue) -> dict[bytes, tuple[bytes, int]]:
    """Every stream to subscribe: name → (symbol, KIND_*)."""
    found = {}
    for symbol in (name.encode() for name in config.symbols):
        for suffix in config.streams or venue.default_streams:
            name = venue.stream_name(symbol, suffix)
            parsed = venue.parse_stream(name)
            assert parsed is not None  # config checked every suffix
            found[name] = (symbol, parsed[1])
    return found


def open_connections(
    config: EngineConfig, venue: Venue, streams: list[bytes], rng: random.Random
) -> list[tuple[str, Connection]]:
    """(group, machine) of each connection needed: by the venue's groups, then by its streams per connection."""
    limits, made = venue.limits, list[tuple[str, Connection]]()
    groups: dict[str, list[bytes]] = {}
    for name in streams:
        groups.setdefault(venue.group_of(name), []).append(name)
    attempts = Budget(limits.attempts, int(limits.attempts_s * NS_PER_S))
    silence_s = config.silence_s or SILENCE_PINGS * limits.ping_s
    for group, names in groups.items():
        for start in range(0, len(names), limits.streams):
            requests = Subscriptions(
                Budget(limits.messages_per_s, NS_PER_S), venue.subscribe, venue.unsubscribe,
                next_id=len(made) * IDS_PER_LINK + 1,
            )  # fmt: skip
            machine = Connection(
                names[start : start + limits.streams], requests, attempts, rng,
                int(silence_s * NS_PER_S), int(config.pong_timeout_s * NS_PER_S),
                int(limits.life_s * LIFE_SHARE * NS_PER_S),
            )  # fmt: skip
            made.append((group, machine))
    return made
