"""Plain websocket framing: encode any frame, and parse a byte string the slow way."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """One server frame."""

    opcode: int
    payload: bytes
    final: bool = True


def encode(frame: Frame, length_form: int = 0) -> bytes:
    """Bytes of an unmasked frame; `length_form` 126 or 127 forces a longer length than needed."""
    size = len(frame.payload)
    first = (0x80 if frame.final else 0) | frame.opcode
    form = length_form or (size if size < 126 else 126 if size < 1 << 16 else 127)
    if form == 127:
        return struct.pack("!BBQ", first, 127, size) + frame.payload
    if form == 126:
        return struct.pack("!BBH", first, 126, size) + frame.payload
    return struct.pack("!BB", first, size) + frame.payload


def parse(data: bytes, max_bytes: int) -> tuple[list[Frame], str, bytes]:
    """(whole frames, 'more' | 'bad' | 'too big', bytes left)."""
    frames: list[Frame] = []
    while True:
        if len(data) < 2:
            return frames, "more", data
        final, reserved, opcode = data[0] >> 7, data[0] & 0x70, data[0] & 15
        masked, size = data[1] >> 7, data[1] & 127
        control = opcode >= 8
        if reserved or masked or opcode not in (0, 1, 2, 8, 9, 10) or (control and (not final or size > 125)):
            return frames, "bad", data
        head = 2 + {126: 2, 127: 8}.get(size, 0)
        if len(data) < head:
            return frames, "more", data
        if size >= 126:
            size = int.from_bytes(data[2:head], "big")
        if size >> 63:
            return frames, "bad", data
        if size > max_bytes:
            return frames, "too big", data
        if len(data) < head + size:
            return frames, "more", data
        frames.append(Frame(opcode, data[head : head + size], bool(final)))
        data = data[head + size :]
