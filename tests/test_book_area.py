"""Copies of a book that is being changed: never torn, and a reader gets one however busy the writer is."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from ringbook.engine import layout
from ringbook.engine.books import packed_sides, sides_of
from ringbook.engine.kernels import book_area as area
from ringbook.engine.kernels import book_check, book_copy
from ringbook.engine.kernels.book import book_reset
from ringbook.engine.kernels.book_apply import apply_rows, set_level
from ringbook.engine.kernels.llvm import cpu_relax, load_relaxed, store_relaxed
from ringbook.engine.layout import ASK, BID

from .book_bench import warm

LEVELS = 2560
FLOOR = 5
GEO = layout.geometry(2, FLOOR, 3, LEVELS)
SYMBOL = 1
BASE = int(GEO[layout.GEO_BOOKS] + SYMBOL * GEO[layout.GEO_BOOK_STRIDE])
STOP, ROUNDS = 0, 1
MARKED = 40  # levels whose quantity is the update id, near the touch and behind it
FLAT_OUT = 0


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm()


def new_bus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    words, ctl = np.zeros(GEO[layout.GEO_WORDS], np.int64), np.zeros(layout.CTL_WORDS, np.int64)
    book_reset(words, BASE, LEVELS, FLOOR)
    return words, ctl, np.zeros(layout.book_words(LEVELS), np.int64)


@njit(nogil=True)
def churn(words, base, geo, ctl, flags, pause):
    """Write for ever: every update marks levels on both sides with its id, and others come and go."""
    update = 0
    while load_relaxed(flags, STOP) == 0:
        update += 1
        area.book_begin(words, base)
        for side in range(2):
            sign = 2 * side - 1
            for level in range(MARKED):
                set_level(words, base, side, 10_000 + sign * 37 * (level + 1), update)
            for level in range(20):
                ticks = 1 + (update * 31 + level * 53) % 1500
                if ticks % 37 != 0:
                    set_level(words, base, side, 10_000 + sign * ticks, (update + level) % 2)
        area.book_end(words, base, update + 5, update, update * 3, update * 7, 2)
        area.serve_book_request(words, geo, ctl)
        store_relaxed(flags, ROUNDS, update)
        for _ in range(pause):
            cpu_relax()
    return update


@contextmanager
def writer(words: np.ndarray, ctl: np.ndarray, pause: int) -> Iterator[np.ndarray]:
    flags = np.zeros(16, np.int64)
    churn(words.copy(), BASE, GEO, ctl.copy(), np.ones(16, np.int64), pause)  # compiled before the race
    thread = threading.Thread(target=churn, args=(words, BASE, GEO, ctl, flags, pause))
    thread.start()
    try:
        while flags[ROUNDS] == 0:
            pass
        yield flags
    finally:
        flags[STOP] = 1
        thread.join()


def fault_of(copy: np.ndarray) -> str | None:
    """What is wrong with a copy of the churned book; None when it is one update's state."""
    book = np.zeros_like(copy)
    book_copy.unpack_book(copy, LEVELS, FLOOR, book, 0)
    violation = book_check.check_book(book, 0, LEVELS)
    if violation:
        return book_check.VIOLATION_NAMES[violation]
    update = copy[layout.B_LAST_ID]
    stamps = (copy[layout.B_AS_OF] - 5, copy[layout.B_RECV] // 3, copy[layout.B_EVENT] // 7)
    if any(stamp != update for stamp in stamps):
        return "header of another update"
    for held in packed_sides(copy, LEVELS):
        marked = held["qty"][(held["price"] - 10_000) % 37 == 0]
        if len(marked) != MARKED or (marked != update).any():
            return "levels of another update"
    return None


def fault_free(copy: np.ndarray) -> bool:
    book = np.zeros_like(copy)
    book_copy.unpack_book(copy, LEVELS, FLOOR, book, 0)
    return book_check.check_book(book, 0, LEVELS) == book_check.BOOK_SOUND


def test_accepted_copies_are_never_torn() -> None:
    words, ctl, out = new_bus()
    results = {layout.READ_OK: 0, layout.READ_BUSY: 0}
    with writer(words, ctl, pause=1500):
        while results[layout.READ_OK] < 1000 or results[layout.READ_BUSY] < 1000:
            found = area.copy_book(words, BASE, LEVELS, out)
            results[found] += 1
            if found == layout.READ_OK:
                assert fault_of(out) is None
                assert out[layout.B_VERSION] % 2 == 0


def test_without_the_version_the_same_harness_sees_torn_copies() -> None:
    words, ctl, out = new_bus()
    torn, patience = 0, time.monotonic() + 60
    with writer(words, ctl, pause=1500):
        while torn < 100 and time.monotonic() < patience:
            book_copy.pack_book(words, BASE, LEVELS, out, 0)
            torn += fault_of(out) is not None
    assert torn == 100


def test_full_book_readers_make_progress_while_a_symbol_updates_flat_out() -> None:
    words, ctl, out = new_bus()
    served = busy = 0
    last = -1
    with writer(words, ctl, FLAT_OUT):
        while served < 300:
            busy += area.copy_book_retry(words, BASE, LEVELS, out, 16) == layout.READ_BUSY
            before = area.scratch_version(words, GEO)
            ctl[layout.CTL_BOOK_REQUEST] = SYMBOL + 1
            patience = time.monotonic() + 60
            while area.read_scratch(words, GEO, SYMBOL, before, out) != layout.READ_OK:
                assert time.monotonic() < patience
            assert fault_of(out) is None
            assert out[layout.B_LAST_ID] > last
            last = out[layout.B_LAST_ID]
            served += 1
    assert busy > 150, "the writer left gaps: this did not show progress under load"


def test_copy_answers_busy_inside_a_change_and_ok_after() -> None:
    words, _, out = new_bus()
    area.book_begin(words, BASE)
    set_level(words, BASE, ASK, 7, 3)
    assert area.copy_book(words, BASE, LEVELS, out) == layout.READ_BUSY
    assert area.copy_book_retry(words, BASE, LEVELS, out, 5) == layout.READ_BUSY
    area.book_begin(words, BASE)  # a writer that succeeds one that died inside a change
    area.book_end(words, BASE, 11, 22, 33, 44, layout.LIVE)
    assert area.copy_book_retry(words, BASE, LEVELS, out, 5) == layout.READ_OK
    header = [layout.B_AS_OF, layout.B_LAST_ID, layout.B_RECV, layout.B_EVENT, layout.B_HEALTH]
    assert list(out[header]) == [11, 22, 33, 44, layout.LIVE]
    assert out[layout.B_VERSION] == words[BASE + layout.B_VERSION] == 2
    assert fault_free(out)


def test_a_copy_can_be_made_a_book_of_its_own() -> None:
    words, _, out = new_bus()
    out[:] = -77  # whatever an earlier copy left
    book = np.full(layout.book_words(LEVELS), -77, np.int64)
    rows = np.zeros((2, 3000), layout.level_dtype)
    for side in (BID, ASK):
        rows["price"][side], rows["qty"][side] = np.arange(3000) * 3 + 1, 1 + np.arange(3000)
        apply_rows(words, BASE, side, rows, 1500)
    area.book_end(words, BASE, 11, 22, 33, 44, layout.LIVE)
    assert area.copy_book(words, BASE, LEVELS, out) == layout.READ_OK
    book_copy.unpack_book(out, LEVELS, FLOOR, book, 0)
    rows["price"], rows["qty"] = rows["price"] + 1, rows["price"] % 4
    for side in (BID, ASK):
        assert all(apply_rows(to, at, side, rows, 1000) == 1 for to, at in ((words, BASE), (book, 0)))
    for held, at in ((words, BASE), (book, 0)):
        assert book_check.check_book(held, at, LEVELS) == book_check.BOOK_SOUND
    header = slice(layout.B_VERSION, layout.B_HORIZON + 2)
    assert (book[header] == words[BASE:][header]).all()
    for side in (BID, ASK):
        assert (sides_of(words, BASE, LEVELS)[side] == sides_of(book, 0, LEVELS)[side]).all()


@pytest.mark.parametrize("request_word", [-1, 4, 5, 2**63 - 1, -(2**63)])
def test_a_foolish_request_is_cleared_and_ignored(request_word: int) -> None:
    words, ctl, _ = new_bus()
    before = words.copy()
    ctl[layout.CTL_BOOK_REQUEST] = request_word
    assert area.serve_book_request(words, GEO, ctl) == 0
    assert ctl[layout.CTL_BOOK_REQUEST] == 0
    assert (words == before).all()
    assert area.serve_book_request(words, GEO, ctl) == 0


def test_scratch_answers_empty_until_the_asked_book_is_there() -> None:
    words, ctl, out = new_bus()
    before = area.scratch_version(words, GEO)
    assert area.read_scratch(words, GEO, SYMBOL, before, out) == layout.READ_EMPTY
    ctl[layout.CTL_BOOK_REQUEST] = SYMBOL + 1
    assert area.serve_book_request(words, GEO, ctl) == 1
    assert area.read_scratch(words, GEO, SYMBOL + 1, before, out) == layout.READ_EMPTY
    assert area.read_scratch(words, GEO, SYMBOL, before, out) == layout.READ_OK
    assert area.read_scratch(words, GEO, SYMBOL, area.scratch_version(words, GEO), out) == layout.READ_EMPTY
    scratch = int(GEO[layout.GEO_SCRATCH])
    words[scratch] |= 1
    assert area.read_scratch(words, GEO, SYMBOL, before, out) == layout.READ_BUSY


@given(st.binary(min_size=64, max_size=400), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_any_bytes_in_the_book_area_are_safe_to_copy_and_walk(noise: bytes, seed: int) -> None:
    words, _, _ = new_bus()
    guard = np.full(32, -1, np.int64)
    size = layout.book_words(LEVELS)
    out = np.concatenate([np.zeros(size, np.int64), guard])
    dirt = np.frombuffer(noise[: len(noise) // 8 * 8], np.int64)
    words[BASE : BASE + size] = np.random.default_rng(seed).choice(dirt, size)
    words[BASE + layout.B_VERSION] = 4
    found = area.copy_book(words, BASE, LEVELS, out)
    assert found == layout.READ_OK
    for rows in packed_sides(out, LEVELS):
        assert 0 <= len(rows) <= layout.packed_places(LEVELS)
    assert 0 <= book_check.check_book(words, BASE, LEVELS) < len(book_check.VIOLATION_NAMES)
    assert (out[size:] == guard).all()
    scratch = int(GEO[layout.GEO_SCRATCH])
    words[scratch : scratch + size] = np.random.default_rng(seed).choice(dirt, size)
    words[scratch], words[scratch + 1] = 4, SYMBOL
    assert area.read_scratch(words, GEO, SYMBOL, 0, out) == layout.READ_OK
    for rows in packed_sides(out, LEVELS):
        assert 0 <= len(rows) <= layout.packed_places(LEVELS)
    assert (out[size:] == guard).all()
