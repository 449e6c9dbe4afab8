"""The flood: proper frames, ids in sequence, and a book that a plain client ends up with."""

import asyncio
import json
import socket
import threading

import aiohttp
import pytest

from ringbook.io.exchange.flood import Flood, serve
from ringbook.io.exchange.prebuilt import FIRST_ID, IDS_PER_MESSAGE, build, framed

from .exchange_client import PlainBook, get_json, next_json, ordered


def test_messages_are_numbered_in_sequence_and_keep_their_length():
    buffer = build(60_000, 10, "BTCUSDT", "btcusdt@depth@100ms")
    before = len(buffer.data)
    assert buffer.stamp(123_456_789_012, 1_700_000_000_000) == 123_456_789_012 + 20 * buffer.messages
    data, at, expected = buffer.data.tobytes(), 0, 123_456_789_012
    while at < before:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = json.loads(data[at + 4 : at + 4 + size])["data"]
        assert (body["U"], body["u"]) == (expected, expected + IDS_PER_MESSAGE - 1)
        assert body["E"] == 1_700_000_000_000
        assert len(body["b"]) == len(body["a"]) == 10
        assert float(body["b"][0][0]) < float(body["a"][0][0])
        at, expected = at + 4 + size, expected + IDS_PER_MESSAGE
    assert at == before


def test_frames_of_each_length_form():
    assert framed(b"x" * 125)[:2] == b"\x81\x7d"
    assert framed(b"x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert framed(b"x" * 65536)[:10] == b"\x81\x7f" + (65536).to_bytes(8, "big")


@pytest.mark.parametrize("rate", [0.0, 5000.0])
def test_a_plain_client_ends_with_the_floods_book(rate):
    flood = Flood(build(150_000, 10, "BTCUSDT", "btcusdt@depth@100ms"), seconds=0.05, per_second=rate)

    async def follow(port):
        url = f"127.0.0.1:{port}"
        async with aiohttp.ClientSession() as http, http.ws_connect(f"ws://{url}/stream") as ws:
            await ws.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 1})
            assert await next_json(ws) == {"result": None, "id": 1}
            info = await get_json(http, f"http://{url}/api/v3/exchangeInfo")
            assert info["symbols"][0]["symbol"] == "BTCUSDT"
            snapshot = await get_json(http, f"http://{url}/api/v3/depth", symbol="BTCUSDT", limit=5000)
            assert snapshot["lastUpdateId"] == FIRST_ID - 1
            book = PlainBook(snapshot, usdm=False)
            while not flood.over.is_set() or book.last_id < flood.report["last_update_id"]:
                try:
                    message = await ws.receive_json(timeout=0.2)
                except TimeoutError:
                    continue  # the last message can be here before the flood says that it is over
                assert book.event(message["data"]) == "applied"
            truth = await get_json(http, f"http://{url}/ringbook/truth")
            assert truth["lastUpdateId"] == book.last_id
            assert ordered(truth) == book.top()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = threading.Thread(target=serve, args=(flood, listener), daemon=True)
        server.start()
        asyncio.run(asyncio.wait_for(follow(port), 20))
        listener.shutdown(socket.SHUT_RDWR)
        server.join(5)
    assert not server.is_alive()
