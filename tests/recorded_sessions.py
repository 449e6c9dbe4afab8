"""Where the recordings of real venues lie, and what plain Python makes of the session transcripts."""

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from .model.venue_book import VenueBook

PROJECT = Path(__file__).resolve().parent.parent


def recording(name: str) -> Path:
    """A recording by its name in the catalogue; skips the test where it is absent."""
    folder = Path(os.environ.get("RINGBOOK_RECORDINGS") or PROJECT.parent / "shared" / "data")
    if not (folder / name).is_file():
        pytest.skip(f"no recordings in {folder}; set RINGBOOK_RECORDINGS")
    return folder / name


def session_books(path: Path, futures: bool) -> dict[str, VenueBook]:
    """Every symbol's final book of a session transcript."""
    zstandard = pytest.importorskip("zstandard", reason="install ringbook[sessions]")
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read()
    entries = [orjson.loads(line) for line in text.splitlines()]
    books: dict[str, VenueBook] = {}
    for entry in sorted((e for e in entries if e["t"] in ("recv", "http")), key=lambda e: e["ts"]):
        body = orjson.loads(entry["data"])
        address = urlsplit(entry.get("url", ""))
        if address.path.endswith("/depth"):
            (symbol,) = parse_qs(address.query)["symbol"]
            books.setdefault(symbol, VenueBook(futures)).snapshot(body)
        elif not address.path:
            event = body.get("data", body)
            if event.get("e") == "depthUpdate":
                books.setdefault(event["s"], VenueBook(futures)).diff(event)
    return books
