"""What was struck: one row per fault, with time, symbol and update ids, and a count per kind."""

import re
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from .kinds import Kind, Value

CAPACITY = 100_000
IDS = re.compile(rb'"(U|u|lastUpdateId)":(\d{1,19})')
HEAD_BYTES = 256  # ids stand at the head of every payload


@dataclass(frozen=True)
class Strike:
    """One fault that has struck. `seed` drives whatever its effect leaves open."""

    number: int
    kind: Kind
    at_s: float
    seed: int
    values: Mapping[str, Value]
    symbol: str = ""
    stream: str = ""
    connection: int = 0
    first_id: int = 0
    last_id: int = 0

    @property
    def name(self) -> str:
        return self.kind.name

    def number_of(self, key: str) -> Any:
        """A parameter of this strike."""
        return self.values[key]

    def random(self) -> Random:
        """A generator of its own for the effect."""
        return Random(self.seed)

    def row(self) -> dict[str, Any]:
        """The strike as the ledger shows it."""
        return {
            "number": self.number, "kind": self.kind.name, "at_s": round(self.at_s, 6), "symbol": self.symbol,
            "stream": self.stream, "connection": self.connection, "first_id": self.first_id,
            "last_id": self.last_id, "values": dict(self.values),
        }  # fmt: skip


class Ledger:
    """The last strikes, oldest first; `forgotten` counts older ones, `struck` counts all by kind."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.struck: Counter[str] = Counter()
        self.strikes: deque[Strike] = deque(maxlen=capacity)

    @property
    def total(self) -> int:
        return sum(self.struck.values())

    @property
    def forgotten(self) -> int:
        return self.total - len(self.strikes)

    def enter(self, strike: Strike) -> None:
        """Write one strike down."""
        self.struck[strike.kind.name] += 1
        self.strikes.append(strike)

    def since(self, number: int) -> list[dict[str, Any]]:
        """Rows of the strikes after the one with this number."""
        return [strike.row() for strike in self.strikes if strike.number > number]


def ids_of(payload: bytes) -> tuple[int, int]:
    """The first and last update id a payload names; zeros where it names none."""
    found = {key: int(digits) for key, digits in IDS.findall(payload[:HEAD_BYTES])}
    last = found.get(b"u", found.get(b"lastUpdateId", 0))
    return found.get(b"U", last), last
