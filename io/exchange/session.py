"""One websocket connection: its subscriptions, requests, limits, pings and outgoing queue."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import WSMsgType, web

from .budget import MessageLimit
from .faults.damage import PING, PONG
from .faults.injector import Faults
from .faults.wire import Wire
from .streams import Hub, Stream
from .venues import Venue, kinds_of_path
from .wire import MICROSECOND_NS, MILLISECOND_NS

log = logging.getLogger(__name__)

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
POLICY_VIOLATION = 1008
GOING_AWAY = 1001
CLOSE_S = 1.0


@dataclass(frozen=True)
class SessionRules:
    """Limits of a connection; 0 switches the message limit off."""

    messages_per_second: int
    ping_s: float
    pong_timeout_s: float
    backlog_bytes_max: int = 32 << 20


class RequestError(ValueError):
    """A request the venue answers with an error code and goes on."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(eq=False)
class Session:
    """Implements `Listener`: the hub pushes, a writer task sends, a slow client is cut off."""

    socket: web.WebSocketResponse
    hub: Hub
    venue: Venue
    rules: SessionRules
    path: str
    unit_ns: int = MILLISECOND_NS
    combined: bool = False
    number: int = 0
    faults: Faults | None = None
    wire: Wire | None = None
    clock_ns: Callable[[], int] = time.time_ns
    streams: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kinds = kinds_of_path(self.venue, self.path)
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._wake = asyncio.Event()
        self._limit = MessageLimit(self.rules.messages_per_second)
        self._pinged_s = 0.0  # when the oldest unanswered ping left; 0: none waits
        self._parting: tuple[int, bytes] | None = None
        self._over = asyncio.Event()

    # -------------------------------------------------------------- Listener
    def serves(self, kind: str) -> bool:
        return kind in self._kinds

    @property
    def backlog_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._queued_bytes + (self.wire.line.waiting_bytes if self.wire else 0)

    def push(self, message: bytes, stream: Stream | None = None) -> None:
        wire, faults = self.wire, self.faults
        self._wake.set()
        if self.backlog_bytes > self.rules.backlog_bytes_max:
            self.part(POLICY_VIOLATION, b"slow consumer")
        elif wire is None or faults is None or (wire.line.idle and not faults.strikes_frames):
            self._queue.append(message)
            self._queued_bytes += len(message)
        elif stream is None:
            wire.line.put(message, (), faults.now_s)
        else:
            wire.line.offer(faults, stream.name, stream.symbol, message, self.number)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something after a while, if the connection still stands; never for an infinite delay."""
        if delay_s != float("inf"):
            self._timers.append(asyncio.get_running_loop().call_later(delay_s, act))

    def announce_shutdown(self) -> None:
        """Send the event with which the venue says that this server goes."""
        event = {"e": "serverShutdown", "E": self.clock_ns() // MILLISECOND_NS}
        self.push(orjson.dumps({"stream": "!serverShutdown", "data": event} if self.combined else event))

    def part(self, code: int, reason: bytes) -> None:
        """End the connection with this close code; what is queued is dropped."""
        self._parting = self._parting or (code, reason)
        self._over.set()

    # -------------------------------------------------------------- life
    async def run(self, first_streams: list[str]) -> None:
        """Serve the connection until either side ends it."""
        for name in first_streams:
            self._subscribe(name)
        parts = (self._write(), self._read(), self._ping(), self._over.wait())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.hub.leave(self)
            for timer in self._timers:
                timer.cancel()
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                    log.error("a session ended by %r", outcome)
            await self._close()

    async def _close(self) -> None:
        """Say why we leave, but do not wait for a client that reads nothing."""
        if self._parting is None or self.socket.closed:
            return None
        if self.wire is not None and self.wire.line.busy:  # a close frame would land inside another frame
            return self.wire.end()
        code, reason = self._parting
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.socket.close(code=code, message=reason)
        return None

    async def _write(self) -> None:
        send, queue = self.socket.send_frame, self._queue
        while True:
            await self._woken()
            while queue:  # older than anything on the line
                message = queue.popleft()
                await send(message, WSMsgType.TEXT)
                self._queued_bytes -= len(message)
            if self.wire is not None and self.wire.line.busy:
                await self.wire.flush()

    async def _woken(self) -> None:
        """Wait for a message, or until something on the line is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.wire.wait_s if self.wire else None):
                await self._wake.wait()
        self._wake.clear()

    async def _control(self, opcode: int, payload: bytes) -> None:
        """A ping or pong; behind what is on the line, so that it breaks no frame."""
        if self.wire is not None and self.wire.line.busy:
            self.wire.line.put(payload, (), self.wire.now_s(), opcode)
            self._wake.set()
        elif opcode == PONG:
            await self.socket.pong(payload)
        else:
            await self.socket.ping(payload)

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.rules.ping_s)
            if self.wire is not None and self.wire.silent:
                continue
            self._pinged_s = self._pinged_s or loop.time()
            await self._control(PING, str(int(loop.time() * 1000)).encode())
            wait_s = self._pinged_s + self.rules.pong_timeout_s - loop.time()
            if wait_s < self.rules.ping_s:
                await asyncio.sleep(max(0.0, wait_s))
                if self._pinged_s:
                    self.part(POLICY_VIOLATION, b"no pong in time")

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await self.socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            if self._limit.exceeded(loop.time()):
                self.part(POLICY_VIOLATION, b"Too many requests")
            elif message.type == WSMsgType.PING:
                if self.wire is None or not self.wire.deaf:
                    await self._control(PONG, bytes(message.data))
            elif message.type == WSMsgType.PONG:
                self._pinged_s = 0.0
            else:
                self.push(self.answer(message.data))

    # -------------------------------------------------------------- requests
    def answer(self, text: str | bytes) -> bytes:
        """The reply to one request, errors included; never enveloped."""
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return orjson.dumps({"code": 3, "msg": f"Invalid JSON: {error}"})
        number = request.get("id") if isinstance(request, dict) else None
        try:
            return orjson.dumps({"result": self._carry_out(request), "id": number})
        except RequestError as error:
            return orjson.dumps({"code": error.code, "msg": str(error), "id": number})

    def _carry_out(self, request: object) -> object:
        if not isinstance(request, dict):
            raise RequestError(2, "Invalid request: request must be an object")
        method, params, number = request.get("method"), request.get("params", []), request.get("id")
        if method not in METHODS:
            raise RequestError(2, f"Invalid request: unknown method {method!r}, expected one of {METHODS}")
        if not isinstance(number, int | str | None) or (isinstance(number, str) and len(number) > 36):
            raise RequestError(2, "Invalid request: request ID must be an integer, a short string or null")
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.streams)
        if method.endswith("PROPERTY"):
            return self._property(method, params)
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            raise RequestError(2, "Invalid request: params must be an array of stream names")
        if method == "UNSUBSCRIBE":
            self._unsubscribe(params)
            return None
        if len({*self.streams, *params}) > self.venue.streams_max:
            raise RequestError(2, f"Invalid request: at most {self.venue.streams_max} streams per connection")
        for name in params:
            self._subscribe(name)
        return None

    def _property(self, method: str, params: object) -> bool | None:
        if not isinstance(params, list) or not params or params[0] != "combined":
            raise RequestError(0, "Unknown property")
        if method == "GET_PROPERTY":
            return self.combined
        if len(params) != 2 or not isinstance(params[1], bool):
            raise RequestError(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None

    def _subscribe(self, name: str) -> None:
        self.streams[name] = None
        self.hub.subscribe(self, name)

    def _unsubscribe(self, names: list[str]) -> None:
        for name in names:
            self.streams.pop(name, None)
            self.hub.unsubscribe(self, name)


def time_unit_ns(text: str) -> int:
    """The time unit a URL asks for; ValueError for one that does not exist."""
    units = {"": MILLISECOND_NS, "MILLISECOND": MILLISECOND_NS, "MICROSECOND": MICROSECOND_NS}
    if text.upper() not in units:
        raise ValueError(f"timeUnit was {text!r}, expected MILLISECOND or MICROSECOND")
    return units[text.upper()]
