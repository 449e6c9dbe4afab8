"""Writers that die: what readers are told, what the next writer finds, what is lost, to the record."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.kernels import ring
from ringbook.io import bus
from ringbook.io.attach import attach
from ringbook.io.owner import Owner, Verdict, is_locked, judge, shown_health, take_lock
from ringbook.io.reader import join
from ringbook.io.succession import last_committed

from .bus_tools import blank_bus, publish_book, publish_raw
from .model.ring import wrap
from .test_ring import record_writer

CHILD = [sys.executable, "-m", "tests.bus_child"]
SMALL = {"venue": "test", "symbol_capacity": 4, "slot_count": 64}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of our own."""
    tmp_path.chmod(0o700)
    return tmp_path


def start(home: Path, count: int, then: str) -> subprocess.Popen:
    """A writer in another process, ready: `count` records published, then hanging."""
    command = [*CHILD, "publish", str(home), "a", str(count), then]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    child.stdout.close()
    return child


def end(child: subprocess.Popen) -> None:
    """kill -9."""
    child.kill()
    child.wait()


@pytest.mark.parametrize("then", ["hang", "claim"])
def test_killed_writer_and_its_successor(home: Path, then: str) -> None:
    """Idle or in the middle of a record: readers see it dead, drain what was committed, and carry on."""
    child = start(home, 40, then)
    try:
        reader = join("a", home)
        following = reader.follow(start="oldest", timeout_s=5.0)
        first = [int(next(following)["seq"]) for _ in range(30)]
        assert reader.link.verdict() in (Verdict.RUNNING, Verdict.STALLED)
    finally:
        end(child)
    assert reader.link.verdict() is Verdict.DEAD
    assert reader.book("BTCUSDT").health == "DOWN"
    assert reader.book("BTCUSDT").stored_health == "LIVE"
    with bus.create("a", directory=home, **SMALL) as second:
        assert (second.generation, second.next_seq) == (2, 41)
        assert (second.header["prev_last_seq"], second.header["first_seq"]) == (40, 41)
        second.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        publish_book(second)
        rest = [int(next(following)["seq"]) for _ in range(11)]
        assert first + rest == list(range(1, 42))
        assert (following.lost, following.generation) == (0, 2)
        assert reader.book("BTCUSDT").health == "LIVE"
        assert reader.link.generation == 2


def test_a_reader_that_slept_through_a_generation_counts_what_it_missed(home: Path) -> None:
    """Records only in files nobody can open any more are lost, and counted to the record."""
    first = bus.create("a", directory=home, **SMALL)
    first.add_symbol(b"A", "test", 2, 3, 1, 1)
    for _ in range(10):
        publish_book(first)
    following = join("a", home).follow(start="oldest", timeout_s=0.5)
    assert [int(next(following)["seq"]) for _ in range(4)] == [1, 2, 3, 4]
    first.close()
    for _ in range(2):  # the second is never read by anybody
        with bus.create("a", directory=home, **SMALL) as middle:
            middle.add_symbol(b"A", "test", 2, 3, 1, 1)
            for _ in range(7):
                publish_book(middle)
    assert [int(record["seq"]) for record in following] == [*range(5, 11), *range(18, 25)]
    assert (following.lost, following.generation) == (7, 3)


def test_stalled_is_not_dead(home: Path) -> None:
    """A stopped writer keeps its bus: STALLED, refused to others, its books no longer LIVE."""
    child = start(home, 3, "beat")
    try:
        reader = join("a", home)
        assert reader.link.verdict() is Verdict.RUNNING
        assert reader.book("BTCUSDT").health == "LIVE"
        os.kill(child.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while reader.link.verdict() is Verdict.RUNNING and time.monotonic() < deadline:
            time.sleep(0.05)
        assert reader.link.verdict() is Verdict.STALLED
        assert reader.book("BTCUSDT").health == "STALE"
        assert [info.verdict for info in bus.ls(home)] == ["stalled"]
        with pytest.raises(bus.BusInUse, match=f"pid {child.pid}"):
            bus.create("a", directory=home, **SMALL)
        with pytest.raises(bus.BusInUse, match=f"stalled, owned by pid {child.pid}"):
            bus.rm("a", home)
        os.kill(child.pid, signal.SIGCONT)
        while reader.link.verdict() is Verdict.STALLED and time.monotonic() < deadline:
            time.sleep(0.05)
        assert reader.book("BTCUSDT").health == "LIVE"
    finally:
        end(child)
    bus.rm("a", home)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("slots", [2, 4, 16])
@pytest.mark.parametrize("first_seq", [1, 90, (1 << 63) - 5, -4])
def test_the_last_record_is_found_wherever_the_writer_stopped(slots: int, first_seq: int) -> None:
    words, geo, ctl = blank_bus(slots, first_seq=first_seq)
    last = wrap(first_seq - 1)
    for _ in range(3 * slots):
        assert last_committed(words, geo) == last
        seq = wrap(last + 1)
        slot = ring.claim(words, geo, seq)
        assert last_committed(words, geo) == last
        words[slot + 1 : slot + 9] = -1
        ring.commit(words, slot, seq)
        assert last_committed(words, geo) == seq  # head not stored yet
        publish_raw(words, geo, ctl, seq)
        last = seq


def test_every_image_of_a_dying_writer_is_succeeded_rightly() -> None:
    """After each single store of five records the successor goes on after the last whole one."""
    log, geo, words = record_writer(5)
    committed = 0
    for step in log:
        if step is not None:
            words[step[0]] = step[1]
            committed = step[1] if step[2] else committed
        assert last_committed(words, geo) == committed


def test_a_damaged_predecessor_starts_a_new_sequence(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    bus.create("a", directory=home, **SMALL).close()
    os.truncate(home / "a.ring", 5000)
    with bus.create("a", directory=home, **SMALL) as made:
        assert (made.generation, made.next_seq) == (1, 1)
    assert "starting a new sequence" in caplog.text


def test_removed_bus_ends_readers_that_asked_to(home: Path) -> None:
    made = bus.create("a", directory=home, **SMALL)
    made.add_symbol(b"A", "test", 2, 3, 1, 1)
    publish_book(made)
    following = join("a", home).follow(start="oldest", on_end="stop", timeout_s=20.0)
    assert int(next(following)["seq"]) == 1
    made.delete()
    begun = time.monotonic()
    assert list(following) == []
    assert time.monotonic() - begun < 10


HERE = Owner.current()


@pytest.mark.parametrize(
    ("owner", "state", "beat_age_s", "locked", "verdict"),
    [
        (HERE, layout.RUN, 0.1, True, Verdict.RUNNING),
        (HERE, layout.RUN, 5.0, True, Verdict.STALLED),
        (HERE, layout.RUN, 0.1, False, Verdict.DEAD),
        (HERE, layout.RUN, 0.1, None, Verdict.RUNNING),
        (HERE, layout.CLOSED, 0.1, True, Verdict.CLOSED),
        (HERE, layout.SUPERSEDED, 0.1, True, Verdict.SUPERSEDED),
        # the lock may be held by a forked child or by a successor that is just starting
        (replace(HERE, start_ticks=1), layout.RUN, 0.1, True, Verdict.DEAD),
        (replace(HERE, pid=1 << 30), layout.RUN, 0.1, True, Verdict.DEAD),
        (replace(HERE, boot_id=b"\1" * 16), layout.RUN, 0.1, None, Verdict.DEAD),
        # another pid namespace: pids say nothing there, the lock does
        (replace(HERE, pid_namespace=1, pid=1 << 30), layout.RUN, 0.1, True, Verdict.RUNNING),
        (replace(HERE, pid_namespace=1, pid=1 << 30), layout.RUN, 0.1, False, Verdict.DEAD),
    ],
)
def test_verdicts(owner: Owner, state: int, beat_age_s: float, locked: bool | None, verdict: Verdict) -> None:
    now_ns = time.time_ns()
    assert judge(owner, state, now_ns - int(beat_age_s * 1e9), locked, now_ns) is verdict


@given(st.sampled_from(range(6)), st.sampled_from(Verdict))
def test_shown_health_never_flatters(stored: int, verdict: Verdict) -> None:
    shown = shown_health(stored, verdict)
    assert (shown == layout.LIVE) == (stored == layout.LIVE and verdict is Verdict.RUNNING)
    assert verdict is not Verdict.RUNNING or shown == stored


def test_lock(home: Path) -> None:
    """Held once; asking never takes it, so a starting writer cannot fail because of a reader."""
    path = home / "x.lock"
    assert is_locked(path) is False
    fd = take_lock(path, 0o600)
    assert fd is not None
    assert is_locked(path) is True
    assert take_lock(path, 0o600) is None
    assert is_locked(path) is True
    os.close(fd)
    assert is_locked(path) is False
    again = take_lock(path, 0o600)
    assert again is not None
    os.close(again)


def test_a_boot_id_may_end_in_zero(home: Path) -> None:
    """numpy drops trailing zero bytes of a fixed string; the comparison must not."""
    head = np.zeros(1, layout.header_dtype)[0]
    head["boot_id"] = b"\1" * 15 + b"\0"
    assert Owner.of(head).boot_id == b"\1" * 15 + b"\0"


def test_attach_sees_the_closed_state(home: Path) -> None:
    made = bus.create("a", directory=home, **SMALL)
    link = attach("a", home)
    made.close()
    made.close()
    assert link.verdict() is Verdict.CLOSED
    assert link.successor() is None
