"""DNS failure, at the client's side: an exchange cannot make a client's look-up fail.

For a client that makes look-ups with aiohttp:

    connector = aiohttp.TCPConnector(resolver=FaultyResolver(exchange.faults))

Any other client can be pointed at `NEVER_FOUND`, a name that RFC 6761 reserves so that it never resolves.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from .injector import Faults

NEVER_FOUND = "ringbook.invalid"


class FaultyResolver(AbstractResolver):
    """Looks names up as the system does, but fails where the plan says `dns-failure`."""

    def __init__(self, faults: Faults, inner: AbstractResolver | None = None) -> None:
        self.faults, self.inner = faults, inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name; OSError as the system raises it when the look-up fails."""
        if self.faults.lookup(host):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return await self.inner.resolve(host, port, family)

    async def close(self) -> None:
        """Let the inner resolver go."""
        await self.inner.close()
