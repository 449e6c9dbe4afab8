"""Handlers in the background: looked at, stopped, failing, several at once, across writers, at the very end."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

from ringbook.engine.kernels import llvm
from ringbook.io import bus, running
from ringbook.io.errors import CoreRefused, HandlerFailed, RingbookError, SymbolNotFound
from ringbook.io.place import Place
from ringbook.io.reader import Bus, join

from .bus_tools import publish_book
from .test_demo import wait_until
from .test_pictures import Cells

WAIT_S = 60.0


@numba.njit
def count(record, state):
    """Count records, keep the last best bid; stop at state[2] records."""
    state[0] += 1
    state[1] = record.price[0, 0]
    return 1 if state[0] == state[2] else 0


@numba.njit
def angry(record, state):
    """Raise on the third record."""
    if record.seq == 3:
        raise ValueError("three")
    return 0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[bus.WriterBus]:
    """A running bus "a" with two symbols and a ring of 64."""
    tmp_path.chmod(0o700)
    with bus.create(
        "a", directory=tmp_path, venue="test", symbol_capacity=4, slot_count=64, book_levels=64
    ) as made:
        made.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        made.add_symbol(b"ETHUSDT", "test", 2, 3, 1, 1)
        yield made


@pytest.fixture
def reader(writer: bus.WriterBus) -> Iterator[Bus]:
    """A reader of that bus; what it runs ends with the test."""
    with join("a", writer.directory) as made:
        yield made


def fresh(stop_at: int = -1) -> np.ndarray:
    """State of `count`."""
    return np.array([0, 0, stop_at], np.int64)


@pytest.mark.parametrize("mode", ["spin", "hybrid", "poll"])
def test_state_and_report_are_seen_while_it_runs(writer: bus.WriterBus, reader: Bus, mode: str) -> None:
    state = fresh()
    run = reader.run(count, state, mode=mode)
    assert run.is_running and run.state is state and run.error is None
    for number in range(5):
        publish_book(writer, number % 2, bid=number)
    assert wait_until(lambda: run.state[0] == 5, WAIT_S), (
        "records published since run() returned are all seen"
    )
    assert run.state[1] == 4 and wait_until(lambda: run.report.records == 5, WAIT_S)
    assert (run.report.lost, run.report.laps, run.report.missed_wakes, run.report.ended_by) == (0, 0, 0, "")
    assert not run.wait(0.01)
    done = run.stop()
    assert (done.ended_by, done.records, run.is_running) == ("stop", 5, False)
    assert run.report == done == run.report and run.wait(), "the report of an ended run stands still"
    publish_book(writer)
    assert state[0] == 5


def test_it_ends_by_itself(writer: bus.WriterBus, reader: Bus) -> None:
    for _ in range(4):
        publish_book(writer)
    with reader.run(count, fresh(3), start="oldest") as run:
        assert run.wait(WAIT_S)
    assert (run.report.ended_by, run.state[0]) == ("handler", 3)
    assert reader.run(count, fresh(), timeout_s=0.01).wait(WAIT_S)
    publish_book(writer)
    filtered = reader.run(count, fresh(), symbol="ETHUSDT", start="oldest", timeout_s=0.01, measure=True)
    assert filtered.wait(WAIT_S) and filtered.report.records == 0
    measured = reader.run(count, fresh(), kind="BOOK", start="oldest", timeout_s=0.01, measure=True)
    assert measured.wait(WAIT_S) and measured.report.records == 5 == measured.latency["count"]
    assert filtered.latency["count"] == reader.stages()["publish_to_read"]["count"] == 0, (
        "each run has its own"
    )


def test_several_at_once_stop_one_by_one(writer: bus.WriterBus, reader: Bus) -> None:
    runs = [reader.run(count, fresh()) for _ in range(3)]
    runs[0].stop()
    reader.stop()  # for spin and follow: the others go on
    publish_book(writer)
    assert wait_until(lambda: runs[1].state[0] == runs[2].state[0] == 1, WAIT_S)
    assert [run.is_running for run in runs] == [False, True, True] and runs[0].state[0] == 0
    assert list(reader.follow(timeout_s=0.01)) == []
    reader.close()
    assert not any(run.is_running for run in runs) and runs[2].report.ended_by == "stop"
    with pytest.raises(RingbookError, match="closed"):
        reader.run(count, fresh())


# ---------------------------------------------------------------- what goes wrong
def test_what_cannot_run_is_refused_at_once(reader: Bus) -> None:
    @numba.njit
    def wrong(record, state):
        return record.no_such_field

    before = threading.active_count()
    with pytest.raises(HandlerFailed, match="no_such_field"):
        reader.run(wrong, 0)
    with pytest.raises(HandlerFailed, match=r"put @numba\.njit above"):
        reader.run(lambda record, state: 0, 0)
    with pytest.raises(CoreRefused, match="core was 9999"):
        reader.run(count, fresh(), core=9999)
    with pytest.raises(SymbolNotFound, match="BTCUSDT"):
        reader.run(count, fresh(), symbol="BTCUSD")
    for name in ("mode", "on_end", "start", "kind"):
        with pytest.raises(RingbookError, match="expected"):
            reader.run(count, fresh(), **{name: "x"})
    assert threading.active_count() == before


def test_what_a_handler_raises_is_kept_told_once_shown_and_raised(
    writer: bus.WriterBus, reader: Bus, caplog
) -> None:
    for _ in range(5):
        publish_book(writer)
    run = reader.run(angry, 0, start="oldest")
    assert wait_until(lambda: not run.is_running, WAIT_S)
    told = "ValueError: three (raised by handler angry on record seq 3, kind BOOK)"
    assert [record.getMessage() for record in caplog.records if record.name == running.__name__] == [
        f"handler angry ended: {told}"
    ]
    assert repr(run.error) == "ValueError('three')" and run.report.ended_by == "error"
    assert f"failed, 3 records, 0 lost, 0 laps; {told}" in repr(run) and told in run._repr_html_()
    for ask in (run.wait, run.stop):
        with pytest.raises(
            HandlerFailed, match=r"handler angry ended by ValueError: three \(raised by"
        ) as caught:
            ask()
        assert caught.value.__cause__ is run.error and len(caught.value._render_traceback_()) == 2
    assert run.end()
    with pytest.raises(KeyError, match="mine"), run:
        raise KeyError("mine")
    with pytest.raises(HandlerFailed, match="three"), run:
        pass


def test_a_place_that_cannot_be_taken_hangs_nobody(reader: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Place) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("gone")
        begin(place)

    begin = Place.begin
    monkeypatch.setattr(Place, "begin", fail)
    run = reader.run(count, fresh())
    with pytest.raises(HandlerFailed, match="OSError: gone"):
        run.wait(WAIT_S)


def test_a_handler_that_never_returns_is_named(writer: bus.WriterBus, reader: Bus, monkeypatch) -> None:
    @numba.njit
    def stuck(record, state):
        while llvm.load_acquire(state, 0) == 0:
            pass
        return 1

    monkeypatch.setattr(running, "STOP_S", 0.05)
    monkeypatch.setattr(running.Running.end, "__defaults__", (0.05,))
    state = np.zeros(1, np.int64)
    publish_book(writer)
    run = reader.run(stuck, state, start="oldest")
    try:
        with pytest.raises(RingbookError, match=r"stuck did not return within 0 s.*loop for ever"):
            run.stop()
    finally:
        state[0] = 1
    assert run.wait(WAIT_S)


# ---------------------------------------------------------------- shown
def test_pictures(writer: bus.WriterBus, reader: Bus) -> None:
    state = np.arange(1000)
    state[2] = -1
    run = reader.run(count, state, core=max(os.sched_getaffinity(0)))
    for _ in range(2):
        publish_book(writer)
    assert wait_until(lambda: run.report.records == 2, WAIT_S)
    assert repr(run) == "<Running count on a, hybrid: running, 2 records, 0 lost, 0 laps>"
    text = run._repr_html_()
    assert Cells(text).rows[1][:2] == ["2", "0"] and "core" in text and "… " not in text
    assert "999" in text and len(text) < 6000, "the state is cut to a few numbers"
    run.stop()
    assert "ended by stop, 2 records" in repr(run) and "ended by stop" in run._repr_html_()


# ---------------------------------------------------------------- writers come and go
def test_it_goes_on_with_the_next_writer(writer: bus.WriterBus, reader: Bus) -> None:
    """Also when its records are of another size: the handler is compiled again in the background."""
    run = reader.run(count, fresh())
    publish_book(writer, bid=1)
    writer.close()
    with bus.create(
        "a", directory=writer.directory, venue="test", symbol_capacity=2, top_n=3, slot_count=8
    ) as second:
        second.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        publish_book(second, bid=55)
        assert wait_until(lambda: run.state[0] == 2, WAIT_S)
    assert run.state[1] == 55 and run.stop().generation == 2
    assert (run.report.records, run.report.lost) == (2, 0)
