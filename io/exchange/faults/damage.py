"""What a fault does to bytes. Pure functions: the same arguments give the same bytes, nothing is remembered."""

import re
import struct
from itertools import pairwise
from random import Random

from .kinds import MISFRAMINGS

CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
FINAL = 0x80
UPDATE_IDS = re.compile(rb'"(U|u|pu|lastUpdateId)":(\d{1,19})')
TIMES = re.compile(rb'"([ET]|serverTime)":(\d{1,19})')


def framed(payload: bytes, opcode: int = TEXT, final: bool = True) -> bytes:
    """A payload as one unmasked websocket frame."""
    first, size = (FINAL if final else 0) | opcode, len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def truncated(payload: bytes, keep: float) -> bytes:
    """The first `keep` of the payload, at least one byte short of it."""
    return payload[: min(int(len(payload) * keep), max(0, len(payload) - 1))]


def flipped(payload: bytes, bits: int, random: Random) -> bytes:
    """The payload with up to `bits` different bits turned over."""
    damaged = bytearray(payload)
    for place in random.sample(range(8 * len(payload)), min(bits, 8 * len(payload))):
        damaged[place >> 3] ^= 1 << (place & 7)
    return bytes(damaged)


def misframed(payload: bytes, how: str, random: Random) -> bytes:
    """A frame that breaks the protocol: a reserved bit, an unknown opcode, a mask bit, a length of 2^63 or
    more, a continuation of nothing."""
    how = random.choice(MISFRAMINGS) if how == "any" else how
    frame = bytearray(framed(payload))
    if how == "reserved":
        frame[0] |= random.choice((0x10, 0x20, 0x40))
    elif how == "opcode":
        frame[0] = FINAL | random.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15))
    elif how == "masked":
        frame[1] |= 0x80
    elif how == "length":
        return struct.pack("!BBQ", FINAL | TEXT, 127, 1 << 63 | len(payload)) + payload
    else:
        frame[0] = FINAL | CONTINUATION
    return bytes(frame)


def fragments(payload: bytes, pieces: int) -> list[bytes]:
    """The payload as a message of several frames; never more pieces than bytes."""
    pieces = max(1, min(pieces, len(payload)))
    edges = [len(payload) * at // pieces for at in range(pieces + 1)]
    return [
        framed(payload[start:end], TEXT if at == 0 else CONTINUATION, at == pieces - 1)
        for at, (start, end) in enumerate(pairwise(edges))
    ]


def chopped(data: bytes, size: int) -> list[bytes]:
    """The bytes in runs of `size`."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def shifted_ids(payload: bytes, updates: int) -> bytes:
    """The payload with every update id smaller by `updates`, never below zero."""

    def lower(found: re.Match[bytes]) -> bytes:
        return b'"%s":%d' % (found[1], max(0, int(found[2]) - updates))

    return UPDATE_IDS.sub(lower, payload)


def skewed(payload: bytes, units: int) -> bytes:
    """The payload with every event, transaction and server time later by `units`, never below zero."""

    def move(found: re.Match[bytes]) -> bytes:
        return b'"%s":%d' % (found[1], max(0, int(found[2]) + units))

    return TIMES.sub(move, payload)
