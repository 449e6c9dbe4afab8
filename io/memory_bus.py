"""A bus in plain memory: the same words, for replays and tests that need no other process."""

import numpy as np

from ..engine import layout
from .errors import RingbookError


class MemoryBus:
    """The writer's side of a bus without files.

    slot_count, top_n, symbol_capacity, book_levels   as in layout.geometry
    """

    def __init__(
        self,
        slot_count: int = 4096,
        top_n: int = layout.TOP_N_DEFAULT,
        symbol_capacity: int = 16,
        book_levels: int = layout.BOOK_LEVELS_DEFAULT,
    ) -> None:
        self.geo = layout.geometry(slot_count, top_n, symbol_capacity, book_levels)
        self.words = np.zeros(int(self.geo[layout.GEO_WORDS]), np.int64)
        self.ctl = np.zeros(layout.CTL_WORDS, np.int64)
        self.next_seq = 1
        start = int(self.geo[layout.GEO_SYMBOL_TABLE])
        words = symbol_capacity * layout.symbol_dtype.itemsize // layout.WORD_BYTES
        self.symbol_rows = self.words[start : start + words].view(layout.symbol_dtype)

    @property
    def symbol_count(self) -> int:
        """Rows in use."""
        return int(self.words[layout.H_SYMBOL_COUNT])

    def add_symbol(
        self, symbol: bytes, venue: str, price_digits: int, qty_digits: int, price_tick: int, qty_step: int
    ) -> int:
        """Append a symbol row; returns its id."""
        symbol_id = self.symbol_count
        if symbol_id >= len(self.symbol_rows):
            raise RingbookError(
                f"symbol table was full ({symbol_id} rows) when {symbol!r} came; give it more symbol_capacity"
            )
        self.symbol_rows[symbol_id] = (
            symbol, venue.encode(), price_digits, qty_digits, price_tick, qty_step, layout.SYMBOL_ACTIVE, 0,
        )  # fmt: skip
        self.words[layout.H_SYMBOL_COUNT] = symbol_id + 1
        return symbol_id

    def retire_symbol(self, symbol_id: int, successor: int) -> None:
        """Mark a row as continued in another."""
        self.symbol_rows[symbol_id]["state"] = layout.SYMBOL_RETIRED
        self.symbol_rows[symbol_id]["successor"] = successor

    def records(self, first_seq: int, next_seq: int) -> np.ndarray:
        """Copy of the records first_seq..next_seq-1 as words[n, slot_words]; the caller keeps up with the ring."""
        geo = self.geo
        slots = self.words[geo[layout.GEO_RING] :][: (int(geo[layout.GEO_SLOT_MASK]) + 1) * int(geo[1])]
        table = slots.reshape(-1, int(geo[layout.GEO_SLOT_WORDS]))
        return table[np.arange(first_seq, next_seq) & int(geo[layout.GEO_SLOT_MASK])]
