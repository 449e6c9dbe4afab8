"""What one connection has asked for: SUBSCRIBE batches under the message budget, acks, retries. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .backoff import NS_PER_S, Budget

BATCH_STREAMS = 100  # streams per message: a few kilobytes
ACK_TIMEOUT_NS = 10 * NS_PER_S
RESERVED_MESSAGES = 2  # of each second's budget, kept for pongs and pings


@dataclass(frozen=True)
class Refused:
    """The venue refused a request for these streams."""

    streams: tuple[bytes, ...]
    reason: str


@dataclass
class Subscriptions:
    """Requests of one connection.

    budget       messages the venue allows per second, shared with pongs
    subscribe    (id, names) → message text
    unsubscribe  (id, names) → message text
    """

    budget: Budget
    subscribe: Callable[[int, Sequence[bytes]], str]
    unsubscribe: Callable[[int, Sequence[bytes]], str]
    waiting: deque[tuple[bool, tuple[bytes, ...]]] = field(default_factory=deque)  # (add, names)
    asked: dict[int, tuple[int, bool, tuple[bytes, ...]]] = field(default_factory=dict)
    active: set[bytes] = field(default_factory=set)
    wanted: set[bytes] = field(default_factory=set)
    next_id: int = 1

    def want(self, streams: Iterable[bytes]) -> None:
        """Queue streams to subscribe."""
        names = list(streams)
        self.wanted.update(names)
        self._queue(True, names)

    def drop(self, streams: Iterable[bytes]) -> None:
        """Queue streams to unsubscribe."""
        names = list(streams)
        self.wanted.difference_update(names)
        self._queue(False, names)

    def reset(self) -> None:
        """A new connection: nothing is subscribed, nothing is under way."""
        self.waiting.clear()
        self.asked.clear()
        self.active.clear()
        self.wanted.clear()

    def _queue(self, add: bool, streams: list[bytes]) -> None:
        for start in range(0, len(streams), BATCH_STREAMS):
            self.waiting.append((add, tuple(streams[start : start + BATCH_STREAMS])))

    def send(self, now_ns: int) -> list[str]:
        """Messages that may go out now; overdue requests are asked again."""
        for number, (sent_ns, add, names) in list(self.asked.items()):
            if now_ns - sent_ns >= ACK_TIMEOUT_NS:
                del self.asked[number]
                # What was decided otherwise since must not be undone by the repetition.
                self._queue(add, [name for name in names if (name in self.wanted) is add])
        messages = []
        # A whole budget of one would never leave room for the reserve.
        reserve = min(RESERVED_MESSAGES, self.budget.amount - 1)
        while self.waiting and self.budget.fits(now_ns, 1 + reserve):
            add, names = self.waiting.popleft()
            number, self.next_id = self.next_id, self.next_id + 1
            self.asked[number] = (now_ns, add, names)
            self.budget.spend(now_ns)
            messages.append((self.subscribe if add else self.unsubscribe)(number, names))
        return messages

    def acknowledged(self, number: int | None) -> tuple[bytes, ...]:
        """An ack came; the streams that are now subscribed. An ack is not data: see watchdog.py."""
        if number is None or number not in self.asked:
            return ()
        _, add, names = self.asked.pop(number)
        if add:
            self.active.update(names)
            return names
        self.active.difference_update(names)
        return ()

    def refused(self, number: int | None, reason: str) -> Refused | None:
        """An error came for a request; it is not asked again."""
        if number is None or number not in self.asked:
            return None
        return Refused(self.asked.pop(number)[2], reason)

    @property
    def settled(self) -> bool:
        """Everything asked for was answered."""
        return not self.waiting and not self.asked

    def due_ns(self, now_ns: int) -> int | None:
        """When `send` should be called again; None when there is nothing to wait for."""
        times = [sent_ns + ACK_TIMEOUT_NS for sent_ns, _, _ in self.asked.values()]
        if self.waiting:
            times.append(self.budget.ready_ns(now_ns, 1 + min(RESERVED_MESSAGES, self.budget.amount - 1)))
        return min(times, default=None)
