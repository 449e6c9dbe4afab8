"""The writer's side of a bus: create, add symbols, beat, close, delete.

A bus is three files in one directory: NAME.ring (everything readers see, mapped read-only by them), NAME.ctl
(one page they may write: who sleeps, which book is asked for), NAME.lock (held while the owner lives). A file
is complete before it gets its name, is never truncated and never used again: a successor makes a new one.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import layout
from . import directory as places
from . import header as header_page
from .census import ls, rm
from .crashes import show_crashes
from .errors import BusFull, BusInUse, BusRefused
from .generation import replace_files
from .owner import Owner, describe, locker_of, take_lock
from .storage import Storage, settle

__all__ = ["WriterBus", "create", "ls", "rm"]


# State and successor of a symbol row share a word, so both change at once.
STATE_WORD = layout.symbol_dtype.fields["state"][1] // layout.WORD_BYTES  # type: ignore[index]


class WriterBus:
    """A bus this process owns; made by `create`.

    words    int64[:] over the ring file
    ctl      int64[CTL_WORDS] over the control page
    geo      int64[GEO_LENGTH]
    header   header_dtype scalar over the first page
    storage  half a sentence: size, file system, and what came of locking and huge pages if asked for
    """

    def __init__(
        self, name: str, directory: Path, geo: np.ndarray, maps: tuple, lock_fd: int, storage: str
    ) -> None:
        self.name, self.directory, self.geo, self.storage = name, directory, geo, storage
        self.words: np.ndarray = np.frombuffer(maps[0], np.int64, int(geo[layout.GEO_WORDS]))
        self.ctl: np.ndarray = np.frombuffer(maps[1], np.int64, layout.CTL_WORDS)
        self.header: Any = self.words[: layout.PAGE_BYTES // layout.WORD_BYTES].view(layout.header_dtype)[0]
        start = int(geo[layout.GEO_SYMBOL_TABLE])
        length = int(geo[layout.GEO_SYMBOLS]) * layout.symbol_dtype.itemsize // layout.WORD_BYTES
        self.symbol_rows: np.ndarray = self.words[start : start + length].view(layout.symbol_dtype)
        start = int(geo[layout.GEO_COUNTERS])
        self.counters: np.ndarray = self.words[start : start + len(layout.COUNTER_NAMES)]
        self._lock_fd: int | None = lock_fd

    @property
    def path(self) -> Path:
        """The ring file."""
        return self.directory / (self.name + places.RING)

    @property
    def next_seq(self) -> int:
        """Seq of the next record, as of the last published batch."""
        return int(self.words[layout.H_HEAD])

    @property
    def generation(self) -> int:
        """How many owners the name has had, this one included."""
        return int(self.header["generation"])

    @property
    def symbol_count(self) -> int:
        """Rows in use."""
        return int(self.words[layout.H_SYMBOL_COUNT])

    def _put(self, word: int, value: int) -> None:
        from ..engine.kernels.lifecycle import put_word

        put_word(self.words, word, value)

    def expect_room(self, count: int) -> None:
        """Raise BusFull unless so many symbol rows are free."""
        used, rows = self.symbol_count, len(self.symbol_rows)
        if used + count > rows:
            raise BusFull(
                f"symbol table of bus {self.name!r} had {rows - used} of {rows} rows free, expected {count}; start the "
                "writer with a larger symbol_capacity"
            )

    def add_symbol(
        self, symbol: bytes, venue: str, price_digits: int, qty_digits: int, price_tick: int, qty_step: int
    ) -> int:
        """Append a symbol row; returns its id. Rows never move, so ids hold for this generation."""
        symbol_id = self.symbol_count
        self.expect_room(1)
        if not 1 <= len(symbol) <= layout.SYMBOL_BYTES:
            raise BusRefused(f"symbol {symbol!r} has {len(symbol)} bytes, expected 1..{layout.SYMBOL_BYTES}")
        self.symbol_rows[symbol_id] = (
            symbol, venue.encode(), price_digits, qty_digits, price_tick, qty_step, layout.SYMBOL_ACTIVE, 0,
        )  # fmt: skip
        self._put(layout.H_SYMBOL_COUNT, symbol_id + 1)
        return symbol_id

    def retire_symbol(self, symbol_id: int, successor: int) -> None:
        """Mark a row as continued in another."""
        row = int(self.geo[layout.GEO_SYMBOL_TABLE]) + symbol_id * layout.symbol_dtype.itemsize // 8
        self._put(row + STATE_WORD, layout.SYMBOL_RETIRED | successor << 32)

    def beat(self, now_ns: int) -> None:
        """Show that the owner runs; the ingest loop does the same at every read."""
        self.words[layout.H_HEARTBEAT] = now_ns

    def close(self) -> None:
        """Say good-bye and give the lock back; the files stay for readers to drain."""
        if self._lock_fd is None:
            return
        from ..engine.kernels.ring import publish_head

        self._put(layout.H_WRITER_STATE, layout.CLOSED)
        publish_head(self.words, self.geo, self.next_seq, self.ctl)  # wakes whoever sleeps
        os.close(self._lock_fd)
        self._lock_fd = None

    def delete(self) -> None:
        """Remove the files, then close; readers keep what they have mapped until they leave."""
        if self._lock_fd is not None:
            for suffix in (places.RING, places.CTL, places.LOCK):
                (self.directory / (self.name + suffix)).unlink(missing_ok=True)
        self.close()

    def __enter__(self) -> "WriterBus":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _refuse(name: str, directory: Path) -> BusInUse:
    """The error for a second writer, naming the first."""
    lock, who = directory / (name + places.LOCK), "an unknown process"
    with contextlib.suppress(OSError, BusRefused):
        fd = os.open(directory / (name + places.RING), os.O_RDONLY | places.OPEN_FLAGS)
        try:
            head, _ = header_page.validate(name, fd)
        finally:
            os.close(fd)
        owner = Owner.of(head)
        if owner.pid == locker_of(lock):
            who = describe(owner, int(head["heartbeat_ns"]), int(head["created_ns"]))
    if who == "an unknown process":
        who = f"pid {locker_of(lock)}, which is just starting"
    return BusInUse(
        f"bus {name!r} in {directory} is owned by {who}; expected no living owner: "
        "stop that process, or choose another bus name"
    )


def create(
    name: str,
    *,
    venue: str,
    symbol_capacity: int,
    slot_count: int = 16_384,
    top_n: int = layout.TOP_N_DEFAULT,
    book_levels: int = layout.BOOK_LEVELS_DEFAULT,
    directory: Path | str | None = None,
    group_readable: bool = False,
    lock_memory: bool = False,
    huge_pages: bool = False,
) -> WriterBus:
    """Make a bus and own it; a name whose owner is dead is taken over, its sequence continued.

    name             1 to 64 of A-Z a-z 0-9 . _ -
    venue            shown in the header
    symbol_capacity  rows of the symbol table, 1..65536; each costs a full book of shared memory
    slot_count, top_n, book_levels   as in layout.geometry
    directory        default RINGBOOK_DIR, else /dev/shm/ringbook-<uid>
    group_readable   let the directory's group read (it polls; it cannot write the control page)
    lock_memory      keep the bus from being paged out; best effort, `storage` of the result says what came of it
    huge_pages       ask for 2 MB pages; best effort likewise
    """
    places.check_name(name)
    geo = layout.geometry(slot_count, top_n, symbol_capacity, book_levels)
    folder = places.make_directory(Path(directory or places.default_directory()), group_readable)
    mode, lock = 0o640 if group_readable else 0o600, folder / (name + places.LOCK)
    try:
        lock_fd = take_lock(lock, mode)
    except OSError as error:
        raise BusRefused(
            f"{lock} cannot be made or opened: {error.strerror}; remove it, or make room"
        ) from None
    if lock_fd is None:
        raise _refuse(name, folder)
    storage = Storage(lock_memory, huge_pages)
    try:
        maps = replace_files(folder / name, geo, venue, mode, storage)
    except BaseException:
        if not os.path.lexists(folder / (name + places.RING)):
            lock.unlink(missing_ok=True)  # leave nothing behind; who waits for this lock makes a new one
        os.close(lock_fd)
        raise
    show_crashes()
    return WriterBus(name, folder, geo, maps, lock_fd, settle(storage, maps, folder))
