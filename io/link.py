"""Carries out what a Connection machine decides: one websocket through aiohttp, read by a frame source."""

import asyncio
import inspect
import logging
import ssl
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import aiohttp

from ..engine import connection as machine
from ..engine.connection import Action, Connection
from .clock import MACHINE, Clock
from .direct import DirectSource
from .feed import Feed
from .rest import ERRORS, retry_after_ns
from .sources import direct_obstacle, run_plain

log = logging.getLogger(__name__)
HANDSHAKE_S = 15.0
CLOSE_S = 2.0
WRITES_MAX = 64  # that wait on one connection
# aiohttp learned to hand out text as bytes in 3.14; before that the plain source encodes it again.
BYTES_OPTION: dict[str, Any] = (
    {"decode_text": False}
    if "decode_text" in inspect.signature(aiohttp.ClientSession._ws_connect).parameters
    else {}
)


class Hooks(Protocol):
    """What a link tells the engine."""

    def link_up(self, link: "Link") -> None: ...
    def link_down(self, link: "Link", reason: str) -> None: ...


class Reception:
    """Receives the events of one attempt; an old attempt's late events are ignored."""

    def __init__(self, link: "Link", number: int) -> None:
        self.link, self.number, self.slot = link, number, link.slot
        self.listening = True

    def _tell(self, actions: Sequence[Action]) -> None:
        self.link.perform(actions)

    @property
    def _current(self) -> bool:
        return self.link.attempt == self.number

    def on_seen(self) -> None:
        """Bytes arrived."""
        if self._current:
            self.link.connection.seen(self.link.clock.mono_ns())

    def on_ping(self, payload: bytes) -> None:
        """Answer."""
        if self._current:
            self._tell(self.link.connection.pinged(self.link.clock.mono_ns(), payload))

    def on_pong(self, payload: bytes) -> None:
        """Being seen is enough."""

    def on_close(self, code: int, reason: str) -> None:
        """The venue closes."""
        if self._current:
            self._tell(self.link.connection.closed(self.link.clock.mono_ns(), code, reason))

    def on_violation(self, code: int, reason: str) -> None:
        """The venue broke the protocol."""
        if self._current:
            self._tell(self.link.connection.violated(self.link.clock.mono_ns(), code, reason))

    def on_lost(self, reason: str) -> None:
        """The socket is gone."""
        if self._current:
            self.link.let_go()
            self._tell(self.link.connection.lost(self.link.clock.mono_ns(), reason))


class Link:
    """One connection of the engine.

    name        for people
    url         where to connect
    connection  the machine that decides
    source      "direct" or "plain"
    slot        which connection this is among those that bring the same streams, 0..LEG_SLOTS - 1
    """

    def __init__(
        self,
        name: str,
        url: str,
        connection: Connection,
        session: aiohttp.ClientSession,
        tls: ssl.SSLContext | bool,
        feed: Feed,
        hooks: Hooks,
        source: str,
        max_message_bytes: int,
        slot: int = 0,
        clock: Clock = MACHINE,
    ) -> None:
        self.slot, self.clock = slot, clock
        self.name, self.url, self.connection, self.session, self.tls = name, url, connection, session, tls
        self.feed, self.hooks, self.source, self.max_message_bytes = feed, hooks, source, max_message_bytes
        self.attempt = 0
        self.reading = ""  # the source in use, for the start-up line
        self.ws: aiohttp.ClientWebSocketResponse | None = None
        self.reception: Reception | None = None
        self._tasks: set[asyncio.Task] = set()
        self._writing: set[asyncio.Task] = set()  # of the present connection
        self._late_pong: bytes | None = None

    def perform(self, actions: Sequence[Action]) -> None:
        """Carry out actions in order."""
        for action in actions:
            match action:
                case machine.Connect():
                    self.attempt += 1
                    self._spawn(self._connect(self.attempt))
                case machine.SendText(text):
                    self._write("send_str", text)
                case machine.SendPing():
                    self._write("ping", b"")
                case machine.SendPong(payload):
                    self._write("pong", payload)
                case machine.Drop(code, reason):
                    self._drop(code, reason)
                case machine.MarkUp():
                    self.hooks.link_up(self)
                case machine.MarkDown(reason):
                    self.hooks.link_down(self, reason)

    def tick(self) -> None:
        """Give the machine the time."""
        self.perform(self.connection.tick(self.clock.mono_ns()))

    async def finish(self) -> None:
        """Stop for good and wait for what is under way, briefly."""
        self.perform(self.connection.stop(self.clock.mono_ns()))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _write(self, method: str, argument: str | bytes) -> None:
        if self.ws is None:
            return
        if len(self._writing) >= WRITES_MAX:
            self._crowded(method, argument)
            return
        task = self._spawn(self._written(getattr(self.ws, method)(argument)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        task.add_done_callback(self._catch_up)

    def _crowded(self, method: str, argument: str | bytes) -> None:
        """Too many writes wait. Of pings the newest is answered alone (RFC 6455, 5.5.3); else the server is deaf."""
        if method == "pong" and isinstance(argument, bytes):
            self.feed.pipeline.count("pongs_skipped", int(self._late_pong is not None))
            self._late_pong = argument
        else:
            reason = f"{WRITES_MAX} writes wait: it does not read what we send"
            self.perform(self.connection.useless(self.clock.mono_ns(), reason))

    def _catch_up(self, _: asyncio.Task) -> None:
        """There is room for the pong that had to wait."""
        late, self._late_pong = self._late_pong, None
        if late is not None:
            self._write("pong", late)

    async def _written(self, sending: Coroutine[Any, Any, None]) -> None:
        try:
            await sending
        except ERRORS as error:  # the loss itself is told by the source
            log.info("%s: could not send: %s", self.name, error)

    def _drop(self, code: int, reason: str) -> None:
        log.info("%s: closing with %d: %s", self.name, code, reason)
        ws, self.ws = self.ws, None
        self.attempt += 1  # whatever the old socket still says is ignored
        if self.reception is not None:
            self.reception.listening = False
        if ws is not None:
            self._spawn(self._close(ws, code))

    @staticmethod
    async def _close(ws: aiohttp.ClientWebSocketResponse, code: int) -> None:
        try:
            await asyncio.wait_for(ws._writer.close(code, b""), CLOSE_S)
        except ERRORS:
            pass  # it was gone already
        finally:
            ws._response.close()

    def let_go(self) -> None:
        """The socket ended by itself: aiohttp's side of it must be released too, or it waits to be collected."""
        ws, self.ws = self.ws, None
        if ws is not None:
            ws._response.close()

    async def _connect(self, number: int) -> None:
        try:
            # aiohttp only opens and writes: pings, liveness and the close are the machine's business.
            # (asyncio.timeout, not wait_for: a task in between would let the loop run before the take-over.)
            async with asyncio.timeout(HANDSHAKE_S):
                ws = await self.session.ws_connect(
                    self.url, ssl=self.tls, autoping=False, autoclose=False, heartbeat=None, compress=0,
                    max_msg_size=self.max_message_bytes, **BYTES_OPTION,
                )  # fmt: skip
        except ERRORS as error:
            self._failed(number, error)
            return
        if number != self.attempt:
            ws._response.close()
            return
        await self._read(ws, number)

    def _failed(self, number: int, error: BaseException) -> None:
        wait_ns = retry_after_ns(getattr(error, "headers", None) or {})
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        log.warning("%s: %s refused the connection: %s; trying again", self.name, self.url, reason)
        if number == self.attempt:
            self.perform(self.connection.failed(self.clock.mono_ns(), reason, wait_ns))

    async def _read(self, ws: aiohttp.ClientWebSocketResponse, number: int) -> None:
        self.ws, self.reception = ws, Reception(self, number)
        self._writing, self._late_pong = set(), None
        reception = self.reception
        obstacle = direct_obstacle(ws) if self.source == "direct" else "asked for"
        self.reading = "plain" if obstacle else "direct"
        self.perform(self.connection.opened(self.clock.mono_ns()))
        if obstacle is None:
            # No await since the handshake: nothing the venue sent can have been parsed by aiohttp.
            DirectSource(self.feed, reception, self.max_message_bytes, self.clock).take_over(ws)
            return
        if self.source == "direct":
            log.warning("%s: reading with `plain`, not `direct`: %s", self.name, obstacle)
        await run_plain(ws, self.feed, reception, self.clock)
