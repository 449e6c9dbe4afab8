"""The timetable of the shadow audit: whose book is compared next, when, and how long it may take. Pure.

IDLE ─due─▶ ASKED ─reply, and the live book has reached its id─▶ IDLE; too late, and IDLE as well. One symbol at a time.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from .backoff import NS_PER_S, Backoff

NOBODY = -1
PATIENCE_NS = 10 * NS_PER_S  # from the request until both books stand at one id
CAP_RETRY_NS = 600 * NS_PER_S

# How an audit ended: the counter it goes to.
COMPARED = "audits"
LOST = "audits_gap"  # the book was not LIVE in between
OLD = "audits_old"  # the snapshot was older than the book at the request
LATE = "audits_late"  # no reply, or the book did not reach its id
FULL = "audits_full"  # more diffs than are kept
FAILED = "audits_failed"  # refused, or a body that cannot be read


@dataclass
class Auditor:
    """The machine.

    period_ns  between two audits, all symbols together; 0: none at all
    """

    period_ns: int
    rng: random.Random
    symbol_id: int = NOBODY  # under audit
    last_id: int = NOBODY  # audited last: they take turns
    due_ns: int | None = None
    asked_ns: int = 0
    backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        first_ns = max(1, self.period_ns)
        self.backoff = Backoff(first_ns, max(first_ns, CAP_RETRY_NS), self.rng)

    def is_due(self, now_ns: int) -> bool:
        """Whether an audit should begin; the first one after a whole period."""
        if self.due_ns is None:
            self.due_ns = now_ns + self.period_ns
        return self.period_ns > 0 and self.symbol_id == NOBODY and now_ns >= self.due_ns

    def begin(self, now_ns: int, live: Sequence[int]) -> int:
        """The symbol whose turn it is among those whose books are LIVE; NOBODY when there is none."""
        if not live:
            return NOBODY
        later = [symbol_id for symbol_id in live if symbol_id > self.last_id]
        self.symbol_id = self.last_id = min(later or live)
        self.asked_ns = now_ns
        return self.symbol_id

    def is_late(self, now_ns: int) -> bool:
        """Whether the audit under way has taken too long."""
        return self.symbol_id != NOBODY and now_ns - self.asked_ns >= PATIENCE_NS

    def end(self, now_ns: int, how: str, retry_after_ns: int = 0) -> None:
        """The audit is over; after a failure the next one waits longer and longer."""
        self.symbol_id = NOBODY
        if how == FAILED:
            self.due_ns = now_ns + max(self.period_ns, self.backoff.next_ns(retry_after_ns))
        else:
            self.backoff.reset()
            self.due_ns = now_ns + self.period_ns
