"""Which streams have gone quiet, judged by each stream's own habit. Pure; fed once per poll, not per frame.

An acknowledged stream that never sends, and one that stops, are found by the same clock. A quiet symbol is
not called stale: its limit follows the longest gaps it has shown.
"""

from dataclasses import dataclass

import numpy as np

from .backoff import NS_PER_S

FIRST_FRAME_NS = 30 * NS_PER_S
FLOOR_NS, CEILING_NS = 5 * NS_PER_S, 300 * NS_PER_S
GAP_FACTOR = 8.0  # times the usual gap before a stream counts as stale
PATIENCE_NS = 60 * NS_PER_S  # while a stream's habit is not known yet
HABIT_POLLS = 16  # polls with news before its habit counts as known
FORGET = 0.99  # per poll with news: how slowly the longest gap shrinks
STUCK_FRAMES = 20  # dropped in a row; a connection that overlaps another drops none while the book moves
STUCK_FEW_FRAMES, STUCK_NS, STUCK_FIRST_NS = 3, 30 * NS_PER_S, 60 * NS_PER_S  # a slow symbol: by time
STUCK_FIRST_FRAMES = 200  # right behind a snapshot, which may be newer than a stream that lags
LEG_PERIOD_NS = 30 * NS_PER_S
FINE, MUTE, QUIET = 0, 1, 2


@dataclass(frozen=True)
class Change:
    """One stream's verdict changed."""

    index: int
    verdict: int


class Watchdog:
    """Watches `count` streams.

    floor_ns        no stream is called quiet sooner
    ceiling_ns      nor later, once it has sent something
    first_frame_ns  patience with a stream that never sent
    """

    def __init__(
        self,
        count: int,
        floor_ns: int = FLOOR_NS,
        ceiling_ns: int = CEILING_NS,
        first_frame_ns: int = FIRST_FRAME_NS,
    ) -> None:
        self.floor_ns, self.ceiling_ns, self.first_frame_ns = floor_ns, ceiling_ns, first_frame_ns
        self.since = np.full(count, -1, np.int64)  # when watching began; -1 while not watched
        self.seen = np.zeros(count, np.int64)
        self.last = np.zeros(count, np.int64)
        self.longest = np.zeros(count, np.float64)  # longest gap of late
        self.lessons = np.zeros(count, np.int64)  # gaps seen so far
        self.polled_ns = 0
        self.verdict = np.zeros(count, np.int8)

    def watch(self, indices: np.ndarray | list[int], now_ns: int) -> None:
        """Begin to watch, as after a subscribe."""
        self.since[indices], self.last[indices], self.verdict[indices] = now_ns, 0, FINE

    def ignore(self, indices: np.ndarray | list[int]) -> None:
        """Stop watching, as after a disconnect."""
        self.since[indices], self.verdict[indices] = -1, FINE

    def limit_ns(self) -> np.ndarray:
        """How long each stream may be silent now."""
        habit = np.clip(self.longest * GAP_FACTOR, self.floor_ns, self.ceiling_ns)
        return np.where(self.lessons < HABIT_POLLS, np.maximum(habit, PATIENCE_NS), habit)

    def poll(self, now_ns: int, last_ns: np.ndarray, counts: np.ndarray) -> list[Change]:
        """Compare with the arrivals the kernels noted.

        now_ns   monotonic
        last_ns  int64[count], monotonic time of each stream's last frame
        counts   int64[count], frames so far
        Returns  the streams whose verdict changed.
        """
        watched, fresh = self.since >= 0, (counts != self.seen) & (last_ns >= self.since)
        gap = np.where(self.last > 0, last_ns - self.last, 0) / np.maximum(1, counts - self.seen)
        # A burst's mean gap says nothing about the silence before it: that lasted to the poll before, at least.
        gap = np.maximum(gap, self.polled_ns - self.last)
        known = fresh & (self.last > 0)
        self.longest = np.where(known, np.maximum(gap, self.longest * FORGET), self.longest)
        self.lessons = self.lessons + known
        # A stream that was called quiet too soon teaches its true gap when it speaks again.
        self.last, self.seen = np.where(fresh, last_ns, self.last), counts.copy()
        self.polled_ns = now_ns
        silence = now_ns - np.where(self.last > 0, self.last, self.since)
        heard = watched & (self.last > 0)
        verdict = np.where(heard & (silence > self.limit_ns()), QUIET, FINE)
        verdict = np.where(watched & ~heard & (now_ns - self.since > self.first_frame_ns), MUTE, verdict)
        changed = np.flatnonzero(verdict != self.verdict)
        self.verdict = verdict.astype(np.int8)
        return [Change(int(index), int(verdict[index])) for index in changed]


class StuckBooks:
    """Finds books that stand still while diffs come: all of them are dropped as already contained, because the
    venue's update ids have jumped back on a connection that went on. The quiet-stream watch cannot see it."""

    def __init__(self, count: int) -> None:
        self.book_ids = np.full(count, -1, np.int64)
        self.since = np.zeros(count, np.int64)  # frames when the book last moved
        self.since_ns = np.zeros(count, np.int64)

    def poll(
        self, now_ns: int, synced: np.ndarray, is_first: np.ndarray, book_ids: np.ndarray, counts: np.ndarray
    ) -> list[int]:
        """Compare with the poll before.

        now_ns    monotonic
        synced    bool[count], diffs are applied
        is_first  bool[count], none was applied yet since the snapshot, which may be newer than its stream
        book_ids  int64[count], ids the books stand at
        counts    int64[count], diff frames so far
        Returns   the symbols that are stuck.
        """
        moved = ~synced | (book_ids != self.book_ids)
        self.book_ids, self.since = book_ids.copy(), np.where(moved, counts, self.since)
        self.since_ns = np.where(moved, now_ns, self.since_ns)
        frames, still_ns = counts - self.since, now_ns - self.since_ns
        stuck = frames >= np.where(is_first, STUCK_FIRST_FRAMES, STUCK_FRAMES)
        stuck |= (frames >= STUCK_FEW_FRAMES) & (still_ns >= np.where(is_first, STUCK_FIRST_NS, STUCK_NS))
        self.since, self.since_ns = (
            np.where(stuck, counts, self.since),
            np.where(stuck, now_ns, self.since_ns),
        )
        return [int(index) for index in np.flatnonzero(stuck)]


class LegWatch:
    """Finds a leg that is silent on a stream which the other leg brings: its copy is gone, and nobody else notices.

    count      streams
    period_ns  between two looks; a leg must be silent for a whole one while the other is not
    """

    def __init__(self, count: int, period_ns: int = LEG_PERIOD_NS) -> None:
        self.period_ns, self.looked_ns = period_ns, 0
        self.newest = np.full((count, 2), -1, np.int64)

    def poll(self, now_ns: int, newest: np.ndarray) -> list[tuple[int, int]] | None:
        """Compare with the ids at the last look.

        now_ns   monotonic
        newest   int64[count, 2], newest update id each leg has brought, -1 for none
        Returns  (stream, leg) of each silent one; None when it is too early to look again.
        """
        if now_ns - self.looked_ns < self.period_ns:
            return None
        is_first, moved = self.looked_ns == 0, newest != self.newest
        self.newest, self.looked_ns = newest.copy(), now_ns
        if is_first:
            return None
        behind = newest < newest[:, ::-1]
        silent = np.argwhere(~moved & moved[:, ::-1] & behind)
        return [(int(stream), int(leg)) for stream, leg in silent]
