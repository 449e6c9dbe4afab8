"""Plain twins of the framing and decode kernels whose every index is checked, over nothing but Python."""

from types import FunctionType, SimpleNamespace

import numpy as np

from ringbook.engine.kernels import binance, frames

from ..plain import plain_room
from ..plain_decode import count_trailing_zeros, on_records, plain_rooms
from ..scanning import ROUTES, TABLE, Scanner

PADDING_BYTES = 64  # what a kernel may read behind the end, and no byte more
Mutant = tuple[str, str, str] | None  # (kernel, old text, new text)


class Bytes:
    """A buffer of exactly these bytes: an index outside of it, negative ones too, is an error."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, at: int) -> int:
        if at < 0:
            raise IndexError(f"byte {at} of a buffer was read, expected 0..{len(self.data) - 1}")
        return self.data[at]


def load_u64(buf: Bytes, at: int) -> np.uint64:
    """Plain twin of llvm.load_u64: all eight bytes must lie in the buffer."""
    if not 0 <= at <= len(buf.data) - 8:
        raise IndexError(f"a word at {at} was read, expected 0..{len(buf.data) - 8}")
    return np.uint64(int.from_bytes(buf.data[at : at + 8], "little"))


class Checked(np.recarray):
    """An array that refuses negative indices; numpy itself refuses those beyond the end."""

    def __getitem__(self, key):
        _refuse_negative(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value) -> None:
        _refuse_negative(key)
        super().__setitem__(key, value)


def _refuse_negative(key) -> None:
    for part in key if isinstance(key, tuple) else (key,):
        if not isinstance(part, slice) and isinstance(part, int | np.integer) and part < 0:
            raise IndexError(f"index was {key}, expected none below 0")


def decode_room(mutate: Mutant = None) -> SimpleNamespace:
    """The decode kernels as plain Python over `Bytes`, their tables of constants checked as well."""
    room = plain_rooms(mutate)
    space = room.scan.__globals__
    tables = {name: value for name, value in space.items() if isinstance(value, np.ndarray)}
    space.update(load_u64=load_u64, count_trailing_zeros=count_trailing_zeros)
    space.update({name: value.view(Checked) for name, value in tables.items()})
    return room


def frames_room(mutate: Mutant = None) -> SimpleNamespace:
    """The framing kernels as plain Python."""
    return plain_room(frames, mutate=mutate)


def functions_of(room: SimpleNamespace) -> list[FunctionType]:
    """The twins in a room, without what they import."""
    return [
        value
        for value in vars(room).values()
        if isinstance(value, FunctionType) and value.__code__.co_filename.startswith("<plain ")
    ]


class TightScanner(Scanner):
    """A scanner whose message begins with the buffer and ends exactly its padding before the buffer's end."""

    def wrap(self, data: bytes):
        """The buffer for machine code."""
        return np.frombuffer(data, np.uint8)

    def place(self, data: bytes, poison: bytes) -> tuple:
        """Message and padding; leftovers in frame and rows."""
        self.frame.view(np.int64)[:] = self.rows[:, :40] = -77
        self.span = 0, len(data)
        padding = (poison * (PADDING_BYTES // len(poison) + 1))[:PADDING_BYTES]
        return self.wrap(data + padding), 0, len(data)


class TwinScanner(TightScanner):
    """The same on plain twins and checked arrays."""

    def __init__(self, room: SimpleNamespace) -> None:
        super().__init__(TABLE, ROUTES, on_records(room.scan), on_records(room.scan_snapshot))
        self.table, self.names = self.table.view(Checked), self.names.view(Checked)
        self.frame, self.rows = self.frame.view(Checked), self.rows.view(Checked)

    def wrap(self, data: bytes):
        """The buffer for plain twins."""
        return Bytes(data)


COMPILED = TightScanner(TABLE, ROUTES, binance.scan, binance.scan_snapshot)
