"""The frame sources on hostile frames and on real sockets: every cut, early bytes, the end of a connection."""

import random
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.io.direct import READ_BYTES, DirectSource
from ringbook.io.sources import AIOHTTP_NEEDS, EarlyBytes, Receiver, direct_obstacle, parse_close

from .model.frames import Frame, encode
from .test_frame_sources import (
    MAX_BYTES,
    STOPPED,
    STREAM,
    Script,
    by_direct,
    by_plain,
    diff,
    make,
    records,
)

GOOD = b"".join(map(encode, STREAM[:9]))
ENDS = {
    "close with a code": encode(Frame(8, b"\x03\xe9bye")),
    "close without": encode(Frame(8, b"")),
    "oversize": encode(Frame(1, b"x" * (MAX_BYTES + 1))),
    "oversize, 64 bits": b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),
    "reserved bit": b"\xc1\x02hi",
    "unknown opcode": b"\x83\x02hi",
    "unknown control": b"\x8b\x02hi",
    "long ping": b"\x89\x7e\x00\x7e" + b"p" * 126,
    "split ping": b"\x09\x02hi",
    "orphan fragment": encode(Frame(0, b"no first fragment")),
    "message in a message": encode(Frame(1, b"a", final=False)) + encode(Frame(1, b"b")),
    "good message in a message": encode(Frame(1, b"a", final=False)) + encode(Frame(1, diff(13))),
    "oversize in fragments": b"".join(encode(Frame(o, b"y" * 3000, final=False)) for o in (1, 0)),
}


@pytest.mark.parametrize("end", ENDS)
def test_every_end_comes_at_the_same_place_wherever_it_is_cut(end: str) -> None:
    """What stands before the end is taken, what follows is not, and both sources say the same of it.

    (aiohttp reads on where a server masks; `direct` refuses that, see test_frame_sources.)
    """
    data = GOOD + ENDS[end] + encode(Frame(1, diff(13))) + encode(Frame(9, b"too late"))
    plain, heard = by_plain(data)
    want = records(plain)
    assert heard.heard[-1][0] in ("close", "violation")
    rng = random.Random(end)
    around = range(len(GOOD) - 2, min(len(GOOD) + 24, len(data)))
    for cut in {*around, *(rng.randrange(len(data)) for _ in range(20))}:
        feed, script, source = by_direct([data[:cut], data[cut:]])
        assert records(feed) == want, cut
        assert script.heard == heard.heard, cut
        assert source.begin == source.end == 0 or source._ended


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.sampled_from(STREAM[:-1]), st.sampled_from((0, 126, 127))), max_size=20), st.data()
)
def test_long_forms_of_short_lengths_read_the_same(frames: list[tuple[Frame, int]], data: Any) -> None:
    """Any frames in any order, also orders that break the protocol, in any pieces."""
    raw = b"".join(encode(frame, 0 if frame.opcode >= 8 else form) for frame, form in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    feed, script, _ = by_direct(chunks)
    plain, heard = by_plain(raw)
    assert records(feed) == records(plain)
    assert script.heard == heard.heard


def test_one_byte_at_a_time() -> None:
    data = b"".join(map(encode, STREAM))
    feed, script, _ = by_direct([data[i : i + 1] for i in range(len(data))])
    plain, heard = by_plain(data)
    assert records(feed) == records(plain)
    assert script.heard == heard.heard


def test_room_is_made_by_moving_what_is_left() -> None:
    """Many buffers' worth of frames, in reads of awkward sizes, stay in the first buffer."""
    feed, script = make()
    source = DirectSource(feed, script, MAX_BYTES, STOPPED)
    source.socket = None
    first, count = source.buf, 12_000
    data = memoryview(b"".join(encode(Frame(1, diff(11 + i, 3))) for i in range(count)))
    assert len(data) > 2 * source.capacity
    rng = random.Random(3)
    while data:
        size = min(len(space := source.get_buffer(-1)), len(data), rng.choice((1, 7, 4093, READ_BYTES)))
        assert len(space) > 0
        space[:size] = data[:size]
        source.buffer_updated(size)
        data = data[size:]
    assert source.buf is first
    assert feed.pipeline.space.states[0]["book_id"] == 10 + count
    assert feed.pipeline.counters[layout.C["gaps"]] == 0


@pytest.mark.parametrize("end", ["close with a code", "reserved bit"])
def test_a_flood_behind_the_end_is_swallowed(end: str) -> None:
    """asyncio fails on an empty buffer: there must be room however long the peer goes on."""
    feed, script, source = by_direct([ENDS[end]])
    before = records(feed)
    for _ in range(40):
        space = source.get_buffer(-1)
        assert len(space) == READ_BYTES
        source.buffer_updated(len(space))
    assert records(feed) == before
    assert len(script.heard) == 1


def test_a_connection_given_up_feeds_nothing_more() -> None:
    feed, script, source = by_direct([encode(Frame(1, diff(11)))])
    script.listening = False
    space, late = source.get_buffer(-1), encode(Frame(1, diff(12)))
    space[: len(late)] = late
    source.buffer_updated(len(late))
    assert feed.pipeline.space.states[0]["book_id"] == 11


def test_close_codes() -> None:
    assert parse_close(b"") == parse_close(b"\x03") == (1005, "")
    assert parse_close(b"\x03\xe8") == (1000, "")
    assert parse_close(b"\x03\xf0\xff") == (1008, "\ufffd")


# -------------------------------------------------------------------------------- aiohttp's private side
class Handler:
    """aiohttp's protocol as far as EarlyBytes knows it."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class Bare:
    """Anything with attributes."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


def response(monkeypatch: pytest.MonkeyPatch, handler: Handler, **fields: Any) -> EarlyBytes:
    """A response as aiohttp would make it, on a handler of ours."""
    monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "__init__", lambda self, *rest, **named: None)
    ws = EarlyBytes(None, None, None, Bare(connection=Bare(protocol=handler)))
    vars(ws).update(dict.fromkeys(AIOHTTP_NEEDS) | fields)
    return ws


def test_a_missing_attribute_is_told_and_means_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    movable, plug = Bare(set_protocol=None), Bare(transport=None)
    good = {"_conn": Bare(transport=movable), "_writer": Bare(close=None)}
    assert direct_obstacle(response(monkeypatch, Handler(_tail=b""), **good)) is None
    assert "lacks _tail" in str(direct_obstacle(response(monkeypatch, Handler(), **good)))
    assert "cannot change its protocol" in str(
        direct_obstacle(response(monkeypatch, Handler(_tail=b""), **good | {"_conn": plug}))
    )
    assert "lacks close" in str(
        direct_obstacle(response(monkeypatch, Handler(_tail=b""), **good | {"_writer": Bare()}))
    )
    for name in AIOHTTP_NEEDS:
        ws = response(monkeypatch, Handler(_tail=b""), **good)
        delattr(ws, name)
        assert f"lacks {name}" in str(direct_obstacle(ws))


def test_kept_bytes_go_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[bytes] = []
    handler = Handler(_tail=b"early", data_received=fed.append)
    ws = response(monkeypatch, handler)
    assert (ws.early, handler._tail) == (b"early", b"")  # type: ignore[attr-defined]
    ws.give_back()
    ws.give_back()
    assert fed == [b"early"]


def test_script_is_a_whole_receiver() -> None:
    """The listener of these tests hears everything a source can say."""
    names = [name for name in vars(Receiver) if name.startswith("on_")]
    assert all(hasattr(Script, name) for name in names)
