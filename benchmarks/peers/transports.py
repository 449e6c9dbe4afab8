"""Websocket clients of the package index: bytes from a socket to the user's callback, nothing decoded."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from .job import Contestant, Job

STAMP = b'"E":'
DIGITS = 19


def late_ns(payload: bytes | memoryview, now_ns: int) -> int:
    """Now minus the time of sending that the message carries."""
    text = bytes(payload[:96])
    start = text.index(STAMP) + len(STAMP)
    return now_ns - int(text[start : start + DIGITS])


def contestant(follow: Callable[[str, int, Callable], Any]) -> Contestant:
    """A contestant that takes as many messages as the job has, and answers with their latencies."""

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        late: list[int] = []

        def take(payload: bytes | memoryview) -> bool:
            late.append(late_ns(payload, time.time_ns()))
            return len(late) == count

        count = int(job.messages[0])
        return lambda: asyncio.run(follow(f"ws://127.0.0.1:{job.port}/", count, take)), lambda: late

    return make


def by_picows() -> Contestant:
    """picows: a Cython client that calls back with a view of each frame."""
    from picows import WSListener, WSMsgType, ws_connect

    async def follow(url: str, count: int, take: Callable) -> None:
        class Listener(WSListener):
            def on_ws_connected(self, transport: Any) -> None:
                transport.send(WSMsgType.TEXT, b"go")

            def on_ws_frame(self, transport: Any, frame: Any) -> None:
                if take(frame.get_payload_as_memoryview()):
                    transport.disconnect()

        transport, _ = await ws_connect(Listener, url)
        await transport.wait_disconnected()

    return contestant(follow)


def by_websockets() -> Contestant:
    """websockets: its asyncio client without compression, bytes as they are."""
    from websockets.asyncio.client import connect

    async def follow(url: str, count: int, take: Callable) -> None:
        ws = await connect(url, compression=None, max_size=None, ping_interval=None, proxy=None)
        await ws.send("go")
        while not take(await ws.recv(decode=False)):
            pass
        ws.transport.abort()

    return contestant(follow)


def by_aiohttp() -> Contestant:
    """aiohttp: its client's receive()."""
    import aiohttp

    async def follow(url: str, count: int, take: Callable) -> None:
        async with aiohttp.ClientSession() as session:
            ws = await session.ws_connect(url, compress=0, max_msg_size=0)
            await ws.send_str("go")
            while not take((await ws.receive()).data.encode()):
                pass
            ws._response.close()

    return contestant(follow)


CONTESTANTS: dict[str, tuple[str, Callable[[], Contestant]]] = {
    "picows": ("picows", by_picows),
    "websockets": ("websockets", by_websockets),
    "aiohttp": ("aiohttp", by_aiohttp),
}
