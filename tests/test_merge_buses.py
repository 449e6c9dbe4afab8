"""Merging real buses: processes that write, stall, die and are succeeded; handlers, books, counts, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest

import ringbook
from ringbook.io import bus
from ringbook.io.errors import HandlerFailed, RingbookError, SymbolNotFound

from .bus_tools import publish_book

SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 64, "top_n": 5}
CHILD = [sys.executable, "-m", "tests.bus_child"]
SEEN, LAST_RECV, DISORDER, STOP_AT, PER_BUS = 0, 1, 2, 3, 4


@numba.njit
def watch_order(bus, record, state):
    """Count records, those of each bus, and those older than one before."""
    state[SEEN] += 1
    state[PER_BUS + bus] += 1
    if record.recv_ns < state[LAST_RECV]:
        state[DISORDER] += 1
    else:
        state[LAST_RECV] = record.recv_ns
    return 1 if state[SEEN] == state[STOP_AT] else 0


def fresh(stop_at: int = -1) -> np.ndarray:
    """State of that handler."""
    state = np.zeros(PER_BUS + 64, np.int64)
    state[STOP_AT] = stop_at
    return state


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of our own."""
    tmp_path.chmod(0o700)
    return tmp_path


def make(home: Path, name: str, symbol: bytes, **other) -> bus.WriterBus:
    """A writer in this process."""
    made = bus.create(name, directory=home, **{**SMALL, **other})
    made.add_symbol(symbol, "test", 2, 3, 1, 1)
    return made


@pytest.fixture
def pair(home: Path):
    """Two writers, "a" with AUSDT and "b" with BUSDT."""
    with make(home, "a", b"AUSDT") as first, make(home, "b", b"BUSDT") as second:
        yield first, second


def start(home: Path, *arguments: str) -> subprocess.Popen:
    """A writer process that has made its bus."""
    child = subprocess.Popen(
        [*CHILD, arguments[0], str(home), *arguments[1:]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    return child


def end(child: subprocess.Popen) -> None:
    """kill -9."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def test_records_come_in_the_order_of_receipt(home: Path, pair) -> None:
    base = time.time_ns() - 10**9
    for offset, writer in ((5, 0), (1, 1), (7, 0), (6, 1), (9, 0)):
        publish_book(pair[writer], recv_ns=base + offset)
    with ringbook.merge(["a", "b"], home) as merged:
        following = merged.follow(start="oldest", timeout_s=0.05)
        found = [(name, int(record["recv_ns"]) - base) for name, record in following]
        assert found == [("b", 1), ("a", 5), ("b", 6), ("a", 7), ("a", 9)]
        assert (following.lost, following.late, following.generation) == (0, 0, 1)
        assert merged.lost == merged.late == {"a": 0, "b": 0}
        publish_book(pair[1], recv_ns=base)
        assert next(following)[0] == "b"
        assert merged.late == {"a": 0, "b": 1}


@pytest.mark.parametrize("mode", ["spin", "hybrid", "poll"])
def test_two_writer_processes(home: Path, mode: str) -> None:
    """Every record comes once; the order is broken by none but those counted late."""
    children = [start(home, "shard", name, "3000") for name in ("a", "b")]
    try:
        with ringbook.merge(["a", "b"], home, window_us=2000) as merged:
            state = fresh(6000)

            def go(_) -> None:
                for child in children:
                    child.stdin.write("go\n")
                    child.stdin.flush()

            report = merged.spin(watch_order, state, mode=mode, on_end="stop", timeout_s=60.0, on_ready=go)
    finally:
        for child in children:
            end(child)
    assert report.ended_by in ("handler", "end of bus")
    assert (report.records, report.lost, report.held) == (6000, 0, 0)
    assert state[PER_BUS : PER_BUS + 2].tolist() == [3000, 3000]
    assert state[DISORDER] == report.late
    assert {name: counts["records"] for name, counts in report.by_bus.items()} == {"a": 3000, "b": 3000}


def test_stalled_and_killed_writers_hold_nobody_up(home: Path) -> None:
    """Stopped, then killed: the other bus is read all the time, and the end comes when both have gone."""
    child = start(home, "publish", "b", "5", "beat")
    try:
        with make(home, "a", b"AUSDT") as live, ringbook.merge(["a", "b"], home) as merged:
            following = merged.follow(start="oldest", timeout_s=10.0, on_end="stop")
            publish_book(live)
            assert sorted(next(following)[0] for _ in range(6)) == ["a", "b", "b", "b", "b", "b"]
            os.kill(child.pid, signal.SIGSTOP)
            for _ in range(20):
                publish_book(live)
                assert next(following)[0] == "a"
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            for _ in range(20):
                publish_book(live)
                assert next(following)[0] == "a"
            following.place.look_around()
            following.place.look_around()
            assert [following.place.has_gone(number) for number in range(2)] == [False, True]
            live.close()
            assert list(following) == []
            assert merged.lost == {"a": 0, "b": 0}
    finally:
        end(child)


def test_a_succession_is_followed_while_the_other_bus_never_rests(home: Path, pair) -> None:
    """The busy bus must not hide that the other has a new writer, with another geometry."""
    first, second = pair
    with ringbook.merge(["a", "b"], home) as merged:
        following = merged.follow(timeout_s=20.0)
        publish_book(second)
        assert next(following)[0] == "b"
        second.close()
        with make(home, "b", b"BUSDT", slot_count=8, symbol_capacity=5) as third:
            publish_book(third, bid=77)
            for _ in range(200_000):
                publish_book(first)
                name, record = next(following)
                if name == "b":
                    break
            assert (name, record["price"][0, 0], following.generation) == ("b", 77, 2)
            assert merged.lost == {"a": 0, "b": 0}


def test_spin_goes_through_a_succession(home: Path, pair) -> None:
    _, second = pair
    second.close()
    with make(home, "b", b"BUSDT") as third, ringbook.merge(["a", "b"], home) as merged:
        state = fresh(1)
        third.close()
        made = []

        def succeed(_) -> None:
            made.append(make(home, "b", b"BUSDT"))
            publish_book(made[0])

        report = merged.spin(watch_order, state, mode="hybrid", timeout_s=20.0, on_ready=succeed)
        made[0].close()
        assert (report.ended_by, report.records, report.lost, report.generation) == ("handler", 1, 0, 3)
        assert state[PER_BUS + 1] == 1


def test_laps_are_counted_on_the_bus_where_they_happen(home: Path, pair) -> None:
    with ringbook.merge(["a", "b"], home) as merged:
        following = merged.follow(timeout_s=0.05)
        for _ in range(500):
            publish_book(pair[1])
        publish_book(pair[0])
        names = [name for name, _ in following]
        assert names.count("a") == 1
        assert merged.lost == {"a": 0, "b": 499}
        assert following.by_bus["b"]["laps"] == 1


def test_books_come_from_the_bus_that_has_the_symbol(home: Path, pair) -> None:
    publish_book(pair[1], bid=55)
    with ringbook.merge(["a", "b"], home) as merged:
        assert merged.book("BUSDT").levels[0].tolist() == [[55, 7]]
        assert merged.book("BUSDT").health == "LIVE"
        with pytest.raises(SymbolNotFound, match="a: AUSDT; b: BUSDT"):
            merged.book("CUSDT")
        pair[0].add_symbol(b"BUSDT", "test", 2, 3, 1, 1)
        with pytest.raises(RingbookError, match=r"on the buses a, b, expected it on one.*merged\.buses"):
            merged.book("BUSDT")


def test_a_handler_takes_one_kind_of_record_and_follow_any(home: Path, pair) -> None:
    with make(home, "c", b"C", top_n=3) as third, ringbook.merge(["a", "c"], home) as merged:
        publish_book(third, bid=5)
        following = merged.follow(start="oldest", timeout_s=0.05)
        assert [record["price"].shape for _, record in following] == [(2, 3)]
        with pytest.raises(RingbookError, match=r"different top_n \(a 5, c 3\).*same --top-n"):
            merged.spin(watch_order, fresh())


def test_wrong_arguments(home: Path, pair) -> None:
    for names in ([], ["a", "a"], [f"x{number}" for number in range(65)]):
        with pytest.raises(RingbookError, match="1 to 64 different names"):
            ringbook.merge(names, home)
    with pytest.raises(RingbookError, match=r"window_us was -1, expected 0\.\."):
        ringbook.merge(["a"], home, window_us=-1)
    with ringbook.merge("a", home) as merged:
        with pytest.raises(HandlerFailed, match=r"handler\(bus, record, state\)"):
            merged.spin(numba.njit(lambda record, state: 0), 0)
        with pytest.raises(RingbookError, match="on_end was"):
            merged.follow(on_end="x")
        with pytest.raises(RingbookError, match="poll_ms was 0"):
            merged.spin(watch_order, fresh(), poll_ms=0)
        merged.stop()
        assert merged.spin(watch_order, fresh(), timeout_s=20.0).ended_by == "stop"
    with pytest.raises(RingbookError, match="was closed"):
        merged.follow()


def test_what_a_handler_leaves_in_hand_is_told(home: Path, pair) -> None:
    """Stopped at the first of two records: the second was read, not handed out, and is counted as held."""
    now_ns = time.time_ns()
    publish_book(pair[0], recv_ns=now_ns - 2 * 10**9)
    publish_book(pair[1], recv_ns=now_ns - 10**9)
    with ringbook.merge(["a", "b"], home) as merged:
        report = merged.spin(watch_order, fresh(1), start="oldest", timeout_s=20.0)
        assert (report.ended_by, report.records, report.held, report.lost) == ("handler", 1, 1, 0)
        assert report.by_bus["b"]["held"] == 1


def test_indices_are_those_of_the_names(home: Path, pair) -> None:
    publish_book(pair[0])
    with ringbook.merge(["b", "a"], home) as merged:
        state = fresh(1)
        merged.spin(watch_order, state, start="oldest", timeout_s=20.0)
        assert state[PER_BUS : PER_BUS + 2].tolist() == [0, 1]
