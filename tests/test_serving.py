"""Sockets that kernels read, through aiohttp's real handshake: how connections end, what Python is asked for."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ringbook.engine import layout
from ringbook.io import openssl
from ringbook.io.direct import DirectSource
from ringbook.io.exchange.tls import Certificate, client_context
from ringbook.io.feed import Feed
from ringbook.io.host import event_loop
from ringbook.io.link import BYTES_OPTION
from ringbook.io.serving import ServingSelector
from ringbook.io.sources import EarlyBytes

from .model.frames import Frame, encode
from .raw_server import PATIENCE_S, accept
from .test_frame_sources import MAX_BYTES, Script, diff, make

Tls = tuple[ssl.SSLContext, ssl.SSLContext] | None
FRAMES = [Frame(1, diff(11)), Frame(1, b'{"result":null,"id":1}'), Frame(9, b"hello"), Frame(1, diff(12, 9))]
DATA = b"".join(map(encode, FRAMES))
CLOSE = encode(Frame(8, b"\x03\xe9going"))


@pytest.fixture(params=["TCP", "TLS"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Tls:
    """Contexts of server and client, or None for a plain connection."""
    if request.param == "TCP":
        return None
    pytest.importorskip("trustme", reason="certificates come from the extra `exchange`")
    certificate = Certificate("localhost", tmp_path / "ca.pem")
    return certificate.server_context(), client_context(certificate.ca_file)


class Ending(Script):
    """Also hears that the connection is lost."""

    def on_lost(self, reason: str) -> None:
        self.heard.append(("lost", reason.partition(":")[0]))


class Served:
    """A connection whose socket a kernel reads, and the server's end of it."""

    def __init__(
        self, feed: Feed, script: Ending, source: DirectSource, writer: asyncio.StreamWriter
    ) -> None:
        self.feed, self.script, self.source, self.writer = feed, script, source, writer

    async def until(self, *kinds: str) -> None:
        """Wait until these things were heard, in this order."""
        async with asyncio.timeout(PATIENCE_S):
            while [heard[0] for heard in self.script.heard] != list(kinds):
                await asyncio.sleep(0.002)

    @property
    def selector(self) -> ServingSelector:
        """The loop's."""
        return asyncio.get_running_loop()._selector  # type: ignore[attr-defined, no-any-return]


@contextlib.asynccontextmanager
async def served(tls: Tls) -> Any:
    """Connect, take over, and hand both ends out."""
    feed, _ = make()
    script = Ending()
    feed.listener = script
    server_tls, client_tls = tls or (None, True)
    ends: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
        ends.put_nowait(writer)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await reader.read(1000):
                pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession(ws_response_class=EarlyBytes) as session:
        ws = await session.ws_connect(
            f"{'wss' if tls else 'ws'}://localhost:{server.sockets[0].getsockname()[1]}/", ssl=client_tls,
            autoping=False, autoclose=False, compress=0, max_msg_size=MAX_BYTES, **BYTES_OPTION,
        )  # fmt: skip
        source = DirectSource(feed, script, MAX_BYTES)
        source.take_over(ws)
        assert source.is_served
        writer = await ends.get()
        try:
            yield Served(feed, script, source, writer)
        finally:
            ws._response.close()
            writer.transport.abort()
            server.close()


def play(work: Any, spin: bool) -> None:
    with asyncio.Runner(loop_factory=lambda: event_loop(spin)[0]) as runner:
        runner.run(work)


both_ways = pytest.mark.parametrize("spin", [False, True], ids=["blocking", "spinning"])


@both_ways
def test_frames_in_pieces_and_frames_for_python(tls: Tls, spin: bool) -> None:
    async def work() -> None:
        async with served(tls) as it:
            for start in range(0, len(DATA), 7):
                it.writer.write(DATA[start : start + 7])
                await it.writer.drain()
                await asyncio.sleep(0)
            await it.until("reply", "ping")
            while it.feed.pipeline.space.states[0]["book_id"] < 12:
                await asyncio.sleep(0.002)
            assert it.feed.pipeline.counters[layout.C["handed_back"]] == 2
            assert it.source.begin == it.source.end

    play(work(), spin)


@both_ways
def test_a_fragmented_message_with_a_ping_inside(tls: Tls, spin: bool) -> None:
    text = diff(11, 5)
    parts = [Frame(1, text[:40], final=False), Frame(9, b"!"), Frame(0, text[40:]), Frame(1, diff(12))]

    async def work() -> None:
        async with served(tls) as it:
            for part in parts:
                it.writer.write(encode(part))
                await it.writer.drain()
                await asyncio.sleep(0.02)
            while it.feed.pipeline.space.states[0]["book_id"] < 12:
                await asyncio.sleep(0.002)
            assert it.script.heard == [("ping", b"!")]

    play(work(), spin)


@both_ways
def test_a_close_frame_ends_service(tls: Tls, spin: bool) -> None:
    async def work() -> None:
        async with served(tls) as it:
            it.writer.write(DATA + CLOSE + encode(Frame(1, diff(13))))
            await it.until("reply", "ping", "close")
            assert it.script.heard[-1] == ("close", 1001, "going")
            await asyncio.sleep(0.02)
            assert it.feed.pipeline.space.states[0]["book_id"] == 12
            assert not it.selector.sources

    play(work(), spin)


@both_ways
def test_the_end_of_the_stream_is_told(tls: Tls, spin: bool) -> None:
    async def work() -> None:
        async with served(tls) as it:
            it.writer.write(DATA)
            await it.until("reply", "ping")
            it.writer.close()
            await it.until("reply", "ping", "lost")
            assert it.script.heard[-1] == ("lost", "closed by the peer")
            assert not it.selector.sources

    play(work(), spin)


@both_ways
def test_a_reset_is_told_as_one(tls: Tls, spin: bool) -> None:
    async def work() -> None:
        async with served(tls) as it:
            it.writer.write(DATA)
            await it.until("reply", "ping")
            raw = it.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            it.writer.transport.abort()
            await it.until("reply", "ping", "lost")
            assert it.script.heard[-1] == ("lost", "ConnectionResetError")

    play(work(), spin)


@both_ways
def test_a_connection_given_up_is_read_no_more(tls: Tls, spin: bool) -> None:
    async def work() -> None:
        async with served(tls) as it:
            it.script.listening = False
            it.writer.write(DATA)
            await it.writer.drain()
            await asyncio.sleep(0.05)
            assert not it.selector.sources
            assert it.script.heard == [] and it.feed.pipeline.space.states[0]["book_id"] == 10

    play(work(), spin)


@both_ways
def test_a_message_larger_than_the_buffer(tls: Tls, spin: bool) -> None:
    async def work() -> None:
        async with served(tls) as it:
            it.feed.pipeline.work[28] = it.source.max_message_bytes = 8 << 20  # W_MAX_MESSAGE
            big = b'{"result":"' + b"z" * (3 << 20) + b'","id":7}'
            it.writer.write(encode(Frame(1, big)) + encode(Frame(1, diff(11))))
            await it.until("reply")
            while it.feed.pipeline.space.states[0]["book_id"] < 11:
                await asyncio.sleep(0.002)

    play(work(), spin)


def test_silence_costs_no_turns_and_messages_no_python() -> None:
    """A hundred single messages come back to Python a few times, for timers, not once each."""

    async def work() -> None:
        async with served(None) as it:
            calls, before = it.selector.calls, it.feed.pipeline.counters[layout.C["reads"]].copy()
            peer = it.writer.get_extra_info("socket")
            sender = asyncio.create_task(asyncio.to_thread(flood, peer.dup()))
            await sender
            while it.feed.pipeline.space.states[0]["book_id"] < 110:
                await asyncio.sleep(0.05)
            assert it.feed.pipeline.counters[layout.C["reads"]] - before >= 20
            assert it.selector.calls - calls < 20

    def flood(peer: socket.socket) -> None:
        with peer:
            for number in range(11, 111):
                peer.send(encode(Frame(1, diff(number))))
                time.sleep(0.001)

    play(work(), False)


def test_an_ssl_object_that_is_not_what_it_must_be_is_left_alone() -> None:
    context = ssl.create_default_context()
    real = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    found = openssl.secured(real)
    assert found is not None and found.ssl and found.bio
    assert openssl.secured(object()) is None

    class Other(ssl.SSLObject):
        pass

    assert openssl.secured(object.__new__(Other)) is None
    left, right = socket.socketpair()
    with (
        left,
        right,
        context.wrap_socket(left, server_hostname="x", do_handshake_on_connect=False) as wrapped,
    ):
        assert openssl.secured(wrapped) is None
