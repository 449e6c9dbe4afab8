"""The decode rooms as plain Python, on plain twins of their intrinsics, with or without a mistake."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from ringbook.engine.kernels import (
    ahead,
    binance,
    binance_fields,
    binance_payload,
    binance_shape,
    binance_usual,
    decimals,
    forms,
    levels,
    names,
    text,
)

from .plain import plain_room

ROOMS = (
    ahead,
    text,
    decimals,
    forms,
    levels,
    names,
    binance_fields,
    binance_payload,
    binance_shape,
    binance_usual,
    binance,
)


def load_u64(buf: np.ndarray, at: int) -> np.uint64:
    """Plain twin of llvm.load_u64, with the bounds that the intrinsic trusts its caller for."""
    assert 0 <= at <= len(buf) - 8
    return np.uint64(int.from_bytes(bytes(buf[at : at + 8]), "little"))


def count_trailing_zeros(value: np.uint64) -> int:
    """Plain twin of llvm.count_trailing_zeros."""
    word = int(value)
    return (word & -word).bit_length() - 1 if word else 64


def text_of(buf: np.ndarray, at: int, count: int) -> list[int]:
    """Bytes that a vector loads, with the bounds that the intrinsic trusts its caller for."""
    assert 0 <= at <= len(buf) - count
    return [int(buf[at + i]) for i in range(count)]


def bytes_like(buf: np.ndarray, at: int, byte: int) -> np.uint64:
    """Plain twin of llvm.bytes_like."""
    return np.uint64(sum((one == byte) << place for place, one in enumerate(text_of(buf, at, 32))))


def signs_in(buf: np.ndarray, at: int) -> tuple[np.uint64, np.uint64]:
    """Plain twin of llvm.signs_in."""
    text = text_of(buf, at, 64)
    signs = sum((not 48 <= one <= 57) << place for place, one in enumerate(text))
    return np.uint64(signs), np.uint64(sum((one == 46) << place for place, one in enumerate(text)))


def bytes_unlike(buf: np.ndarray, at: int, records: np.ndarray, row: int, offset: int) -> np.uint64:
    """Plain twin of llvm.bytes_unlike."""
    assert 0 <= row < len(records)
    assert 0 <= offset <= records.dtype.itemsize - 32
    other = records[row].tobytes()[offset : offset + 32]
    pairs = zip(text_of(buf, at, 32), other, strict=True)
    return np.uint64(sum((one != two) << place for place, (one, two) in enumerate(pairs)))


def read_count(buf: np.ndarray, at: int, digits: int) -> int:
    """Plain twin of llvm.read_count, whose answer means nothing for anything but digits."""
    text = bytes(text_of(buf, at, 16)[:digits])
    return int(text) if text.isdigit() and digits <= 16 else -7


def number_of(digits: list[int]) -> int:
    """Eight digits, or what stands for them, as a number."""
    return sum(digit * 10 ** (7 - place) for place, digit in enumerate(digits))


def read_pair(buf, at: int, point: int, head, forms, form: tuple, levels: np.ndarray, row: int) -> int:
    """Plain twin of llvm.read_pair."""

    def digits_at(where: int, form_at: int, count: int) -> tuple[list[int], bool]:
        bases, rooms = text_of(forms, form_at, count), text_of(forms, form_at + 48, count)
        digits = [(byte - base) % 256 for byte, base in zip(text_of(buf, where, count), bases, strict=True)]
        return digits, all(digit <= room for digit, room in zip(digits, rooms, strict=True))

    def taken(digits: list[int], word: int) -> list[int]:
        return [digits[place % 16] if place < 128 else 0 for place in int(word).to_bytes(8, "little")]

    first, is_first = digits_at(at, int(form[0]), 32)
    second, is_second = digits_at(point, int(form[1]), 16)
    whole, part = list(int(head).to_bytes(8, "little")), taken(second, int(form[4]) & (1 << 64) - 1)
    assert 0 <= row < len(levels)
    if not (is_first and is_second and max(whole + part) <= 9):
        return 1
    price, rest = (number_of(taken(first, int(word) & (1 << 64) - 1)) for word in form[2:4])
    levels[row].price = price * int(form[5]) + rest
    levels[row].qty = number_of(whole) * int(form[6]) + number_of(part)
    return 0


TWINS = load_u64, count_trailing_zeros, bytes_like, signs_in, bytes_unlike, read_count, read_pair


def plain_rooms(mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    """Every decode kernel as a Python function; see plain.plain_room."""
    room = plain_room(*ROOMS, mutate=mutate)
    room.scan.__globals__.update({twin.__name__: twin for twin in TWINS})
    return room


def on_records(kernel: Callable) -> Callable:
    """Let a plain kernel write `frame[0].kind`: structured arguments as record arrays, which allow it."""

    def run(*arguments: object) -> object:
        seen = [
            one.view(np.recarray) if isinstance(one, np.ndarray) and one.dtype.names else one
            for one in arguments
        ]
        with np.errstate(over="ignore"):
            return kernel(*seen)

    return run
