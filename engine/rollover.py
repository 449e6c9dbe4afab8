"""Replacing a connection by its successor while both feed: nothing is missed, nothing has to sync again. Pure.

    STEADY ─leaving─▶ OPENING ─successor stands, all acknowledged─▶ OVERLAP ─both chain, grace over─▶ STEADY
      either ─the old one is lost─▶ STEADY: the successor takes its place as it is
      OVERLAP ─the successor is lost─▶ OPENING: it connects again by its own back-off
      OVERLAP ─patience over─▶ OPENING: it is silent where the old one speaks, so it must connect again

The old connection is kept until the venue cuts it, however often the successor fails.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from .backoff import NS_PER_S

GRACE_NS = NS_PER_S  # both feed for at least so long: what was on its way on the old one has come
PATIENCE_NS = 15 * NS_PER_S
TURN_NS = NS_PER_S // 10  # a turn counts for no more: while the process stands still, nothing is read
SPACING_NS = NS_PER_S // 2  # between two starts when the venue announced its shutdown to all


class Step(Enum):
    """What to do now."""

    NOTHING = "nothing"
    OPEN = "open a successor"
    RESTART = "let the successor connect again"
    PROMOTE = "close the old one, the successor takes its place"


@dataclass(frozen=True)
class Facts:
    """How things stand.

    leaving    the connection in place wants a successor, and one may be opened now
    runs       the connection in place stands
    settled    the successor stands and all its subscriptions are acknowledged
    overlaps   for each book both feed, what the successor brings chains; see `overlaps`
    """

    leaving: bool
    runs: bool
    settled: bool
    overlaps: bool


@dataclass
class Rollover:
    """The machine of one place.

    grace_ns     least time of feeding together
    patience_ns  most time to wait for the overlap
    """

    grace_ns: int = GRACE_NS
    patience_ns: int = PATIENCE_NS
    under_way: bool = False
    together_ns: int = -1  # for how long both have fed, turn by turn; -1 while the successor is not settled
    turned_ns: int = 0

    def successor_opened(self) -> None:
        """The successor stands anew: what it brought before counts no more."""
        self.together_ns = -1

    def tick(self, now_ns: int, facts: Facts) -> Step:
        """Time has passed, or something changed."""
        if not self.under_way:
            if not (facts.leaving and facts.runs):
                return Step.NOTHING
            self.under_way, self.together_ns = True, -1
            return Step.OPEN
        if not facts.runs:
            return self._promote()
        if not facts.settled:
            self.together_ns = -1
            return Step.NOTHING
        turn_ns, self.turned_ns = now_ns - self.turned_ns, now_ns
        self.together_ns = 0 if self.together_ns < 0 else self.together_ns + min(turn_ns, TURN_NS)
        if self.together_ns >= self.grace_ns and facts.overlaps:
            return self._promote()
        if self.together_ns >= max(self.grace_ns, self.patience_ns):
            self.together_ns = -1
            return Step.RESTART
        return Step.NOTHING

    def _promote(self) -> Step:
        self.under_way, self.together_ns = False, -1
        return Step.PROMOTE


def overlaps(old_ids: np.ndarray, new_ids: np.ndarray, marks: np.ndarray, waiting: np.ndarray) -> bool:
    """Whether every book can go on with the successor alone.

    old_ids  int64[books], newest update id the old connection brought, -1 for none
    new_ids  int64[books], the same of the successor
    marks    int64[books], old_ids when the successor was settled
    waiting  bool[books], diffs of this book wait for one that only the other connection may bring
    Returns  True when each book has had a diff on the successor and none waits; a book may lack one if the
             old connection was silent on it as well since all subscriptions were acknowledged.
    """
    return bool((((new_ids >= 0) | (old_ids == marks)) & ~waiting).all())


@dataclass
class Stagger:
    """Lets connections roll over one after the other, not all at once.

    spacing_ns  between two starts after an announced shutdown, when there is no time to wait for each
    """

    spacing_ns: int = SPACING_NS
    last_ns: int = -(1 << 62)

    def may_start(self, now_ns: int, under_way: int, announced: bool) -> bool:
        """Whether one more may start: planned ones when none is under way, announced ones by spacing."""
        free = now_ns - self.last_ns >= self.spacing_ns if announced else under_way == 0
        if free:
            self.last_ns = now_ns
        return free
