"""REST requests of the engine: instruments and depth snapshots, with what the venue says about its limits."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import orjson

from ..engine.backoff import NS_PER_S
from .venues.base import Venue

TIMEOUT_S = 60.0
BODY_BYTES_MAX = 64 << 20  # unpacked; the largest exchangeInfo has some 15 MB
RETRY_AFTER_MAX_S = 3 * 86_400  # the longest ban the venues know: nobody can silence us for years
ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)


@dataclass(frozen=True)
class RestReply:
    """One answer.

    status          HTTP status; 0 when there was none
    body            bytes of the body
    retry_after_ns  the server's Retry-After, 0 without
    weight_used     weight of this minute by the venue's count, -1 where not told
    reason          for people, when it failed
    """

    status: int
    body: bytes = b""
    retry_after_ns: int = 0
    weight_used: int = -1
    reason: str = ""


def retry_after_ns(headers: Any) -> int:
    """Retry-After in seconds as ns; dates and nonsense count as absent."""
    text = headers.get("Retry-After", "")
    return min(int(text), RETRY_AFTER_MAX_S) * NS_PER_S if text.isdigit() and len(text) < 19 else 0


async def bounded_body(content: aiohttp.StreamReader) -> bytes:
    """All of a body, unpacked. ValueError when it is larger than any body we ask for."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"its body had over {BODY_BYTES_MAX} bytes, more than are accepted")
    return bytes(body)


def trust(ca_file: str) -> ssl.SSLContext | bool:
    """The TLS settings: the system's authorities, and one more if asked."""
    if not ca_file:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(ca_file)
    return context


class Rest:
    """Asks one venue.

    heard  told of every answer: each one counts against the same weight, and any may bring a ban
    """

    def __init__(
        self, session: aiohttp.ClientSession, venue: Venue, tls: ssl.SSLContext | bool,
        heard: Callable[[RestReply], None],
    ) -> None:  # fmt: skip
        self.session, self.venue, self.tls, self.heard = session, venue, tls, heard
        self.timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, connect=10.0)

    async def get(self, url: str, **query: str) -> RestReply:
        """GET; failures come back as a reply with status 0."""
        try:
            async with self.session.get(url, params=query, ssl=self.tls, timeout=self.timeout) as answer:
                body = await bounded_body(answer.content)
                used = answer.headers.get("X-MBX-USED-WEIGHT-1M", "")
                reason = (
                    ""
                    if answer.status == 200
                    else f"HTTP {answer.status}: {body[:200].decode(errors='replace')}"
                )
                weight = int(used) if used.isdigit() and len(used) < 9 else -1
                reply = RestReply(answer.status, body, retry_after_ns(answer.headers), weight, reason)
        except ERRORS as error:
            return RestReply(0, reason=f"{type(error).__name__}: {error}".rstrip(": "))
        self.heard(reply)
        return reply

    async def depth(self, symbol: str, limit: int) -> RestReply:
        """A depth snapshot."""
        return await self.get(self.venue.depth_address(symbol), symbol=symbol, limit=str(limit))

    async def exchange_info(self) -> tuple[Any, RestReply]:
        """Decoded exchangeInfo, or None and a reply that says why not."""
        reply = await self.get(self.venue.rest_url.rstrip("/") + self.venue.exchange_path)
        if reply.status != 200:
            return None, reply
        try:
            return orjson.loads(reply.body), reply
        except orjson.JSONDecodeError as error:
            return None, replace(reply, reason=f"its body is not JSON: {error}")
