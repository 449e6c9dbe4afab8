"""What must hold after every turn of the loop, and what is counted on the way."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ringbook.engine import layout
from ringbook.engine.books import sides_of
from ringbook.engine.kernels.book_check import BOOK_SOUND, check_book
from ringbook.engine.workspace import W_NEXT_SEQ
from ringbook.io.run import Engine

from .truth import DIGITS, Side, Truth

BLIND_S = (
    80.0  # a LIVE book may lack the newest change so long: the watchdog's patience and the longest delays
)
LEVEL_CAP = 1024
BLUR_NS = 10_000_000_000  # so long a damaged diff may be under way
LAG_NS = 3_000_000_000  # at the end no book lacks what is older
FRESH_NS = 250_000_000  # between two looks for silence


class Broken(AssertionError):
    """An invariant does not hold."""


class Checks:
    """Looks at one engine after every turn.

    engine   may not have opened its bus yet
    blurred  symbols with a flipped bit that reads well, and when it was sent: no client can tell, so they are not
             compared until the book is right again and that diff cannot be under way any more
    tell     told one line for the story
    """

    def __init__(self, engine: Engine, truth: Truth, tell: Callable[[str], None]) -> None:
        self.engine, self.truth, self.tell = engine, truth, tell
        self.blurred: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.health: dict[str, int] = {}
        self.synced: set[str] = set()  # LIVE at least once since they were subscribed
        self.live_ns: Counter[str] = Counter()
        self.all_ns: Counter[str] = Counter()
        self.lost_at_ns: dict[str, int] = {}
        self.recoveries_s: list[float] = []
        self._record_dtype = layout.record_dtype(engine.config.top_n)
        self._seen, self._seq, self._fresh_ns, self._told_ns = b"", 1, 0, 0

    @property
    def is_open(self) -> bool:
        """The engine has a bus and symbols."""
        return hasattr(self.engine, "watch")

    def look(self) -> None:
        """Everything due now has run."""
        if not self.is_open:
            return
        pipeline = self.engine.pipeline
        seen = pipeline.space.states.tobytes()
        if seen != self._seen or int(pipeline.work[W_NEXT_SEQ]) != self._seq:
            self._seen = seen
            self.counts["steps"] += 1
            self.tell_time()
            self._records()
            self._books()
        if self.engine.clock.mono_ns() >= self._fresh_ns:
            self._look_for_silence()

    def blur(self, symbol: str) -> None:
        """A diff was damaged and reads well."""
        self.blurred[symbol] = self.engine.clock.mono_ns()

    def counter(self, name: str) -> int:
        """One of the engine's own counters."""
        return int(self.engine.pipeline.counters[layout.C[name]])

    def all_well(self) -> bool:
        """Whether every followed book is LIVE now and has what happened a little while ago."""
        states, now_ns = self.engine.pipeline.space.states, self.engine.clock.wall_ns()
        return all(
            states[symbol_id]["health"] == layout.LIVE
            and now_ns - (self._missing_since_ns(name.decode(), symbol_id) or now_ns) < LAG_NS
            for name, symbol_id in self.engine.feed.ids.items()
        )

    def _missing_since_ns(self, symbol: str, symbol_id: int) -> int:
        """When the oldest change happened that a book lacks; 0 when it lacks none or its id says nothing."""
        ids = self.truth.true_ids(symbol, int(self.engine.pipeline.space.states[symbol_id]["book_id"]))
        return self.truth.symbols[symbol].missing_since_ns(ids[0]) if ids else 0

    # -- books
    def _books(self) -> None:
        states, now_ns = self.engine.pipeline.space.states, self.engine.clock.mono_ns()
        for symbol in [symbol for symbol in self.health if symbol.encode() not in self.engine.feed.ids]:
            del self.health[symbol]
            self.synced.discard(symbol)
            self.lost_at_ns.pop(symbol, None)
        for name, symbol_id in self.engine.feed.ids.items():
            symbol, state = name.decode(), states[symbol_id]
            health = int(state["health"])
            if health != self.health.get(symbol, layout.INIT):
                self._changed(symbol, health, int(state["cause"]), now_ns)
            if health == layout.LIVE:
                self._compare(symbol, symbol_id, int(state["book_id"]))

    def _changed(self, symbol: str, health: int, cause: int, now_ns: int) -> None:
        was, self.health[symbol] = self.health.get(symbol, layout.INIT), health
        names = layout.HEALTH_NAMES
        self.tell(f"{symbol} {names[was]} -> {names[health]} ({layout.CAUSE_NAMES[cause]})")
        self.counts[f"to {names[health]}"] += 1
        if was == layout.LIVE:
            self.lost_at_ns[symbol] = now_ns
        elif health == layout.LIVE:
            self.synced.add(symbol)
            if symbol in self.lost_at_ns:
                self.recoveries_s.append((now_ns - self.lost_at_ns.pop(symbol)) / 1e9)

    def _compare(self, symbol: str, symbol_id: int, book_id: int) -> None:
        pipeline = self.engine.pipeline
        base, levels = pipeline.book_base(symbol_id), int(pipeline.geo[layout.GEO_BOOK_LEVELS])
        if int(pipeline.words[base + layout.B_LAST_ID]) != book_id:
            raise Broken(f"{symbol}: the book in shared memory is at another id than {book_id}")
        found = check_book(pipeline.words, base, levels)
        if found != BOOK_SOUND:
            raise Broken(f"{symbol}: its book is not sound: {found}")
        sides = sides_of(pipeline.words, base, levels)
        held = [(rows["price"].tolist(), rows["qty"].tolist()) for rows in sides]
        horizon = pipeline.words[base + layout.B_HORIZON :][:2].tolist()
        self._judge(
            symbol,
            symbol_id,
            book_id,
            lambda side, right: differs(side, right, held[side], horizon[side], LEVEL_CAP),
            is_full=True,
        )

    def _judge(
        self,
        symbol: str,
        symbol_id: int,
        book_id: int,
        wrong: Callable[[int, tuple[list, list]], str],
        is_full: bool = False,
    ) -> None:
        """Hold what is claimed at `book_id` against the truth at it."""
        self.counts["compared"] += 1
        known, why = self.engine.feed.known[symbol_id], f"no book has ever had the id {book_id}"
        for true_id in self.truth.true_ids(symbol, book_id):
            sides = self.truth.symbols[symbol].at(true_id)
            for side in (0, 1):
                why = wrong(side, levels_of(sides[side], side, known.price_digits, known.qty_digits))
                if why:
                    break
            else:
                if is_full and self.engine.clock.mono_ns() - self.blurred.get(symbol, 0) > BLUR_NS:
                    self.blurred.pop(symbol, None)
                return
        if symbol in self.blurred:
            self.counts["blurred"] += 1
            return
        raise Broken(f"{symbol} is LIVE at {book_id} and wrong: {why}")

    # -- records
    def _records(self) -> None:
        pipeline, bus = self.engine.pipeline, self.engine.bus
        first, self._seq = self._seq, int(pipeline.work[W_NEXT_SEQ])
        if self._seq - first > int(pipeline.geo[layout.GEO_SLOT_MASK]):
            raise Broken("the ring was lapped within one turn: give the simulation more slots")
        words: Any = bus.records(first, self._seq)  # type: ignore[attr-defined]
        records = np.ascontiguousarray(words).view(self._record_dtype).reshape(-1)
        self.counts["records"] += len(records)
        live = (records["kind"] == layout.KIND_BOOK) & (records["health"] == layout.LIVE)
        for record in records[live]:
            self._record(record)

    def _record(self, record: np.void) -> None:
        symbol_id = int(record["symbol_id"])
        symbol = self.engine.feed.known[symbol_id].name

        def published(side: int, right: tuple[list, list]) -> str:
            count = int(record["count"][side])
            held = record["price"][side][:count].tolist(), record["qty"][side][:count].tolist()
            return differs(side, right, held, int(record["horizon"][side]), self.engine.config.top_n)

        self._judge(symbol, symbol_id, int(record["last_update_id"]), published)

    # -- time
    def tell_time(self) -> None:
        """Add the time since the last change to each symbol's account, by the health it had all along."""
        now_ns = self.engine.clock.mono_ns()
        passed_ns, self._told_ns = now_ns - self._told_ns if self._told_ns else 0, now_ns
        for symbol in self.synced:
            self.all_ns[symbol] += passed_ns
            self.live_ns[symbol] += passed_ns * (self.health[symbol] == layout.LIVE)

    def _look_for_silence(self) -> None:
        """No LIVE book lacks what happened long ago."""
        now_ns, self._fresh_ns = self.engine.clock.wall_ns(), self.engine.clock.mono_ns() + FRESH_NS
        for name, symbol_id in self.engine.feed.ids.items():
            symbol, state = name.decode(), self.engine.pipeline.space.states[symbol_id]
            if state["health"] != layout.LIVE:
                continue
            since_ns = self._missing_since_ns(symbol, symbol_id)
            if since_ns and now_ns - since_ns > BLIND_S * 1e9:
                raise Broken(
                    f"{symbol} is LIVE and has missed all since {(now_ns - since_ns) / 1e9:.1f} s ago"
                )


def levels_of(side: Side, which: int, price_digits: int, qty_digits: int) -> tuple[list[int], list[int]]:
    """Prices and quantities of a true side, best first, as mantissas at these decimals."""
    price_unit, qty_unit = 10 ** (DIGITS - price_digits), 10 ** (DIGITS - qty_digits)
    sign = 2 * which - 1
    return [sign * key // price_unit for key in side.keys], [side.qty[key] // qty_unit for key in side.keys]


def differs(side: int, right: tuple[list, list], held: tuple[list, list], horizon: int, most: int) -> str:
    """What is wrong with the levels held, within their horizon; empty when nothing is.

    most  levels that may be held at all
    """
    wanted, inside = (within(one[0], 2 * side - 1, horizon) for one in (right, held))
    for part, what in enumerate(("price", "quantity")):
        found, expected = held[part][:inside], right[part][: min(wanted, most)]
        if found != expected:
            return first_difference(what, side, found, expected)
    return ""


def within(prices: list[int], sign: int, horizon: int) -> int:
    """How many of these prices, best first, are not beyond the horizon."""
    if not prices or sign * prices[-1] <= sign * horizon:
        return len(prices)
    return bisect_right(prices, sign * horizon, key=lambda price: sign * price)


def first_difference(what: str, side: int, found: list[int], expected: list[int]) -> str:
    """Where two lists part, in words."""
    name = "bids" if side == 0 else "asks"
    for at, (a, b) in enumerate(zip(found, expected, strict=False)):
        if a != b:
            return f"{name}, level {at}: {what} was {a}, expected {b}"
    return f"{name}: {len(found)} levels ({what}), expected {len(expected)}"
