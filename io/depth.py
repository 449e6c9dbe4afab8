"""Full-depth books followed level by level: joined at any moment, then kept from DELTA records."""

import time
from collections.abc import Iterable

import numpy as np

from ..engine import jit, layout
from ..engine.books import sides_of
from ..engine.kernels import depth as kernels
from ..engine.kernels.book_check import BOOK_SOUND, check_book
from ..engine.kernels.book_copy import unpack_book
from ..engine.kernels.idle import wait_for_next
from .attach import Attachment, symbol_table
from .errors import BookBusy, RingbookError, SymbolNotFound
from .follow import LOOK_AROUND_S
from .place import Place
from .views import Book, book_of_words, copy_book, row_of

ROOMS = ("book", "book_area", "book_copy", "book_check", "depth")
HALF_EVENT_S = 0.02  # between two slots of one diff a living writer needs microseconds
COPIES = 8  # copies of one book tried in a row


class Depth:
    """Full books of some symbols, kept up to date in this process; made by `Bus.depth`.

    Each costs one book of private memory, 450 KB with the default size. Between two calls of `advance`
    every book stands exactly at a diff's end, at `last_update_id`.
    """

    def __init__(self, link: Attachment, symbols: Iterable[str] | None) -> None:
        jit.warm(rooms=ROOMS)
        names = list(symbols) if symbols is not None else None
        table = symbol_table(link.words, link.geo)
        if names is None:
            active = table[table["state"] == layout.SYMBOL_ACTIVE]
            names = [name.decode(errors="replace") for name in active["symbol"]]
        for name in names:
            row_of(table, name)  # raises for one the bus does not have
        self.symbols = tuple(dict.fromkeys(names))
        self.copies = (
            0  # books copied from the writer's: one each at the start, more after laps and snapshots
        )
        self._place = Place(link, None, None, "newest")
        self._looked = time.monotonic()
        self._enter(link)
        self.advance()

    def _enter(self, link: Attachment) -> None:
        """Begin anew on a generation of the bus."""
        if not int(link.words[layout.H_FEATURES]) & layout.FEATURE_DELTAS:
            raise RingbookError(
                f"bus {link.name!r} carries no DELTA records, which full depth is followed by; start its writer "
                "with `deltas = true` (--deltas), or copy a book now and then: bus.book(symbol, full=True)"
            )
        self._link, count = link, len(self.symbols)
        self._levels, self._floor = (
            int(link.geo[word]) for word in (layout.GEO_BOOK_LEVELS, layout.GEO_TOP_N)
        )
        self._packed = np.zeros(layout.book_words(self._levels), np.int64)
        self._books = np.zeros((count, int(link.geo[layout.GEO_BOOK_STRIDE])), np.int64)
        self._rows = np.full(count, -1, np.int64)  # symbol_id per book
        self._needs = np.full(count, kernels.NEEDS_COPY, np.int64)
        self._indices = np.full(int(link.geo[layout.GEO_SYMBOLS]), kernels.ROW_UNKNOWN, np.int64)
        self._place.cursor[kernels.CUR_OPEN] = 0
        self._learn_symbols()

    def _learn_symbols(self) -> None:
        """Find each symbol's active row; a symbol that was rescaled goes on in another one."""
        table = symbol_table(self._link.words, self._link.geo)
        self._table = table
        self._indices[: len(table)] = kernels.ROW_UNWANTED
        for index, name in enumerate(self.symbols):
            active = (table["symbol"] == name.encode()) & (table["state"] == layout.SYMBOL_ACTIVE)
            ids = np.flatnonzero(active)
            if not len(ids):
                continue  # between two rows: the retired one says what it last said
            if self._rows[index] != ids[-1]:
                self._rows[index], self._needs[index] = ids[-1], kernels.NEEDS_COPY
            self._indices[ids[-1]] = index

    def _pass_over_strangers(self) -> None:
        """A writer adds the row before the record: a record of a row that is not there is nobody's."""
        symbol_id = int(self._place.record[0]["symbol_id"])
        if symbol_id < len(self._indices) and self._indices[symbol_id] == kernels.ROW_UNKNOWN:
            self._indices[symbol_id] = kernels.ROW_UNWANTED

    def _copy(self, index: int) -> None:
        """Copy one book from the writer's, at a record this reader has not passed."""
        out = self._books[index]
        for _ in range(COPIES):
            copy_book(self._link, int(self._rows[index]), self._levels, self._packed)
            unpack_book(self._packed, self._levels, self._floor, out, 0)
            self.copies += 1
            if check_book(out, 0, self._levels) == BOOK_SOUND:
                self._needs[index] = kernels.HOLDS
                return
        raise BookBusy(
            f"the full book of {self.symbols[index]} was damaged in {COPIES} copies, expected a sound one; "
            "stop its writer, it or its memory is broken"
        )

    def advance(self) -> int:
        """Take everything the ring holds; returns how many DELTA records were applied.

        Raises BookBusy when the writer served no copy of a book; call again.
        """
        cursor = self._place.cursor
        before, waiting_since = int(cursor[kernels.CUR_APPLIED]), 0.0
        while True:
            for index in np.flatnonzero(self._needs):
                if self._rows[index] >= 0:
                    self._copy(int(index))
            code = kernels.follow_depth(
                self._link.words, self._link.geo, cursor, self._indices, self._books.reshape(-1),
                self._needs, self._place.out,
            )  # fmt: skip
            if code == kernels.DEPTH_NEW_SYMBOL:
                self._learn_symbols()
                self._pass_over_strangers()
            if code != kernels.DEPTH_DRAINED:
                waiting_since = 0.0
                continue
            if not cursor[kernels.CUR_OPEN]:
                return int(cursor[kernels.CUR_APPLIED]) - before
            now = time.monotonic()
            waiting_since = waiting_since or now
            if now - waiting_since > HALF_EVENT_S:
                # The writer stopped inside a diff. The book area has all of it.
                self._needs[int(cursor[kernels.CUR_OPEN]) - 1] = kernels.NEEDS_COPY
                cursor[kernels.CUR_OPEN] = 0

    def look_around(self) -> bool:
        """Move to the writer's successor if there is one and this generation is read; True if it moved."""
        self._looked = time.monotonic()
        self._place.look_around()
        if self._place.link is self._link:
            return False
        self._enter(self._place.link)
        return True

    def book(self, symbol: str) -> Book:
        """The book as of the last `advance`: every level, health as far as the writer can be believed."""
        if symbol not in self.symbols:
            raise RingbookError(
                f"symbol was {symbol!r}, expected one followed here: {', '.join(self.symbols)}"
            )
        index = self.symbols.index(symbol)
        if self._rows[index] < 0:
            raise SymbolNotFound(
                f"symbol {symbol!r} was not added yet by the new writer; call advance() again"
            )
        row = self._table[int(self._rows[index])]
        book = self._books[index]
        return book_of_words(book, sides_of(book, 0, self._levels), row, self._link.verdict())

    def wait(self, timeout_s: float = 0.01) -> None:
        """Sleep until there is a record to read, at most so long; moves to the writer's successor by itself."""
        sleep_ns = min(self._place.sleep_ns, int(timeout_s * 1e9))
        wait_for_next(*self._place.bus, self._place.cursor, 0, sleep_ns)
        if time.monotonic() - self._looked >= LOOK_AROUND_S:
            self.look_around()

    @property
    def next_seq(self) -> int:
        """Seq of the next record this reader will look at."""
        return int(self._place.cursor[kernels.CUR_SEQ])

    @property
    def lost(self) -> int:
        """Records overwritten unread, exact; the books were copied anew and miss nothing."""
        return self._place.lost

    @property
    def laps(self) -> int:
        """How often the writer lapped this reader."""
        return self._place.laps
