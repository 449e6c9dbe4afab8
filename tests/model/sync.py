"""Plain sequencing: the venues' own procedure for a local book, as a class with a list."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One diff: U, u, pu."""

    first: int
    last: int
    prev: int = -1


@dataclass
class Spot:
    """Binance spot, "How to manage a local order book correctly"."""

    book: int | None = None
    kept: list[Event] = field(default_factory=list)
    applied: list[Event] = field(default_factory=list)

    def fits(self, event: Event, first: bool) -> str:
        assert self.book is not None
        if event.last < event.first:
            return "gap"
        if event.last <= self.book:
            return "drop"
        return "accept" if event.first <= self.book + 1 else "gap"

    def event(self, event: Event) -> str:
        if self.book is None:
            self.kept.append(event)
            return "kept"
        verdict = self.fits(event, first=False)
        if verdict == "accept":
            self.book = event.last
            self.applied.append(event)
        elif verdict == "gap":
            self.book, self.kept = None, [event]
        return verdict

    def snapshot(self, snapshot_id: int) -> str:
        assert self.book is None
        self.book, todo = snapshot_id, self.kept
        while todo and self.fits(todo[0], first=True) == "drop":
            todo = todo[1:]
        if todo and self.fits(todo[0], first=True) == "gap":
            self.book = None
            return "too old"
        first = True
        for index, event in enumerate(todo):
            verdict = self.fits(event, first)
            if verdict == "gap":
                self.book, self.kept = None, todo[index:]
                return "gap"
            if verdict == "accept":
                self.book, first = event.last, False
                self.applied.append(event)
        self.kept = []
        self.first = first
        return "live"


@dataclass
class Futures(Spot):
    """Binance USD-M: the predecessor's id decides; the first event may straddle the snapshot."""

    first: bool = True

    def fits(self, event: Event, first: bool) -> str:
        assert self.book is not None
        if event.last < event.first:
            return "gap"
        if event.prev == self.book:
            return "accept"
        if first:
            if event.last < self.book:
                return "drop"
            return "accept" if event.first <= self.book <= event.last else "gap"
        return "drop" if event.last <= self.book else "gap"

    def event(self, event: Event) -> str:
        if self.book is None:
            self.kept.append(event)
            return "kept"
        verdict = self.fits(event, self.first)
        if verdict == "accept":
            self.book, self.first = event.last, False
            self.applied.append(event)
        elif verdict == "gap":
            self.book, self.kept = None, [event]
        return verdict
