"""Plain merging of two connections that bring the same diffs: lists, `sorted`, no buffers."""

from dataclasses import dataclass, field

from .sync import Event, Futures, Spot

HELD_MAX = 64


@dataclass
class Merged(Spot):
    """The sequence rule of spot, with diffs that wait for the other connection."""

    hold: int = 0
    held: list[Event] = field(default_factory=list)
    since: int = 0
    first: bool = True

    def take(self, event: Event, now: int) -> str:
        """One diff from either connection."""
        if self.book is None:
            self.kept = in_order([*self.kept, event])
            return "kept"
        verdict = self.fits(event, self.first)
        if verdict == "accept":
            self.advance(event)
            while fitting := [one for one in self.held if self.fits(one, self.first) == "accept"]:
                self.advance(fitting[0])
                self.since = now
            self.held = [one for one in self.held if self.fits(one, self.first) == "gap"]
        elif verdict == "gap":
            if event.last < event.first or (self.held and self.is_over(now)):
                return self.lose(event)
            if not self.held:
                self.since = now
            self.held = in_order([*self.held, event])
            return "held"
        return verdict

    def advance(self, event: Event) -> None:
        self.book, self.first = event.last, False
        self.applied.append(event)
        self.held = [one for one in self.held if one != event]

    def is_over(self, now: int) -> bool:
        return now - self.since >= self.hold or len(self.held) >= HELD_MAX

    def lose(self, *event: Event) -> str:
        self.book, self.kept, self.held = None, in_order([*self.held, *event]), []
        return "gap"

    def tick(self, now: int) -> str:
        """Time has passed."""
        return self.lose() if self.book is not None and self.held and self.is_over(now) else ""

    def snapshot(self, snapshot_id: int) -> str:
        outcome = super().snapshot(snapshot_id)
        self.held = []
        return outcome


@dataclass
class MergedFutures(Merged):
    """The same under the rule of USD-M."""

    def fits(self, event: Event, first: bool) -> str:
        return Futures.fits(self, event, first)  # type: ignore[arg-type]


def in_order(events: list[Event]) -> list[Event]:
    """By first id, copies left out, the earlier comer first among equals."""
    return sorted(dict.fromkeys(events), key=lambda event: event.first)


def published_trades(ids: list[int], window: int) -> list[int]:
    """Of trades as they come from both connections, those that are news."""
    seen: list[int] = []
    for trade_id in ids:
        if trade_id not in seen and (not seen or trade_id > max(seen) - window):
            seen.append(trade_id)
    return seen
