"""The engine against a venue that misbehaves in ways the built-in exchange cannot."""

import asyncio

import pytest

from .engine_rig import (  # noqa: F401 (a fixture)
    _nobody_complains,
    both_sources,
    running,
    tell,
)
from .model.frames import Frame, encode
from .raw_server import CLOSE, PATIENCE_S, PING, PONG, RawVenue, diff, until
from .test_frame_sources import TRADE


# -------------------------------------------------------------------------------- control frames
@both_sources
def test_every_ping_is_answered_with_its_own_payload(source: str) -> None:
    async def story(venue: RawVenue) -> None:
        payloads = [b"", b"1762300000000", bytes(range(125)), b"\xff" * 7]
        venue.behind = encode(Frame(PING, b"right behind the handshake"))
        async with running(venue, source=source) as run:
            socket = await run.live()
            socket.send(*(Frame(PING, payload) for payload in payloads), Frame(PONG, b"nobody asked"))
            await until(lambda: len(socket.of(PONG)) > len(payloads))
            assert socket.of(PONG) == [b"right behind the handshake", *payloads]
            assert run.count("disconnects") == 0

    tell(story)


@both_sources
def test_a_silent_venue_is_pinged_then_dropped_then_called_again(source: str) -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source, silence_s=0.3, pong_timeout_s=0.3) as run:
            first = await run.live()
            await until(lambda: run.count("disconnects") == 1)
            assert first.of(PING) == [b""]
            assert run.health() == ["DOWN", "DOWN"]
            await until(lambda: first.close_code is not None)
            assert first.close_code == 1001
            second = await run.live()
            assert second is not first
            assert "connection lost" in " ".join(run.causes()).replace("_", " ").lower()

    tell(story)


def test_any_byte_counts_as_life() -> None:
    """A pong alone keeps a quiet connection."""

    async def story(venue: RawVenue) -> None:
        async with running(venue, silence_s=0.1, pong_timeout_s=0.5) as run:
            socket = await run.live()

            def answer() -> None:
                while len(socket.of(PING)) > answered[0]:
                    answered[0] += 1
                    socket.send(Frame(PONG, b""))

            answered = [0]
            await until(lambda: answered[0] >= 4, answer)
            assert run.count("disconnects") == 0

    tell(story)


# -------------------------------------------------------------------------------- how connections end
ENDS = {
    "going away": (encode(Frame(CLOSE, b"\x03\xe9maintenance")), 1001),
    "policy": (encode(Frame(CLOSE, b"\x03\xf0Too many requests")), 1008),
    "own code": (encode(Frame(CLOSE, (4321).to_bytes(2, "big"))), 4321),
    "no code": (encode(Frame(CLOSE, b"")), 1000),
    "reserved bits": (b"\xf1\x02hi", 1002),
    "endless fragment": (encode(Frame(0, b"no first fragment")), 1002),
    "too big": (b"\x81\x7f" + (1 << 40).to_bytes(8, "big"), 1009),
}


@both_sources
@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_answered_and_survived(end: str, source: str) -> None:
    """Data behind the end is left alone, the books are DOWN, the next connection makes them LIVE again."""
    data, code = ENDS[end]

    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source) as run:
            first = await run.live()
            books = [int(run.engine.pipeline.space.states[i]["book_id"]) for i in (0, 1)]
            flood = encode(Frame(1, diff("BTCUSDT", venue.last_id + 1)))
            first.writer.write(data + flood * 3)
            await until(lambda: run.count("disconnects") == 1)
            assert run.health() == ["DOWN", "DOWN"]
            assert [int(run.engine.pipeline.space.states[i]["book_id"]) for i in (0, 1)] == books
            await asyncio.wait_for(first.ended.wait(), PATIENCE_S)
            assert first.close_code == code
            assert len(first.of(CLOSE)) == 1
            await run.live()
            assert run.count("connects") == 2
            assert run.count("gaps") == 0

    tell(story)


@both_sources
@pytest.mark.parametrize("how", ["reset", "end of stream", "end inside a frame"])
def test_a_socket_that_just_goes(how: str, source: str) -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source) as run:
            first = await run.live()
            if how == "reset":
                first.writer.transport.abort()
            else:
                if how == "end inside a frame":
                    first.writer.write(encode(Frame(1, diff("BTCUSDT", 1)))[:50])
                first.go()
            await until(lambda: run.count("disconnects") == 1)
            assert run.health() == ["DOWN", "DOWN"]
            await run.live()
            assert run.count("disconnects") == 1

    tell(story)


@both_sources
def test_an_announced_shutdown_brings_a_second_connection_before_the_first_goes(source: str) -> None:
    async def story(venue: RawVenue) -> None:
        def tell_all() -> None:
            venue.last_id += 1
            for socket in venue.sockets:
                socket.text(*(diff(symbol, venue.last_id) for symbol in venue.symbols))

        async with running(venue, source=source) as run:
            first = await run.live()
            first.text(b'{"e":"serverShutdown","E":1}', TRADE)
            await until(lambda: len(venue.sockets) == 2, tell_all)
            first.text(TRADE)
            venue.sockets[1].text(TRADE)
            await until(lambda: first.close_code is not None, tell_all)
            assert first.close_code == 1000
            assert (run.count("rollovers"), run.count("disconnects"), run.count("resyncs")) == (1, 0, 0)
            assert run.health() == ["LIVE", "LIVE"]
            assert run.count("trades") + run.count("repeats") == 3
            assert run.count("repeats") >= 1
            assert len(venue.sockets) == 2

    tell(story)


def test_strange_replies_change_nothing() -> None:
    replies = [
        b'{"result":null,"id":-5}', b'{"result":null,"id":1e30}', b'{"result":null,"id":true}', b'{"id":[]}',
        b'{"result":null,"id":123456789012345678901234567890}', b'{"error":{"code":"x","msg":[]},"id":{}}',
        b'{"code":2,"msg":"Invalid request","id":1}', b'{"error":7}', b"{}", b"[]", b"null", b'{"stream":"!x"}',
        b'{"code":null,"msg":null}', b'{"data":{"e":[]}}', b'{"e":{}}', b'{"stream":"!x","data":7}',
    ]  # fmt: skip

    async def story(venue: RawVenue) -> None:
        async with running(venue) as run:
            socket = await run.live()
            before = run.count("handed_back")
            socket.text(*replies)
            await until(lambda: run.count("handed_back") == before + len(replies))
            venue.tick(socket)
            await until(lambda: int(run.engine.pipeline.space.states[0]["book_id"]) == venue.last_id)
            assert run.health() == ["LIVE", "LIVE"]
            assert run.count("disconnects") == 0
            assert run.count("venue_errors") >= 2

    tell(story)
