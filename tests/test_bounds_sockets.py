"""Bounds of one connection and of REST, each reached through sockets."""

import asyncio
import json
import logging
import selectors
import socket
from types import SimpleNamespace

import pytest

from ringbook.engine.connection import State
from ringbook.io import rest
from ringbook.io.link import WRITES_MAX
from ringbook.io.rest import RETRY_AFTER_MAX_S, retry_after_ns
from ringbook.io.serving import SOCKETS_MOST, ServingSelector
from ringbook.io.sources import Fragments

from .engine_rig import (  # noqa: F401 (a fixture)
    _nobody_complains,
    both_sources,
    running,
    tell,
)
from .model.frames import Frame
from .raw_server import PING, PONG, RawVenue, until

LIMIT = 4096
FLOOD = 5_000


@both_sources
@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_message_too_large_ends_the_connection_and_another_follows(source: str, in_pieces: bool) -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source, max_message_bytes=LIMIT) as run:
            server = await run.live()
            if in_pieces:
                server.send(Frame(1, b"x" * LIMIT, final=False), Frame(0, b"x"))
            else:
                server.text(b"x" * (LIMIT + 1))
            await until(lambda: len(venue.sockets) == 2)
            assert server.close_code == 1009
            assert run.count("oversize") == 1
            await run.live()
            server = venue.sockets[-1]
            server.text(b"x" * LIMIT)  # exactly so much is accepted
            await until(lambda: run.count("malformed") >= 2)
            assert len(venue.sockets) == 2

    tell(story)


def test_fragments_without_end_take_no_memory() -> None:
    """Empty continuations add nothing to a message, and nothing is kept of them."""
    pieces = Fragments(LIMIT)
    assert pieces.add(b"", 1) == (None, None)
    for _ in range(100_000):
        assert pieces.add(b"", 0) == (None, None)
    assert (len(pieces.message), pieces.open) == (0, True)
    kept = [value for value in vars(pieces).values() if isinstance(value, list | tuple | dict | set)]
    assert kept == []
    assert pieces.add(b"{}", 0x80) == (b"{}", None)
    assert not pieces.open
    assert pieces.add(b"x" * LIMIT, 1) == (None, None)
    violation = pieces.add(b"x", 0)[1]
    assert violation is not None and violation[0] == 1009


@both_sources
def test_a_flood_of_pings_keeps_few_answers_and_sends_the_newest(source: str) -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source) as run:
            server, most = await run.live(), 0
            link = run.engine.links[0]

            def watch() -> None:
                nonlocal most
                most = max(most, len(link._writing))

            for number in range(FLOOD):
                server.send(Frame(PING, b"%d" % number))
            await until(lambda: bool(server.of(PONG)) and server.of(PONG)[-1] == b"%d" % (FLOOD - 1), watch)
            answers = [int(payload) for payload in server.of(PONG)]
            assert answers == sorted(set(answers))
            assert most <= WRITES_MAX
            assert len(answers) + run.count("pongs_skipped") == FLOOD
            assert run.count("disconnects") == 0

    tell(story)


@both_sources
def test_a_server_that_reads_nothing_is_left(source: str, caplog: pytest.LogCaptureFixture) -> None:
    """Requests it never takes do not pile up: after a while the connection is given up."""

    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source) as run:
            await run.live()
            link = run.engine.links[0]
            gate = asyncio.Event()

            async def never(_: object) -> None:
                await gate.wait()

            assert link.ws is not None
            link.ws.send_str = never  # type: ignore[method-assign, assignment]
            for _ in range(WRITES_MAX + 1):
                assert link.connection.state is State.RUNNING
                link._write("send_str", "{}")
            assert link.connection.state is State.WAITING
            assert len(link._writing) == WRITES_MAX
            gate.set()
            await until(lambda: len(venue.sockets) == 2)
            await run.live()
            assert run.count("disconnects") == 1

    with caplog.at_level(logging.INFO, "ringbook"):
        tell(story)
    assert f"{WRITES_MAX} writes wait: it does not read what we send" in caplog.text


@both_sources
def test_a_flood_of_strange_messages_leaves_only_counts(source: str) -> None:
    """Acks nobody asked for, errors, streams nobody knows, nonsense: nothing is kept, the books go on."""
    unknown = {"e": "trade", "s": "XUSDT", "t": 1, "p": "1", "q": "1", "T": 1, "m": True}

    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source) as run:
            server = await run.live()
            acks, subscriptions = run.count("acks"), run.engine.links[0].connection.subscriptions
            names = len(run.engine.feed.names)
            for number in range(FLOOD // 4):
                server.text(
                    b'{"result":null,"id":%d}' % (1000 + number),
                    b'{"error":{"code":2,"msg":"no"},"id":%d}' % (1000 + number),
                    json.dumps({"stream": f"x{number}@trade", "data": unknown}).encode(),
                    b'{"stream":"btcusdt@trade","data":{%d' % number,
                )
                if number % 100 == 0:
                    await asyncio.sleep(0.01)
            await until(lambda: run.count("malformed") == FLOOD // 4)
            assert run.count("acks") == acks + FLOOD // 4
            assert run.count("venue_errors") == run.count("unknown_frames") == FLOOD // 4
            assert subscriptions.settled
            assert len(subscriptions.active) == len(run.engine.links[0].connection.streams)
            assert len(run.engine.feed.names) == names
            assert len(run.engine.links[0]._tasks) < 8
            await run.live()
            assert run.count("disconnects") == 0

    tell(story)


def test_a_body_without_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rest, "BODY_BYTES_MAX", 100_000)

    async def story(venue: RawVenue) -> None:
        venue.replies["depth"] = [(200, {}, b" " * 100_001), (200, {}, b" " * 3_000_000)]
        async with running(venue) as run:
            await run.live()
            assert run.count("snapshot_failures") == 2

    with caplog.at_level(logging.WARNING, "ringbook"):
        tell(story)
    assert "its body had over 100000 bytes, more than are accepted" in caplog.text


def test_one_socket_more_than_are_served_is_left_to_the_loop() -> None:
    source = SimpleNamespace(pipeline=object())
    pairs = [socket.socketpair() for _ in range(SOCKETS_MOST + 1)]
    with ServingSelector() as selector:
        for one, _ in pairs:
            selector.register(one, selectors.EVENT_READ)
        taken = [selector.adopt(source, one.fileno(), None, 4096) for one, _ in pairs]  # type: ignore[arg-type]
        assert taken == [True] * SOCKETS_MOST + [False]
        selector.unregister(pairs[0][0])
        assert selector.adopt(source, pairs[-1][0].fileno(), None, 4096)  # type: ignore[arg-type]
    for pair in pairs:
        for one in pair:
            one.close()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("259200", 259_200),
        ("259201", 259_200),
        ("999999999999", 259_200),
        ("9" * 4000, 0),
        ("-1", 0),
    ],
)
def test_nobody_silences_us_for_years(text: str, seconds: int) -> None:
    assert RETRY_AFTER_MAX_S == 3 * 86_400
    assert retry_after_ns({"Retry-After": text}) == seconds * 1_000_000_000
