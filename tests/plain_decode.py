"""The decode rooms as plain Python, on plain twins of their three intrinsics, with or without a mistake."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from ringbook.engine.kernels import (
    binance,
    binance_fields,
    binance_payload,
    binance_shape,
    decimals,
    levels,
    names,
    text,
)

from .plain import plain_room

ROOMS = (text, decimals, levels, names, binance_fields, binance_payload, binance_shape, binance)


def load_u64(buf: np.ndarray, at: int) -> np.uint64:
    """Plain twin of llvm.load_u64, with the bounds that the intrinsic trusts its caller for."""
    assert 0 <= at <= len(buf) - 8
    return np.uint64(int.from_bytes(bytes(buf[at : at + 8]), "little"))


def count_trailing_zeros(value: np.uint64) -> int:
    """Plain twin of llvm.count_trailing_zeros."""
    word = int(value)
    return (word & -word).bit_length() - 1 if word else 64


def read_digits(buf: np.ndarray, at: int, count: int, steps: np.uint64) -> tuple[int, int, int]:
    """Plain twin of llvm.read_digits."""
    assert 0 <= at <= len(buf) - 16
    text = [int(buf[at + i]) for i in range(16)]
    places = [step + count for step in (*range(-8, 0), *int(steps).to_bytes(8, "little"))]
    digits = [(text[place % 16] - 48) % 256 if 0 <= place < 128 else 0 for place in places]
    head, tail = (
        sum(digit * 10 ** (7 - i) for i, digit in enumerate(half)) for half in (digits[:8], digits[8:])
    )
    return head, tail, int(any(digit > 9 for digit in digits))


def plain_rooms(mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    """Every decode kernel as a Python function; see plain.plain_room."""
    room = plain_room(*ROOMS, mutate=mutate)
    twins = {"load_u64": load_u64, "count_trailing_zeros": count_trailing_zeros, "read_digits": read_digits}
    room.scan.__globals__.update(twins)
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
