"""The Binance venues: stream names, groups, replies, weights, addresses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.kernels.sync import RULES
from ringbook.io.venues.base import (
    Ack,
    Reply,
    ServerShutdown,
    UnknownReply,
    UnknownVenue,
    Venue,
    VenueError,
    families,
    get_venue,
    venues,
)

SPOT, USDM = get_venue("binance-spot"), get_venue("binance-usdm")
BOTH = pytest.mark.parametrize("venue", [SPOT, USDM], ids=lambda venue: venue.name)
READ = {
    "depth": layout.KIND_BOOK,
    "depth@100ms": layout.KIND_BOOK,
    "depth@500ms": layout.KIND_BOOK,
    "depth5": layout.KIND_DEPTH,
    "depth10@100ms": layout.KIND_DEPTH,
    "depth20": layout.KIND_DEPTH,
    "trade": layout.KIND_TRADE,
    "aggTrade": layout.KIND_TRADE,
    "bookTicker": layout.KIND_TICKER,
}


@BOTH
@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("symbol", ["BTCUSDT", "1000SHIBUSDT", "币安人生USDT", "BTCUSDT_261225"])
def test_stream_names_come_back(venue: Venue, symbol: str, suffix: str) -> None:
    name = venue.stream_name(symbol.encode(), suffix)
    assert name.decode() == f"{symbol.lower()}@{suffix}"
    assert venue.parse_stream(name) == (symbol.encode(), READ[suffix])


@pytest.mark.parametrize(
    "name",
    ["", "@", "@depth", "btcusdt", "btcusdt@", "btcusdt@depth7", "btcusdt@depth50", "btcusdt@depth5x",
     "btcusdt@depths", "btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@ticker", "btcusdt@rpiDepth@500ms",
     "!bookTicker", "!ticker@arr", "btcusdt@Depth", "btcusdt@trade_"],
)  # fmt: skip
def test_other_streams_are_not_read(name: str) -> None:
    assert SPOT.parse_stream(name.encode()) is None


@given(name=st.binary(max_size=40))
def test_any_bytes_are_a_stream_or_none(name: bytes) -> None:
    parsed = SPOT.parse_stream(name)
    assert parsed is None or (parsed[0] and parsed[1] in READ.values())
    assert USDM.group_of(name) in USDM.ws_urls


@pytest.mark.parametrize(
    ("kind", "group"),
    [("depth", "public"), ("depth@100ms", "public"), ("depth20@500ms", "public"), ("bookTicker", "public"),
     ("rpiDepth@500ms", "public"), ("aggTrade", "market"), ("markPrice", "market"), ("markPrice@1s", "market"),
     ("kline_1m", "market"), ("ticker", "market"), ("miniTicker", "market"), ("forceOrder", "market"),
     ("continuousKline_1m", "market"), ("compositeIndex", "market")],
)  # fmt: skip
def test_usdm_streams_are_grouped_by_their_path(kind: str, group: str) -> None:
    assert USDM.group_of(f"btcusdt@{kind}".encode()) == group
    assert SPOT.group_of(f"btcusdt@{kind}".encode()) == "public"


def test_default_streams_are_read_and_reach_every_group() -> None:
    for venue in (SPOT, USDM):
        names = [venue.stream_name(b"BTCUSDT", suffix) for suffix in venue.default_streams]
        assert all(venue.parse_stream(name) for name in names)
        assert {venue.group_of(name) for name in names} == set(venue.ws_urls) == set(venue.ws_paths)


def test_addresses() -> None:
    assert SPOT.ws_address("public") == "wss://stream.binance.com:9443/stream"
    assert USDM.ws_address("public") == "wss://fstream.binance.com/public/stream"
    assert USDM.ws_address("market") == "wss://fstream.binance.com/market/stream"
    assert SPOT.depth_address("BTCUSDT") == "https://api.binance.com/api/v3/depth"
    assert USDM.depth_address("BTCUSDT") == "https://fapi.binance.com/fapi/v1/depth"


def test_addresses_can_be_given() -> None:
    local = USDM.at(rest_url="http://[::1]:80/", ws_url="ws://host:81/", market="ws://other:82")
    assert local.depth_address("X") == "http://[::1]:80/fapi/v1/depth"
    assert local.ws_address("public") == "ws://host:81/public/stream"
    assert local.ws_address("market") == "ws://other:82/market/stream"
    assert USDM.at() == USDM and USDM.at(None, "", market=None) == USDM
    assert USDM.ws_urls["market"].startswith("wss://fstream")  # the original is as it was


@BOTH
def test_requests_are_json_in_plain_utf8(venue: Venue) -> None:
    names = [b"btcusdt@depth@100ms", "币安人生usdt@trade".encode()]
    for make, method in ((venue.subscribe, "SUBSCRIBE"), (venue.unsubscribe, "UNSUBSCRIBE")):
        text = make(7, names)
        assert json.loads(text) == {"method": method, "params": [name.decode() for name in names], "id": 7}
        assert "币安人生" in text


REPLIES: list[tuple[Any, Reply]] = [
    ({"result": None, "id": 1}, Ack(1)),
    ({"id": 2, "result": ["btcusdt@trade"]}, Ack(2)),
    ({"result": None, "id": None}, Ack(None)),
    ({"result": None, "id": "a1"}, Ack(None)),
    ({"code": 2, "msg": "Invalid request: x", "id": 3}, VenueError(3, 2, "Invalid request: x")),
    ({"code": 3, "msg": "Invalid JSON: x"}, VenueError(None, 3, "Invalid JSON: x")),
    ({"error": {"code": 2, "msg": "Invalid request"}, "id": 4}, VenueError(4, 2, "Invalid request")),
    ({"code": "?", "msg": None, "id": 5}, VenueError(5, -1, "None")),
    ({"e": "serverShutdown", "E": 1770123456789}, ServerShutdown()),
    ({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}, ServerShutdown()),
    ({"stream": "!serverShutdown", "data": None}, ServerShutdown()),
    ({"stream": "btcusdt@kline_1m", "data": {"e": "kline"}}, UnknownReply()),
    ({}, UnknownReply()),
    ({"error": "text", "id": 1}, UnknownReply()),
    ({"error": {"code": 1}, "id": 1}, UnknownReply()),
    ({"data": [1, 2]}, UnknownReply()),
]


@BOTH
@pytest.mark.parametrize(("body", "reply"), REPLIES)
def test_replies_are_told_apart(venue: Venue, body: Any, reply: Reply) -> None:
    assert venue.classify(body) == reply


values = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
keys = st.sampled_from(["id", "e", "data", "stream", "error", "code", "msg", "result"])


@given(body=st.dictionaries(keys, values | st.dictionaries(keys, values)))
def test_any_object_is_classified(body: dict[str, Any]) -> None:
    assert isinstance(SPOT.classify(body), Ack | VenueError | ServerShutdown | UnknownReply)


@pytest.mark.parametrize(
    ("venue", "table"),
    [(SPOT, {1: 5, 100: 5, 101: 25, 500: 25, 501: 50, 1000: 50, 1001: 250, 5000: 250}),
     (USDM, {5: 2, 50: 2, 100: 5, 500: 10, 1000: 20})],
)  # fmt: skip
def test_weights_of_snapshots(venue: Venue, table: dict[int, int]) -> None:
    assert {limit: venue.depth_weight(limit) for limit in table} == table


def test_limits_are_moved_to_what_the_venue_takes() -> None:
    assert [SPOT.clamp_limit(n) for n in (-1, 0, 1, 777, 5000, 9999)] == [1, 1, 1, 777, 5000, 5000]
    moved = {0: 5, 5: 5, 6: 10, 11: 20, 21: 50, 51: 100, 101: 500, 501: 1000, 5000: 1000}
    assert {n: USDM.clamp_limit(n) for n in moved} == moved


@BOTH
def test_limits_are_those_of_the_documents(venue: Venue) -> None:
    assert venue.limits.messages_per_s == (5 if venue is SPOT else 10)
    assert venue.limits.weight_per_min == (6000 if venue is SPOT else 2400)
    assert venue.limits.streams == 1024 and venue.limits.life_s == 86_400
    assert venue.clamp_limit(venue.snapshot_limit) == venue.snapshot_limit
    assert venue.rule in RULES


def test_an_unknown_venue_names_the_known_ones() -> None:
    with pytest.raises(UnknownVenue, match="did you mean binance-spot") as caught:
        get_venue("binance-spott")
    assert all(name in str(caught.value) for name in venues())
    with pytest.raises(UnknownVenue) as caught:
        get_venue("?")
    assert "did you mean" not in str(caught.value) and caught.value.exit_code == 2


def test_every_venue_is_registered_under_its_own_name() -> None:
    assert [get_venue(name).name for name in venues()] == list(venues())
    assert {"binance-spot", "binance-usdm"} <= set(venues()) and "binance" in families()
