"""Python's cyclic collector, kept off the path: disabled while the engine runs, given its turn in a quiet tick.

The path itself makes no cycles; requests, connections and tasks do. What lived at the start is never walked again,
so a turn walks only what was made since, a bounded number of objects.
"""

import gc

YOUNG = 2_000  # objects made since the last turn that are worth one
OVERDUE = 50_000  # so many are collected in a busy tick too: memory is bounded, whatever the traffic
PROMOTED = 10  # collections of a generation before the next older one has its turn


class Collector:
    """The collector's turns; `begin` and `end` stand around the engine's run."""

    def __init__(self) -> None:
        self._seen = -1

    def begin(self) -> None:
        """Collect once, set aside what lives now, and switch the automatic collector off."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def end(self) -> None:
        """Give everything back to the automatic collector."""
        gc.unfreeze()
        gc.enable()

    def turn(self, frames: int) -> int:
        """Collect if it is worth it and the tick was quiet, or if it is overdue.

        frames   frames taken so far; the same number as at the last turn makes a quiet tick
        Returns  the generation collected, -1 for none.
        """
        is_quiet, self._seen = frames == self._seen, frames
        young, middle, old = gc.get_count()
        if young < (YOUNG if is_quiet else OVERDUE):
            return -1
        generation = 0 if middle < PROMOTED else 1 if old < PROMOTED else 2
        gc.collect(generation)
        return generation
