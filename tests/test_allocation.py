"""The jitted path makes no memory, and a read makes a small, bounded number of Python objects."""

import gc
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from ringbook.engine.pipeline import DRAINED
from ringbook.engine.workspace import W_CURSOR
from ringbook.io.direct import DirectSource
from ringbook.io.openssl import libc

from .hostile import Rig
from .model.frames import Frame, encode
from .ready import load_kernels
from .test_frame_sources import SNAPSHOT, TRADE, diff

CALLS = 20_000
TICKER = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":12,"s":"BTCUSDT","b":"99.00","B":"1.00","a":"101","A":"2"}}'
)
IMAGE = b'{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":12,"bids":[["99.00","1"]],"asks":[["101","2"]]}}'


def reads(count: int) -> list[bytes]:
    """Reads of four frames: a diff that changes the top, a trade, a ticker, an image."""
    others = b"".join(encode(Frame(1, message)) for message in (TRADE, TICKER, IMAGE))
    return [encode(Frame(1, diff(11 + i, 1 + i % 12))) + others for i in range(count)]


def nrt() -> tuple[int, ...]:
    stats = rtsys.get_allocation_stats()
    return (stats.alloc, stats.free, stats.mi_alloc, stats.mi_free)


@pytest.fixture(autouse=True)
def _counted() -> Iterator[None]:
    _nrt_python.memsys_enable_stats()
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    _nrt_python.memsys_disable_stats()


def test_the_counter_counts() -> None:
    """The counter sees a kernel that makes one array a call."""

    @numba.njit("int64(int64[::1])")
    def wasteful(words):
        return (words + 1)[0]

    words, before = np.zeros(100, np.int64), nrt()
    for _ in range(50):
        wasteful(words)
    assert nrt()[0] - before[0] >= 50


def test_ingest_allocates_nothing() -> None:
    """Numba counts every array a kernel makes; there are none, nor in the slow corners of the books."""
    rig, buf = Rig(), np.zeros(8192, np.uint8)
    pipe = rig.pipe
    wave = reads(CALLS + 100)
    before, blocks = nrt(), 0
    for number, raw in enumerate(wave):
        if number == 100:
            before, blocks = nrt(), sys.getallocatedblocks()
        buf[: len(raw)] = np.frombuffer(raw, np.uint8)
        now_ns = 1000 + number
        result = pipe.ingest(pipe.words, pipe.ctl, buf, pipe.work, 0, len(raw), now_ns, now_ns)
        assert result == DRAINED
    assert nrt() == before
    assert sys.getallocatedblocks() - blocks < 100
    assert int(pipe.work[W_CURSOR]) == len(wave[-1])
    assert rig.count("books") > 1000
    assert rig.count("trades") == rig.count("tickers") == CALLS + 100
    assert rig.book_id() == 10 + len(wave)


def test_gaps_and_snapshots_allocate_nothing_in_numba() -> None:
    rig = Rig()
    body = b'{"lastUpdateId":%d,"bids":[["98.00","1"]],"asks":[["102.00","2"]]}'
    before, last = nrt(), 10
    for number in range(500):
        if number == 10:
            before = nrt()
        rig.send(diff(last + 2))  # a gap
        rig.send(diff(last + 3))
        assert rig.health()[0] == "GAP"
        assert rig.feed.snapshot(0, body % (last + 1), 0, rig.now_ns, rig.now_ns) == 0
        last += 3
    assert rig.health() == ["LIVE", "LIVE"]
    assert nrt() == before


class Counting:
    """A receiver that keeps nothing."""

    listening = True

    def on_seen(self) -> None: ...
    def on_ping(self, payload: bytes) -> None: ...
    def on_pong(self, payload: bytes) -> None: ...
    def on_close(self, code: int, reason: str) -> None: ...
    def on_violation(self, code: int, reason: str) -> None: ...
    def on_lost(self, reason: str) -> None: ...


def peak_blocks(work) -> int:
    """Most Python blocks alive at once above the start, sampled by the allocator's own count at each call."""
    most, start = 0, sys.getallocatedblocks()

    def sample(frame, event, argument):
        nonlocal most
        most = max(most, sys.getallocatedblocks() - start)

    before = sys.getprofile()
    sys.setprofile(sample)
    try:
        work()
    finally:
        sys.setprofile(before)
    return most


def test_a_read_through_direct_keeps_no_object_and_makes_few() -> None:
    rig = Rig()
    source = DirectSource(rig.feed, Counting(), 1 << 20)
    source.socket = None
    wave = reads(4000)

    def take(raw: bytes) -> None:
        source.get_buffer(-1)[: len(raw)] = raw
        source.buffer_updated(len(raw))

    for raw in wave[:200]:
        take(raw)
    before, blocks = nrt(), sys.getallocatedblocks()
    for raw in wave[200:-1]:
        take(raw)
    assert sys.getallocatedblocks() - blocks < 100
    assert nrt() == before
    assert peak_blocks(lambda: take(wave[-1])) < 40
    assert rig.book_id() == 10 + len(wave)


def test_the_number_of_objects_does_not_grow_with_the_frames_of_a_read() -> None:
    rig = Rig()
    source = DirectSource(rig.feed, Counting(), 1 << 20)
    source.socket = None
    wave = [encode(Frame(1, diff(11 + i))) for i in range(1200)]

    def take(raw: bytes) -> None:
        source.get_buffer(-1)[: len(raw)] = raw
        source.buffer_updated(len(raw))

    for raw in wave[:199]:
        take(raw)
    one, many = wave[199], b"".join(wave[200:])
    few = peak_blocks(lambda: take(one))
    assert peak_blocks(lambda: take(many)) <= few + 10
    assert rig.book_id() == 10 + len(wave)


MILLION, FIRST_ID = 1_000_000, 1_000_000_000
FLAT_KB = 2_048
PR_SET_THP_DISABLE = 41


def private_kb() -> int:
    """Private memory of this process; the bus is not part of it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def prepare() -> None:
    """numpy lets the kernel make huge pages of its arrays at any time, and a huge page is resident as a whole."""
    libc().prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    load_kernels()


def take_a_million_frames() -> tuple[int, int]:
    """Four frames a read, each a new one.

    Returns  growth of private memory in kB and of Python's blocks over the last nine tenths.
    """
    rig = Rig()
    rig.pipe.start_sync(0)
    assert rig.feed.snapshot(0, SNAPSHOT.replace(b":10,", b":%d," % (FIRST_ID - 1)), 0, 8, 8) == 0
    source = DirectSource(rig.feed, Counting(), 1 << 20)
    source.socket = None
    read = encode(Frame(1, diff(FIRST_ID))) + b"".join(
        encode(Frame(1, one)) for one in (TRADE, TICKER, IMAGE)
    )
    assert b"%" not in read
    form = read.replace(b"%d" % FIRST_ID, b"%d")
    places, early = form.count(b"%d"), 0
    for number in range(MILLION // 4):
        raw = form % ((FIRST_ID + number,) * places)
        source.get_buffer(-1)[: len(raw)] = raw
        source.buffer_updated(len(raw))
        if number == MILLION // 40:
            early, blocks = private_kb(), sys.getallocatedblocks()
    grown = private_kb() - early, sys.getallocatedblocks() - blocks
    assert rig.count("frames") == MILLION
    assert rig.book_id() == FIRST_ID + MILLION // 4 - 1
    assert rig.health() == ["LIVE", "LIVE"]
    return grown


def test_a_million_frames_leave_memory_as_it_was() -> None:
    """In a process of their own: other tests leave holes in the heap, which are resident again once used."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), prepare) as process:
        grown_kb, blocks = process.submit(take_a_million_frames).result()
    assert abs(grown_kb) < FLAT_KB
    assert blocks < 100
