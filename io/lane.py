"""A lane: streams that travel together on one connection, or on two at once, and roll over without a gap."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import numpy as np

from ..engine import layout
from ..engine.connection import ANNOUNCED, State
from ..engine.rollover import Facts, Rollover, Step, overlaps
from ..engine.workspace import PHASE_HOLDING
from .feed import Feed
from .link import Link

log = logging.getLogger(__name__)
LEGS = "AB"
LINGER_TURNS = 40  # about two seconds: the new connection may be behind what the old one has brought


class Owner(Protocol):
    """What a lane tells the engine."""

    def lane_up(self, lane: "Lane") -> None: ...
    def lane_down(self, lane: "Lane", reason: str) -> None: ...


class Seat:
    """A connection's place on a lane; while it is being replaced its successor has no place of its own yet.

    number  0 for leg A, 1 for leg B
    """

    def __init__(self, number: int, link: Link) -> None:
        self.number, self.link = number, link
        self.successor: Link | None = None
        self.plan = Rollover()
        self.marks = np.zeros(0, np.int64)  # newest ids of the old connection when the new one was settled

    @property
    def links(self) -> list[Link]:
        return [self.link, *([self.successor] if self.successor else [])]

    @property
    def spare_slot(self) -> int:
        """The slot of this leg that the connection in place does not use."""
        return self.number + 2 * (1 - self.link.slot // 2)


class Lane:
    """One share of the streams.

    group     the venue's group of streams: which address they need
    streams   names, the same list for every connection of the lane
    legs      connections at once: 1, or 2 for redundancy
    make      makes a link for (lane, slot)
    """

    def __init__(
        self, group: str, streams: list[bytes], legs: int, feed: Feed, owner: Owner,
        make: Callable[["Lane", int], Link],
    ) -> None:  # fmt: skip
        self.group, self.streams, self.feed, self.owner, self.make = group, streams, feed, owner, make
        self.is_up, self._linger = False, 0
        self.seats = [Seat(number, make(self, number)) for number in range(legs)]
        self._closing: set[asyncio.Task] = set()

    @property
    def links(self) -> list[Link]:
        """Every connection, successors too."""
        return [link for seat in self.seats for link in seat.links]

    @property
    def is_shared(self) -> bool:
        """Several connections may bring the same streams now, or copies of what one of them brought."""
        return len(self.links) > 1 or self._linger > 0

    def books(self) -> list[int]:
        """Symbol rows whose book these streams feed."""
        fed = [self.feed.names[name] for name in self.streams if name in self.feed.names]
        return [symbol_id for symbol_id, kind in fed if kind == layout.KIND_BOOK]

    # -- life
    def start(self, now_ns: int) -> None:
        """Open the connections."""
        for seat in self.seats:
            seat.link.perform(seat.link.connection.start(now_ns))

    def tick(self, now_ns: int, may_start: Callable[[bool], bool]) -> None:
        """Give every machine the time.

        may_start  whether a roll-over may begin; asked with whether the venue announced its shutdown
        """
        self._linger = max(0, self._linger - 1)
        for seat in self.seats:
            for link in seat.links:
                link.tick()
            self._roll(seat, now_ns, may_start)

    async def finish(self) -> None:
        """Close everything."""
        await asyncio.gather(*(link.finish() for link in self.links), *self._closing)

    # -- roll-over
    def _roll(self, seat: Seat, now_ns: int, may_start: Callable[[bool], bool]) -> None:
        old, plan = seat.link.connection, seat.plan
        announced, starting = old.leaving == ANNOUNCED, not plan.under_way and bool(old.leaving)
        facts = Facts(
            leaving=starting and old.state is State.RUNNING and may_start(announced),
            runs=old.state is State.RUNNING,
            settled=self._is_settled(seat),
            overlaps=plan.together_ns >= 0 and self._overlaps(seat),
        )
        match plan.tick(now_ns, facts):
            case Step.OPEN:
                self._open_successor(seat, now_ns)
            case Step.RESTART:
                self._restart_successor(seat, now_ns)
            case Step.PROMOTE:
                self._promote(seat)

    def _is_settled(self, seat: Seat) -> bool:
        """Also takes the marks at the moment it becomes so."""
        if seat.successor is None:
            return False
        new = seat.successor.connection
        settled = new.state is State.RUNNING and new.subscriptions.settled
        if settled and seat.plan.together_ns < 0:
            seat.marks = self._newest(seat.link.slot)
        return settled

    def _newest(self, slot: int) -> np.ndarray:
        return self.feed.pipeline.space.legs["last_id"][self.books(), slot].copy()

    def _overlaps(self, seat: Seat) -> bool:
        assert seat.successor is not None
        old, new = self._newest(seat.link.slot), self._newest(seat.successor.slot)
        waiting = self.feed.pipeline.space.states["phase"][self.books()] == PHASE_HOLDING
        return len(old) == len(seat.marks) and overlaps(old, new, seat.marks, waiting)

    def _forget(self, *slots: int) -> None:
        self.feed.pipeline.space.legs["last_id"][np.ix_(self.books(), slots)] = -1

    def _open_successor(self, seat: Seat, now_ns: int) -> None:
        seat.successor = self.make(self, seat.spare_slot)
        log.info("%s: %s; %s follows", seat.link.name, seat.link.connection.leaving, seat.successor.name)
        self._forget(seat.link.slot, seat.successor.slot)
        seat.successor.perform(seat.successor.connection.start(now_ns))

    def _restart_successor(self, seat: Seat, now_ns: int) -> None:
        assert seat.successor is not None
        reason = f"silent on streams that {seat.link.name} brings"
        seat.successor.perform(seat.successor.connection.useless(now_ns, reason))

    def _promote(self, seat: Seat) -> None:
        assert seat.successor is not None
        old, seat.link, seat.successor = seat.link, seat.successor, None
        self._linger = LINGER_TURNS
        self.feed.pipeline.count("rollovers")
        log.info("%s: %s has taken its place", old.name, seat.link.name)
        task = asyncio.get_running_loop().create_task(old.finish())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # -- hooks of the links
    def link_up(self, link: Link) -> None:
        """A connection stands: the first one carries the lane, others join it."""
        self.feed.pipeline.count("connects")
        log.info("%s: connected, source %s", link.name, link.reading)
        self._forget(link.slot)
        for seat in self.seats:
            if seat.successor is link:
                seat.plan.successor_opened()
        if not self.is_up:
            self.is_up = True
            self.owner.lane_up(self)

    def link_down(self, link: Link, reason: str) -> None:
        """A connection is gone: the lane is down unless another one carries it."""
        self.feed.pipeline.count("disconnects")
        log.warning("%s: lost: %s", link.name, reason)
        others = [
            other for other in self.links if other is not link and other.connection.state is State.RUNNING
        ]
        if any(other.connection.subscriptions.settled for other in others):
            return
        self.owner.lane_down(self, reason)
        self.is_up = bool(others)
        if self.is_up:  # it stands, but who knows since when each of its streams flows
            self.owner.lane_up(self)

    # -- streams while running
    def add(self, names: list[bytes], now_ns: int) -> None:
        """Carry more streams."""
        self.streams += names
        for link in self.links:
            link.perform(link.connection.subscribe(now_ns, names))

    def remove(self, names: list[bytes], now_ns: int) -> None:
        """Carry some streams no more."""
        self.streams[:] = [name for name in self.streams if name not in set(names)]
        for link in self.links:
            link.perform(link.connection.unsubscribe(now_ns, names))

    def ask_again(self, name: bytes, now_ns: int, leg: int | None) -> None:
        """Subscribe one stream anew, on all connections or on one leg's: it is acknowledged, but silent."""
        for link in self.links:
            if leg is None or link.slot & 1 == leg:
                link.perform(link.connection.unsubscribe(now_ns, [name]))
                link.perform(link.connection.subscribe(now_ns, [name]))
