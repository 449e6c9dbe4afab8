"""Time cut into columns of equal width, the newest last: the bounded memory of every chart."""

import numpy as np


class Columns:
    """Which absolute column is the newest; arrays are moved along by `shifted`.

    count     columns kept
    step_ns   width of one
    """

    def __init__(self, count: int, step_ns: int) -> None:
        self.count, self.step_ns = count, step_ns
        self.newest: int | None = None  # absolute index: time // step_ns

    def advance(self, now_ns: int) -> int:
        """Let time go on to now_ns; returns how many columns came, at most `count`. Never goes back."""
        column = now_ns // self.step_ns
        came = self.count if self.newest is None else min(max(0, column - self.newest), self.count)
        self.newest = column if self.newest is None else max(column, self.newest)
        return came

    def of(self, times_ns: np.ndarray) -> np.ndarray:
        """Index of the column of each time: count - 1 is the newest, negative is too old, later counts as newest."""
        first = (self.newest or 0) - self.count + 1
        return np.minimum(times_ns // self.step_ns - first, self.count - 1)

    @property
    def end_ns(self) -> int:
        """Where the newest column ends."""
        return ((self.newest or 0) + 1) * self.step_ns


def shifted(values: np.ndarray, came: int, fill: object) -> None:
    """Move rows of `values` towards index 0 by `came` and fill the freed end."""
    if came:
        values[:-came] = values[came:].copy()
        values[-came:] = fill


class Clock:
    """The time of the newest column: the wall clock for live data, the records' own for recorded data.

    A record older than LATE_NS is taken for recorded; the picture then stands still between records.
    """

    LATE_NS = 60_000_000_000

    def __init__(self) -> None:
        self.newest_ns = 0

    def now_ns(self, times_ns: np.ndarray, wall_ns: int) -> int:
        """Time to show up to, after records received at times_ns."""
        if len(times_ns):
            self.newest_ns = max(self.newest_ns, int(times_ns.max()))
        is_recorded = self.newest_ns and abs(wall_ns - self.newest_ns) > self.LATE_NS
        return self.newest_ns if is_recorded else wall_ns
