"""A book under test beside its model: the same steps for the compiled kernels and their plain-Python form."""

import random
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.kernels import book, book_apply, book_blocks, book_check, book_full
from ringbook.engine.layout import ASK, BID

from .model.book import BookModel, same_rank
from .plain import plain_room

ROOMS = ("book", "book_apply", "book_blocks", "book_full", "book_area", "book_check")
MODULES = (book_check, book_blocks, book_full, book, book_apply)
GUARD = 64  # words around the book that nothing may touch
GUARD_WORD = -0x5A5A5A5A
COMPILED = SimpleNamespace(**{n: k for m in MODULES for n, k in vars(m).items() if hasattr(k, "py_func")})
Row = tuple[int, int]  # price, quantity


def warm() -> None:
    jit.warm(rooms=ROOMS)


def plain(mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    return plain_room(*MODULES, mutate=mutate)


class BookPair:
    """One book and its model; every step changes both and compares what the kernel said."""

    def __init__(self, blocks: int, kernels: SimpleNamespace = COMPILED) -> None:
        self.kernels, self.blocks, self.model = kernels, blocks, BookModel()
        self.words = np.full(layout.book_words(blocks) + 2 * GUARD, GUARD_WORD, np.int64)
        self.words[GUARD + layout.B_VERSION] = 7  # the version word, which a reset leaves alone
        self.base = GUARD
        self.rows = np.zeros((2, layout.ROWS_CAPACITY), layout.level_dtype)
        self.reached: set[str] = set()
        self.reset()

    def reset(self) -> None:
        self.kernels.book_reset(self.words, self.base, self.blocks)
        self.model = BookModel()

    def word(self, at: int) -> int:
        return int(self.words[self.base + at])

    def side_word(self, side: int, at: int) -> int:
        return self.word(layout.B_SIDE + side * layout.B_SIDE_WORDS + at)

    def shape(self) -> list[tuple[int, ...]]:
        """Levels, blocks and limit of each side."""
        return [tuple(self.side_word(side, at) for at in range(3)) for side in (BID, ASK)]

    def set_level(self, side: int, price: int, qty: int) -> None:
        before, evicted = self.shape(), self.word(layout.B_EVICTED)
        expected = self.model.set_level(side, price, qty)
        found = self.kernels.set_level(self.words, self.base, side, price, qty)
        trimmed = self.follow_limits()
        if price not in self.model.levels[side] and qty > 0:
            expected = None  # the new level was the worst of a full pool
        ranks = [rank for rank in (expected, *trimmed) if rank is not None]
        assert same_rank(int(found), min(ranks, default=None), layout.RANK_UNCHANGED)
        self.note(side, before, self.shape(), self.word(layout.B_EVICTED) - evicted)

    def apply(self, side: int, rows: list[Row], kernel: str = "apply_rows") -> None:
        """One message: duplicates, orphans and disorder included."""
        for row, (price, qty) in enumerate(rows):
            self.rows[side, row] = (price, qty)
        evicted = self.word(layout.B_EVICTED)
        ranks = [self.model.set_level(side, price, qty) for price, qty in rows]
        found = getattr(self.kernels, kernel)(self.words, self.base, side, self.rows, len(rows))
        self.follow_limits()
        if kernel == "load_rows":
            assert found == len(self.model.levels[side])
        elif self.word(layout.B_EVICTED) == evicted:
            changed = [rank for rank in ranks if rank is not None]
            assert same_rank(int(found), min(changed, default=None), layout.RANK_UNCHANGED)

    def follow_limits(self) -> list[int | None]:
        """Trim the model to where the book cut itself off; returns the ranks at which it was cut."""
        ranks: list[int | None] = []
        for side in (BID, ASK):
            key = self.side_word(side, layout.S_LIMIT)
            limit = key if side == ASK else -key
            old = self.model.limit[side]
            if key == layout.KEY_NONE or limit == old:
                continue
            assert old is None or (limit < old if side == ASK else limit > old), "a limit moved out"
            gone = self.model.trim(side, limit)
            self.model.horizon[side] = (min if side == ASK else max)(self.model.horizon[side], limit)
            if gone > 1:
                ranks.append(len(self.model.levels[side]))
        return ranks

    def note(self, side: int, before: list, after: list, evicted: int) -> None:
        """Remember which rare path this step took."""
        blocks = [after[s][1] - before[s][1] for s in (BID, ASK)]
        levels, limits = after[side][0] - before[side][0], after[side][2] != before[side][2]
        if levels == 1 and blocks[side] == 1:
            self.reached.add("split" if before[side][1] else "open")
        if levels == -1 and blocks[side] == -1:
            self.reached.add("merge" if after[side][1] else "free")
        if blocks[1 - side] == -1:
            self.reached.add("evict other side")
        if evicted > 1 and blocks[1 - side] == 0:
            self.reached.add("evict own side")
        if evicted == 1:
            self.reached.add("squeeze" if limits else "beyond limit")

    def dump(self, side: int) -> list[Row]:
        count = self.kernels.dump_side(self.words, self.base, self.blocks, side, self.rows)
        return [(int(row["price"]), int(row["qty"])) for row in self.rows[side, :count]]

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
        found = self.kernels.check_book(self.words, self.base, self.blocks)
        assert found == book_check.BOOK_SOUND, book_check.VIOLATION_NAMES[found]
        for side in (BID, ASK):
            assert self.dump(side) == self.model.top(side, layout.ROWS_CAPACITY)
            for n in (1, 20, 70):
                assert self.top(side, n) == self.model.top(side, n)
            best = self.kernels.best_price(self.words, self.base, side)
            assert best == next(iter(self.model.prices(side)), layout.NO_PRICE)
            assert self.word(layout.B_HORIZON + side) == self.model.horizon[side]
        assert self.kernels.is_crossed(self.words, self.base) == self.model.crossed()
        assert (self.words[:GUARD] == GUARD_WORD).all()
        assert (self.words[-GUARD:] == GUARD_WORD).all()
        assert self.word(layout.B_VERSION) == 7


def burst(seed: int, delete_share: float, spread: int, length: int) -> Iterator[tuple[int, int]]:
    """Many deltas at once: what fills and empties blocks, in rising, falling or no order."""
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
