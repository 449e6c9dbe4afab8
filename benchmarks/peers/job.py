"""What both interpreters share: one job, how answers are written, which package gives which contestant.

Only the standard library is imported here, for the peers' interpreter has neither numba nor ringbook.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

TOP = 20
PASSES = 3  # in one round, where a pass leaves nothing behind; the median counts
SAMPLE = 100  # decoded messages whose every level is compared


@dataclass(frozen=True)
class Job:
    """One run of one contestant.

    messages  the texts, in their order
    snapshot  the REST body before them; empty when decoding
    digits    decimals of price and quantity
    read_top  whether the best 20 levels a side are read after each message
    port      where a sender waits; transports only
    """

    messages: list[bytes]
    snapshot: bytes = b""
    digits: tuple[int, int] = (2, 8)
    read_top: bool = True
    port: int = 0


# A contestant takes a job and hands back what is timed, and what says afterwards what it found.
Contestant = Callable[[Job], tuple[Callable[[], Any], Callable[[], Any]]]


def mantissas(levels: Iterable, digits: tuple[int, int]) -> list[list[int]]:
    """Levels in text, Decimal or float as integers."""
    return [
        [round(Decimal(str(value)).scaleb(places)) for value, places in zip(level, digits, strict=True)]
        for level in levels
    ]


def digest(answer: Any) -> str:
    """A short name of an answer."""
    return hashlib.sha1(json.dumps(answer).encode()).hexdigest()[:16]


def sampled(messages: list) -> list:
    """Some of them, evenly spread."""
    return messages[:: max(1, len(messages) // SAMPLE)]


def unpack(path: Path) -> list[bytes]:
    """Messages of a file: u32 length, then the text."""
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found
