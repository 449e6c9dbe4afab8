"""The reader's side of a bus file: check it, map it read-only, keep an eye on its writer.

Nothing is mapped before the first page and the size of the file agree with each other, and kernels use only
the geometry this process computed itself: whatever the file holds or comes to hold, they stay inside it.
"""

import errno
import mmap
import os
import stat
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import layout
from . import directory as places
from . import header as header_page
from .crashes import show_crashes
from .errors import BusNotFound, BusRefused
from .owner import Owner, Verdict, is_locked, judge


class Attachment:
    """One generation of a bus, mapped by a reader; made by `attach`.

    words   int64[:], read-only
    ctl     int64[CTL_WORDS] writable, or None where this user may only read: then readers poll
    geo     int64[GEO_LENGTH], computed here
    header  header_dtype scalar, a private copy from the moment of attaching
    """

    def __init__(self, name: str, directory: Path, fd: int, header: np.void, geo: np.ndarray) -> None:
        self.name, self.directory, self.geo, self.header = name, directory, geo, header
        found = os.fstat(fd)
        flags = mmap.MAP_SHARED
        if found.st_blocks * 512 >= found.st_size:  # holes of a copied file would become real memory
            flags |= mmap.MAP_POPULATE
        size = int(header["file_bytes"])
        try:
            mapping = mmap.mmap(fd, places.whole_pages(fd, size), flags, mmap.PROT_READ)
        except (ValueError, OSError) as error:  # ValueError: cut since it was checked
            raise BusRefused(
                f"{self.path} of {size} bytes cannot be mapped: {error}; start its writer again"
            ) from None
        self.words: np.ndarray = np.frombuffer(mapping, np.int64, size // layout.WORD_BYTES)
        self.ctl = _map_control(directory / (name + places.CTL), found.st_uid)
        self.owner = Owner.of(header)
        self._fd, self._inode = fd, found.st_ino
        self._check_size()
        self.close = weakref.finalize(self, os.close, fd)

    @property
    def path(self) -> Path:
        """The ring file's name; after a succession it leads to another file."""
        return self.directory / (self.name + places.RING)

    @property
    def generation(self) -> int:
        """How many owners the name had when this file was made."""
        return int(self.header["generation"])

    @property
    def first_seq(self) -> int:
        """First seq of this generation."""
        return int(self.header["first_seq"])

    @property
    def top_n(self) -> int:
        """Levels a side in a record."""
        return int(self.geo[layout.GEO_TOP_N])

    def _check_size(self) -> int:
        """Refuse a file that was cut since it was mapped, before a kernel meets the hole; returns its links.

        A foreigner can cut it right after this look too: then the process ends with SIGBUS, see ARCHITECTURE.md.
        """
        found = os.fstat(self._fd)
        if found.st_size < self.words.nbytes:
            raise BusRefused(
                f"{self.path} was truncated to {found.st_size} bytes while it was mapped, expected "
                f"{self.words.nbytes}; somebody damaged it: stop its writer, `ringbook rm` it and start again"
            )
        return found.st_nlink

    def _leads_elsewhere(self) -> bool:
        """Whether the name belongs to another file now."""
        if self._check_size():
            return False
        try:
            return os.lstat(self.path).st_ino != self._inode
        except OSError:
            return False

    def heartbeat_age_ns(self, now_ns: int | None = None) -> int:
        """Time since the writer last showed that it runs."""
        return (now_ns or time.time_ns()) - int(self.words[layout.H_HEARTBEAT])

    def verdict(self) -> Verdict:
        """What to believe about the writer of this file."""
        if self._leads_elsewhere():
            return Verdict.SUPERSEDED
        locked = is_locked(self.directory / (self.name + places.LOCK))
        state, beat_ns = int(self.words[layout.H_WRITER_STATE]), int(self.words[layout.H_HEARTBEAT])
        return judge(self.owner, state, beat_ns, locked, time.time_ns())

    def successor(self) -> "Attachment | None":
        """The bus that has the name now, if it is another one and can be read; None while there is none."""
        if not self._leads_elsewhere():
            return None
        try:
            return attach(self.name, self.directory)
        except BusNotFound:
            return None


def _map_control(path: Path, owner_uid: int) -> np.ndarray | None:
    """Map the control page if this user may write to it; a page that is not the owner's is not touched."""
    try:
        fd = os.open(path, os.O_RDWR | places.OPEN_FLAGS)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        size = places.whole_pages(fd, layout.PAGE_BYTES)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner_uid or found.st_size != size:
            return None
        both = mmap.PROT_READ | mmap.PROT_WRITE
        return np.frombuffer(mmap.mmap(fd, size, mmap.MAP_SHARED, both), np.int64, layout.CTL_WORDS)
    finally:
        os.close(fd)


def _check_owner(path: Path, found: os.stat_result, folder_uid: int) -> None:
    """Refuse files that are not plain files of the directory's owner or of this user."""
    if not stat.S_ISREG(found.st_mode):
        raise BusRefused(f"{path} is not a regular file; a bus is one, remove this")
    if found.st_uid not in (folder_uid, os.getuid()):
        raise BusRefused(
            f"{path} belongs to uid {found.st_uid}, expected {os.getuid()} or the directory's owner "
            f"{folder_uid}; do not trust it"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(found.st_mode)
        raise BusRefused(f"{path} has mode {mode:04o}, expected no write for others: chmod go-w {path}")


def attach(name: str, directory: Path | str | None = None) -> Attachment:
    """Map a bus for reading.

    name       as given to create
    directory  default RINGBOOK_DIR, else /dev/shm/ringbook-<uid>
    Raises     BusNotFound naming the buses found; BusRefused for a file that is not a sound bus.
    """
    places.check_name(name)
    folder = Path(directory or places.default_directory())
    path = folder / (name + places.RING)
    if not folder.exists():
        raise BusNotFound(f"bus {name!r} was not found: {folder} does not exist; {places.how_to_start(name)}")
    places.check_directory(folder)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | places.OPEN_FLAGS)
    except FileNotFoundError:
        raise BusNotFound(
            f"bus {name!r} was not found; {places.found_here(folder)}; {places.how_to_start(name)}"
        ) from None
    except OSError as error:
        what = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise BusRefused(
            f"{path} cannot be opened: {what}; expected a file of uid {os.getuid()}, or one that a group of "
            "this process may read (its writer started with --group-readable)"
        ) from None
    try:
        _check_owner(path, os.fstat(fd), folder.stat().st_uid)
        header, geo = header_page.validate(str(path), fd)
        show_crashes()
        return Attachment(name, folder, fd, header, geo)
    except BaseException:
        os.close(fd)
        raise


def only_bus(directory: Path | str | None = None) -> str:
    """Name of the only bus of the directory, for callers who did not say which."""
    folder = Path(directory or places.default_directory())
    names = places.bus_names(folder)
    if len(names) == 1:
        return names[0]
    why = "name one of them" if names else places.how_to_start("demo")
    raise BusNotFound(f"no bus was named, expected exactly one; {places.found_here(folder)}; {why}")


def symbol_table(words: Any, geo: np.ndarray) -> np.ndarray:
    """Copy of the rows in use, symbol_dtype[n]; index = symbol_id."""
    from ..engine.kernels.lifecycle import get_word

    count = get_word(words, layout.H_SYMBOL_COUNT)
    count = max(0, min(count, int(geo[layout.GEO_SYMBOLS])))
    start = int(geo[layout.GEO_SYMBOL_TABLE])
    row_words = layout.symbol_dtype.itemsize // layout.WORD_BYTES
    return words[start : start + count * row_words].view(layout.symbol_dtype).copy()
