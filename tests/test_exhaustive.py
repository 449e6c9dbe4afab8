"""Ring and board, small and to the end: every order in which a weak machine may show a writer's stores, against
every time at which it may satisfy a reader's loads. A prefix of an order is what a killed writer leaves.
"""

from collections.abc import Callable, Iterable, Iterator
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.kernels import board, ring
from ringbook.engine.layout import READ_BUSY, READ_EARLY, READ_EMPTY, READ_LAPPED, READ_OK

from .steps import Loads, Recorder, Store, room, stores

PUBLISHES, UPDATES = 3, 4
WIDTH = 3  # words of a record: its seq and two more
GEO = np.zeros(layout.GEO_LENGTH, np.int64)
GEO[[layout.GEO_SLOT_WORDS, layout.GEO_SLOT_MASK, layout.GEO_SYMBOLS]] = WIDTH, 1, 1
GEO[[layout.GEO_BOARD, layout.GEO_BOARD_STRIDE, layout.GEO_RING]] = 8, 64, 80
SOURCE = 100  # where the records lie that go to the board
WORDS = 128
Mutate = tuple[str, str, str] | None


def all_orders(log: list[Store | None]) -> Iterator[list[Store]]:
    """Every order in which the stores may show: see steps.reordered, which draws one of them."""
    waiting, fences = [], 0
    for step in log:
        if step is None:
            fences += 1
        else:
            waiting.append((step, fences))
    yield from _continued([], waiting)


def _continued(done: list[Store], waiting: list[tuple[Store, int]]) -> Iterator[list[Store]]:
    if not waiting:
        yield done
    before: set[int] = set()
    for position, (step, fence) in enumerate(waiting):
        if fence != waiting[0][1]:
            break
        if step[0] not in before and not (step[2] and position):
            yield from _continued([*done, step], waiting[:position] + waiting[position + 1 :])
        before.add(step[0])


class Choices(Loads):
    """A reader's loads, each satisfied at any time its floors allow; `again` goes to the next combination.

    Only the first time at which a word shows a value is tried: a later one allows the loads after it less.
    """

    LINE_WORDS = WIDTH

    def __init__(self, words: np.ndarray, order: list[Store]) -> None:
        super().__init__()
        self.words, self.path = words, list[list[int]]()  # [choice, choices] of each load
        self.load_acquire = self._acquire
        self.writes: dict[int, list[tuple[int, int]]] = {}
        for time, (index, value, _) in enumerate(order, 1):
            self.writes.setdefault(index, []).append((time, value))
        self._begin()

    def _begin(self) -> None:
        self.place, self.floor, self.latest = 0, 0, 0
        self.satisfied: dict[int, int] = {}

    def again(self) -> bool:
        """Whether there is another combination; begins it."""
        while self.path and self.path[-1][0] + 1 == self.path[-1][1]:
            self.path.pop()
        if not self.path:
            return False
        self.path[-1][0] += 1
        self._begin()
        return True

    def _load(self, words: np.ndarray, index: int) -> int:
        low = max(self.floor, self.satisfied.get(index, 0))
        written = self.writes.get(int(index), ())
        shown = [value for time, value in written if time <= low]
        options = [(low, shown[-1] if shown else int(self.words[index]))]
        options += [(time, value) for time, value in written if time > low]
        if self.place == len(self.path):
            self.path.append([0, len(options)])
        time, value = options[self.path[self.place][0]]
        self.place += 1
        self.satisfied[index], self.latest = time, max(self.latest, time)
        return value

    def _acquire(self, words: np.ndarray, index: int) -> int:
        value = self._load(words, index)
        self.floor = max(self.floor, self.satisfied[index])
        return value

    def fence_acquire(self) -> None:
        self.floor = self.latest


class SmallRecorder(Recorder):
    """A recorder of records that are one short line."""

    LINE_WORDS = WIDTH


class SmallLoads(Loads):
    """Loads in order of records that are one short line."""

    LINE_WORDS = WIDTH


def word_of(seq: int, word: int) -> int:
    """What record `seq` holds: no two words are equal."""
    return seq if word == 0 else 1000 * seq + word


def fresh(module: ModuleType, twin: Loads | None, mutate: Mutate) -> tuple[SimpleNamespace, np.ndarray]:
    """The module's plain kernels, with a mistake if one is asked for, and an empty bus."""
    words = np.zeros(WORDS, np.int64)
    words[[GEO[layout.GEO_RING], GEO[layout.GEO_RING] + WIDTH]] = 1, 0  # as write_generation leaves them
    for seq in range(1, UPDATES + 1):
        words[SOURCE + WIDTH * (seq - 1) :][:WIDTH] = [word_of(seq, word) for word in range(WIDTH)]
    return room(twin, module, mutate=mutate), words


def written_ring(publishes: int, mutate: Mutate) -> tuple[list, np.ndarray]:
    twin = SmallRecorder()
    plain, words = fresh(ring, twin, mutate)
    before = words.copy()
    for seq in range(1, publishes + 1):
        slot = plain.claim(words, GEO, seq)
        for word in range(1, WIDTH):
            twin.store_relaxed(words, slot + word, word_of(seq, word))
        plain.commit(words, slot, seq)
    return twin.log, before


def written_board(updates: int, mutate: Mutate) -> tuple[list, np.ndarray]:
    twin = SmallRecorder()
    plain, words = fresh(board, twin, mutate)
    before = words.copy()
    for seq in range(1, updates + 1):
        plain.board_write(words, GEO, 0, SOURCE + WIDTH * (seq - 1))
    return twin.log, before


def outcomes(
    kernel: Callable, which: int, before: np.ndarray, orders: Iterable[list[Store]]
) -> tuple[set, int]:
    """What a reader can see: codes, `("ok", seq)`, or "torn"; and in how many runs."""
    found, runs = set(), 0
    for order in orders:
        twin, more = Choices(before, order), True
        kernel.__globals__["llvm"] = twin
        while more:
            out = np.zeros(WIDTH, np.int64)
            code, runs = kernel(before, GEO, which, out), runs + 1
            whole = out.tolist() == [word_of(int(out[0]), word) for word in range(WIDTH)]
            found.add(code if code != READ_OK else ("ok", int(out[0])) if whole else "torn")
            more = twin.again()
        if "torn" in found:
            break
    return found, runs


def ring_outcomes(seq: int, mutate: Mutate = None) -> tuple[set, int]:
    """All that a reader of `seq` can see beside a writer of three records in two slots."""
    log, before = written_ring(PUBLISHES, mutate)
    plain, _ = fresh(ring, None, mutate)
    return outcomes(plain.read_record, seq, before, all_orders(log))


def board_outcomes(updates: int, mutate: Mutate = None, in_order: bool = False) -> tuple[set, int]:
    """All that a reader of the board can see at one try beside a writer of `updates` records of a symbol."""
    log, before = written_board(updates, mutate)
    plain, _ = fresh(board, None, mutate)
    plain.board_read.__globals__["TRIES"] = 1
    return outcomes(plain.board_read, 0, before, [stores(log)] if in_order else all_orders(log))


@pytest.mark.parametrize("seq", [1, 2, 3, 4])
def test_ring(seq: int) -> None:
    """Three records in two slots: not yet, the record itself, or lapped; the third overwrites the first."""
    found, runs = ring_outcomes(seq)
    wanted = (
        {READ_EARLY} | ({("ok", seq)} if seq <= PUBLISHES else set()) | ({READ_LAPPED} if seq == 1 else set())
    )
    assert found == wanted
    assert runs > 100


MARK = "llvm.store_relaxed(words, slot + R_SEQ, llvm.wrapping_sub(seq, 1))"
CHECK = "return READ_OK if llvm.load_relaxed(words, slot + R_SEQ) == seq else READ_LAPPED"


@pytest.mark.parametrize(
    "mutate",
    [
        ("claim", MARK, "pass"),
        ("claim", "llvm.fence_release()", "pass"),
        ("claim", MARK, MARK.replace("llvm.wrapping_sub(seq, 1)", "seq")),
        ("commit", "store_release", "store_relaxed"),
        ("read_record", "found = llvm.load_acquire", "found = llvm.load_relaxed"),
        ("read_record", "llvm.fence_acquire()", "pass"),
        ("read_record", CHECK, "return READ_OK"),
    ],
)
def test_weakened_ring_is_torn(mutate: tuple[str, str, str]) -> None:
    assert any("torn" in ring_outcomes(seq, mutate)[0] for seq in (1, 2, 3))


@pytest.mark.parametrize(("updates", "in_order"), [(UPDATES, True), (2, False)])
def test_board(updates: int, in_order: bool) -> None:
    """Nothing, one of the records, or busy because two updates overtook the copy: never torn."""
    found, runs = board_outcomes(updates, in_order=in_order)
    records = {("ok", seq) for seq in range(1, updates + 1)}
    assert records | {READ_EMPTY} <= found <= records | {READ_EMPTY, READ_BUSY}
    assert runs > 30


@pytest.mark.parametrize(
    "mutate",
    [
        ("board_write", "llvm.store_relaxed(words, cell, version)", "pass"),
        ("board_read", "if llvm.load_relaxed(words, cell) == version:", "if True:"),
        ("board_read", "llvm.fence_acquire()", "pass"),
        ("cell_of", "version & 1", "version & 0"),
    ],
)
def test_weakened_board_is_torn(mutate: tuple[str, str, str]) -> None:
    """Or, with both versions in one cell, unreadable at some crash point though nothing is being read.

    The writer's stores in order: a missing fence between them is drawn at random in test_board.
    """
    torn = "torn" in board_outcomes(UPDATES, mutate, in_order=True)[0]
    assert torn or READ_BUSY in board_at_rest(mutate)


def board_at_rest(mutate: Mutate) -> list[int]:
    """What a reader is told after each store of a writer that died there."""
    log, words = written_board(UPDATES, mutate)
    reader, _ = fresh(board, SmallLoads(), mutate)
    codes = [reader.board_read(words, GEO, 0, np.zeros(WIDTH, np.int64))]
    for index, value, _release in stores(log):
        words[index] = value
        codes.append(reader.board_read(words, GEO, 0, np.zeros(WIDTH, np.int64)))
    return codes


def test_board_is_readable_wherever_its_writer_died() -> None:
    codes = board_at_rest(None)
    first = codes.index(READ_OK)
    assert codes == [READ_EMPTY] * first + [READ_OK] * (len(codes) - first)
    assert len(codes) == 1 + UPDATES * (WIDTH + 3)
