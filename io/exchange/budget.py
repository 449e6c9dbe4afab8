"""Limits the venue keeps: messages a second on a socket, request weight a minute per address."""

from collections import deque
from typing import NamedTuple

MINUTE_S = 60.0
STRIKES = 10  # requests answered 429 in one minute before the address is banned


class MessageLimit:
    """At most `per_second` messages in any one second; 0 means no limit."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._stamps: deque[float] = deque()

    def exceeded(self, now_s: float) -> bool:
        """Count one message at `now_s`; True when it is one too many."""
        if not self.per_second:
            return False
        while self._stamps and now_s - self._stamps[0] >= 1.0:
            self._stamps.popleft()
        self._stamps.append(now_s)
        return len(self._stamps) > self.per_second


class Verdict(NamedTuple):
    """What a request is answered: 200, 429 or 418, and for how long the client should wait."""

    status: int
    used: int
    retry_after_s: int = 0


class WeightBudget:
    """Weight used by one address in the current minute, with 429 beyond it and 418 for those who go on.

    minute_s  how long a minute lasts; tests shorten it
    """

    def __init__(self, per_minute: int, ban_s: float = 120.0, minute_s: float = MINUTE_S) -> None:
        self.per_minute, self.ban_s, self.minute_s = per_minute, ban_s, minute_s
        self.used, self.strikes = 0, 0
        self.most, self.refused = 0, 0  # heaviest minute, and requests refused, since the start
        self.window, self.banned_until_s = -1, 0.0

    def spend(self, weight: int, now_s: float) -> Verdict:
        """Account for a request of `weight` at `now_s`."""
        window = int(now_s // self.minute_s)
        if window != self.window:
            self.window, self.used, self.strikes = window, 0, 0
        verdict = self._judged(weight, window, now_s)
        self.most = max(self.most, self.used)
        self.refused += verdict.status != 200
        return verdict

    def _judged(self, weight: int, window: int, now_s: float) -> Verdict:
        if now_s < self.banned_until_s:
            return Verdict(418, self.used, wait_s(self.banned_until_s - now_s))
        if self.used + weight <= self.per_minute:
            self.used += weight
            return Verdict(200, self.used)
        self.strikes += 1
        if self.strikes > STRIKES:
            self.banned_until_s = now_s + self.ban_s
            return Verdict(418, self.used, wait_s(self.ban_s))
        return Verdict(429, self.used, wait_s((window + 1) * self.minute_s - now_s))


def wait_s(seconds: float) -> int:
    """Whole seconds to wait, at least one."""
    return max(1, int(seconds + 0.999))
