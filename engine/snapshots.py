"""When to fetch which snapshot: a weight budget, staggered, retried for ever. Pure.

A symbol is WANTED, IN_FLIGHT, or absent. Resyncs go before first syncs; a ban or Retry-After stops all.
"""

import random
from dataclasses import dataclass, field

from .backoff import NS_PER_S, Backoff, Budget

FIRST_RETRY_NS, CAP_RETRY_NS = NS_PER_S // 2, 30 * NS_PER_S
TOO_OLD_NS = NS_PER_S // 2  # a lagging node: the same answer for a while, so do not ask at once
FLIGHTS_MAX = 8
BAN_NS = 120 * NS_PER_S  # a 418 without Retry-After: the shortest ban the venue gives
SHARE = 0.8  # of the venue's weight; the rest is for exchangeInfo and other clients at this address
SPARE = 0.05  # never used, even beside others: a restarted engine must ask once before it knows
RESYNC, FIRST_SYNC = 0, 1  # priorities


@dataclass(frozen=True)
class Fetch:
    """Ask the venue for a snapshot; `loaded`, `too_old` or `failed` must hear how each one ended."""

    symbol_id: int
    number: int  # an answer to an older number is not for the present want


@dataclass
class _Want:
    priority: int
    due_ns: int
    backoff: Backoff
    in_flight: int = 0  # number of the request under way


@dataclass
class SnapshotScheduler:
    """The machine.

    weight       request weight of one snapshot
    per_minute   the venue's weight per minute and address
    minute_ns    how long that minute lasts; tests shorten it
    """

    weight: int
    per_minute: int
    rng: random.Random
    minute_ns: int = 60 * NS_PER_S
    wants: dict[int, _Want] = field(default_factory=dict)
    paused_until_ns: int = 0
    numbers: int = 0
    flying: set[int] = field(default_factory=set)  # numbers under way, also of wants cancelled since
    budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(max(self.weight, int(self.per_minute * SHARE)), self.minute_ns)

    def want(self, symbol_id: int, now_ns: int, priority: int = FIRST_SYNC) -> None:
        """A symbol needs a snapshot; asking twice changes nothing but a more urgent priority."""
        known = self.wants.get(symbol_id)
        if known:
            known.priority = min(known.priority, priority)
        else:
            backoff = Backoff(FIRST_RETRY_NS, CAP_RETRY_NS, self.rng)
            self.wants[symbol_id] = _Want(priority, now_ns, backoff)

    def cancel(self, symbol_id: int) -> None:
        """The symbol needs none any more; an answer still under way will be ignored, but keeps its place."""
        self.wants.pop(symbol_id, None)

    def loaded(self, fetch: Fetch) -> None:
        """The answer made the book live."""
        if self._current(fetch):
            del self.wants[fetch.symbol_id]

    def too_old(self, fetch: Fetch, now_ns: int) -> None:
        """The answer was older than the buffered diffs allow."""
        want = self._current(fetch)
        if want:
            want.in_flight, want.due_ns = 0, now_ns + TOO_OLD_NS + self.rng.randrange(TOO_OLD_NS)

    def failed(self, fetch: Fetch, now_ns: int, status: int = 0, retry_after_ns: int = 0) -> None:
        """No usable answer. 429, 418 and any Retry-After pause every request."""
        self.refused(now_ns, status, retry_after_ns)
        want = self._current(fetch)
        if want:
            want.in_flight, want.due_ns = 0, now_ns + want.backoff.next_ns(retry_after_ns)

    def refused(self, now_ns: int, status: int, retry_after_ns: int = 0) -> None:
        """An answer to any request of this address: 429, 418 and any Retry-After pause every snapshot."""
        if status in (418, 429) or retry_after_ns:
            ban_ns = retry_after_ns or (BAN_NS if status == 418 else 0)
            pause_ns = max(ban_ns, NS_PER_S)
            self.paused_until_ns = max(self.paused_until_ns, now_ns + pause_ns)

    def awaits(self, fetch: Fetch) -> bool:
        """Whether the present want is the one that asked; an older answer may be from before a restart."""
        want = self.wants.get(fetch.symbol_id)
        return want is not None and want.in_flight == fetch.number

    def weight_used(self, now_ns: int, used: int) -> None:
        """The venue's own count of this minute's weight: others may share the address."""
        missing = int(used - self.per_minute * (1 - SHARE - SPARE)) - self.budget.used(now_ns)
        if missing > 0:
            self.budget.spend(now_ns, missing)

    def _current(self, fetch: Fetch) -> _Want | None:
        """The want that this answer is for; the answer's place in flight is free now."""
        self.flying.discard(fetch.number)
        return self.wants[fetch.symbol_id] if self.awaits(fetch) else None

    def tick(self, now_ns: int) -> list[Fetch]:
        """Requests to send now."""
        fetches: list[Fetch] = []
        if now_ns < self.paused_until_ns:
            return fetches
        ready = [
            (w.priority, w.due_ns, i) for i, w in self.wants.items() if not w.in_flight and w.due_ns <= now_ns
        ]
        for _, _, symbol_id in sorted(ready):
            if len(self.flying) >= FLIGHTS_MAX or not self.budget.fits(now_ns, self.weight):
                break
            self.budget.spend(now_ns, self.weight)
            self.numbers += 1
            self.flying.add(self.numbers)
            self.wants[symbol_id].in_flight = self.numbers
            fetches.append(Fetch(symbol_id, self.numbers))
        return fetches

    def has_spare(self, now_ns: int) -> bool:
        """Whether one snapshot more, that no book waits for, takes nothing from those that books wait for."""
        if now_ns < self.paused_until_ns:
            return False
        if any(not want.in_flight and want.due_ns <= now_ns for want in self.wants.values()):
            return False
        left = self.budget.amount - self.budget.used(now_ns) - self.weight
        return left >= self.budget.amount // 2

    def spend_spare(self, now_ns: int) -> None:
        """Such a request is sent now."""
        self.budget.spend(now_ns, self.weight)

    def due_ns(self, now_ns: int) -> int | None:
        """When `tick` should be called again; None while nothing waits."""
        times = [want.due_ns for want in self.wants.values() if not want.in_flight]
        if not times:
            return None
        return max(min(times), self.paused_until_ns, self.budget.ready_ns(now_ns, self.weight))

    def seconds_for(self, symbols: int) -> float:
        """Expected time to sync so many symbols from nothing, the budget alone considered."""
        per_window = max(1, self.budget.amount // self.weight)
        return self.minute_ns / NS_PER_S * ((symbols - 1) // per_window) if symbols else 0.0
