"""Websocket framing against a plain parser, over valid streams, every cut and any bytes at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.kernels import frames

from .model import frames as model

MAX_BYTES = 300
STATUS = {frames.FRAME_MORE: "more", frames.FRAME_BAD: "bad", frames.FRAME_TOO_BIG: "too big"}

opcodes = st.sampled_from([0, 1, 2, 8, 9, 10])
valid_frames = st.builds(
    lambda opcode, payload, final: model.Frame(
        opcode, payload[:125] if opcode >= 8 else payload, final or opcode >= 8
    ),
    opcodes,
    st.binary(max_size=MAX_BYTES),
    st.booleans(),
)


def parse(data: bytes, kernel=frames.next_frame) -> tuple[list[model.Frame], str, bytes]:
    """The kernel in a loop, in the shape of the model's answer."""
    buf = np.frombuffer(data + b"\xff" * 64, np.uint8)
    found, at = [], 0
    while True:
        status, start, length, tag = kernel(buf, at, len(data), MAX_BYTES)
        if status in STATUS:
            return found, STATUS[status], data[at:]
        assert at < start <= start + length <= len(data)
        found.append(model.Frame(tag & 15, data[start : start + length], bool(tag >> 7)))
        expected = frames.FRAME_CONTROL if tag & 15 >= 8 else frames.FRAME_FRAGMENT
        if tag >> 7 and tag & 15 in (1, 2):
            expected = frames.FRAME_MESSAGE
        assert status == expected
        at = start + length


@given(st.lists(valid_frames, max_size=6), st.sampled_from([0, 126, 127]))
def test_streams_of_valid_frames_at_every_cut(sent: list[model.Frame], form: int) -> None:
    data = b"".join(model.encode(frame, form if frame.opcode < 8 else 0) for frame in sent)
    assert parse(data) == (sent, "more", b"")
    for cut in {*range(min(len(data), 40)), *range(max(0, len(data) - 5), len(data))}:
        assert parse(data[:cut]) == model.parse(data[:cut], MAX_BYTES)


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    assert parse(data) == model.parse(data, MAX_BYTES)


@given(st.lists(valid_frames, max_size=3), st.binary(max_size=20))
def test_pure_python_twin(sent: list[model.Frame], tail: bytes) -> None:
    data = b"".join(model.encode(frame) for frame in sent) + tail
    with np.errstate(over="ignore"):
        assert parse(data, frames.next_frame.py_func) == parse(data)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"\x81", frames.FRAME_MORE),
        (b"\x81\x05hell", frames.FRAME_MORE),
        (b"\x81\x7f\x80\0\0\0\0\0\0\0", frames.FRAME_BAD),  # a length with its top bit set
        (b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", frames.FRAME_TOO_BIG),
        (b"\x81\x85\0\0\0\0hello", frames.FRAME_BAD),  # masked by a server
        (b"\xc1\x00", frames.FRAME_BAD),  # compression that was never offered
        (b"\x83\x00", frames.FRAME_BAD),  # reserved opcode
        (b"\x89\x7e\x00\x7e" + b"x" * 126, frames.FRAME_BAD),  # a ping too long
        (b"\x09\x00", frames.FRAME_BAD),  # a ping in fragments
        (b"\x01\x00", frames.FRAME_FRAGMENT),
        (b"\x89\x02hi", frames.FRAME_CONTROL),
        (b"\x82\x02hi", frames.FRAME_MESSAGE),
    ],
)
def test_named_cases(head: bytes, status: int) -> None:
    buf = np.frombuffer(head + b"\0" * 64, np.uint8)
    assert frames.next_frame(buf, 0, len(head), MAX_BYTES)[0] == status


def test_need_says_how_many_bytes_are_missing() -> None:
    data = model.encode(model.Frame(1, b"x" * 200))
    buf = np.frombuffer(data + b"\0" * 64, np.uint8)
    assert frames.next_frame(buf, 0, 3, MAX_BYTES)[1] == 4
    assert frames.next_frame(buf, 0, 50, MAX_BYTES)[1] == len(data)
