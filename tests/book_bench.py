"""A book under test beside its model: the same steps for the compiled kernels and their plain-Python form."""

import random
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.books import sides_of
from ringbook.engine.kernels import (
    book,
    book_apply,
    book_check,
    book_copy,
    book_fill,
    book_full,
    book_near,
    book_table,
)
from ringbook.engine.layout import ASK, BID

from .model.book import BookModel
from .plain import plain_room

ROOMS = ("book", "book_table", "book_near", "book_fill", "book_full", "book_apply", "book_copy", "book_check")
MODULES = (book_table, book_near, book_fill, book_full, book, book_apply, book_check)
GUARD = 64  # words around the book that nothing may touch
GUARD_WORD = -0x5A5A5A5A
COMPILED = SimpleNamespace(**{n: k for m in MODULES for n, k in vars(m).items() if hasattr(k, "py_func")})
Row = tuple[int, int]  # price, quantity


def warm() -> None:
    assert book_copy.pack_book  # registered, for engine.books
    jit.warm(rooms=ROOMS)


def plain(mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    return plain_room(*MODULES, mutate=mutate)


class BookPair:
    """One book and its model; every step changes both and compares what the kernel said."""

    def __init__(self, levels: int, kernels: SimpleNamespace = COMPILED, floor: int = 20) -> None:
        self.kernels, self.levels, self.floor = kernels, levels, floor
        self.words = np.full(layout.book_words(levels) + 2 * GUARD, GUARD_WORD, np.int64)
        self.words[GUARD + layout.B_VERSION] = 7  # the version word, which a reset leaves alone
        self.base = GUARD
        self.rows = np.zeros((2, layout.ROWS_CAPACITY), layout.level_dtype)
        self.reached: set[str] = set()
        self.reset()

    def reset(self) -> None:
        self.kernels.book_reset(self.words, self.base, self.levels, self.floor)
        self.model = BookModel(self.levels)

    def word(self, at: int) -> int:
        return int(self.words[self.base + at])

    def side_word(self, side: int, at: int) -> int:
        return self.word(layout.B_SIDE + side * layout.B_SIDE_WORDS + at)

    def shown_at(self, side: int) -> int:
        """Where the worst key shown stands."""
        return self.base + layout.B_SIDE + side * layout.B_SIDE_WORDS + layout.S_SHOWN

    def forget_shown(self, *images: np.ndarray) -> None:
        """Leave what was shown out of a comparison: it is the tests' own doing here, not the book's."""
        for words in (self.words, *images):
            words[[self.shown_at(side) for side in (BID, ASK)]] = layout.KEY_NONE

    def near_keys(self, side: int) -> np.ndarray:
        """The keys of a side's slots in use."""
        at = self.base + layout.BOOK_HEADER_WORDS + side * layout.NEAR_WORDS
        keys = self.words[at : at + layout.NEAR_LEVELS]
        return keys[keys != layout.KEY_FREE]

    def table(self, side: int) -> np.ndarray:
        """A side's table, a row a group in use."""
        at = self.base + layout.BOOK_TABLES + side * layout.book_groups(self.levels) * layout.GROUP_WORDS
        groups = self.side_word(side, layout.S_GROUPS)
        return self.words[at : at + groups * layout.GROUP_WORDS].reshape(groups, layout.GROUP_WORDS)

    def set_level(self, side: int, price: int, qty: int) -> None:
        expected = self.model.set_level(side, price, qty)
        found = self.kernels.set_level(self.words, self.base, side, price, qty)
        assert found == expected

    def apply(self, side: int, rows: list[Row], kernel: str = "apply_rows") -> None:
        """One message: duplicates, orphans and disorder included."""
        for row, (price, qty) in enumerate(rows):
            self.rows[side, row] = (price, qty)
        sign, top = 2 * side - 1, self.model.top(side, self.floor)
        shown = sign * top[-1][0] if len(top) == self.floor else layout.KEY_NONE
        self.words[self.shown_at(side)] = shown
        changed = [price for price, qty in rows if self.model.set_level(side, price, qty)]
        found = getattr(self.kernels, kernel)(self.words, self.base, side, self.rows, len(rows))
        if kernel == "load_rows":
            assert found == len(self.model.levels[side])
        else:
            assert found == any(sign * price <= shown for price in changed)

    def note(self) -> None:
        """Remember which rare states were there."""
        self.reached |= self.model.notes
        for side in (BID, ASK):
            entries, live = (self.side_word(side, at) for at in (layout.S_NEAR, layout.S_NEAR_LIVE))
            if self.side_word(side, layout.S_SPAN):
                self.reached.add("filled from the table")
            if entries > live:
                self.reached.add("a deleted entry stays")
            if live < len(self.model.levels[side]):
                self.reached.add("levels behind the cutoff")
            if self.side_word(side, layout.S_GROUPS) > layout.GROUPS_FIRST:
                self.reached.add("a table grew")
            keys = self.near_keys(side)
            if len(keys) > len(np.unique(keys % (1 << 8 * layout.TAG_BYTES))):
                self.reached.add("near keys with one tag")
            if self.table(side)[:, layout.GROUP_ONWARD].any():
                self.reached.add("a search goes on")

    def dump(self, side: int) -> list[Row]:
        rows = sides_of(self.words, self.base, self.levels)[side]
        return [(int(row["price"]), int(row["qty"])) for row in rows]

    def top(self, side: int, n: int) -> list[Row]:
        out = np.full(2 * n + 2, GUARD_WORD, np.int64)
        count = self.kernels.write_top(self.words, self.base, side, out, 1, n + 1, n)
        assert out[0] == GUARD_WORD
        assert out[-1] == GUARD_WORD
        assert not out[1 + count : n + 1].any()
        assert not out[n + 1 + count : -1].any()
        return [(int(out[1 + i]), int(out[n + 1 + i])) for i in range(count)]

    def check(self) -> None:
        """Compare everything."""
        found = self.kernels.check_book(self.words, self.base, self.levels)
        assert found == book_check.BOOK_SOUND, book_check.VIOLATION_NAMES[found]
        for side in (BID, ASK):
            assert self.dump(side) == self.model.top(side, layout.ROWS_CAPACITY)
            for n in (1, self.floor):
                assert self.top(side, n) == self.model.top(side, n)
            best = self.kernels.best_price(self.words, self.base, side)
            assert best == next(iter(self.model.prices(side)), layout.NO_PRICE)
            assert self.word(layout.B_HORIZON + side) == self.model.horizon[side]
        assert self.word(layout.B_ORPHANS) == self.model.orphans
        assert self.word(layout.B_EVICTED) == self.model.evicted
        assert self.kernels.is_crossed(self.words, self.base) == self.model.crossed()
        assert (self.words[:GUARD] == GUARD_WORD).all()
        assert (self.words[-GUARD:] == GUARD_WORD).all()
        assert self.word(layout.B_VERSION) == 7
        self.note()


def burst(seed: int, delete_share: float, spread: int, length: int) -> Iterator[tuple[int, int]]:
    """Many deltas at once: what fills and empties a side, in rising, falling or no order."""
    rng = random.Random(seed)
    rows = [(rng.randrange(1, spread), rng.randrange(1, 1000)) for _ in range(length)]
    order = rng.randrange(3)
    if order < 2:
        rows.sort(reverse=order == 1)
    for price, qty in rows:
        yield price, 0 if rng.random() < delete_share else qty


def fill(pair: BookPair, side: int, count: int, step: int = 10) -> None:
    """Fill a side, best first, to `count` levels."""
    sign = 2 * side - 1
    for i in range(count):
        pair.set_level(side, 100_000 + sign * step * i, 1 + i)
