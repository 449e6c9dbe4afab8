"""What /proc says of a process over time: private memory, open files, threads; and whether they stay flat.

Private memory (RssAnon) is where a leak shows: the bus itself is shared memory, allocated whole at the start.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WARM_S = 20.0  # of each life: caches, connections and books fill up
FIT_S = 90.0  # a line is fitted through so much at least
SLOPE_MB_PER_MIN = 0.5  # more is a leak …
DRIFT_MB = 8.0  # … if it also adds up to this between the first and the last quarter
SPARE_FILES, SPARE_THREADS = 24, 4
MB_PER_KB = 1 / 1024


@dataclass
class Vitals:
    """Samples of one process's life: seconds, RssAnon in MB, RSS in MB, open files, threads."""

    pid: int
    rows: list[tuple[float, float, float, int, int]] = field(default_factory=list)
    begun_s: float = field(default_factory=time.monotonic)

    def sample(self) -> None:
        """One look; nothing when the process is gone."""
        try:
            status = dict(
                line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            )
            files = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
            private, whole = (int(status[name].split()[0]) * MB_PER_KB for name in ("RssAnon", "VmRSS"))
        except (OSError, KeyError, ValueError):
            return
        self.rows.append((time.monotonic() - self.begun_s, private, whole, files, int(status["Threads"])))

    @property
    def warm(self) -> np.ndarray:
        """The samples after the warm-up, float64[n, 5]."""
        rows = np.array(self.rows).reshape(-1, 5)
        return rows[rows[:, 0] >= WARM_S]

    def slope(self) -> float | None:
        """MB a minute of private memory after the warm-up; None for a life too short to tell."""
        rows = self.warm
        if len(rows) < 8 or rows[-1, 0] - rows[0, 0] < FIT_S:
            return None
        return float(np.polyfit(rows[:, 0] / 60, rows[:, 1], 1)[0])

    def drift(self) -> float:
        """MB between the medians of the first and the last quarter after the warm-up."""
        rows = self.warm
        quarter = len(rows) // 4
        return float(np.median(rows[-quarter:, 1]) - np.median(rows[:quarter, 1])) if quarter else 0.0

    def faults(self) -> list[str]:
        """What is not flat."""
        found, slope, rows = [], self.slope(), self.warm
        if slope is not None and slope > SLOPE_MB_PER_MIN and self.drift() > DRIFT_MB:
            found.append(f"private memory grows by {slope:.2f} MB a minute, {self.drift():.1f} MB in all")
        for column, name, spare in ((3, "open files", SPARE_FILES), (4, "threads", SPARE_THREADS)):
            if (
                len(rows) > 8
                and rows[:, column].max() > np.median(rows[: len(rows) // 3 + 1, column]) + spare
            ):
                found.append(f"{name} went up to {rows[:, column].max():.0f}")
        return found

    def summary(self) -> dict[str, float]:
        """Start and end, for the report."""
        if not self.rows:
            return {}
        warm = self.warm if len(self.warm) else np.array(self.rows)
        return {
            "seconds": round(self.rows[-1][0], 1), "start_mb": round(float(warm[0, 1]), 1),
            "end_mb": round(float(warm[-1, 1]), 1), "most_mb": round(float(warm[:, 1].max()), 1),
            "slope_mb_per_min": -1.0 if self.slope() is None else round(self.slope() or 0.0, 3),
            "files_most": int(warm[:, 3].max()), "threads_most": int(warm[:, 4].max()),
        }  # fmt: skip
