"""Recorded market data, line by line: what `ringbook replay` reads and the built-in exchange plays.

Two formats, told apart by their first bytes, plain or gzip:

    <recv_ns> <wire JSON>      one line per websocket message; a REST depth reply is a line whose JSON has
                               `lastUpdateId` and no `stream`, and may carry an extra key "symbol"
    session transcripts        `.jsonl.zst`: {"t": "recv" | "http" | …, "ts": seconds, "url": …, "data": text}
"""

import gzip
import importlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import parse_qs, urlsplit

import orjson

from .errors import RingbookError

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LINE_BYTES_MAX = 64 << 20
ENVELOPE = b'{"stream":"'
SHOWN = 60  # bytes of a bad line quoted in an error


class RecordingError(RingbookError, ValueError):
    """A recording that cannot be read; says where, what was found and what was expected."""


class Line(NamedTuple):
    """One recorded message.

    recv_ns  CLOCK_REALTIME of the recorder when it arrived
    body     the websocket text or the REST body, as it came
    url      where a REST reply came from, if the recording tells; "" otherwise
    """

    recv_ns: int
    body: bytes
    url: str = ""

    @property
    def is_snapshot(self) -> bool:
        """Whether this is a REST depth reply."""
        if self.url:
            return "/depth?" in self.url
        return not self.body.startswith(ENVELOPE) and b'"lastUpdateId"' in self.body[:200]


def read_recording(paths: Iterable[Path | str]) -> Iterator[Line]:
    """All lines of the files, one stream in the order given. Raises RecordingError at `file:line`."""
    for path in map(Path, paths):
        with opened(path) as (file, transcript):
            try:
                yield from (read_transcript(file, path) if transcript else read_lines(file, path))
            except (EOFError, gzip.BadGzipFile) as error:
                raise RecordingError(
                    f"{path}: cut short or damaged ({error}); record or copy it again"
                ) from None


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """The file's plain bytes, whatever packs them, and whether it is a session transcript."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be opened ({error.strerror})") from None
    with file:
        magic = file.read(4)
        file.seek(0)
        if magic == ZSTD_MAGIC:
            yield io.BufferedReader(zstd_stream(file, path)), True
        elif magic.startswith(GZIP_MAGIC):
            with gzip.open(file) as plain:
                yield plain, False  # type: ignore[misc]
        else:
            yield file, magic.startswith(b'{"t"')


def zstd_stream(file: BinaryIO, path: Path) -> io.RawIOBase:
    """The unpacked bytes of a zstd file. Raises RecordingError without the package."""
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise RecordingError(f"{path}: is zstd-packed; install ringbook[sessions] to read it") from None
    return zstandard.ZstdDecompressor().stream_reader(file)


def read_lines(file: BinaryIO, path: Path) -> Iterator[Line]:
    """Lines `<recv_ns> <wire JSON>`; empty lines are passed over."""
    number = 0
    while text := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(text) > LINE_BYTES_MAX:
            raise RecordingError(f"{path}:{number}: longer than {LINE_BYTES_MAX} bytes; is this a recording?")
        stamp, _, body = text.strip().partition(b" ")
        if stamp.isdigit() and len(stamp) <= 19 and body[:1] in (b"{", b"["):
            yield Line(int(stamp), body)
        elif text.strip():
            shown = text[:SHOWN].decode(errors="replace").rstrip()
            raise RecordingError(f"{path}:{number}: found {shown!r}, expected `<recv_ns> <JSON>`")


def read_transcript(file: BinaryIO, path: Path) -> Iterator[Line]:
    """What was received in a session transcript, in order of time."""
    # Its connections are written one after another.
    lines = []
    for number, text in enumerate(file, 1):
        try:
            entry = orjson.loads(text)
            if entry["t"] not in ("recv", "http"):
                continue
            lines.append(Line(round(entry["ts"] * 1e6) * 1000, entry["data"].encode(), entry.get("url", "")))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise RecordingError(
                f"{path}:{number}: not an entry of a session transcript ({error!r})"
            ) from None
    yield from sorted(lines, key=lambda line: line.recv_ns)


# ------------------------------------------------------------------ what is in it
_SYMBOL = re.compile(rb'"s":"([^"]{1,64})"')
_EVENTS = {"depthUpdate": "depth", "trade": "trade", "aggTrade": "aggTrade", "bookTicker": "bookTicker"}


def stream_of(body: bytes) -> tuple[str, bytes]:
    """Name of the stream a message belongs to, and its payload without the envelope.

    A bare payload is named by its own symbol and event; ("", body) for acks and other talk.
    """
    if body.startswith(ENVELOPE):
        end = body.find(b'"', len(ENVELOPE))
        head = b'","data":'
        if body.startswith(head, end):
            return body[len(ENVELOPE) : end].decode(errors="replace"), body[end + len(head) : -1]
    found = _SYMBOL.search(body)
    if not found:
        return "", body
    event = re.search(rb'"e":"([A-Za-z]+)"', body)
    kind = _EVENTS.get(event[1].decode(), "") if event else "bookTicker"
    return (f"{found[1].decode(errors='replace').lower()}@{kind}" if kind else ""), body


@dataclass
class Survey:
    """What a recording holds.

    symbols          in order of first appearance, as the payloads spell them
    streams          messages per stream name
    snapshot_owners  the symbol of each REST depth reply, in order
    """

    symbols: list[str] = field(default_factory=list)
    streams: Counter[str] = field(default_factory=Counter)
    snapshot_owners: list[str] = field(default_factory=list)


def survey(paths: Iterable[Path | str]) -> Survey:
    """Read a recording once and tell what it holds. Raises RecordingError."""
    found = Survey()
    spelled: dict[str, None] = {}
    snapshots: list[Line] = []
    prices: dict[str, set[str]] = {}
    paths = list(paths)
    for line in read_recording(paths):
        if line.is_snapshot:
            snapshots.append(line)
            continue
        name, payload = stream_of(line.body)
        if not name or line.url:
            continue
        found.streams[name] += 1
        if found.streams[name] == 1 and (symbol := _SYMBOL.search(payload)):
            spelled[symbol[1].decode(errors="replace")] = None
    found.symbols = list(spelled)
    hinted = [snapshot_symbol(line) for line in snapshots]
    if len(found.symbols) > 1 and not all(hinted):
        prices = traded_prices(paths)
    for line, hint in zip(snapshots, hinted, strict=True):
        found.snapshot_owners.append(hint or likeliest_owner(line, found.symbols, prices))
    return found


def snapshot_symbol(line: Line) -> str:
    """The symbol a REST reply says it belongs to: in its URL or in an extra key; "" if it does not say."""
    if line.url:
        return parse_qs(urlsplit(line.url).query).get("symbol", [""])[0]
    try:
        return str(orjson.loads(line.body).get("symbol", ""))
    except orjson.JSONDecodeError as error:
        raise RecordingError(f"a recorded REST reply is not JSON: {error}") from None


def traded_prices(paths: Iterable[Path | str]) -> dict[str, set[str]]:
    """Every price printed in the diffs, by symbol."""
    prices: dict[str, set[str]] = {}
    for line in read_recording(paths):
        if b'"depthUpdate"' in line.body[:120]:
            try:
                event = orjson.loads(stream_of(line.body)[1])
            except orjson.JSONDecodeError:
                continue  # the replay counts it
            prices.setdefault(event["s"], set()).update(row[0] for side in "ba" for row in event[side])
    return prices


def likeliest_owner(line: Line, symbols: list[str], prices: dict[str, set[str]]) -> str:
    """The recording's only symbol, or the one whose diffs share most prices with the snapshot."""
    if len(symbols) <= 1:
        return symbols[0] if symbols else ""
    body = orjson.loads(line.body)
    own = {row[0] for side in ("bids", "asks") for row in body[side]}
    return max(symbols, key=lambda symbol: len(own & prices.get(symbol, set())))
