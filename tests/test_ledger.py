"""The ledger against a list of outages, in every race, at every crash point, and over a succession."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.kernels import apply, emit, ledger, ring
from ringbook.engine.layout import DOWN, GAP, INIT, LIVE, STALE, SYNCING
from ringbook.engine.pipeline import Pipeline
from ringbook.engine.workspace import ST_BLIND, ST_CAUSE, ST_HEALTH, W_RECV_NS
from ringbook.io.ledger import carry_ledger, rows_of, summary
from ringbook.io.memory_bus import MemoryBus

from .model.ledger import LedgerModel
from .steps import Race, Recorder, reordered, room, stores

SYMBOLS = 3


class Rig:
    """A bus in memory, its pipeline, three symbols with diff streams."""

    def __init__(self) -> None:
        self.bus = MemoryBus(slot_count=16, top_n=1, symbol_capacity=SYMBOLS, book_levels=64)
        self.pipeline = Pipeline(
            self.bus.words, self.bus.ctl, self.bus.geo, "binance", route_count=16, pending_words=64
        )
        self.states = self.pipeline.space.states
        for symbol_id in range(SYMBOLS):
            self.bus.add_symbol(b"SYM%d" % symbol_id, "test", 2, 2, 1, 1)
            self.pipeline.open_book(symbol_id)
        self.states["has_diffs"] = 1

    def change(self, symbol_id: int, health: int, cause: int, now_ns: int, ids_missed: int = 0) -> None:
        self.pipeline.stamp(now_ns, now_ns)
        self.states[symbol_id]["ids_missed"] = ids_missed
        work, frame = self.pipeline.work, self.pipeline.space.frame
        apply.set_health(self.bus.words, work, frame, symbol_id, health, cause)

    def gaps(self) -> np.ndarray:
        out = np.zeros(layout.LEDGER_ROWS * layout.GAP_WORDS, np.int64)
        count = ledger.read_ledger(self.bus.words, self.bus.geo, out)
        rows = out[: count * layout.GAP_WORDS].view(layout.gap_dtype)
        return rows[np.argsort(rows["number"])]

    def counter(self, name: str) -> int:
        return int(self.pipeline.counters[layout.C[name]])


def agrees(rig: Rig, model: LedgerModel) -> None:
    rows = rig.gaps()
    assert len(rows) == len(model.shown)
    for row, outage in zip(rows, model.shown, strict=True):
        assert {name: int(row[name]) for name in outage} == outage
        assert row["symbol"] == b"SYM%d" % outage["symbol_id"]
        assert row["version"] % 2 == 0
    assert rig.bus.words[rig.bus.geo[layout.GEO_LEDGER]] == len(model.outages)
    assert rig.counter("outages") == len(model.outages)
    assert rig.counter("blind_ns") == sum(outage["blind_ns"] for outage in model.outages)


CHANGES = st.tuples(
    st.integers(0, SYMBOLS - 1),
    st.sampled_from([INIT, SYNCING, LIVE, LIVE, STALE, GAP, DOWN]),
    st.integers(0, len(layout.CAUSE_NAMES) - 1),
    st.integers(-5, 1_000_000),
    st.integers(0, 1 << 40),
)


@given(st.lists(CHANGES, max_size=60))
def test_against_a_list_of_outages(changes: list[tuple[int, int, int, int, int]]) -> None:
    """Any changes of health in any order, for any cause, with a clock that may step back."""
    rig, model, now_ns = Rig(), LedgerModel(SYMBOLS), 1_000
    for symbol_id, health, cause, later_ns, missed in changes:
        now_ns = max(1, now_ns + later_ns)
        rig.change(symbol_id, health, cause, now_ns, missed)
        model.change(symbol_id, health, cause, now_ns, missed)
    agrees(rig, model)


def test_the_oldest_rows_make_room_and_an_open_one_among_them_is_let_go() -> None:
    rig, model = Rig(), LedgerModel(SYMBOLS)

    def change(*facts: int) -> None:
        rig.change(*facts)
        model.change(*facts)

    change(0, LIVE, layout.CAUSE_SNAPSHOT, 1, 0)
    change(0, DOWN, layout.CAUSE_CONNECTION_LOST, 2, 0)
    for turn in range(layout.LEDGER_ROWS + 7):
        change(1, LIVE, layout.CAUSE_SNAPSHOT, 10 * turn + 10, 0)
        change(1, GAP, layout.CAUSE_SEQUENCE_GAP, 10 * turn + 13, 5)
    agrees(rig, model)
    change(0, LIVE, layout.CAUSE_SNAPSHOT, 1_000_000, 0)  # its row is another outage's now
    agrees(rig, model)
    assert rig.states[0]["outage"] == 0


def test_a_symbol_without_a_diff_stream_has_no_outages() -> None:
    rig = Rig()
    rig.states["has_diffs"] = 0
    rig.change(0, LIVE, layout.CAUSE_SNAPSHOT, 1)
    rig.change(0, DOWN, layout.CAUSE_STOPPED, 2)
    assert len(rig.gaps()) == 0


def test_a_rescaled_symbol_takes_its_outage_along() -> None:
    rig = Rig()
    rig.change(0, LIVE, layout.CAUSE_SNAPSHOT, 1)
    rig.change(0, GAP, layout.CAUSE_RESCALED, 2)
    rig.pipeline.move_outage(0, 1)
    rig.change(1, SYNCING, layout.CAUSE_SUBSCRIBED, 3)
    rig.change(0, DOWN, layout.CAUSE_STOPPED, 4)
    rig.change(1, LIVE, layout.CAUSE_SNAPSHOT, 9)
    (row,) = rig.gaps()
    assert (row["begin_ns"], row["end_ns"], row["symbol_id"]) == (2, 9, 1)


# ---------------------------------------------------------------- races and crashes
def plain_writer(mutate: tuple | None = None) -> tuple:
    """A row opened, changed, closed, and taken by the next outage but one: the stores, and every whole row."""
    rig = Rig()
    twin, before = Recorder(), rig.bus.words.copy()
    plain = room(twin, ring, emit, ledger, mutate=mutate)
    plain.note_health.__globals__["LEDGER_ROWS"] = 2
    words, work, whole = rig.bus.words, rig.pipeline.work, set()
    start = int(rig.bus.geo[layout.GEO_LEDGER]) + layout.LEDGER_HEADER_WORDS
    for turn in range(4):
        for health, cause in ((GAP, 3), (DOWN, 8), (LIVE, 2)):
            symbol_id = turn % 2
            state = emit.state_of(work, symbol_id)
            work[state + ST_HEALTH], work[state + ST_CAUSE] = health, cause
            work[W_RECV_NS] += 1_000
            work[state + ST_BLIND] = work[W_RECV_NS]
            plain.note_health(words, work, symbol_id, LIVE if health == GAP else GAP, turn * 10 + health)
            for row in range(2):
                whole.add(tuple(words[start + row * layout.GAP_WORDS :][: layout.GAP_WORDS].tolist()))
    return twin.log, rig.bus.geo, before, whole


READER = room(None, ring, emit, ledger)


def races(log: list, geo: np.ndarray, before: np.ndarray, whole: set, reader=READER) -> tuple[int, int]:
    """(torn rows, rows) that 3,000 readers see while the writer moves on once."""
    rng, torn, seen = random.Random(5), 0, 0
    orders = [stores(log), *(reordered(log, rng) for _ in range(60))]
    reader.read_ledger.__globals__["LEDGER_ROWS"] = 2
    for _ in range(3_000):
        order, out = rng.choice(orders), np.zeros(2 * layout.GAP_WORDS, np.int64)
        start, at, step = rng.randint(0, len(order)), rng.randint(0, 40), rng.randint(1, 60)
        reader.read_ledger.__globals__["llvm"] = Race(before, order, start, at, step, rng)
        count = reader.read_ledger(before, geo, out)
        rows = out.reshape(2, -1)[:count].tolist()
        seen += count
        torn += sum(tuple(row) not in whole for row in rows)
    return torn, seen


def test_no_race_shows_a_torn_row() -> None:
    torn, seen = races(*plain_writer())
    assert torn == 0
    assert seen > 2_000


@pytest.mark.parametrize(
    ("mutate", "is_reader"),
    [
        (("row_begin", "llvm.fence_release()", "pass"), False),
        (("row_begin", "| 1)", "| 0)"), False),
        (("row_end", "llvm.store_release", "llvm.store_relaxed"), False),
        (("read_ledger", "i64(llvm.load_relaxed(words, row + G_VERSION) == version)", "i64(1)"), True),
        (("read_ledger", "llvm.fence_acquire()", "pass"), True),
        (("read_ledger", "version & 1 == 0", "version & 1 < 2"), True),
    ],
)  # fmt: skip
def test_mistakes_are_caught(mutate: tuple, is_reader: bool) -> None:
    facts = plain_writer(None if is_reader else mutate)
    reader = room(None, ring, emit, ledger, mutate=mutate) if is_reader else READER
    assert races(*facts, reader)[0] > 0


def test_every_crash_point_leaves_whole_rows_and_at_most_one_unreadable() -> None:
    log, geo, words, whole = plain_writer()
    out, most, begun = np.zeros(layout.LEDGER_ROWS * layout.GAP_WORDS, np.int64), 0, set()
    start = int(geo[layout.GEO_LEDGER]) + layout.LEDGER_HEADER_WORDS
    for index, value, _ in stores(log):
        words[index] = value
        if index in (start, start + layout.GAP_WORDS):
            begun.add(index)
        count = ledger.read_ledger(words, geo, out)
        rows = out.reshape(-1, layout.GAP_WORDS)[:count].tolist()
        assert all(tuple(row) in whole for row in rows)
        assert len(begun) - count in (0, 1)
        most = max(most, count)
    assert most == 2


def test_an_unreadable_row_is_left_out() -> None:
    rig = Rig()
    rig.change(0, LIVE, layout.CAUSE_SNAPSHOT, 1)
    rig.change(0, GAP, layout.CAUSE_SEQUENCE_GAP, 2)
    rows_of(rig.bus.words, rig.bus.geo)["version"][0] |= 1
    assert len(rig.gaps()) == 0


# ---------------------------------------------------------------- succession
def test_a_successor_goes_on_with_what_its_predecessor_left() -> None:
    """Closed rows as they were, open ones open until LIVE, and the blind time since a killed writer's last beat."""
    first, second = Rig(), Rig()
    first.bus.words[layout.H_GENERATION], second.bus.words[layout.H_GENERATION] = 1, 2
    for symbol_id in range(SYMBOLS):
        first.change(symbol_id, LIVE, layout.CAUSE_SNAPSHOT, 1_000)
    first.change(0, GAP, layout.CAUSE_SEQUENCE_GAP, 2_000, 7)
    first.change(0, LIVE, layout.CAUSE_SNAPSHOT, 3_000)
    first.change(1, DOWN, layout.CAUSE_CONNECTION_LOST, 4_000)
    first.bus.words[layout.H_HEARTBEAT] = 5_000
    carry_ledger(first.bus.words, first.bus.geo, second.bus.words, second.bus.geo)
    for symbol_id in range(SYMBOLS):
        second.pipeline.adopt_outage(symbol_id)
        second.change(symbol_id, SYNCING, layout.CAUSE_SUBSCRIBED, 6_000)
    second.change(1, LIVE, layout.CAUSE_SNAPSHOT, 9_000)
    second.change(0, LIVE, layout.CAUSE_SNAPSHOT, 9_500)
    names = ("number", "symbol_id", "begin_ns", "end_ns", "cause", "ids_missed", "blind_ns", "generation")
    died = layout.CAUSE_WRITER_DIED
    assert [tuple(int(row[name]) for name in names) for row in second.gaps()] == [
        (1, layout.NO_ROW, 2_000, 3_000, layout.CAUSE_SEQUENCE_GAP, 7, 1_000, 1),
        (2, 1, 4_000, 9_000, layout.CAUSE_CONNECTION_LOST, 0, 5_000, 1),
        (3, 0, 5_000, 9_500, died, 0, 4_500, 1),
        (4, 2, 5_000, 0, died, 0, 0, 1),
    ]
    second.change(0, GAP, layout.CAUSE_SEQUENCE_GAP, 9_700)
    assert second.gaps()[-1]["number"] == 5
    sums = summary(second.gaps())
    assert sums["SYM0"]["outages"] == 3
    assert sums["SYM0"]["longest_ns"] == 4_500
    assert (sums["SYM2"]["open"], sums["SYM2"]["last_cause"]) == (1, "writer died")


def test_a_row_that_was_being_written_at_death_is_not_carried() -> None:
    first, second = Rig(), Rig()
    first.change(0, LIVE, layout.CAUSE_SNAPSHOT, 1_000)
    first.change(0, GAP, layout.CAUSE_SEQUENCE_GAP, 2_000)
    rows_of(first.bus.words, first.bus.geo)["version"][0] |= 1
    carry_ledger(first.bus.words, first.bus.geo, second.bus.words, second.bus.geo)
    assert len(second.gaps()) == 0


def test_a_writer_that_closed_leaves_only_what_it_wrote() -> None:
    first, second = Rig(), Rig()
    first.change(0, LIVE, layout.CAUSE_SNAPSHOT, 1_000)
    first.bus.words[layout.H_WRITER_STATE] = layout.CLOSED
    carry_ledger(first.bus.words, first.bus.geo, second.bus.words, second.bus.geo)
    assert len(second.gaps()) == 0
