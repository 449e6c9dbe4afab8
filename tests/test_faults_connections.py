"""Faults of connections and handshakes as a plain client sees them, over real sockets."""

import asyncio
import socket

import aiohttp
import pytest

from ringbook.io.exchange.faults.dns import NEVER_FOUND, FaultyResolver
from ringbook.io.exchange.tls import client_context

from .exchange_client import get_json
from .fault_client import RawClient, faulty, holes, tell, until


def test_reset_and_closed_with_every_code():
    async def story():
        async with faulty() as (exchange, _):
            async with RawClient(exchange) as client:
                exchange.faults.inject({"kind": "reset"})
                await until(lambda: client.ended != "")
                assert client.ended == "reset"
            for code in range(1000, 1014):
                async with RawClient(exchange) as client:
                    await until(lambda client=client: len(client.frames) > 1)
                    exchange.faults.inject({"kind": "closed", "code": code})
                    await until(lambda client=client: client.ended != "" or client.close_code() is not None)
                    if code == 1006:
                        assert (client.ended, client.close_code()) == ("end", None)
                    else:
                        assert client.close_code() == (0 if code == 1005 else code)
            assert exchange.faults.struck == {"reset": 1, "closed": 14}

    tell(story)


def test_half_open_is_silent_until_it_is_reset():
    async def story():
        async with faulty() as (exchange, http), RawClient(exchange) as client:
            await until(lambda: len(client.frames) > 5)
            exchange.faults.inject({"kind": "half-open", "duration_s": 1.0})
            await until(lambda: exchange.faults.struck != {})
            await asyncio.sleep(0.1)
            before = len(client.got)
            client.send(9, b"are you there")
            ping = exchange.hub.frames.total()
            await until(lambda: exchange.hub.frames.total() > ping + 20)  # the exchange goes on
            assert (len(client.got), client.ended) in ((before, ""), (before, "reset"))
            await until(lambda: client.ended == "reset")
            assert len(client.got) == before
            assert await get_json(http, exchange.rest_url + "/api/v3/ping") == {}

    tell(story)


def opcodes(client: RawClient) -> set[int]:
    return {frame.opcode for frame in client.frames}


def test_pings_unanswered_and_unsent():
    async def story():
        async with (
            faulty({"kind": "pings-unanswered"}, ping_s=0.1) as (exchange, _),
            RawClient(exchange) as client,
        ):
            await until(lambda: exchange.faults.struck != {})
            client.send(9, b"one")
            await until(lambda: 9 in opcodes(client))  # the exchange's own pings still come
            assert 10 not in opcodes(client)
        async with (
            faulty({"kind": "pings-unsent"}, ping_s=0.3, pong_timeout_s=60) as (exchange, _),
            RawClient(exchange) as client,
        ):
            await until(lambda: exchange.faults.struck != {})
            client.send(9, b"two")
            count = len(client.frames)
            await until(lambda: 10 in opcodes(client) and len(client.frames) > count + 100)
            assert 9 not in opcodes(client)

    tell(story)


def test_server_shutdown_is_announced_and_a_cut_is_not():
    async def story():
        async with (
            faulty({"kind": "server-shutdown", "grace_s": 0.3}) as (exchange, _),
            RawClient(exchange) as client,
        ):
            await until(lambda: client.close_code() == 1001)
            assert [one for one in client.events() if one.get("e") == "serverShutdown"]
        async with faulty({"kind": "cut", "age_s": 0.4}) as (exchange, _):
            for _ in range(2):
                async with RawClient(exchange) as client:
                    await until(lambda client=client: client.close_code() == 1001)
                    assert client.events()
                    assert not [one for one in client.events() if one.get("e") == "serverShutdown"]

    tell(story)


def test_slow_frames_arrive_whole_and_in_order():
    async def story():
        slow = {"kind": "slow-frames", "bytes_per_s": 50_000, "duration_s": 0.5}
        stream = "btcusdt@depth@100ms"
        async with faulty(slow) as (exchange, _), RawClient(exchange, stream) as client:
            await until(lambda: exchange.faults.struck != {})
            client.send(9, b"in between")
            await until(lambda: len(client.diffs()) > 40)
            assert client.verdict == "more"
            assert holes(client.diffs()) == 0
            assert 10 in opcodes(client)

    tell(story)


def test_handshakes():
    async def story():
        refused = {"kind": "refused", "status": 429, "retry_after_s": 8}
        async with faulty(refused, {"kind": "slow-handshake", "at_s": 0.001}) as (exchange, http):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect(exchange.ws_url + "/ws/btcusdt@trade")
            assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "8")
            async with RawClient(exchange) as client:
                assert client.head.startswith(b"HTTP/1.1 101 ")
                await until(lambda: len(client.diffs()) > 3)
                assert client.verdict == "more"
            assert set(exchange.faults.struck) == {"refused", "slow-handshake"}

    tell(story)


@pytest.mark.parametrize("how", ["abort", "certificate"])
def test_tls_failure(how, tmp_path):
    pytest.importorskip("trustme", reason="certificates come from the extra `exchange`")

    async def story():
        ca_file = tmp_path / "ca.pem"
        async with faulty({"kind": "tls-failure", "how": how}, tls=True, ca_file=ca_file) as (exchange, http):
            trust = client_context(ca_file)
            url = exchange.rest_url + "/api/v3/ping"
            wrong = (
                aiohttp.ClientConnectorCertificateError
                if how == "certificate"
                else aiohttp.ClientConnectorError
            )
            with pytest.raises(wrong):
                await http.get(url, ssl=trust)
            async with http.get(url, ssl=trust) as reply:
                assert reply.status == 200

    tell(story)


def test_dns_failure():
    async def story():
        async with faulty({"kind": "dns-failure"}) as (exchange, _):
            connector = aiohttp.TCPConnector(resolver=FaultyResolver(exchange.faults), family=socket.AF_INET)
            async with aiohttp.ClientSession(connector=connector) as http:
                url = f"http://localhost:{exchange.port}/api/v3/ping"
                with pytest.raises(aiohttp.ClientConnectorError, match="name resolution"):
                    await http.get(url)
                assert await get_json(http, url) == {}
                with pytest.raises(aiohttp.ClientConnectorError):
                    await http.get(f"http://{NEVER_FOUND}/")
            (row,) = exchange.faults.ledger.since(0)
            assert (row["kind"], row["stream"]) == ("dns-failure", "localhost")

    tell(story)
