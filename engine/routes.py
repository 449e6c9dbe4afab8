"""The route table: stream or symbol name -> (symbol_id, kind), as the scanners look it up.

Open addressing with linear probing in a power-of-two table that stays at most a quarter full. The hash takes
the first and the last eight bytes and the length, so that a kernel computes it in a few cycles
(`kernels/names.py`); names that collide only cost another probe.
"""

from collections.abc import Mapping

import numpy as np

from .layout import ROUTE_NAME_BYTES, route_dtype

HASH_FIRST = 0x9E3779B97F4A7C15  # odd constants without structure
HASH_LAST = 0xC2B2AE3D27D4EB4F
HASH_FOLD = 29
MIN_SLOTS = 8
FULLNESS = 4  # at least this many slots per name
_MASK = (1 << 64) - 1


def hash_name(name: bytes) -> int:
    """64-bit hash of a name: the same number as in kernels/names.py."""
    first = int.from_bytes(name[:8], "little")
    last = int.from_bytes(name[-8:], "little")
    mixed = (first * HASH_FIRST ^ last * HASH_LAST ^ len(name)) & _MASK
    return mixed ^ mixed >> HASH_FOLD


def slots_for(count: int) -> int:
    """Smallest table for `count` names."""
    return max(MIN_SLOTS, 1 << (FULLNESS * count - 1).bit_length())


def build(names: Mapping[bytes, tuple[int, int]], slots: int | None = None) -> np.ndarray:
    """Make a route table.

    names    name → (symbol_id, KIND_* of the stream, or 0 for a bare symbol)
    slots    a power of two, at least four times the names; the smallest such when None
    Returns  route_dtype[slots]
    Raises   ValueError when the table is too small or a name too long.
    """
    slots = slots_for(len(names)) if slots is None else slots
    if slots < MIN_SLOTS or slots & (slots - 1):
        raise ValueError(f"route table had {slots} slots, expected a power of two, at least {MIN_SLOTS}")
    table = np.zeros(slots, route_dtype)
    for name, (symbol_id, kind) in names.items():
        add(table, name, symbol_id, kind)
    return table


def add(table: np.ndarray, name: bytes, symbol_id: int, kind: int) -> None:
    """Add a name to the table, or change where it leads.

    Raises  ValueError when the name is empty or too long, or the table full.
    """
    if not 1 <= len(name) <= ROUTE_NAME_BYTES:
        raise ValueError(
            f"route name {name[:40]!r} had {len(name)} bytes, expected 1..{ROUTE_NAME_BYTES}; "
            "subscribe to it under a shorter name"
        )
    slot, is_new = _slot_of(table, name)
    used = int(np.count_nonzero(table["used"]))
    if is_new and FULLNESS * (used + 1) > len(table):
        raise ValueError(
            f"route table of {len(table)} slots was full with {used} names, expected at least "
            f"{slots_for(used + 1)} slots; raise route_count or subscribe to fewer streams"
        )
    row = table[slot]
    row["used"], row["length"], row["symbol_id"], row["kind"] = 1, len(name), symbol_id, kind
    row["name"] = np.frombuffer(name.ljust(ROUTE_NAME_BYTES, b"\0"), "<i8")


def remove(table: np.ndarray, name: bytes) -> bool:
    """Take a name out of the table; False when it was not there."""
    slot, is_new = _slot_of(table, name)
    if is_new:
        return False
    mask = len(table) - 1
    table[slot] = np.zeros((), route_dtype)
    while table[slot := (slot + 1) & mask]["used"]:  # close the run, so that lookups need no tombstones
        row = table[slot].copy()
        table[slot] = np.zeros((), route_dtype)
        table[_slot_of(table, _name_of(row))[0]] = row
    return True


def find(table: np.ndarray, name: bytes) -> tuple[int, int] | None:
    """Where a name leads, (symbol_id, kind), or None."""
    slot, is_new = _slot_of(table, name)
    return None if is_new else (int(table[slot]["symbol_id"]), int(table[slot]["kind"]))


def _name_of(row: np.void) -> bytes:
    return row["name"].tobytes()[: int(row["length"])]


def _slot_of(table: np.ndarray, name: bytes) -> tuple[int, bool]:
    """Slot that holds `name`, or the free slot it would take, and whether it is new."""
    mask = len(table) - 1
    slot = hash_name(name) & mask
    while table[slot]["used"]:  # a quarter full at most, so this ends
        if _name_of(table[slot]) == name:
            return slot, False
        slot = (slot + 1) & mask
    return slot, True
