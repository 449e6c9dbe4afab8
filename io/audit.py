"""The shadow audit: now and then a REST snapshot is compared with a live book at the same update id."""

import asyncio
import logging

import numpy as np

from ..engine import layout, units
from ..engine.audit import COMPARED, FAILED, FULL, LATE, LOST, NOBODY, OLD, Auditor
from ..engine.backoff import NS_PER_S
from ..engine.kernels import audit
from ..engine.workspace import (
    PHASE_HOLDING,
    PHASE_SYNCED,
    W_AUDIT_DIFFERENT,
    W_AUDIT_HELD,
    W_AUDIT_LEVELS,
    W_AUDIT_PRICE,
    W_AUDIT_SIDE,
    W_AUDIT_TRUE,
)
from .feed import Feed
from .fetching import Fetching
from .rest import Rest, RestReply

log = logging.getLogger(__name__)
ENDS = {audit.AUDIT_OUT_OF_LINE: LOST, audit.AUDIT_OLD: OLD, audit.AUDIT_NO_ROOM: FULL}


class Audit:
    """Asks, waits until both books stand at one id, has them compared, and tells what came of it.

    period_s  between two audits, all symbols together; 0: none
    fetching  whose budget it shares, and whose snapshots go first
    """

    def __init__(self, period_s: float, fetching: Fetching) -> None:
        self.fetching = fetching
        self.machine = Auditor(int(period_s * NS_PER_S), fetching.scheduler.rng)
        self._task: asyncio.Task[RestReply] | None = None
        self._snapshot_id = 0

    def begin(self, feed: Feed, rest: Rest) -> None:
        """From now on there is something to compare."""
        self.feed, self.rest = feed, rest

    def tick(self, now_ns: int) -> None:
        """Do what the time asks for."""
        if self._task is not None:
            self._go_on(self._task, now_ns)
        elif self.machine.is_due(now_ns) and self.fetching.scheduler.has_spare(now_ns):
            self._ask(now_ns)

    def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()

    def _ask(self, now_ns: int) -> None:
        states = self.feed.pipeline.space.states
        synced = (states["phase"] == PHASE_SYNCED) | (states["phase"] == PHASE_HOLDING)
        live = np.flatnonzero(synced & (states["health"] == layout.LIVE)).tolist()
        symbol_id = self.machine.begin(now_ns, live)
        if symbol_id == NOBODY:
            return
        self.feed.pipeline.begin_audit(symbol_id)
        self.fetching.scheduler.spend_spare(now_ns)
        self._snapshot_id = 0
        asking = self.rest.depth(self.feed.known[symbol_id].name, self.fetching.limit)
        self._task = asyncio.get_running_loop().create_task(asking)

    def _go_on(self, task: "asyncio.Task[RestReply]", now_ns: int) -> None:
        if not task.done():
            if self.machine.is_late(now_ns):
                self._end(now_ns, LATE)
            return
        reply, symbol_id, pipeline = task.result(), self.machine.symbol_id, self.feed.pipeline
        if reply.status != 200:
            log.warning("%s: no snapshot for the audit: %s", self.feed.known[symbol_id].name, reply.reason)
            self._end(now_ns, FAILED, reply.retry_after_ns)
            return
        book_id = int(pipeline.space.states[symbol_id]["book_id"])
        code = audit.AUDIT_EARLY
        if not pipeline.is_auditing(symbol_id) or book_id >= self._snapshot_id:
            code = self.feed.audit(symbol_id, reply.body, self.fetching.limit)
        if code == audit.AUDIT_EARLY:
            self._snapshot_id = self._snapshot_id or int(pipeline.space.frame[0]["last_id"])
            if self.machine.is_late(now_ns):
                self._end(now_ns, LATE)
        elif code in (audit.AUDIT_SAME, audit.AUDIT_DIFFERENT):
            self._judge(symbol_id, book_id)
            self._end(now_ns, COMPARED)
        else:
            self._end(now_ns, ENDS.get(code, FAILED))

    def _judge(self, symbol_id: int, book_id: int) -> None:
        """Count what was compared; a book that is not the venue's is lost."""
        pipeline, work = self.feed.pipeline, self.feed.pipeline.work
        levels, different = int(work[W_AUDIT_LEVELS]), int(work[W_AUDIT_DIFFERENT])
        pipeline.count("audit_levels", levels)
        pipeline.count("audit_differences", different)
        if not different:
            return
        known = self.feed.known[symbol_id]
        held, true = (
            units.to_text(int(work[word]), known.qty_digits) for word in (W_AUDIT_HELD, W_AUDIT_TRUE)
        )
        log.error(
            "%s: its book was not the venue's at update id %d: %d of %d levels differ, the first in the %s at %s: "
            "held %s, the venue has %s; it syncs again",
            known.name, book_id, different, levels, layout.SIDE_NAMES[int(work[W_AUDIT_SIDE])],
            units.to_text(int(work[W_AUDIT_PRICE]), known.price_digits), held, true,
        )  # fmt: skip
        pipeline.count("audits_wrong")
        pipeline.stamp(self.fetching.clock.wall_ns(), self.fetching.clock.mono_ns())
        pipeline.lose(symbol_id, layout.CAUSE_AUDIT)

    def _end(self, now_ns: int, how: str, retry_after_ns: int = 0) -> None:
        self.stop()
        self._task = None
        self.feed.pipeline.end_audit()
        self.feed.pipeline.count(how)
        self.machine.end(now_ns, how, retry_after_ns)
