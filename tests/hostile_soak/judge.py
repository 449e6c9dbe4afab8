"""The reader of the soak, a process of its own: compares books shown LIVE with the truth, times the recoveries.

It joins the bus once and is handed on by every restart of the engine. Orders come on stdin (`settle`, `end`),
what it found goes to stdout as one line of JSON.
"""

import argparse
import json
import math
import random
import select
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringbook.io.errors import RingbookError
from ringbook.io.reader import Book, Bus, join
from ringbook.io.verdict import ask, mantissas

from .cast import tell

LEVELS = 100  # a side, of a full book
FULL_SHARE = 0.2  # of the looks
LOOK_S = (0.002, 0.04)  # a random time between two looks
ASK_S = 0.5  # the truth is forgotten soon in a storm
KEPT_WRONG = 5


@dataclass
class Clock:
    """When a symbol was lost and found again, as a reader sees it."""

    live_since_s: float = 0.0
    lost_at_s: float = 0.0
    generation: int = 0


@dataclass
class Findings:
    """Everything the reader found out."""

    compared: int = 0
    full: int = 0
    wrong: int = 0
    unknown: int = 0
    looks: int = 0
    live: int = 0
    looks_running: int = 0  # while a writer lived and beat
    rejoined: int = 0
    examples: list[str] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)  # while one engine runs
    restarts_s: list[float] = field(default_factory=list)  # over the death of an engine


def within_horizon(book: Book, side: int, rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The levels up to the price to which the book claims to be complete."""
    edge, sign = book.horizon[side], 2 * side - 1
    if not book.is_full or not math.isfinite(edge) or edge <= 0:
        return rows
    limit = round(edge * 10**book.price_digits)
    return [row for row in rows if sign * row[0] <= sign * limit]


class Judge:
    """Looks at books at random times; asks the exchange for the truth of what it saw."""

    def __init__(self, bus: Bus, rest_url: str, seed: int) -> None:
        self.bus, self.rest_url, self.rng = bus, rest_url, random.Random(seed)
        self.found, self.clocks, self.generation = Findings(), {}, 0
        self.waiting: list[Book] = []
        self.asked_s = time.monotonic()
        self.settled: dict[str, int] = {}  # symbol → id from which on a right book counts as recovered
        self.recovered: set[str] = set()

    def look(self) -> None:
        """One look at every symbol's health, and at one book."""
        now_s, health = time.monotonic(), self.bus.health()
        generation = health["generation"]
        self.found.looks_running += len(health["symbols"]) * (health["verdict"] == "running")
        if generation == self.generation and health["symbols"]:  # else a successor is still filling its table
            for symbol in self.clocks.keys() - health["symbols"].keys():
                del self.clocks[symbol]  # unsubscribed: not lost
        self.generation = generation
        for symbol, state in health["symbols"].items():
            self._time(self.clocks.setdefault(symbol, Clock(now_s)), state == "LIVE", now_s, generation)
        if health["symbols"]:
            full = self.rng.random() < FULL_SHARE
            book = self.bus.book(self.rng.choice(list(health["symbols"])), full=full)
            if book.health == "LIVE":
                self.waiting.append(book)
        if now_s - self.asked_s >= ASK_S:
            self.compare()

    def _time(self, clock: Clock, is_live: bool, now_s: float, generation: int) -> None:
        self.found.looks += 1
        self.found.live += is_live
        if is_live and clock.lost_at_s:
            same = clock.generation == generation
            (self.found.recoveries_s if same else self.found.restarts_s).append(now_s - clock.lost_at_s)
            clock.lost_at_s = 0.0
        elif not is_live and not clock.lost_at_s:
            clock.lost_at_s, clock.generation = now_s, clock.generation or generation
        if is_live:
            clock.generation = generation

    def compare(self) -> None:
        """Take what was seen to the exchange."""
        self.asked_s = time.monotonic()
        books, self.waiting = self.waiting, []
        if not books:
            return
        wanted = [[book.symbol, book.last_update_id, LEVELS] for book in books]
        answers = ask(f"{self.rest_url}/ringbook/truth/top", wanted)
        for book, answer in zip(books, answers, strict=True):
            self._judge(book, answer)

    def _judge(self, book: Book, answer: dict[str, Any]) -> None:
        if "error" in answer:
            self.found.unknown += 1
            return
        row: Any = {"price_digits": book.price_digits, "qty_digits": book.qty_digits}
        self.found.compared += 1
        self.found.full += book.is_full
        for side, name in enumerate(("bids", "asks")):
            seen = [(int(price), int(qty)) for price, qty in book.levels[side][:LEVELS].tolist()]
            truth = mantissas(answer[name], row)[: LEVELS if book.is_full else len(seen)]
            seen, truth = (within_horizon(book, side, rows) for rows in (seen, truth))
            if seen != truth:
                self.found.wrong += 1
                self._keep(
                    f"{book.symbol} {name} at {book.last_update_id}: {sorted(set(seen) ^ set(truth))[:4]}"
                )
                return
        if self.settled and book.last_update_id >= self.settled.get(book.symbol, math.inf):
            self.recovered.add(book.symbol)

    def _keep(self, text: str) -> None:
        if len(self.found.examples) < KEPT_WRONG:
            self.found.examples.append(text)

    def settle(self) -> None:
        """The faults are over: from now on every symbol has to become LIVE and right."""
        facts = tell(f"{self.rest_url}/ringbook/stats")["symbols"]
        self.settled = {symbol: one["last_id"] for symbol, one in facts.items() if symbol in self.bus.symbols}
        self.recovered.clear()

    @property
    def is_whole(self) -> bool:
        """Every symbol has been LIVE and right since the faults ended."""
        return bool(self.settled) and self.recovered >= set(self.bus.symbols)


def orders() -> str:
    """A line from stdin, if one is there."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return sys.stdin.readline().strip() if readable else ""


def joined(name: str, folder: Path, patience_s: float) -> Bus:
    """The bus, as soon as there is one."""
    end_s = time.monotonic() + patience_s
    while True:
        try:
            return join(name, folder)
        except RingbookError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)


def main() -> None:
    """Look until told to end; tell what was found."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--bus", required=True)
    asked.add_argument("--directory", type=Path, required=True)
    asked.add_argument("--rest", required=True)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--patience", type=float, default=120.0)
    given = asked.parse_args()
    judge = Judge(joined(given.bus, given.directory, given.patience), given.rest, given.seed)
    while (order := orders()) != "end":
        if order == "settle":
            judge.settle()
        try:
            judge.look()
        except RingbookError as error:  # between two generations, or the exchange was too busy to answer
            judge.found.rejoined += 1
            print(f"reader: {error}", file=sys.stderr, flush=True)
        if judge.is_whole:
            print("whole", flush=True)
            judge.settled = {}
        time.sleep(judge.rng.uniform(*LOOK_S))
    judge.compare()
    print(json.dumps(vars(judge.found)), flush=True)


if __name__ == "__main__":
    main()
