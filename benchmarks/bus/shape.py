"""What the contestants share: job, files and record of one run.

A record is seq | intended send time | sum | payload; the xor of all its words is 0. The payload is one of ROWS
prepared ones, in turn; ROWS is prime, so that a slot carries another payload in its next lap and a torn record shows.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ringbook.engine import layout

from .ring_loops import RESULT_WORDS, ROWS

SMALL_WORDS, FULL_WORDS = 8, layout.slot_bytes(layout.TOP_N_DEFAULT) // layout.WORD_BYTES
SLOTS = 16_384  # the bus's default
RING_AT = layout.PAGE_BYTES // layout.WORD_BYTES
CTL_READY = 128  # word of the control page, one line each: this reader is attached
ROLES = ("write", "read", "ping", "pong", "wake", "sleep")
_cores = sorted(os.sched_getaffinity(0))
WRITER_CORE, READER_CORE = _cores[0], _cores[1 % len(_cores)]


class Job(NamedTuple):
    """One process's part of one run; the C program takes the same fields in the same order."""

    role: str
    core: int
    ring: str  # paths
    ctl: str
    result: str
    slots: int
    width: int  # words of a record
    first: int
    count: int
    step_ns: int  # between intended send times; 0: as fast as it goes
    batch: int  # records per publish_head
    sleep_ns: int  # longest sleep of a hybrid reader; 0: spins only
    spin_ticks: int  # how long a hybrid reader spins first
    who: int  # which reader this is
    readers: int
    second: str = ""  # ping-pong: the ring that is read

    def arguments(self) -> list[str]:
        """As the C program takes them."""
        fields = [str(ROLES.index(self.role)), *map(str, self[1:15])]
        return [*fields, self.second] if self.second else fields


def rows_of(width: int) -> np.ndarray:
    """The payloads, int64[ROWS, width]; words 0 and 1 are free, word 2 is the xor of the rest."""
    rows = np.random.default_rng(width).integers(-(1 << 62), 1 << 62, (ROWS, width), np.int64)
    rows[:, :2] = 0
    rows[:, 2] = np.bitwise_xor.reduce(rows[:, 3:], axis=1)
    return rows


def geometry(slots: int, width: int) -> np.ndarray:
    """A private geo for the ring kernels: slots of `width` words behind a header page."""
    geo = np.zeros(layout.GEO_LENGTH, np.int64)
    geo[layout.GEO_SLOT_WORDS], geo[layout.GEO_SLOT_MASK], geo[layout.GEO_RING] = width, slots - 1, RING_AT
    return geo


def mapped(path: str, writable: bool) -> np.ndarray:
    """A file as int64[:], every page of it present."""
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    with open(path, "r+b" if writable else "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED | mmap.MAP_POPULATE, access)
    return np.frombuffer(memory, np.int64)


def _file(path: Path, words: int) -> str:
    path.write_bytes(bytes(words * layout.WORD_BYTES))
    return str(path)


@contextmanager
def files(folder: Path, slots: int, width: int, count: int, readers: int) -> Iterator[dict]:
    """Fresh files of one run: ring with its payload rows behind it, second ring, control page, results."""
    made = {
        "ring": _file(folder / "ring", RING_AT + (slots + ROWS) * width),
        "second": _file(folder / "second", RING_AT + (slots + ROWS) * width),
        "ctl": _file(folder / "ctl", layout.CTL_WORDS),
        "results": [_file(folder / f"result{who}", RESULT_WORDS + count) for who in range(readers + 1)],
    }
    for name in ("ring", "second"):
        mapped(made[name], True)[RING_AT + slots * width :] = rows_of(width).ravel()
    try:
        yield made
    finally:
        for path in (made["ring"], made["second"], made["ctl"], *made["results"]):
            Path(path).unlink()
