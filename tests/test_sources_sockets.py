"""The frame sources through aiohttp's real handshake: nothing that came right behind it is lost."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io.direct import DirectSource
from ringbook.io.exchange.tls import Certificate, client_context
from ringbook.io.feed import Feed
from ringbook.io.host import event_loop
from ringbook.io.link import BYTES_OPTION
from ringbook.io.serving import ServingSelector
from ringbook.io.sources import EarlyBytes, direct_obstacle, run_plain

from .model.frames import Frame, encode
from .raw_server import PATIENCE_S, accept
from .test_frame_sources import (
    MAX_BYTES,
    STOPPED,
    by_plain,
    diff,
    make,
    records,
)

FRAMES = [Frame(1, diff(11)), Frame(9, b"hello"), Frame(1, diff(12, 9)), Frame(1, diff(13))]


@contextlib.asynccontextmanager
async def early_server(head: bytes, tail: bytes, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A server that writes its 101 and `head` at once, and `tail` when the client has spoken."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(accept(request) + head)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readexactly(1)
            writer.write(tail)
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    serving: list[Any] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*serving)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def read_early(
    source: str, cut: int, tls: tuple | None, frames: list[Frame] = FRAMES
) -> tuple[bytes, list]:
    """Records and events of the frames, the first `cut` bytes of which came behind the handshake."""
    feed, script = make()
    data, last_id = b"".join(map(encode, frames)), 9 + len(frames)  # one of them is a ping
    server_tls, client_tls = tls or (None, True)
    async with (
        asyncio.timeout(PATIENCE_S),
        early_server(data[:cut], data[cut:], server_tls) as port,
        aiohttp.ClientSession(ws_response_class=EarlyBytes) as session,
    ):
        url = f"{'wss' if tls else 'ws'}://localhost:{port}/stream"
        ws = await session.ws_connect(
            url,
            ssl=client_tls,
            autoping=False,
            autoclose=False,
            compress=0,
            max_msg_size=MAX_BYTES,
            **BYTES_OPTION,
        )
        assert isinstance(ws, EarlyBytes)
        assert direct_obstacle(ws) is None
        kept = ws.early or b""
        assert data.startswith(kept)
        assert len(kept) == cut or len(kept) > 1 << 16  # or this test would show nothing

        async def follow() -> None:
            await ws.ping(b"go on")
            await until(lambda: feed.pipeline.space.states[0]["book_id"] == last_id)
            await ws._writer.close(1000, b"")
            ws._response.close()

        following = asyncio.create_task(follow())
        if source == "direct":
            direct = DirectSource(feed, script, MAX_BYTES, STOPPED)
            direct.take_over(ws)
            selector = getattr(asyncio.get_running_loop(), "_selector", None)
            assert direct.is_served == (isinstance(selector, ServingSelector) and selector.fused_reads)
        else:
            await run_plain(ws, feed, script, STOPPED)
        await following
    return events(feed), script.heard


def events(feed: Feed) -> bytes:
    """The records without the times at which their bytes came: a kernel that reads has no clock to stop."""
    rows = np.frombuffer(records(feed), np.int64).reshape(feed.pipeline.next_seq - 1, -1).copy()
    rows[:, [layout.R_RECV, layout.R_MONO, layout.R_PUBLISH]] = 0
    return rows.tobytes()


CUTS = (0, 1, 2, 40, len(encode(FRAMES[0])), len(encode(FRAMES[0])) + 3, 300)


def loop_of(kind: str) -> asyncio.AbstractEventLoop:
    """asyncio's own loop; the engine's; and what that is without fused reads, where `fast` is installed."""
    if kind == "asyncio":
        return asyncio.SelectorEventLoop()
    spin = "spinning" in kind
    if "fused" in kind:
        return event_loop(spin)[0]
    pytest.importorskip("aiofastnet", reason="fast transports come from the extra `fast`")
    loop, is_fast = event_loop(spin, fused_reads=False)
    assert is_fast
    return loop


def run(work: Any, kind: str) -> Any:
    with asyncio.Runner(loop_factory=lambda: loop_of(kind)) as runner:
        return runner.run(work)


all_loops = pytest.mark.parametrize("loop", ["asyncio", "fast", "fast, spinning", "fused", "fused, spinning"])


@all_loops
@pytest.mark.parametrize("source", ["direct", "plain"])
def test_frames_right_behind_the_handshake_are_not_lost(source: str, loop: str) -> None:
    plain, heard = by_plain(b"".join(map(encode, FRAMES)))
    for cut in CUTS:
        assert run(read_early(source, cut, None), loop) == (events(plain), heard.heard), cut


@all_loops
@pytest.mark.parametrize("source", ["direct", "plain"])
def test_nor_on_tls(source: str, loop: str, tmp_path: Path) -> None:
    pytest.importorskip("trustme", reason="certificates come from the extra `exchange`")
    certificate = Certificate("localhost", tmp_path / "ca.pem")
    tls = (certificate.server_context(), client_context(certificate.ca_file))
    plain, heard = by_plain(b"".join(map(encode, FRAMES)))
    for cut in CUTS[3:6]:
        assert run(read_early(source, cut, tls), loop) == (events(plain), heard.heard), cut


@all_loops
@pytest.mark.parametrize("source", ["direct", "plain"])
def test_nor_when_they_are_so_many_that_aiohttp_stops_reading(source: str, loop: str) -> None:
    frames = [*FRAMES, *(Frame(1, diff(14 + i, 20)) for i in range(1500))]
    data = b"".join(map(encode, frames))
    assert len(data) > 600_000
    plain, heard = by_plain(data)
    assert run(read_early(source, len(data) - 5, None, frames), loop) == (events(plain), heard.heard)
