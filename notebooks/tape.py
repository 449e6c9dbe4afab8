"""Recordings for the notebooks: where they lie, how one is made of a running demo, and what records it holds.

A recording is text, a line `<recv_ns> <message>` per websocket message, with REST depth replies among them
(docs/replay.md).
"""

import gzip
import os
import time
from itertools import islice
from pathlib import Path

import aiohttp
import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.instruments import from_steps
from ringbook.engine.pipeline import ingest_room
from ringbook.io.recording import read_recording, survey
from ringbook.io.records import Records
from ringbook.io.replay import Replay
from ringbook.io.venues.base import get_venue

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def recorded(name: str) -> Path | None:
    """A real recording by its name, from RINGBOOK_RECORDINGS or beside the checkout; None where there is none."""
    path = Path(os.environ.get("RINGBOOK_RECORDINGS") or BESIDE) / name
    return path if path.is_file() else None


async def record(rest_url: str, symbol: str, path: Path, seconds: float) -> int:
    """Write what an exchange sends about a symbol in so many seconds; returns the number of lines.

    rest_url  of a running demo; its websocket is at the same address
    path      of the recording to write, gzip
    """
    streams = "/".join(f"{symbol.lower()}@{kind}" for kind in ("depth@100ms", "trade", "bookTicker"))
    until, lines = time.monotonic() + seconds, 0
    async with (
        aiohttp.ClientSession(rest_url) as http,
        http.ws_connect(f"/stream?streams={streams}") as socket,
    ):
        with gzip.open(path, "wb") as file:
            while time.monotonic() < until:
                text = (await socket.receive_str()).encode()
                file.write(b"%d %s\n" % (time.time_ns(), text))
                lines += 1
                if lines == 50:  # diffs are flowing: now the book they change
                    reply = await http.get("/api/v3/depth", params={"symbol": symbol, "limit": 5000})
                    file.write(b"%d %s\n" % (time.time_ns(), await reply.read()))
    return lines + 1


def replayed(*paths: Path, symbol: str, steps: tuple[str, str], most: int | None = None) -> Records:
    """The records that recordings of one symbol make, as the ring of a bus would have held them all.

    steps  tick and step size, as decimal text
    most   only so many lines
    """
    instrument = from_steps(symbol.encode(), *steps, asset_digits=8)
    owners = survey(paths).snapshot_owners
    engine = Replay(get_venue("binance-spot"), {instrument.symbol: instrument}, None, None, owners)
    ingest_room("binance")
    jit.warm()
    parts, following = [], 1
    for line in islice(read_recording(paths), most):
        engine.line(line)
        if engine.pipeline.next_seq - following >= 1024:  # well below the ring's slots
            parts.append(engine.bus.records(following, engine.pipeline.next_seq))
            following = engine.pipeline.next_seq
    parts.append(engine.bus.records(following, engine.pipeline.next_seq))
    found = np.concatenate(parts).reshape(-1).view(layout.record_dtype())
    return Records.of(found, engine.bus.symbol_rows[: engine.bus.symbol_count].copy())
