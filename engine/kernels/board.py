"""The board: the latest BOOK record of every symbol in a two-cell latch.

The writer fills the spare cell and then names it; a writer killed at any store leaves the other cell whole,
so the board is always readable. A reader retries only if two updates of its symbol overtook one copy.

    entry = version | cell 0 | cell 1;   cell = version it carries | record;   version v lives in cell v & 1
"""

from .. import layout
from ..jit import INLINE, i64, kernel, void, words_in, words_out
from ..layout import BOARD_HEADER_WORDS, CELL_HEADER_WORDS, READ_BUSY, READ_EMPTY, READ_OK
from . import llvm

GEO_BOARD, GEO_BOARD_STRIDE = layout.GEO_BOARD, layout.GEO_BOARD_STRIDE
GEO_SYMBOLS, GEO_SLOT_WORDS = layout.GEO_SYMBOLS, layout.GEO_SLOT_WORDS
TRIES = 64


@kernel(i64(words_in, i64, i64))
def cell_of(geo, entry, version):
    """Return the word offset of the cell that carries `version`.

    geo      int64[GEO_LENGTH]
    entry    word offset of the symbol's entry
    version  any int64
    """
    return entry + BOARD_HEADER_WORDS + (version & 1) * (CELL_HEADER_WORDS + geo[GEO_SLOT_WORDS])


@kernel(void(words_out, words_in, i64, i64), **INLINE)
def board_write(words, geo, symbol_id, slot):
    """Put a committed ring record on the board.

    words      int64[:], the bus, this process its only writer
    geo        int64[GEO_LENGTH]
    symbol_id  row of the symbol table; out of range does nothing
    slot       word offset of the ring slot that holds the record
    """
    if symbol_id < 0 or symbol_id >= geo[GEO_SYMBOLS]:
        return
    entry = geo[GEO_BOARD] + symbol_id * geo[GEO_BOARD_STRIDE]
    version = llvm.load_relaxed(words, entry)
    cell = cell_of(geo, entry, version + 1)
    llvm.store_relaxed(words, cell, version)  # never valid here: `version` lives in the other cell
    llvm.fence_release()  # PAIR busy-before-cell
    # In lines, not word by word (85 ns against 15): a reader that races with it reads single words, each whole,
    # and throws all of them away when the cell's mark has changed.
    to = cell + CELL_HEADER_WORDS
    for word in range(llvm.LINE_WORDS, geo[GEO_SLOT_WORDS], llvm.LINE_WORDS):
        llvm.move_line(words, to + word, words, slot + word)
    # The first line last and word by word: its stamp and seq were stored just now, and until a store has left
    # for the cache, only a load of the same word can have it without waiting.
    for word in range(llvm.LINE_WORDS):
        llvm.store_relaxed(words, to + word, llvm.load_relaxed(words, slot + word))
    llvm.store_release(words, cell, version + 1)  # PAIR cell-before-mark
    llvm.store_release(words, entry, version + 1)  # PAIR cell-before-version


@kernel(i64(words_in, words_in, i64, words_out))
def board_read(words, geo, symbol_id, out):
    """Copy the latest BOOK record of a symbol.

    words      int64[:], the bus
    geo        int64[GEO_LENGTH]
    symbol_id  row of the symbol table
    out        int64[slot_words], private; its content means nothing unless READ_OK comes back
    Returns    READ_OK; READ_EMPTY: none yet, or no such row; READ_BUSY: the writer was faster 64 times.
    """
    if symbol_id < 0 or symbol_id >= geo[GEO_SYMBOLS]:
        return READ_EMPTY
    entry = geo[GEO_BOARD] + symbol_id * geo[GEO_BOARD_STRIDE]
    for _ in range(TRIES):
        version = llvm.load_acquire(words, entry)  # PAIR cell-before-version
        if version == 0:
            return READ_EMPTY
        cell = cell_of(geo, entry, version)
        if llvm.load_acquire(words, cell) != version:  # PAIR cell-before-mark
            continue
        for word in range(0, geo[GEO_SLOT_WORDS], llvm.LINE_WORDS):
            llvm.move_line(out, word, words, cell + CELL_HEADER_WORDS + word)
        llvm.fence_acquire()  # PAIR busy-before-cell
        if llvm.load_relaxed(words, cell) == version:
            return READ_OK
    return READ_BUSY
