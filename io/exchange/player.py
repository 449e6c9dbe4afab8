"""A recording as a source of the exchange: its frames at a chosen speed, its snapshot as the first reply.

Playing starts once clients listen: as soon as every recorded stream is subscribed, or when at least one is
and nobody has subscribed for a second. The recorded snapshot is the first REST reply of its symbol, held back
until its line is reached; at that line playing waits for a client to ask. Later replies come from the
exchange's own book. At the end nothing more is sent, the server stays and `finished` is true.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from ..recording import Line, read_recording, stream_of, survey
from .faults.injector import Faults
from .faults.plan import Plan
from .ladder import ASK, BID
from .playbook import PlayedBook, recorded_instruments
from .rest import VenueError
from .streams import Hub, parse_stream
from .truth import History, UnknownBook
from .venues import Venue

SETTLE_S = 1.0
ASKING_S = 30.0  # how long playing waits at a snapshot for a client to ask for it
SENDING_S = 0.02  # head start of a snapshot reply before the frames after it
HIGH_BYTES = 1 << 20
BATCH_LINES = 64  # lines between two turns of the event loop


@dataclass
class Handout:
    """A recorded snapshot: `reached` once its line has been played, `taken` once a client has it."""

    body: bytes = b""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class Player:
    """Plays the files in order, `speed` times as fast as recorded; 0 = as fast as the clients take it."""

    def __init__(
        self, paths: tuple[Path, ...], venue: Venue, speed: float, clock_ns: Callable[[], int],
        plan: Plan | None = None,
    ) -> None:  # fmt: skip
        self.paths, self.speed, self.clock_ns = paths, speed, clock_ns
        self.contents = survey(paths)
        if not self.contents.symbols:
            raise ValueError(f"{paths[0]}: holds no market data; expected lines of recorded streams")
        self.instruments = recorded_instruments(paths, self.contents.symbols, venue.name)
        self.faults = Faults(self.contents.symbols, plan, simulated=False)
        self.hub = Hub(venue, self.contents.symbols, self.faults.conditions)
        usdm = venue.name == "usdm"
        self.books = {symbol: PlayedBook(one, usdm) for symbol, one in self.instruments.items()}
        self.handouts = {symbol: Handout() for symbol in self.contents.snapshot_owners}
        self.finished = False
        self._owners = iter(self.contents.snapshot_owners)
        streams = (parse_stream(name, self.hub.symbols, venue) for name in self.contents.streams)
        self.wanted = {stream.name for stream in streams if stream}
        self._changed = asyncio.Event()
        self.hub.on_change.append(self._changed.set)

    async def run(self) -> None:
        """Play once, then stay."""
        await self._audience()
        loop = asyncio.get_running_loop()
        start_s, first_ns = loop.time(), 0
        for number, line in enumerate(read_recording(self.paths)):
            if line.is_snapshot:
                asked_s = loop.time()
                await self._hand_out(line)
                start_s += loop.time() - asked_s
                continue
            if line.url:  # another REST reply of a session transcript
                continue
            first_ns = first_ns or line.recv_ns
            if self.speed:
                ahead_s = start_s + (line.recv_ns - first_ns) / 1e9 / self.speed - loop.time()
                if ahead_s > 0.001:
                    await asyncio.sleep(ahead_s)
            self._play(line)
            if number % BATCH_LINES == 0:
                await self._room()
        self.finished = True
        await asyncio.Event().wait()

    def _play(self, line: Line) -> None:
        """Send one recorded message to those who listen to its stream, byte for byte."""
        name, payload = stream_of(line.body)
        if b'"depthUpdate"' in payload[:40]:
            event = orjson.loads(payload)
            if "pu" not in event or "@depth@" in name or name.endswith("@depth"):
                self.books[event["s"]].follow(event)
            if name in self.hub.listeners and self.faults.swallows_diff(event["s"], event["U"], event["u"]):
                return
        if name:
            self.hub.publish(name, lambda _: payload)

    async def _audience(self) -> None:
        while not self.wanted <= self.hub.served.keys():
            self._changed.clear()
            try:
                async with asyncio.timeout(SETTLE_S if self.hub.served else None):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _hand_out(self, line: Line) -> None:
        symbol = next(self._owners)
        if symbol not in self.books:
            return
        self.books[symbol].load(orjson.loads(line.body))
        handout = self.handouts[symbol]
        if handout.reached.is_set():
            return
        handout.body = line.body
        handout.reached.set()
        try:
            async with asyncio.timeout(ASKING_S):
                await handout.taken.wait()
        except TimeoutError:
            handout.taken.set()
        await asyncio.sleep(SENDING_S)

    async def _room(self) -> None:
        """Let the clients read; wait while the slowest is far behind."""
        await asyncio.sleep(0)
        while self.hub.backlog_bytes() > HIGH_BYTES:
            await asyncio.sleep(0.001)

    # -------------------------------------------------------------- Source
    async def snapshot(self, symbol: str, limit: int, behind: int = 0) -> bytes:
        """The recorded reply first, when its line has been reached; later the book, `behind` ids ago."""
        handout = self.handouts.get(symbol)
        if handout is not None and not handout.taken.is_set():
            await handout.reached.wait()
            handout.taken.set()
            return clipped(handout.body, limit)
        history = self.books[symbol].history
        if history is None:
            raise VenueError(-1001, f"Internal error; the recording has no book of {symbol} here.", 503)
        book, update_id = history.before(behind)
        tops = book.top(BID, limit), book.top(ASK, limit)
        return self.books[symbol].printer.snapshot(update_id, tops, self.clock_ns())

    def history(self, symbol: str) -> History:
        history = self.books[symbol].history
        if history is None:
            raise UnknownBook("ahead", f"the recording has given no snapshot of {symbol} yet")
        return history

    def pairs(self, symbol: str, levels: list[tuple[int, int]]) -> list[list[str]]:
        return self.books[symbol].printer.pairs(levels)


def clipped(body: bytes, limit: int) -> bytes:
    """A recorded reply with at most `limit` levels a side; as recorded when it has no more."""
    reply = orjson.loads(body)
    if max(len(reply["bids"]), len(reply["asks"])) <= limit:
        return body
    return orjson.dumps({**reply, "bids": reply["bids"][:limit], "asks": reply["asks"][:limit]})
