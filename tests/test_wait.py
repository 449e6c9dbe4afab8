"""Waiting: bounded, woken, nothing lost; and the sleep protocol explored state by state."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.kernels import cursor, idle, ring, wait
from ringbook.engine.layout import CTL_WAITERS, CTL_WAKE
from ringbook.io.reader import join

from .bus_tools import blank_bus, publish_raw
from .model import wake
from .model.ring import wrap

MS = 1_000_000


@pytest.fixture
def memory() -> tuple:
    """A bus in plain memory with one record."""
    words, geo, ctl = blank_bus(8)
    publish_raw(words, geo, ctl, 1)
    return words, geo, ctl


@pytest.mark.parametrize("seq", [1, 2, -(1 << 63), (1 << 63) - 1])
def test_ready_is_not_fooled_by_wrapping(seq: int) -> None:
    words, geo, ctl = blank_bus(4, first_seq=seq)
    assert wait.is_ready(words, geo, seq) == 0
    publish_raw(words, geo, ctl, seq)
    assert wait.is_ready(words, geo, seq) == 1
    assert wait.is_ready(words, geo, wrap(seq + 1)) == 0
    assert wait.is_ready(words, geo, wrap(seq - 4)) == 1  # lapped is ready too: read_record tells


def test_spinning_is_bounded(memory: tuple) -> None:
    words, geo, _ = memory
    assert wait.spin_until(words, geo, 1, 0) == wait.WAIT_READY
    assert wait.spin_until(words, geo, 2, 1_000_000) == wait.WAIT_TIMEOUT
    assert wait.spin_until(words, geo, 2, 0) == wait.WAIT_TIMEOUT


def test_sleep_runs_out(memory: tuple) -> None:
    words, geo, ctl = memory
    assert wait.sleep_until(words, ctl, geo, 2, MS) == wait.WAIT_TIMEOUT
    assert ctl[CTL_WAITERS] == 1


def test_sleep_is_not_begun_when_the_record_is_there(memory: tuple) -> None:
    words, geo, ctl = memory
    assert wait.sleep_until(words, ctl, geo, 1, 10_000 * MS) == wait.WAIT_READY


def test_a_publish_wakes(memory: tuple) -> None:
    """The sleeper could sleep for ten seconds; the writer clears the flag, bumps the word and says so."""
    words, geo, ctl = memory
    codes: list[int] = []
    sleeper = threading.Thread(target=lambda: codes.append(wait.sleep_until(words, ctl, geo, 2, 10_000 * MS)))
    wait.sleep_until(words, ctl, geo, 1, MS)  # compiled before the clock runs
    ctl[:] = 0
    sleeper.start()
    while not ctl[CTL_WAITERS]:
        time.sleep(0.001)
    ring.commit(words, ring.claim(words, geo, 2), 2)
    assert ring.publish_head(words, geo, 3, ctl) == 1
    sleeper.join(5.0)
    assert codes == [wait.WAIT_READY]
    assert (ctl[CTL_WAITERS], ctl[CTL_WAKE]) == (0, 1)
    assert ring.publish_head(words, geo, 3, ctl) == 0


def test_what_the_writer_does_next_tells_a_late_wake_from_a_lost_one(memory: tuple) -> None:
    """The sleep for record 1 ran out with head 2 and the wake word at 7."""
    words, _, ctl = memory
    ctl[CTL_WAKE] = 7
    assert words[layout.H_HEAD] == 2
    assert wait.judge_wake(words, ctl, 7, 2) == wait.WAKE_OPEN  # it may still be on its way
    words[layout.H_HEAD] = 3
    assert (
        wait.judge_wake(words, ctl, 7, 2) == wait.WAKE_MISSED
    )  # it announced another batch, and woke nobody
    ctl[CTL_WAKE], ctl[layout.CTL_WOKEN_FOR] = 8, 2
    assert wait.judge_wake(words, ctl, 7, 2) == wait.WAKE_CAME
    ctl[layout.CTL_WOKEN_FOR] = 3
    assert wait.judge_wake(words, ctl, 7, 2) == wait.WAKE_MISSED  # woken for a later batch only
    ctl[CTL_WAKE] = 9
    assert wait.judge_wake(words, ctl, 7, 2) == wait.WAKE_CAME  # more bumps hide the first: not counted


def test_a_lost_wake_is_counted_by_the_next_wait(memory: tuple) -> None:
    """Record 2 comes with head, but without the look for sleepers: the mistake that must never happen."""
    words, geo, ctl = memory
    place = np.zeros(cursor.CURSOR_WORDS, np.int64)
    place[cursor.CUR_SEQ] = 2
    idle.wait_for_next(words, ctl, geo, place, 10, MS)

    def publish_without_a_look() -> None:
        while not ctl[CTL_WAITERS]:
            time.sleep(0.001)
        ring.commit(words, ring.claim(words, geo, 2), 2)
        words[layout.H_HEAD] = 3

    ctl[CTL_WAITERS] = 0
    writer = threading.Thread(target=publish_without_a_look)
    writer.start()
    while idle.wait_for_next(words, ctl, geo, place, 10, 300 * MS) != wait.WAIT_READY:
        pass
    writer.join()
    assert (place[cursor.CUR_SUSPECT], place[cursor.CUR_MISSED]) == (1, 0)
    place[cursor.CUR_SEQ], words[layout.H_HEAD] = 3, 4  # the next batch
    idle.wait_for_next(words, ctl, geo, place, 10, MS)
    assert (place[cursor.CUR_SUSPECT], place[cursor.CUR_MISSED]) == (0, 1)


def test_idle_counts_sleeps(memory: tuple) -> None:
    words, geo, ctl = memory
    place = np.zeros(cursor.CURSOR_WORDS, np.int64)
    place[cursor.CUR_SEQ] = 2
    assert idle.wait_for_next(words, ctl, geo, place, 10, idle.NEVER_SLEEP) == wait.WAIT_TIMEOUT
    assert place[cursor.CUR_SLEEPS] == 0
    assert idle.wait_for_next(words, ctl, geo, place, 10, MS) == wait.WAIT_TIMEOUT
    place[cursor.CUR_SEQ] = 1
    assert idle.wait_for_next(words, ctl, geo, place, 10, MS) == wait.WAIT_READY
    assert (place[cursor.CUR_SLEEPS], place[cursor.CUR_MISSED]) == (1, 0)


def sleeps_beside_a_paced_writer(tmp_path: Path) -> int:
    """How often a reader slept for the 300 records of a paced writer, all of which came, none by time-out."""
    tmp_path.mkdir(mode=0o700)
    command = [sys.executable, "-m", "tests.bus_child", "paced", str(tmp_path), "a", "300", "0.001"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline().strip() == "ready"
        following = join("a", tmp_path).follow(on_end="stop", timeout_s=20.0)
        child.stdin.write("\n")
        child.stdin.close()
        assert [int(record["seq"]) for record in following] == list(range(1, 301))
        assert (following.lost, following.place.missed_wakes) == (0, 0)
        slept = int(following.place.cursor[cursor.CUR_SLEEPS])
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert os.path.exists(tmp_path / "a.ring")
    return slept


def test_no_wake_is_lost_between_processes(tmp_path: Path) -> None:
    """A starved reader has no time to sleep, so there is more than one try."""
    assert any(sleeps_beside_a_paced_writer(tmp_path / name) > 50 for name in "abc")


@pytest.mark.parametrize(("publishes", "readers"), [(1, 1), (3, 1), (2, 2)])
def test_no_state_of_the_protocol_sleeps_for_ever(publishes: int, readers: int) -> None:
    states, stuck = wake.explore(publishes, readers)
    assert states > 30
    assert not stuck


@pytest.mark.parametrize(("publishes", "readers"), [(3, 1), (2, 2)])
def test_a_sleeper_outlives_its_writer_by_its_time_out(publishes: int, readers: int) -> None:
    """Killed before any step, the writer strands nobody for good: the time-out finds what it published.

    Without time-outs it does strand readers, as one killed before its wake-up must: so the explorer sees them.
    """
    dead, left = wake.stranded(publishes, readers, times_out=True)
    assert dead > 100
    assert not left
    assert wake.stranded(publishes, readers, times_out=False)[1]


@pytest.mark.parametrize("mistake", wake.MISTAKES)
def test_every_weakened_protocol_gets_stuck(mistake: str) -> None:
    """The explorer is no yes-man: each mistake of the sleep protocol ends in a reader nobody wakes."""
    assert any(wake.explore(publishes, 1, mistake)[1] for publishes in (1, 2, 3))


def test_layout_of_the_control_page() -> None:
    """The futex word and the flag lie on lines of their own."""
    assert abs(CTL_WAKE - CTL_WAITERS) * 8 >= 128
    assert layout.CTL_WORDS * 8 == layout.PAGE_BYTES
