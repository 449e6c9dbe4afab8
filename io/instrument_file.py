"""Instruments from a file of the user's: the venue's exchangeInfo as JSON, or a TOML table of ticks and steps."""

import tomllib
from pathlib import Path
from typing import Any

import orjson

from ..engine.instruments import Instrument, InstrumentError, from_steps
from .errors import RingbookError
from .venues.base import Venue

SIZES = ("tick", "step")
EXAMPLE = '[BTCUSDT] with tick = "0.01" and step = "0.00001"'


class InstrumentFileError(RingbookError):
    """A file that describes no instruments; says where, what was found and what was expected."""

    exit_code = 2


def load_instruments(path: Path, venue: Venue) -> dict[bytes, Instrument]:
    """Instruments of a file by symbol; a file whose first character is `{` is exchangeInfo JSON, others TOML.

    Raises InstrumentFileError naming the file.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise InstrumentFileError(f"{path}: cannot be read ({error.strerror}); name another file") from None
    try:
        is_json = body.lstrip()[:1] in (b"{", b"")
        found = venue.parse_instruments(_json(body)) if is_json else _from_tables(_toml(body))
    except InstrumentError as error:
        raise InstrumentFileError(f"{path}: {error}") from None
    if not found:
        raise InstrumentFileError(f"{path}: holds no instrument, expected exchangeInfo JSON or {EXAMPLE}")
    return found


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InstrumentError(f"not JSON ({error}), expected an exchangeInfo reply or {EXAMPLE}") from None


def _toml(body: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(body.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstrumentError(f"not TOML ({error}), expected {EXAMPLE}, or exchangeInfo JSON") from None


def _from_tables(tables: dict[str, Any]) -> dict[bytes, Instrument]:
    found: dict[bytes, Instrument] = {}
    for name, table in tables.items():
        if not isinstance(table, dict) or set(table) != set(SIZES):
            shown = sorted(table) if isinstance(table, dict) else repr(table)[:40]
            raise InstrumentError(f"{name} was {shown}, expected a table such as {EXAMPLE}")
        wrong = [size for size in SIZES if not isinstance(table[size], str)]
        if wrong:  # a TOML float is binary: 0.1 would not be 0.1
            raise InstrumentError(
                f"{name}: {wrong[0]} was {table[wrong[0]]!r}, expected decimal text in quotes, as in {EXAMPLE}"
            )
        found[name.encode()] = from_steps(name.encode(), table["tick"], table["step"])
    return found
