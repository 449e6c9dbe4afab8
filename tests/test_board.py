"""The board against a dict, at every crash point, in every race, and with mistakes that must show."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.kernels import board, ring
from ringbook.engine.layout import READ_BUSY, READ_EMPTY, READ_OK

from .bus_tools import blank_bus, body, publish_raw
from .model.ring import RingModel
from .steps import Loads, Race, Recorder, reordered, room, stores

UPDATES = 5


@given(st.lists(st.integers(-1, 3), max_size=40))
def test_against_a_dict(symbols: list[int]) -> None:
    """Any order of updates, ids outside the table too: those are not written and not found."""
    words, geo, ctl = blank_bus(4, 3)
    model, out = RingModel(4, 1), np.zeros(geo[layout.GEO_SLOT_WORDS], np.int64)
    before = words.copy()
    for seq, symbol_id in enumerate(symbols, 1):
        slot = publish_raw(words, geo, ctl, seq)
        board.board_write(words, geo, symbol_id, slot)
        if 0 <= symbol_id < 3:
            model.board[symbol_id] = (seq, body(seq, len(out)))
    for symbol_id in range(-2, 5):
        code, expected = model.read_board(symbol_id)
        assert board.board_read(words, geo, symbol_id, out) == code
        assert code != READ_OK or out.tolist() == expected
    end = geo[layout.GEO_BOARD] + 3 * geo[layout.GEO_BOARD_STRIDE]
    assert np.array_equal(words[end : geo[layout.GEO_RING]], before[end : geo[layout.GEO_RING]])


def record_writer(mutate: tuple | None = None) -> tuple:
    """Let the plain writer put five records of one symbol on the board; returns log, geo, image before."""
    words, geo, ctl = blank_bus(8, 1)
    slots = [publish_raw(words, geo, ctl, seq) for seq in range(1, UPDATES + 1)]
    twin, before = Recorder(), words.copy()
    plain = room(twin, ring, board, mutate=mutate)
    for slot in slots:
        plain.board_write(words, geo, 0, slot)
    return twin.log, geo, before


READER = room(None, ring, board)


def races(log: list, geo: np.ndarray, before: np.ndarray, reader=READER) -> list:
    """What 4,000 readers see while the writer moves once: a seq, 'empty', or what must not be.

    'BAD' is a torn record; 'BUSY' a board that cannot be read although every store was done in order. On a
    weak machine the spare cell may be opened before the last version shows: 'busy' until it does.
    """
    rng, width = random.Random(3), int(geo[layout.GEO_SLOT_WORDS])
    orders, found = [stores(log), *(reordered(log, rng) for _ in range(99))], []
    for _ in range(4_000):
        words, order, out = before.copy(), rng.choice(orders), np.zeros(width, np.int64)
        start, at, step = rng.randint(0, len(order)), rng.randint(0, width + 3), rng.randint(1, 4 * width)
        twin = Race(words, order, start, at, step, rng)
        reader.board_read.__globals__["llvm"] = twin
        code = reader.board_read(words, geo, 0, out)
        if code == READ_OK:
            found.append(int(out[0]) if out.tolist() == body(int(out[0]), width) else "BAD")
        else:
            in_order = order is orders[0]
            found.append({READ_EMPTY: "empty", READ_BUSY: "BUSY" if in_order else "busy"}[code])
    return found


def test_no_race_shows_a_torn_cell() -> None:
    assert set(races(*record_writer())) - {"busy"} == {"empty", *range(1, UPDATES + 1)}


@pytest.mark.parametrize(
    ("mutate", "is_reader"),
    [
        (("board_write", "llvm.store_relaxed(words, cell, version)", "pass"), False),
        (("board_write", "llvm.fence_release()", "pass"), False),
        (("cell_of", "version & 1", "version & 0"), False),
        (("board_read", "if llvm.load_relaxed(words, cell) == version:", "if True:"), True),
        (("board_read", "llvm.fence_acquire()", "pass"), True),
    ],
)  # fmt: skip
def test_mistakes_are_caught(mutate: tuple, is_reader: bool) -> None:
    log, geo, before = record_writer(None if is_reader else mutate)
    reader = room(None, ring, board, mutate=mutate) if is_reader else READER
    assert {"BAD", "BUSY"} & set(races(log, geo, before, reader))


def test_every_crash_point_is_readable() -> None:
    """A writer killed after any store leaves the last complete record on the board, never READ_BUSY."""
    log, geo, words = record_writer()
    out, version_at, complete = np.zeros(geo[layout.GEO_SLOT_WORDS], np.int64), geo[layout.GEO_BOARD], 0
    for index, value, _ in stores(log):
        words[index] = value
        complete = value if index == version_at else complete
        code = board.board_read(words, geo, 0, out)
        assert code == (READ_OK if complete else READ_EMPTY)
        assert not complete or out.tolist() == body(complete, len(out))


def test_busy_is_bounded() -> None:
    """A cell that never matches its version, as only a damaged file has it, ends in READ_BUSY."""
    words, geo, _ = blank_bus(4, 1)
    words[geo[layout.GEO_BOARD]] = 7
    out = np.zeros(geo[layout.GEO_SLOT_WORDS], np.int64)
    assert board.board_read(words, geo, 0, out) == READ_BUSY
    READER.board_read.__globals__["llvm"] = Loads()
    assert READER.board_read(words, geo, 0, out) == READ_BUSY
