"""Spinning: the user's jitted handler on every record, stopped, lapped, failing, across generations."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io import bus, spin
from ringbook.io.errors import CoreRefused, HandlerFailed, RingbookError
from ringbook.io.place import Place
from ringbook.io.reader import Bus, join

from .bus_tools import publish_book

COUNT, LAST, BID, BOARD = range(4)


@numba.njit
def tally(record, state):
    """Count records, keep the last seq and its best bid; stop when state[4] are reached."""
    if record.flags & layout.FLAG_FROM_BOARD:
        state[BOARD] += 1
    else:
        state[COUNT] += 1
    state[LAST], state[BID] = record.seq, record.price[0, 0]
    return 1 if state[COUNT] == state[4] else 0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[bus.WriterBus]:
    """A running bus "a" with two symbols and a ring of 16."""
    tmp_path.chmod(0o700)
    with bus.create("a", directory=tmp_path, venue="test", symbol_capacity=4, slot_count=16) as made:
        made.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        made.add_symbol(b"ETHUSDT", "test", 2, 3, 1, 1)
        yield made


@pytest.fixture
def reader(writer: bus.WriterBus) -> Bus:
    """A reader of that bus."""
    return join("a", writer.directory)


def fresh(stop_at: int = -1) -> np.ndarray:
    """State of the handler above."""
    return np.array([0, 0, 0, 0, stop_at], np.int64)


@pytest.mark.parametrize("mode", ["spin", "hybrid", "poll"])
def test_every_record_is_handled_until_one_stops(writer: bus.WriterBus, reader: Bus, mode: str) -> None:
    report = reader.spin(tally, fresh(), mode=mode, timeout_s=0.01)
    assert (report.ended_by, report.records) == ("timeout", 0)
    for number in range(15):
        publish_book(writer, number % 2, bid=number)
    state = fresh(10)
    report = reader.spin(tally, state, mode=mode, start="oldest", timeout_s=5.0)
    assert (report.ended_by, report.records, report.lost) == ("handler", 10, 0)
    assert state[:4].tolist() == [10, 10, 9, 0]
    assert (report.missed_wakes, report.generation) == (0, 1)


def test_compile_time_is_told_before_the_first_record(writer: bus.WriterBus, reader: Bus) -> None:
    """on_ready comes after compiling and before reading; the second time there is nothing to compile."""

    @numba.njit
    def own(record, state):
        state[COUNT] += 1
        return 1

    told = []
    publish_book(writer)
    for _ in range(2):
        state = fresh()
        report = reader.spin(
            own,
            state,
            start="oldest",
            on_ready=lambda r, s=state: told.append((r.compile_s, s[COUNT])),
            timeout_s=5.0,
        )
        assert report.records == 1
    assert told[0][0] > told[1][0] >= 0
    assert [count for _, count in told] == [0, 0]


def test_the_board_comes_first_if_asked(writer: bus.WriterBus, reader: Bus) -> None:
    publish_book(writer, 1, bid=7)
    publish_book(writer, 0, bid=8)
    state = fresh()
    report = reader.spin(tally, state, start="board", timeout_s=0.01)
    assert (report.ended_by, report.records, state[BOARD], state[BID]) == ("timeout", 0, 2, 7)


def test_a_lap_is_counted_and_the_board_handed_out(
    writer: bus.WriterBus, reader: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read, skipped and lost add up to what was published; the board stands in for what was lost."""
    begin, calls = Place.begin, []

    def begin_and_fall_behind(place: Place) -> None:
        begin(place)
        calls.append(place)
        if len(calls) == 2:  # the one after compiling
            for number in range(300):
                publish_book(writer, number % 2, bid=number)
            publish_book(writer, 0, kind=layout.KIND_TRADE)

    monkeypatch.setattr(Place, "begin", begin_and_fall_behind)
    state = fresh()
    report = reader.spin(tally, state, timeout_s=0.01)
    assert (report.records, report.skipped, report.lost, report.laps) == (1, 0, 300, 1)
    assert state[:4].tolist() == [1, 301, 100, 2]


def test_stop_from_another_thread(reader: Bus) -> None:
    timer = threading.Timer(0.1, reader.stop)
    report = reader.spin(tally, fresh(), on_ready=lambda _: timer.start(), timeout_s=20.0)
    assert report.ended_by == "stop"
    report = reader.spin(tally, fresh(), mode="hybrid", timeout_s=0.01)
    assert report.ended_by == "timeout", "a stop ends one spin"


def test_pinning_is_undone(reader: Bus) -> None:
    before = os.sched_getaffinity(0)
    core, seen = max(before), []
    reader.spin(
        tally, fresh(), core=core, on_ready=lambda _: seen.append(os.sched_getaffinity(0)), timeout_s=0.01
    )
    assert seen == [{core}]
    assert os.sched_getaffinity(0) == before
    with pytest.raises(CoreRefused, match="core was 9999, expected one this thread may use"):
        reader.spin(tally, fresh(), core=9999)


def test_the_only_core_is_warned_about(reader: Bus, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setattr(spin.os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(spin.os, "sched_setaffinity", lambda *_: None)
    reader.spin(tally, fresh(), core=0, timeout_s=0.01)
    assert "is the only one" in caplog.text


def test_a_handler_may_allocate(writer: bus.WriterBus, reader: Bus) -> None:
    """Kernels own no memory, but what a user writes may."""

    @numba.njit
    def sums(record, state):
        depth = np.zeros(len(record.price[0]))
        for level in range(record.count[0]):
            depth[level] = record.price[0, level] * record.qty[0, level]
        copy = record.price.copy()
        state[0][0] += depth.sum()
        state[1][0] = copy[1, 0]
        return 0

    for bid in (10, 20):
        publish_book(writer, bid=bid)
    state = np.zeros(1), np.zeros(1, np.int64)
    assert reader.spin(sums, state, start="oldest", timeout_s=0.01).records == 2
    assert (state[0][0], state[1][0]) == (210.0, 21)


def test_what_the_handler_raises_comes_out_with_the_record_named(writer: bus.WriterBus, reader: Bus) -> None:
    @numba.njit
    def angry(record, state):
        if record.seq == 3:
            raise ValueError("three")
        return 0

    for _ in range(5):
        publish_book(writer)
    with pytest.raises(ValueError, match="three") as caught:
        reader.spin(angry, 0, start="oldest")
    assert caught.value.__notes__ == ["raised by handler angry on record seq 3, kind BOOK"]


@numba.njit
def asks_for_too_much(record, state):
    """Reads a field records do not have."""
    return record.no_such_field


@numba.njit
def answers_nothing(record, state):
    """Returns None, which is neither 0 nor 1."""
    state[0] = 1


@pytest.mark.parametrize(
    ("handler", "state", "message"),
    [
        (lambda record, state: 0, 0, "put @numba.njit above"),
        (asks_for_too_much, 0, "asks_for_too_much could not be compiled for .*no_such_field"),
        (tally, object(), "object, which numba has no type for"),
    ],
)
def test_handlers_that_cannot_be(reader: Bus, handler, state, message: str) -> None:
    with pytest.raises(HandlerFailed, match=message):
        reader.spin(handler, state)


def test_a_handler_without_an_answer(reader: Bus) -> None:
    with pytest.raises(HandlerFailed, match="expected handler"):
        reader.spin(answers_nothing, fresh())


@pytest.mark.parametrize(
    "wrong", [{"mode": "sleep"}, {"poll_ms": 11}, {"on_end": "x"}, {"start": "x"}, {"kind": "x"}]
)
def test_wrong_arguments(reader: Bus, wrong: dict) -> None:
    with pytest.raises(RingbookError, match="expected"):
        reader.spin(tally, fresh(), **wrong)


def test_filter_and_measure(writer: bus.WriterBus, reader: Bus) -> None:
    for number in range(10):
        publish_book(writer, number % 2)
    state = fresh()
    report = reader.spin(
        tally, state, symbol="ETHUSDT", kind="BOOK", start="oldest", measure=True, timeout_s=0.01
    )
    assert report.records == 5
    assert reader.stages()["publish_to_read"]["count"] == 5


def test_end_of_bus_and_another_generation_with_other_records(writer: bus.WriterBus, reader: Bus) -> None:
    """A successor with another top_n: the handler is compiled again for its record and goes on."""
    publish_book(writer)
    writer.close()
    report = reader.spin(tally, fresh(), start="oldest", on_end="stop", timeout_s=20.0)
    assert (report.ended_by, report.records) == ("end of bus", 1)
    state, made = fresh(2), []

    def succeed() -> None:
        second = bus.create(
            "a", directory=writer.directory, venue="test", symbol_capacity=2, slot_count=8, top_n=3
        )
        second.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        publish_book(second, bid=55)
        made.append(second)

    starter = threading.Thread(target=succeed)
    report = reader.spin(tally, state, start="oldest", on_ready=lambda _: starter.start(), timeout_s=20.0)
    starter.join()
    made[0].close()
    assert (report.ended_by, report.records, report.lost, report.generation) == ("handler", 2, 0, 2)
    assert state[BID] == 55
