"""Sends a REST reply as it is told: late, slow, short, or never."""

import asyncio
import contextlib

from aiohttp import web

from .faults.replies import WRITES_PER_S, Reply

LOOK_S = 0.1  # between two looks whether the client still waits


async def send(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Answer a request; gives up when the client goes."""
    await wait(request, reply.wait_s)
    if not (reply.bytes_per_s or reply.missing_bytes):
        return web.Response(body=reply.body, status=reply.status, headers=reply.headers)
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = len(reply.body) + reply.missing_bytes
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        for piece in reply.pieces():
            await response.write(piece)
            if reply.bytes_per_s:
                await asyncio.sleep(1 / WRITES_PER_S)
    if reply.missing_bytes and request.transport is not None:
        request.transport.close()
    return response


async def wait(request: web.Request, seconds: float) -> None:
    """Wait so long, or until the client goes."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while (left_s := end_s - loop.time()) > 0:
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(min(left_s, LOOK_S))
