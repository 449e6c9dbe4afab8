"""Carries the faults' decisions to real connections: at handshakes, and as time passes."""

import asyncio

from aiohttp import WSMsgType, web

from .answers import send
from .faults.injector import Faults
from .faults.kinds import CODES
from .faults.ledger import Strike
from .faults.replies import Reply, refused
from .faults.wire import HeldWrites, Wire
from .session import GOING_AWAY, Session

BEAT_S = 0.02
NO_CODE, NO_CLOSE = 1005, 1006  # codes that never stand in a close frame
FOR_GOOD = float("inf")
NUMBER = web.RequestKey("number", int)
STRIKES = web.RequestKey("handshake", list[Strike])


class Injection:
    """The faults of one exchange and the sessions they strike."""

    def __init__(self, faults: Faults, sessions: set[Session]) -> None:
        self.faults, self.sessions = faults, sessions
        self._opened, self.beat_s = 0, BEAT_S

    async def run(self) -> None:
        """Carry out what the clock brings, for ever."""
        while True:
            await asyncio.sleep(self.beat_s)
            by_number = {session.number: session for session in sorted(self.sessions, key=number_of)}
            for strike in self.faults.beat(by_number):
                if strike.connection:
                    await suffer(by_number[strike.connection], strike)
                elif strike.kind.name == "ids-back" and strike.values["restart"]:
                    for session in by_number.values():
                        session.part(GOING_AWAY, b"restart")

    def tls(self) -> str:
        """What goes wrong with the TLS handshake that begins: "abort", "certificate" or ""."""
        return "".join(str(strike.values["how"]) for strike in self.faults.handshake("tls")[:1])

    async def refusal(self, request: web.Request) -> web.StreamResponse | None:
        """The answer to a handshake that is refused; None when it may go on."""
        self._opened += 1
        request[NUMBER], request[STRIKES] = self._opened, self.faults.handshake("websocket", self._opened)
        for strike in request[STRIKES]:
            if strike.kind.name == "refused":
                return await send(request, refusal_of(strike))
        return None

    async def greet(self, request: web.Request, socket: web.WebSocketResponse) -> Wire | None:
        """Shake hands, slowly where a fault says so; what the connection's faults need from now on."""
        strikes = {strike.kind.name: strike for strike in request[STRIKES]}
        transport = request.transport
        if "slow-handshake" in strikes and transport is not None:
            held = HeldWrites(transport)
            request.protocol.transport = held  # type: ignore[assignment]
            try:
                await socket.prepare(request)
            finally:
                request.protocol.transport = transport
            await held.dribble(float(strikes["slow-handshake"].values["gap_s"]))
        else:
            await socket.prepare(request)
        return None if transport is None else Wire(transport, request.writer.drain, lambda: self.faults.now_s)

    def open(self, request: web.Request, session: Session) -> None:
        """Take a new session under the faults; tell it when it will be cut."""
        session.number, session.faults = request[NUMBER], self.faults
        self.sessions.add(session)
        for strike in request[STRIKES]:
            if strike.kind.name == "cut":
                age_s = float(strike.values["age_s"])
                session.later(age_s, lambda: session.part(GOING_AWAY, b"connection too old"))


def number_of(session: Session) -> int:
    """Sessions in the order of their connecting."""
    return session.number


def refusal_of(strike: Strike) -> Reply:
    """The answer to a handshake that is refused."""
    status = int(strike.values["status"])
    if status in (418, 429):
        return refused(status, "Too many connections.", int(strike.values["retry_after_s"]))
    return Reply(status, b"refused", {"Content-Type": "text/plain"})


async def suffer(session: Session, strike: Strike) -> None:
    """Carry out one strike of level `connection`."""
    wire, values = session.wire, strike.values
    if wire is None:
        return
    end_s = strike.at_s + float(values.get("duration_s") or FOR_GOOD)
    match strike.kind.name:
        case "reset":
            wire.reset()
        case "half-open":
            wire.line.begin(strike)
            wire.freeze()
            session.later(end_s - strike.at_s, wire.reset)
        case "closed":
            await closed(session, int(values["code"]) or strike.random().choice(CODES))
        case "pings-unanswered":
            wire.deaf_until_s = end_s
        case "pings-unsent":
            wire.silent_until_s = end_s
        case "server-shutdown":
            session.announce_shutdown()
            session.later(float(values["grace_s"]), lambda: session.part(GOING_AWAY, b"server shutdown"))
        case "slow-frames":
            wire.line.begin(strike)


async def closed(session: Session, code: int) -> None:
    """End the connection with this close code, or as the two codes that are never sent say."""
    assert session.wire is not None
    if code == NO_CLOSE:
        session.wire.end()
    elif code == NO_CODE:
        await session.socket.send_frame(b"", WSMsgType.CLOSE)
        session.wire.end()
    else:
        session.part(code, b"fault injected")
