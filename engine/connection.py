"""One websocket connection as a pure state machine: events and the time in, actions out.

    IDLE ─start─▶ CONNECTING ─opened─▶ RUNNING ─close, loss, silence─▶ WAITING ─tick─▶ CONNECTING …
                       └─failed──────────────────────────────────────────▲
Any state ─stop─▶ STOPPED. It never gives up; attempts stay within the venue's budget.

A RUNNING connection whose planned life is over, or whose venue announced its shutdown, is *leaving*: it feeds
on while rollover.py brings up its successor.
"""

import random
from dataclasses import dataclass, field
from enum import Enum

from .backoff import NS_PER_S, Backoff, Budget
from .subscription import Subscriptions

FIRST_BACKOFF_NS, CAP_BACKOFF_NS = NS_PER_S // 4, 30 * NS_PER_S
HEALTHY_NS = 30 * NS_PER_S  # a connection that lasted this long clears the back-off
CLOSE_NORMAL, CLOSE_GOING_AWAY = 1000, 1001
ANNOUNCED = "the venue announced its shutdown"


class State(Enum):
    """Where a connection stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Connect:
    """Open the websocket."""


@dataclass(frozen=True)
class SendText:
    """Send a text message."""

    text: str


@dataclass(frozen=True)
class SendPing:
    """Send a ping."""


@dataclass(frozen=True)
class SendPong:
    """Answer a ping with its own payload."""

    payload: bytes


@dataclass(frozen=True)
class Drop:
    """Close the socket; the reason is for people."""

    code: int
    reason: str


@dataclass(frozen=True)
class MarkUp:
    """The connection stands: its symbols begin to sync."""


@dataclass(frozen=True)
class MarkDown:
    """The connection is gone: its symbols are DOWN."""

    reason: str


def _may_be_sent(code: int) -> bool:
    """Whether RFC 6455, section 7.4, lets an endpoint send this close code."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


Action = Connect | SendText | SendPing | SendPong | Drop | MarkUp | MarkDown


@dataclass
class Connection:
    """The machine.

    streams          what to subscribe after each connect
    subscriptions    requests of this connection; its budget also pays pongs and pings
    attempts         budget of connection attempts
    silence_ns       after this long without a byte a ping is sent
    pong_timeout_ns  after this long without an answer the connection is dropped
    life_ns          after this long it wants a successor, before the venue's own cut; 0 for never
    """

    streams: list[bytes]
    subscriptions: Subscriptions
    attempts: Budget
    rng: random.Random
    silence_ns: int
    pong_timeout_ns: int
    life_ns: int = 0
    state: State = State.IDLE
    opened_ns: int = 0
    seen_ns: int = 0
    pinged_ns: int = 0
    retry_ns: int = 0
    reconnects: int = 0
    leaving: str = ""  # why it wants a successor; empty while it does not
    backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self.backoff = Backoff(FIRST_BACKOFF_NS, CAP_BACKOFF_NS, self.rng)

    # -- events
    def start(self, now_ns: int) -> list[Action]:
        """Begin."""
        if self.state is not State.IDLE:
            return []
        return self._connect(now_ns)

    def opened(self, now_ns: int) -> list[Action]:
        """The handshake succeeded and the frame source reads."""
        if self.state is not State.CONNECTING:
            return []
        self.state = State.RUNNING
        self.opened_ns = self.seen_ns = now_ns
        self.pinged_ns, self.leaving = 0, ""
        self.subscriptions.reset()
        self.subscriptions.want(self.streams)
        return [MarkUp(), *self._send(now_ns)]

    def failed(self, now_ns: int, reason: str, retry_after_ns: int = 0) -> list[Action]:
        """The attempt failed."""
        if self.state is not State.CONNECTING:
            return []
        return self._wait(now_ns, reason, retry_after_ns)

    def seen(self, now_ns: int) -> None:
        """Bytes arrived: the peer lives."""
        self.seen_ns, self.pinged_ns = now_ns, 0

    def pinged(self, now_ns: int, payload: bytes) -> list[Action]:
        """The venue pinged. The pong goes out at once: unanswered pings cost the connection."""
        if self.state is not State.RUNNING:
            return []
        self.subscriptions.budget.spend(now_ns)
        return [SendPong(payload)]

    def closed(self, now_ns: int, code: int, reason: str) -> list[Action]:
        """A close frame came: answer with its code, then wait."""
        if self.state is not State.RUNNING:
            return []
        text = f"closed by the venue with {code} {reason}".rstrip()
        return [Drop(code if _may_be_sent(code) else CLOSE_NORMAL, text), *self._wait(now_ns, text)]

    def violated(self, now_ns: int, code: int, reason: str) -> list[Action]:
        """The venue broke the protocol: close with the code that says so."""
        if self.state is not State.RUNNING:
            return []
        return [Drop(code, reason), *self._wait(now_ns, f"protocol violation {code}: {reason}")]

    def lost(self, now_ns: int, reason: str) -> list[Action]:
        """The socket is gone."""
        if self.state not in (State.RUNNING, State.CONNECTING):
            return []
        return self._wait(now_ns, reason)

    def shutdown_announced(self, now_ns: int) -> list[Action]:
        """The venue says it will close: until it does, the connection feeds on."""
        if self.state is State.RUNNING:
            self.leaving = ANNOUNCED
        return []

    def useless(self, now_ns: int, reason: str) -> list[Action]:
        """It stands, but does not bring what it should: connect anew after a while."""
        return self._replace(now_ns, reason)

    def subscribe(self, now_ns: int, names: list[bytes]) -> list[Action]:
        """Ask for more streams; the owner has added them to `streams`, for later connects."""
        if self.state is not State.RUNNING:
            return []
        self.subscriptions.want(names)
        return self._send(now_ns)

    def unsubscribe(self, now_ns: int, names: list[bytes]) -> list[Action]:
        """Give streams up; the owner has taken them out of `streams`."""
        if self.state is not State.RUNNING:
            return []
        self.subscriptions.drop(names)
        return self._send(now_ns)

    def acknowledged(self, now_ns: int, number: int | None) -> list[Action]:
        """A request was taken; more may be sent."""
        self.subscriptions.acknowledged(number)
        return self._send(now_ns)

    def stop(self, now_ns: int) -> list[Action]:
        """End for good."""
        before, self.state = self.state, State.STOPPED
        return [Drop(CLOSE_NORMAL, "stopped")] if before in (State.RUNNING, State.CONNECTING) else []

    def tick(self, now_ns: int) -> list[Action]:
        """Time has passed."""
        if self.state is State.WAITING and now_ns >= self.retry_ns:
            return self._connect(now_ns)
        if self.state is not State.RUNNING:
            return []
        if self.pinged_ns and now_ns - self.pinged_ns >= self.pong_timeout_ns:
            return self._replace(
                now_ns, f"silent for {(now_ns - self.seen_ns) / NS_PER_S:.1f} s, ping unanswered"
            )
        if self.life_ns and now_ns - self.opened_ns >= self.life_ns:
            self.leaving = self.leaving or "its planned life is over"
        actions = self._send(now_ns)
        is_silent = not self.pinged_ns and now_ns - self.seen_ns >= self.silence_ns
        if is_silent and self.subscriptions.budget.fits(now_ns):
            self.subscriptions.budget.spend(now_ns)
            self.pinged_ns = now_ns
            actions.append(SendPing())
        return actions

    # -- inside
    def _send(self, now_ns: int) -> list[Action]:
        if self.state is not State.RUNNING:
            return []
        return [SendText(text) for text in self.subscriptions.send(now_ns)]

    def _connect(self, now_ns: int) -> list[Action]:
        if not self.attempts.fits(now_ns):
            self.state, self.retry_ns = State.WAITING, self.attempts.ready_ns(now_ns)
            return []
        self.attempts.spend(now_ns)
        self.state = State.CONNECTING
        return [Connect()]

    def _wait(self, now_ns: int, reason: str, at_least_ns: int = 0) -> list[Action]:
        was_running = self.state is State.RUNNING
        if was_running and now_ns - self.opened_ns >= HEALTHY_NS:
            self.backoff.reset()
        self.reconnects += 1
        self.state, self.retry_ns = State.WAITING, now_ns + self.backoff.next_ns(at_least_ns)
        return [MarkDown(reason)] if was_running else []

    def _replace(self, now_ns: int, reason: str) -> list[Action]:
        if self.state is not State.RUNNING:
            return []
        return [Drop(CLOSE_GOING_AWAY, reason), *self._wait(now_ns, reason)]
