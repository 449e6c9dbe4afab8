"""The merged stream against a plain model: order inside the window, late ones counted, nothing lost silently."""

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.kernels import merge
from ringbook.engine.kernels.cursor import NEW_SYMBOL
from ringbook.engine.kernels.wait import WAIT_READY, WAIT_TIMEOUT
from ringbook.engine.layout import READ_BUSY, READ_EARLY, READ_OK

from .merging import MemoryMerge
from .model.merge import MergeModel

WINDOW = 100
START = 1_000_000

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 63), st.integers(-250, 60)),
        st.tuples(st.just("tick"), st.integers(0, 0), st.integers(-20, 70)),
        st.tuples(st.just("next"), st.integers(1, 4), st.integers(0, 0)),
        st.tuples(st.just("gone"), st.integers(0, 63), st.integers(0, 1)),
    ),
    max_size=80,
)


@settings(max_examples=300)
@given(steps, st.integers(1, 6), st.sampled_from([2, 8]), st.sampled_from([1, (1 << 63) - 3]))
def test_every_interleaving_is_merged_as_the_model_does(script, buses, slots, first_seq) -> None:
    """Publishes with jitter, a clock that stands, runs or is set back, laps, writers that go."""
    subject, model = MemoryMerge(buses, WINDOW, slots, first_seq), MergeModel(buses, slots, WINDOW)
    now_ns, handed = START, 0
    for what, number, value in script:
        bus = number % buses
        if what == "publish":
            subject.publish(bus, now_ns + value)
            model.buses[bus].published.append(now_ns + value)
        elif what == "tick":
            now_ns += value
        elif what == "gone":
            subject.place.rows[bus, merge.M_GONE] = value
            model.buses[bus].gone = bool(value)
        else:
            for _ in range(number):
                found = subject.next(now_ns)
                assert found == model.next(now_ns)
                handed += found[0] == READ_OK
    for _ in range(2 * len(script) + 2):  # the clock runs on: everything comes out
        now_ns += WINDOW
        found = subject.next(now_ns)
        assert found == model.next(now_ns)
        handed += found[0] == READ_OK
    lost = [place.lost for place in subject.place.places]
    assert lost == [bus.lost for bus in model.buses]
    assert subject.column(merge.M_LATE) == [bus.late for bus in model.buses]
    assert handed + sum(lost) == sum(len(bus.published) for bus in model.buses)
    assert subject.place.is_drained()
    event(f"late {min(2, sum(bus.late for bus in model.buses))}, lost {min(1, sum(lost))}")


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, WINDOW)), max_size=60),
    st.data(),
)
def test_whatever_is_published_within_the_window_comes_in_order(records, data) -> None:
    """Each record is published at most a window after its receipt: none is late, the whole order is right."""
    subject, recv_ns, last = MemoryMerge(4, WINDOW, slots=64), START, [START] * 4
    pending = []
    for bus, gap, delay in records:
        recv_ns += gap
        last[bus] = max(last[bus], recv_ns + delay)  # one writer publishes in the order it received
        if last[bus] > recv_ns + WINDOW:
            continue
        pending.append((last[bus], recv_ns, bus))
    out, now_ns, order = [], START, sorted(pending, key=lambda one: one[0])
    while order or not subject.place.is_drained():
        now_ns = min(order[0][0], now_ns + data.draw(st.integers(1, 50))) if order else now_ns + 50
        while order and order[0][0] <= now_ns:
            _, received, bus = order.pop(0)
            subject.publish(bus, received)
        code, bus, _ = subject.next(now_ns)
        if code == READ_OK:
            out.append((int(subject.place.places[bus].record[0]["recv_ns"]), bus))
    assert len(out) == len(pending)
    assert [recv for recv, _ in out] == sorted(recv for recv, _ in out)
    assert sum(subject.column(merge.M_LATE)) == 0


def test_an_empty_bus_is_waited_for_exactly_as_long_as_the_window() -> None:
    """Nine tenths of the window: not yet. The whole: due, though the other bus never said a word."""
    subject = MemoryMerge(2, WINDOW)
    subject.publish(1, START)
    assert subject.next(START + 10)[0] == READ_EARLY
    assert subject.place.state[merge.MG_PATIENCE] == 90
    assert subject.next(START + 99)[0] == READ_EARLY
    assert subject.next(START + 100) == (READ_OK, 1, 0)
    assert subject.next(START + 100)[0] == READ_EARLY
    assert subject.place.state[merge.MG_PATIENCE] == merge.NOTHING_HELD


def test_a_record_from_the_future_waits_from_when_it_was_seen() -> None:
    subject = MemoryMerge(2, WINDOW)
    subject.publish(0, (1 << 63) - 1)
    assert subject.next(START)[0] == READ_EARLY
    assert subject.next(START + 99)[0] == READ_EARLY
    assert subject.next(START + 100)[0] == READ_OK
    subject.publish(1, -(1 << 63))
    assert subject.next(START + 100)[0] == READ_OK, "older than what was handed out: at once"
    assert subject.column(merge.M_LATE) == [0, 1]


def test_ties_go_to_the_lower_bus() -> None:
    subject = MemoryMerge(3, WINDOW)
    for bus in (2, 0, 1):
        subject.publish(bus, START)
    assert [subject.next(START + WINDOW)[1] for _ in range(3)] == [0, 1, 2]


def test_a_writer_that_has_gone_is_not_waited_for() -> None:
    subject = MemoryMerge(2, WINDOW)
    subject.place.rows[0, merge.M_GONE] = 1
    subject.publish(1, START)
    assert subject.next(START) == (READ_OK, 1, 0)


def test_a_bus_busy_with_unwanted_records_is_waited_for_and_then_not() -> None:
    """What it still has may be older; but it gets no longer than the window to show it."""
    slots = 1 << 15  # more than one call passes over
    crowded = MemoryMerge(2, WINDOW, slots=slots, kind="TRADE")
    crowded.publish(0, START)
    for _ in range(merge.TAKE_TRIES * 4096 + 10):
        crowded.publish(1, START, kind=layout.KIND_BOOK)
    assert crowded.next(START + 500)[0] == READ_BUSY
    assert crowded.next(START + 500) == (READ_OK, 0, 0)
    assert crowded.place.rows[1, merge.M_BUSY_SINCE] == 0
    stuck = MemoryMerge(2, WINDOW, slots=slots, kind="TRADE")
    stuck.publish(0, START)
    stuck.place.rows[1, merge.M_BUSY_SINCE] = START
    for _ in range(merge.TAKE_TRIES * 4096 + 10):
        stuck.publish(1, START, kind=layout.KIND_BOOK)
    assert stuck.next(START + WINDOW) == (READ_OK, 0, 0)


def test_a_new_symbol_is_learned_and_the_stream_goes_on() -> None:
    subject = MemoryMerge(2, WINDOW, symbol="A")
    link = subject.links[1]
    start = int(link.geo[layout.GEO_SYMBOL_TABLE])
    rows = link.words[start : start + 2 * layout.symbol_dtype.itemsize // 8].view(layout.symbol_dtype)
    rows["symbol"] = [b"B", b"A"]
    link.words[layout.H_SYMBOL_COUNT] = 2
    subject.publish(1, START, symbol_id=0)
    subject.publish(1, START, symbol_id=1)
    assert subject.next(START)[0] == NEW_SYMBOL
    subject.place.learn_symbols()
    assert subject.next(START + WINDOW) == (READ_OK, 1, 1)
    assert subject.place.counts(1) == {
        "records": 1, "late": 0, "lost": 0, "laps": 0, "skipped": 1, "held": 0,
    }  # fmt: skip


def test_a_symbol_that_is_never_announced_holds_nobody_up() -> None:
    """A damaged bus names a row that is not there: it is asked about for ever, the others are read."""
    subject = MemoryMerge(2, WINDOW, symbol="A")
    link = subject.links[0]
    start = int(link.geo[layout.GEO_SYMBOL_TABLE])
    link.words[start : start + layout.symbol_dtype.itemsize // 8].view(layout.symbol_dtype)["symbol"] = b"A"
    link.words[layout.H_SYMBOL_COUNT] = 1
    subject.place.places[0].learn_symbols()
    subject.publish(1, START, symbol_id=1)
    subject.publish(0, START + 1)
    assert subject.next(START + 50)[0] == NEW_SYMBOL
    assert subject.place.state[merge.MG_BUS] == 1
    assert subject.next(START + 149)[0] == NEW_SYMBOL, "it gets the window"
    assert subject.next(START + 150) == (READ_OK, 0, 0)
    assert subject.next(START + 150)[0] == NEW_SYMBOL


def test_books_of_the_board_come_at_once_and_out_of_order() -> None:
    """After a lap the board stands in for what was lost; it is a state, so it is never late."""
    from ringbook.engine.kernels import board, ring

    subject = MemoryMerge(2, WINDOW, slots=4)
    subject.publish(0, START)
    for number in range(10):
        subject.publish(1, START + number, kind=layout.KIND_BOOK)
    link = subject.links[1]
    board.board_write(link.words, link.geo, 0, ring.slot_of(link.geo, 8))
    first = subject.next(START + 5)
    assert first[:2] == (READ_OK, 1)
    assert subject.place.places[1].record[0]["flags"] == layout.FLAG_FROM_BOARD
    assert subject.next(START + 5) == (READ_OK, 0, 0)
    assert subject.next(START + WINDOW + 9) == (READ_OK, 1, 9)
    assert subject.column(merge.M_LATE) == [0, 0]
    assert (subject.place.counts(1)["lost"], subject.place.counts(1)["laps"]) == (9, 1)


@pytest.mark.parametrize("sleep_ns", [-1, 100_000])
def test_waiting_is_bounded_and_ends_early(sleep_ns: int) -> None:
    subject = MemoryMerge(3, WINDOW)
    assert merge.wait_merged(subject.place.table, subject.place.state, 1000, sleep_ns) == WAIT_TIMEOUT
    subject.publish(2, START)
    assert merge.wait_merged(subject.place.table, subject.place.state, 1000, 10**15) == WAIT_READY
    subject.next(START)
    assert subject.place.state[merge.MG_PATIENCE] == WINDOW
    # Held by now: the nap ends when it is due, not after eleven days.
    assert merge.wait_merged(subject.place.table, subject.place.state, 0, 10**15) == WAIT_TIMEOUT


def test_sixty_four_buses() -> None:
    subject = MemoryMerge(64, WINDOW)
    for bus in range(64):
        subject.publish(bus, START - bus)
    assert subject.next(START)[1] == 63, "all show one: nobody waits"
    assert [subject.next(START + WINDOW)[1] for _ in range(63)] == list(range(62, -1, -1))


def test_the_record_is_copied_for_the_handler() -> None:
    subject = MemoryMerge(2, 0)
    subject.publish(1, START)
    assert subject.next(START)[0] == READ_OK
    out = np.zeros(int(subject.links[1].geo[layout.GEO_SLOT_WORDS]), np.int64)
    merge.copy_handed(subject.place.table, subject.place.state, out)
    assert (out[layout.R_SEQ], out[layout.R_RECV]) == (1, START)
