"""Things worth another try, each with its own back-off, all within one budget. Pure."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from .backoff import Backoff, Budget


@dataclass
class _Try:
    due_ns: int
    backoff: Backoff


class Retries:
    """Keys that want another try.

    first_ns, cap_ns  range of the delay before a try, doubled each time
    budget            tries of all keys together
    """

    def __init__(self, first_ns: int, cap_ns: int, budget: Budget, rng: random.Random) -> None:
        self.first_ns, self.cap_ns, self.budget, self.rng = first_ns, cap_ns, budget, rng
        self.tries: dict[int, _Try] = {}

    def want(self, key: int, now_ns: int) -> None:
        """A key needs a try before long; asking again changes nothing."""
        if key not in self.tries:
            backoff = Backoff(self.first_ns, self.cap_ns, self.rng)
            self.tries[key] = _Try(now_ns + backoff.next_ns(), backoff)

    def forget(self, keys: Iterable[int]) -> None:
        """These keys are well."""
        for key in keys:
            self.tries.pop(key, None)

    def due(self, now_ns: int) -> list[int]:
        """Keys to try now, the longest overdue first; each comes again later unless it is forgotten."""
        chosen = []
        for key, one in sorted(self.tries.items(), key=lambda item: item[1].due_ns):
            if one.due_ns > now_ns or not self.budget.fits(now_ns):
                break
            self.budget.spend(now_ns)
            one.due_ns = now_ns + one.backoff.next_ns()
            chosen.append(key)
        return chosen
