"""Waiting before another try, and budgets over a sliding window; clock and randomness are given in."""

import random
from collections import deque

NS_PER_S = 1_000_000_000
NOTES_MAX = 4096  # of one budget: a venue may ping without end, and each pong is noted


class Backoff:
    """Capped exponential delays with full jitter; never gives up.

    first_ns, cap_ns  range of the delay's ceiling
    rng               where the jitter comes from
    """

    def __init__(self, first_ns: int, cap_ns: int, rng: random.Random) -> None:
        self.first_ns, self.cap_ns, self.rng = first_ns, cap_ns, rng
        self.tries = 0

    def reset(self) -> None:
        """Something worked: start small again."""
        self.tries = 0

    def next_ns(self, at_least_ns: int = 0) -> int:
        """Delay before the next try; never below `at_least_ns`, such as a server's Retry-After."""
        ceiling = min(self.cap_ns, self.first_ns << min(self.tries, 40))
        self.tries += 1
        # Not below half the ceiling: a delay near zero would be no back-off at all.
        return max(at_least_ns, ceiling // 2 + self.rng.randrange(ceiling // 2 + 1))


class Budget:
    """At most `amount` per sliding window.

    amount     units allowed in any window
    window_ns  its length
    """

    def __init__(self, amount: int, window_ns: int) -> None:
        self.amount, self.window_ns = amount, window_ns
        self._spent: deque[tuple[int, int]] = deque()
        self._total = 0

    def used(self, now_ns: int) -> int:
        """Units spent within the window that ends now."""
        while self._spent and self._spent[0][0] <= now_ns - self.window_ns:
            self._total -= self._spent.popleft()[1]
        return self._total

    def fits(self, now_ns: int, units: int = 1) -> bool:
        """Whether `units` may be spent now. More than a whole budget is allowed only on its own."""
        used = self.used(now_ns)
        return used + units <= self.amount or (used == 0 and units > self.amount)

    def spend(self, now_ns: int, units: int = 1) -> None:
        """Note that units were spent; of very many notes the newest are kept as one, at the later time."""
        if units:
            self._total += units
            if len(self._spent) >= NOTES_MAX:
                units += self._spent.pop()[1]
            self._spent.append((now_ns, units))

    def ready_ns(self, now_ns: int, units: int = 1) -> int:
        """Earliest time at which `units` fit."""
        if self.fits(now_ns, units):
            return now_ns
        free = self.amount - self._total
        for spent_ns, amount in self._spent:
            free += amount
            if free >= min(units, self.amount):
                return spent_ns + self.window_ns
        return now_ns + self.window_ns
