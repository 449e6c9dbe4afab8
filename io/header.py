"""The header page: written once by the writer, believed by a reader only after every number was checked."""

import hashlib
import os

import numpy as np

from ..engine import layout
from . import directory as places
from .errors import BusRefused
from .owner import Owner

PARAMETERS = ("slot_count", "top_n", "symbol_capacity", "book_levels")
# Header field that repeats an offset of the geometry, in bytes.
OFFSETS = {
    "symbols_off": layout.GEO_SYMBOL_TABLE,
    "counters_off": layout.GEO_COUNTERS,
    "histograms_off": layout.GEO_HISTOGRAMS,
    "board_off": layout.GEO_BOARD,
    "ring_off": layout.GEO_RING,
    "books_off": layout.GEO_BOOKS,
    "scratch_off": layout.GEO_SCRATCH,
    "ledger_off": layout.GEO_LEDGER,
}


def _offset(dtype: np.dtype, name: str) -> int:
    return dtype.fields[name][1]  # type: ignore[index]


def schema_hash(geo: np.ndarray) -> int:
    """Digest of every name, type, offset, code and size that both sides must agree on."""
    record = layout.record_dtype(int(geo[layout.GEO_TOP_N]))
    dtypes = (record, layout.symbol_dtype, layout.header_dtype, layout.gap_dtype)
    fields = [[(name, str(d[name]), _offset(d, name)) for name in d.names or ()] for d in dtypes]
    codes = (
        layout.HEALTH_NAMES, layout.KIND_NAMES, layout.COUNTER_NAMES, layout.HISTOGRAM_NAMES,
        layout.HIST_WORDS, layout.BOARD_HEADER_WORDS, layout.CELL_HEADER_WORDS, layout.BOOK_HEADER_WORDS,
        layout.BOOK_TABLES, layout.SIEVE_LEVELS, layout.NEAR_LEVELS, layout.GROUP_WORDS, layout.GROUP_LEVELS,
        layout.B_SIDE, layout.B_SIDE_WORDS,
    )  # fmt: skip
    return int.from_bytes(
        hashlib.blake2b(repr((fields, codes, geo.tolist())).encode(), digest_size=8).digest(), "little"
    )


def fill(header: np.void, geo: np.ndarray, venue: str, owner: Owner, created_ns: int) -> None:
    """Write everything that never changes in this generation; `init_state` stays NOT_READY.

    header  header_dtype scalar over the file's first page
    geo     int64[GEO_LENGTH]
    """
    header["magic"], header["byte_order"] = layout.MAGIC, layout.BYTE_ORDER_MARK
    header["layout_major"], header["layout_minor"] = layout.LAYOUT_MAJOR, layout.LAYOUT_MINOR
    header["schema_hash"] = schema_hash(geo)
    header["file_bytes"] = geo[layout.GEO_WORDS] * layout.WORD_BYTES
    header["slot_count"], header["top_n"] = geo[layout.GEO_SLOT_MASK] + 1, geo[layout.GEO_TOP_N]
    header["symbol_capacity"] = geo[layout.GEO_SYMBOLS]
    header["book_levels"] = geo[layout.GEO_BOOK_LEVELS]
    header["slot_bytes"] = geo[layout.GEO_SLOT_WORDS] * layout.WORD_BYTES
    for field, part in OFFSETS.items():
        header[field] = geo[part] * layout.WORD_BYTES
    header["created_ns"] = header["heartbeat_ns"] = created_ns
    header["pid"], header["start_ticks"] = owner.pid, owner.start_ticks
    header["boot_id"], header["pid_namespace"] = owner.boot_id, owner.pid_namespace
    header["venue"] = venue.encode()[:32]


def _expect(path: str, what: str, found: object, expected: object, remedy: str) -> None:
    if found != expected:
        raise BusRefused(f"{path}: {what} was {found}, expected {expected}; {remedy}")


def validate(path: str, fd: int) -> tuple[np.void, np.ndarray]:
    """Check an open file from its first page and its size alone, before anything of it is mapped.

    path     for messages
    fd       open for reading
    Returns  a private copy of the header and the geometry computed from its four parameters.
    Raises   BusRefused saying what was found, what was expected and what to do.
    """
    size = os.fstat(fd).st_size
    page = os.pread(fd, layout.PAGE_BYTES, 0)
    if len(page) < layout.PAGE_BYTES:
        raise BusRefused(f"{path}: file was {size} bytes, expected at least 4096; it is no bus, remove it")
    header = np.frombuffer(page, layout.header_dtype)[0].copy()
    alien = "it is no bus of ringbook; remove it or choose another name"
    other = "it was written by another version of ringbook, or damaged; use the same one on both sides"
    broken = "the file is damaged; stop its writer, `ringbook rm` it and start again"
    _expect(path, "magic", f"{int(header['magic']):#x}", f"{layout.MAGIC:#x}", alien)
    _expect(path, "byte order mark", f"{int(header['byte_order']):#x}", f"{layout.BYTE_ORDER_MARK:#x}", alien)
    _expect(path, "layout version", int(header["layout_major"]), layout.LAYOUT_MAJOR, other)
    _expect(path, "init state", int(header["init_state"]), layout.READY, broken)
    try:
        geo = layout.geometry(*(int(header[name]) for name in PARAMETERS))
    except ValueError as error:
        raise BusRefused(f"{path}: {error}; {broken}") from None
    expected_size = int(geo[layout.GEO_WORDS]) * layout.WORD_BYTES
    _expect(path, "file_bytes", int(header["file_bytes"]), expected_size, broken)
    if size != expected_size:
        expected_size = places.whole_pages(fd, expected_size)
    _expect(path, "size of the file", size, expected_size, "it was truncated or extended: " + broken)
    slot_bytes = int(geo[layout.GEO_SLOT_WORDS]) * layout.WORD_BYTES
    _expect(path, "slot_bytes", int(header["slot_bytes"]), slot_bytes, broken)
    for field, part in OFFSETS.items():
        _expect(path, field, int(header[field]), int(geo[part]) * layout.WORD_BYTES, broken)
    found, expected = int(header["schema_hash"]), schema_hash(geo)
    _expect(path, "schema hash", f"{found:#x}", f"{expected:#x}", other)
    return header, geo
