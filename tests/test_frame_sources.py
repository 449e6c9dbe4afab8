"""`direct` and `plain` from the same bytes: the same records and the same events, wherever the bytes are cut."""

import asyncio
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.instruments import from_steps
from ringbook.engine.pipeline import Pipeline
from ringbook.engine.slow import Rejected
from ringbook.io.clock import Clock
from ringbook.io.direct import READ_BYTES, DirectSource
from ringbook.io.feed import Feed
from ringbook.io.memory_bus import MemoryBus
from ringbook.io.sources import EarlyBytes, direct_obstacle, run_plain
from ringbook.io.venues.base import get_venue

from .model.frames import Frame, encode

MAX_BYTES = 4096
SNAPSHOT = b'{"lastUpdateId":10,"bids":[["100.00","1"]],"asks":[["101.00","2"]]}'


def diff(number: int, levels: int = 2) -> bytes:
    bids = ",".join(f'["{99 - i}.{number % 100:02d}","{i + 1}.5"]' for i in range(levels))
    return (
        f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{number},"s":"BTCUSDT",'
        f'"U":{number},"u":{number},"b":[{bids}],"a":[["101.{number % 100:02d}","{number}"]]}}}}'
    ).encode()


TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":5,"p":"100.50","q":"0.1",'
    b'"T":1,"m":true,"M":true}}'
)
STREAM = (
    Frame(1, diff(11)),
    Frame(1, b'{"result":null,"id":1}'),
    Frame(9, b"are you there"),
    Frame(1, diff(12, 5)[:40], final=False),
    Frame(9, b"between fragments"),
    Frame(0, diff(12, 5)[40:90], final=False),
    Frame(0, diff(12, 5)[90:]),
    Frame(2, TRADE),
    Frame(1, b'{"stream":"dogeusdt@depth","data":{"e":"depthUpdate"}}'),
    Frame(1, b"[1,2"),
    Frame(1, diff(13).replace(b'"U"', b'"\\u0055"')),  # an escaped key: the slow path
    Frame(10, b""),
    Frame(1, diff(14)),
    Frame(8, b"\x03\xe9bye"),
)


class Script:
    """Listener and receiver that only write down what they hear."""

    listening = True

    def __init__(self) -> None:
        self.heard: list[tuple] = []

    def on_reply(self, body: dict[str, Any]) -> None:
        self.heard.append(("reply", body.get("id")))

    def on_unknown_stream(self, payload: bytes) -> bool:
        return False

    def on_rejected(self, why: Rejected) -> None:
        self.heard.append(("rejected", why.code))

    def on_changed(self) -> None: ...
    def on_rescaled(self, old_id: int, new_id: int) -> None: ...
    def on_seen(self) -> None: ...

    def on_ping(self, payload: bytes) -> None:
        self.heard.append(("ping", payload))

    def on_pong(self, payload: bytes) -> None:
        self.heard.append(("pong",))

    def on_close(self, code: int, reason: str) -> None:
        self.heard.append(("close", code, reason))

    def on_violation(self, code: int, reason: str) -> None:
        self.heard.append(("violation", code))

    def on_lost(self, reason: str) -> None: ...


def make() -> tuple[Feed, Script]:
    bus, script, venue = MemoryBus(64, 5, 2, 128), Script(), get_venue("binance-spot")
    pipeline = Pipeline(
        bus.words, bus.ctl, bus.geo, "binance",
        route_count=16, injected_clock=True, pending_words=256, max_message_bytes=MAX_BYTES,
    )  # fmt: skip
    feed = Feed(pipeline, bus, venue.name, venue.rule, venue.time_unit_ns, script)
    symbol_id = feed.add_instrument(from_steps(b"BTCUSDT", "0.01", "0.01"))
    streams = {b"btcusdt@depth@100ms": layout.KIND_BOOK, b"btcusdt@trade": layout.KIND_TRADE}
    feed.add_streams({name: (b"BTCUSDT", kind) for name, kind in streams.items()})
    pipeline.stamp(7, 7)
    pipeline.start_sync(symbol_id)
    assert feed.snapshot(symbol_id, SNAPSHOT, 0, 7, 7) == 0
    return feed, script


class Stopped(Clock):
    """The clock of both sources stands still, so that their records can be compared to the bit."""

    wall_ns = mono_ns = staticmethod(lambda: 1000)


STOPPED = Stopped()


def by_direct(chunks: list[bytes]) -> tuple[Feed, Script, DirectSource]:
    feed, script = make()
    source = DirectSource(feed, script, MAX_BYTES, STOPPED)
    source.socket = None
    for chunk in chunks:
        while chunk:
            space = source.get_buffer(-1)
            size = min(len(space), len(chunk))
            space[:size] = chunk[:size]
            source.buffer_updated(size)
            chunk = chunk[size:]
    return feed, script, source


class Calm:
    """What aiohttp's queue asks of a connection."""

    _reading_paused = False

    def pause_reading(self) -> None: ...
    def resume_reading(self, resume_parser: bool = True) -> None: ...


class Parsed:
    """A websocket whose messages aiohttp's own parser made of the bytes."""

    def __init__(self, data: bytes) -> None:
        queue = WebSocketDataQueue(Calm(), 1 << 20, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
        self.reader = WebSocketReader(queue, MAX_BYTES, compress=False, decode_text=False)
        self.reader.feed_data(data)
        self.waiting: list[Any] = [message for message, _ in queue._buffer]
        if error := queue.exception():
            self.waiting.append(aiohttp.WSMessage(aiohttp.WSMsgType.ERROR, error, None))

    async def receive(self) -> Any:
        if self.waiting:
            return self.waiting.pop(0)
        return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)


def by_plain(data: bytes) -> tuple[Feed, Script]:
    feed, script = make()

    async def read() -> None:
        await run_plain(Parsed(data), feed, script, STOPPED)  # type: ignore[arg-type]

    asyncio.run(read())
    return feed, script


def records(feed: Feed) -> bytes:
    bus = feed.table
    assert isinstance(bus, MemoryBus)
    return bus.records(1, feed.pipeline.next_seq).tobytes()


BYTES = b"".join(map(encode, STREAM))


def test_plain_hears_everything() -> None:
    feed, script = by_plain(BYTES)
    kinds = [heard[0] for heard in script.heard]
    assert kinds == ["reply", "ping", "ping", "rejected", "pong", "close"]
    counters = feed.pipeline.counters
    assert counters[layout.C["slow_decodes"]] == counters[layout.C["unknown_frames"]] == 1
    assert counters[layout.C["gaps"]] == 0
    assert feed.pipeline.space.states[0]["book_id"] == 14


def test_every_cut_gives_what_plain_gives() -> None:
    plain, heard = by_plain(BYTES)
    want = records(plain)
    for cut in range(len(BYTES) + 1):
        feed, script, source = by_direct([BYTES[:cut], BYTES[cut:]])
        assert records(feed) == want, cut
        # aiohttp tells of a ping between fragments at once as well, so the order is the same too
        assert script.heard == heard.heard, cut
        assert source.begin == source.end == 0


@settings(max_examples=60)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.lists(st.sampled_from(STREAM), max_size=12))
def test_any_pieces_of_any_order(sizes: list[int], frames: list[Frame]) -> None:
    """Orders that break the protocol included: up to the violation both must have done the same."""
    whole = [frame for frame in frames if frame.final and frame.opcode != 0]
    data, chunks, at = b"".join(map(encode, whole)), [], 0
    for size in sizes * 40:
        chunks.append(data[at : at + size])
        at += size
    feed, script, _ = by_direct(chunks)
    sent = data[:at]
    plain, heard = by_plain(sent)
    close = next((i for i, event in enumerate(heard.heard) if event[0] == "close"), None)
    if close is None:
        assert records(feed) == records(plain)
        assert script.heard == heard.heard


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode(Frame(1, b"x" * (MAX_BYTES + 1))), 1009),
        (b"\x81\x85\0\0\0\0hello", 1002),
        (b"\xc1\x02hi", 1002),
        (encode(Frame(0, b"no first fragment")), 1002),
        (encode(Frame(1, b"a", final=False)) + encode(Frame(1, b"b")), 1002),
        (b"".join(encode(Frame(o, b"y" * 3000, final=False)) for o in (1, 0)), 1009),
    ],
)
def test_violations_close_with_the_right_code_and_end_reading(data: bytes, code: int) -> None:
    feed, script, source = by_direct([data, encode(Frame(1, diff(11)))])
    assert script.heard == [("violation", code)]
    assert feed.pipeline.space.states[0]["book_id"] == 10  # nothing behind it was taken
    assert source.capacity >= READ_BYTES


def test_a_large_message_grows_the_buffer_and_no_more() -> None:
    feed, script = make()
    feed.pipeline.work[28] = 8 << 20  # W_MAX_MESSAGE
    source = DirectSource(feed, script, 8 << 20, STOPPED)
    source.socket = None
    big = b'{"result":"' + b"z" * (3 << 20) + b'","id":7}'
    data = encode(Frame(1, big)) + encode(Frame(1, diff(11)))
    while data:
        space = source.get_buffer(-1)
        size = min(len(space), len(data))
        space[:size] = data[:size]
        source.buffer_updated(size)
        data = data[size:]
    assert script.heard == [("reply", 7)]
    assert feed.pipeline.space.states[0]["book_id"] == 11
    assert source.capacity <= 8 << 20


def test_the_attributes_direct_needs_exist_in_this_aiohttp() -> None:
    assert issubclass(EarlyBytes, aiohttp.ClientWebSocketResponse)
    obstacle = direct_obstacle(object.__new__(aiohttp.ClientWebSocketResponse))
    assert obstacle == "the session was made without EarlyBytes"
    bare = object.__new__(EarlyBytes)
    assert "lacks _writer" in str(direct_obstacle(bare))


def test_no_byte_outside_the_buffer_is_touched() -> None:
    _, _, source = by_direct([BYTES])
    assert np.count_nonzero(source.buf[source.capacity :]) == 0
