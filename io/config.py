"""The engine's configuration: a TOML file, overridden by the command line; every mistake is explained."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..engine import layout
from .errors import RingbookError
from .venues.base import get_venue

SOURCES = ("direct", "plain")


class ConfigError(RingbookError):
    """A configuration that cannot be used; names the file, the key, what was found and what was expected."""

    exit_code = 2


@dataclass(frozen=True)
class EngineConfig:
    """Everything `ringbook run` can be told; the keys of the TOML file are these names.

    venue            binance-spot or binance-usdm
    symbols          as the venue spells them
    bus              name of the bus; the venue's name when empty
    directory        folder of the bus files; RINGBOOK_DIR or /dev/shm/ringbook-<uid> when empty
    streams          stream suffixes, the same for every symbol; the venue's default when empty
    top_n            levels a side in a record
    slots            ring slots, a power of two
    book_levels      levels a side that one full book holds at most
    symbol_capacity  rows of the symbol table; twice the symbols when 0
    source           frame source: direct or plain
    spin             poll the sockets without sleeping, on a core of its own
    fused_reads      let jitted code read the sockets of `direct`; false: asyncio's transports do
    core             core to pin to; -1 for none
    snapshot_limit   levels a side asked of REST; the venue's most when 0
    publish_all      publish a BOOK for every diff, not only when the top changed
    deltas           publish the rows of every diff too, for readers that follow full depth
    ws_url, ws_market_url, rest_url   addresses in place of the venue's
    ca_file          certificate authority to trust besides the system's
    max_message_bytes   largest websocket message accepted
    pending_words    8-byte words of diffs kept per symbol while a snapshot is fetched
    stale_floor_s, stale_ceiling_s, first_frame_s   the watchdog's limits
    silence_s, pong_timeout_s   a silent connection is pinged, then dropped; silence_s 0: from the venue
    life_s           a connection is replaced after so long; 0: a little before the venue cuts it
    redundancy       connections per stream, 1 or 2
    hold_ms          with several connections: how long a gap on one waits for the other
    audit_s          time between two snapshots that are compared with a live book, all symbols; 0: none
    group_readable   let the folder's group read the bus
    lock_memory      keep the bus from being paged out, as far as `ulimit -l` allows
    huge_pages       ask for 2 MB pages, as far as the kernel gives them
    """

    venue: str
    symbols: tuple[str, ...]
    bus: str = ""
    directory: str = ""
    streams: tuple[str, ...] = ()
    top_n: int = layout.TOP_N_DEFAULT
    slots: int = 16_384
    book_levels: int = layout.BOOK_LEVELS_DEFAULT
    symbol_capacity: int = 0
    source: str = "direct"
    spin: bool = False
    fused_reads: bool = True
    core: int = -1
    snapshot_limit: int = 0
    publish_all: bool = False
    deltas: bool = False
    ws_url: str = ""
    ws_market_url: str = ""
    rest_url: str = ""
    ca_file: str = ""
    max_message_bytes: int = 16 << 20
    pending_words: int = 32_768
    stale_floor_s: float = 5.0
    stale_ceiling_s: float = 300.0
    first_frame_s: float = 30.0
    silence_s: float = 0.0
    pong_timeout_s: float = 10.0
    life_s: float = 0.0
    redundancy: int = 1
    hold_ms: int = 300
    audit_s: float = 60.0
    group_readable: bool = False
    lock_memory: bool = False
    huge_pages: bool = False


RANGES: dict[str, tuple[float, float]] = {
    "top_n": (1, layout.TOP_N_MAX),
    "slots": (2, 1 << 24),
    "book_levels": (layout.BOOK_LEVELS_MIN, layout.BOOK_LEVELS_MAX),
    "symbol_capacity": (0, 65536),
    "core": (-1, 4095),
    "snapshot_limit": (0, 5000),
    "max_message_bytes": (1024, 1 << 30),
    "pending_words": (64, 1 << 24),
    "stale_floor_s": (0.05, 86_400),
    "stale_ceiling_s": (0.05, 86_400),
    "first_frame_s": (0.05, 86_400),
    "silence_s": (0, 86_400),
    "pong_timeout_s": (0.05, 86_400),
    "life_s": (0, 86_400),
    "redundancy": (1, 2),
    "hold_ms": (1, 10_000),
    "audit_s": (0, 86_400),
}
SIMPLE: dict[Any, str] = {str: "str", int: "int", float: "float", bool: "bool"}
KINDS = {field.name: SIMPLE.get(field.type, "strings") for field in fields(EngineConfig)}
EXPECTED = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "strings": "a list of strings",
}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); expected a TOML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; expected a TOML file") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is not TOML ({error})") from None


def _checked(key: str, value: Any, where: str) -> Any:
    """The value in its field's type, or ConfigError."""
    if key not in KINDS:
        near = difflib.get_close_matches(key, KINDS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(KINDS)}"
        raise ConfigError(f"{where}: key {key!r} is unknown{hint}")
    kind = KINDS[key]
    if isinstance(value, Path):
        value = str(value)
    if kind == "strings" and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(value)
    right: Any = {"str": str, "int": int, "float": int | float, "bool": bool}.get(kind)
    if right is None or not isinstance(value, right) or (kind != "bool" and isinstance(value, bool)):
        raise ConfigError(f"{where}: {key} was {value!r}, expected {EXPECTED[kind]}")
    if key in RANGES:
        low, high = RANGES[key]
        if not low <= value <= high:
            raise ConfigError(f"{where}: {key} was {value!r}, expected {low}..{high}")
    return float(value) if kind == "float" else value


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> EngineConfig:
    """Configuration from a file and overrides; overrides win.

    path       TOML file, or None
    overrides  key → value, as from the command line
    Raises     ConfigError.
    """
    chosen: dict[str, Any] = {}
    for where, source in ((str(path), _read(path) if path else {}), ("command line", dict(overrides or {}))):
        for key, value in source.items():
            chosen[key] = _checked(key, value, where)
    where = str(path) if path else "command line"
    for key, example in (("venue", "binance-spot"), ("symbols", "BTCUSDT,ETHUSDT")):
        if not chosen.get(key):
            raise ConfigError(f"{where}: {key} is missing, expected for example {example}")
    return _consistent(EngineConfig(**chosen), where)


def _consistent(config: EngineConfig, where: str) -> EngineConfig:
    venue = get_venue(config.venue)
    if config.source not in SOURCES:
        raise ConfigError(f"{where}: source was {config.source!r}, expected {' or '.join(SOURCES)}")
    if config.slots & (config.slots - 1):
        raise ConfigError(f"{where}: slots was {config.slots}, expected a power of two")
    if len(set(config.symbols)) != len(config.symbols):
        raise ConfigError(f"{where}: symbols holds a symbol twice: {', '.join(config.symbols)}")
    for symbol in config.symbols:
        if not 1 <= len(symbol.encode()) <= layout.SYMBOL_BYTES:
            raise ConfigError(f"{where}: symbol {symbol!r}, expected 1..{layout.SYMBOL_BYTES} bytes")
    for suffix in config.streams:
        if venue.parse_stream(venue.stream_name(b"X", suffix)) is None:
            raise ConfigError(
                f"{where}: stream {suffix!r} is not read by this engine, expected depth, depth@100ms, "
                "depth5, depth10, depth20, trade, aggTrade or bookTicker"
            )
    if config.symbol_capacity and config.symbol_capacity < len(config.symbols):
        raise ConfigError(
            f"{where}: symbol_capacity was {config.symbol_capacity}, expected at least {len(config.symbols)}, "
            "one row a symbol"
        )
    if config.stale_floor_s > config.stale_ceiling_s:
        raise ConfigError(f"{where}: stale_floor_s was above stale_ceiling_s, expected it below")
    return config
