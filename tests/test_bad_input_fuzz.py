"""Wounded and random messages and frames at speed, with guards around the buffer the kernels read."""

import logging
import random
from collections.abc import Iterator

import numpy as np
import pytest

from ringbook.engine.kernels.book_check import check_book
from ringbook.io.direct import PADDING_BYTES, DirectSource

from .hostile import BOOK_LEVELS, Rig
from .model.frames import Frame, encode
from .test_bad_input import GOOD, HARMLESS
from .test_frame_sources import SNAPSHOT, TRADE

GUARD_BYTES = 256
GUARD = 0xA5


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


SEEDS = [
    GOOD, TRADE, HARMLESS["unknown keys"], HARMLESS["bare numbers"], HARMLESS["an escaped key"],
    b'{"stream":"btcusdt@bookTicker","data":{"u":12,"s":"BTCUSDT","b":"99.00","B":"1.00","a":"101","A":"2"}}',
    b'{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":12,"bids":[["99.00","1"]],"asks":[["101","2"]]}}',
    b'{"result":null,"id":1}', b'{"code":2,"msg":"no","id":1}',
]  # fmt: skip
PIECES = [
    b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u0000", b"\0", b"\xff", b"-", b".", b"e9",
    b"0", b"9" * 20, b"null", b"true", b"NaN", b'"b":[', b'"u":', b'["1","2"],', b"[[", b"]]", b" ",
    b'"data":{', b'"s":"ETHUSDX"',
]  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """A seed with a few wounds: a flipped byte, a piece put in or taken out, a cut, a copy."""
    message = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, size = rng.randrange(len(message) + 1), rng.randrange(12)
        match rng.randrange(5):
            case 0 if message:
                message[at % len(message)] = rng.randrange(256)
            case 1:
                message[at:at] = rng.choice(PIECES)
            case 2:
                del message[at : at + size]
            case 3:
                message[at : at + size] = rng.choice(PIECES)
            case _:
                del message[at + 60 * size :]
    return bytes(message)


def guarded(rig: Rig, size: int) -> np.ndarray:
    """Give the feed a buffer with guards on both sides; returns all of it."""
    whole = np.full(size + 2 * GUARD_BYTES, GUARD, np.uint8)
    rig.feed._buf = whole[GUARD_BYTES : GUARD_BYTES + size]
    return whole


@pytest.mark.parametrize("kind", ["mutated", "random"])
def test_fuzz(kind: str) -> None:
    """What comes out may be anything but a crash, a broken book, a touched guard or a changed input."""
    rng, rig, size = random.Random(kind), Rig(symbol_capacity=2), 2048
    whole = guarded(rig, size)
    inside, rounds, applied = whole[GUARD_BYTES:-GUARD_BYTES], 60_000, 0
    for number in range(rounds):
        message = mutated(rng) if kind == "mutated" else rng.randbytes(rng.randrange(400))
        rig.send(message)
        if number % 100 == 0:
            assert (whole[:GUARD_BYTES] == GUARD).all() and (whole[-GUARD_BYTES:] == GUARD).all()
            assert inside[: len(message)].tobytes() == message
            assert check_book(rig.bus.words, rig.pipe.book_base(0), BOOK_LEVELS) == 0
            rig.pipe.start_sync(0)  # LIVE again, so that diffs keep reaching the book
            assert rig.feed.snapshot(0, SNAPSHOT, 0, rig.now_ns, rig.now_ns) == 0
            before = rig.count("books")
            rig.send(GOOD)
            applied += rig.count("books") - before
    assert rig.feed._buf.base is not None and len(rig.feed._buf) == size
    assert applied == rounds // 100
    assert rig.count("malformed") > rounds // 10
    rig.check()


def test_wounded_frames_in_the_buffer_of_direct() -> None:
    """Framing and content wounded together, read in pieces; a connection that ended is replaced."""
    rng, rig, ends, whole = random.Random(5), Rig(symbol_capacity=2), 0, np.zeros(0, np.uint8)
    source: DirectSource | None = None
    for number in range(30_000):
        if source is None or source._ended:
            ends, source = ends + 1, DirectSource(rig.feed, rig.heard, 4096)
            source.socket = None
            size = source.capacity + PADDING_BYTES
            whole = np.full(size + 2 * GUARD_BYTES, GUARD, np.uint8)
            source.buf = whole[GUARD_BYTES : GUARD_BYTES + size]
            source.view = memoryview(source.buf)  # type: ignore[arg-type]
        message = rng.choice(SEEDS) if rng.random() < 0.5 else mutated(rng)
        raw = bytearray(encode(Frame(rng.choice((1, 1, 1, 2, 9)), message[: 120 if number % 5 else None])))
        if rng.random() < 0.1:
            raw[rng.randrange(min(4, len(raw)))] ^= 1 << rng.randrange(8)
        cut = rng.randrange(len(raw) + 1)
        for chunk in (raw[:cut], raw[cut:]):
            if chunk:
                source.get_buffer(-1)[: len(chunk)] = chunk
                source.buffer_updated(len(chunk))
        assert (whole[:GUARD_BYTES] == GUARD).all() and (whole[-GUARD_BYTES:] == GUARD).all()
    assert ends > 50
    rig.check()
