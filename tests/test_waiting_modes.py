"""Three ways to wait, one interface: spin, hybrid and poll; each hears Ctrl-C, polling costs the writer nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest

from ringbook.engine import layout
from ringbook.io import bus
from ringbook.io.errors import RingbookError
from ringbook.io.reader import join

from .bus_tools import publish_book


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[bus.WriterBus]:
    """A running bus "a"; beside it "b", closed, so that there are two to merge."""
    tmp_path.chmod(0o700)
    bus.create("b", directory=tmp_path, venue="test", symbol_capacity=1, slot_count=16).close()
    with bus.create("a", directory=tmp_path, venue="test", symbol_capacity=1, slot_count=16) as made:
        made.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        yield made


@numba.njit
def take_all(record, state):
    """Takes every record."""
    return 0


def test_polling_costs_the_writer_nothing(writer: bus.WriterBus) -> None:
    """It sleeps, but raises no flag: the writer never makes a system call for it."""
    publish_book(writer)
    reader = join("a", writer.directory)
    report = reader.spin(take_all, 0, mode="poll", start="oldest", poll_ms=0.5, timeout_s=0.05)
    following = reader.follow(mode="poll", start="oldest", timeout_s=0.02)
    assert (report.records, report.missed_wakes, len(list(following))) == (1, 0, 1)
    assert report.sleeps > 0
    assert writer.ctl[layout.CTL_WAITERS] == 0
    reader.spin(take_all, 0, mode="hybrid", timeout_s=0.05)
    assert writer.ctl[layout.CTL_WAITERS] == 1, "a hybrid reader does raise it"


def test_modes_that_cannot_be(writer: bus.WriterBus) -> None:
    reader = join("a", writer.directory)
    with pytest.raises(RingbookError, match="mode was 'spin', expected hybrid or poll"):
        reader.follow(mode="spin")
    with pytest.raises(RingbookError, match=r"poll_ms was 11, expected 0\.01\.\.10"):
        reader.follow(mode="poll", poll_ms=11)


WAITING = """
import sys, numba, numpy as np, ringbook
@numba.njit
def handler(record, state): return 0
@numba.njit
def merged_handler(bus, record, state): return 0
how, mode = sys.argv[2:]
if how.startswith("merged"):
    bus, handler = ringbook.merge(["a", "b"], sys.argv[1]), merged_handler
else:
    bus = ringbook.join("a", sys.argv[1])
try:
    if how.endswith("follow"):
        following = bus.follow() if how.startswith("merged") else bus.follow(mode=mode)
        print("ready", flush=True)
        next(following)
    bus.spin(handler, np.zeros(1), mode=mode, on_ready=lambda _: print("ready", flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "how",
    [
        "one spin", "one hybrid", "one poll", "one-follow hybrid", "one-follow poll",
        "merged spin", "merged hybrid", "merged poll", "merged-follow hybrid",
    ],
)  # fmt: skip
def test_ctrl_c(writer: bus.WriterBus, how: str) -> None:
    """No record ever comes; the interrupt does."""
    command = [sys.executable, "-c", WAITING, str(writer.directory), *how.split()]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        assert child.stdout.readline().strip() == "ready"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline().strip() == "interrupted"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
