"""Binance spot and Binance USD-M futures: addresses, streams, replies, limits.

Sources: Binance spot docs, web-socket-streams.md and rest-api.md (2026-07); Binance USD-M docs, "Important
WebSocket Change Notice" of 2026-03-06 (paths /public and /market, legacy paths closed 2026-04-23).
"""

import json
from collections.abc import Sequence
from typing import Any

from ...engine import layout
from ...engine.instruments import parse_exchange_info
from .base import Ack, Limits, Reply, ServerShutdown, UnknownReply, Venue, VenueError

PARTIAL_LEVELS = ("5", "10", "20")
PUBLIC, MARKET = "public", "market"
MARKET_KINDS = (
    "aggTrade", "markPrice", "kline", "continuousKline", "compositeIndex", "forceOrder", "ticker", "miniTicker",
)  # fmt: skip


def stream_name(symbol: bytes, suffix: str) -> bytes:
    """BTCUSDT and depth@100ms give btcusdt@depth@100ms; the symbol part is lower case on the wire."""
    return symbol.decode().lower().encode() + b"@" + suffix.encode()


def parse_stream(name: bytes) -> tuple[bytes, int] | None:
    """Symbol and record kind of a stream; None for streams this engine does not read.

    Partial depth has the digits of its levels right behind `depth`; on USD-M nothing else tells it from a diff.
    """
    symbol, _, kind = name.partition(b"@")
    base = kind.partition(b"@")[0].decode(errors="replace")
    spelled = symbol.decode(errors="replace").upper().encode()
    if not symbol:
        return None
    if base == "depth":
        return spelled, layout.KIND_BOOK
    if base.startswith("depth") and base[5:] in PARTIAL_LEVELS:
        return spelled, layout.KIND_DEPTH
    if base in ("trade", "aggTrade"):
        return spelled, layout.KIND_TRADE
    return (spelled, layout.KIND_TICKER) if base == "bookTicker" else None


def usdm_group(name: bytes) -> str:
    """USD-M routes streams by path: a stream asked on the wrong one is acknowledged and stays silent."""
    kind = name.partition(b"@")[2].partition(b"@")[0].decode(errors="replace")
    return MARKET if kind.startswith(MARKET_KINDS) else PUBLIC


def _request(method: str, number: int, streams: Sequence[bytes]) -> str:
    names = [name.decode() for name in streams]
    return json.dumps({"method": method, "params": names, "id": number}, ensure_ascii=False)


def subscribe(number: int, streams: Sequence[bytes]) -> str:
    """A SUBSCRIBE message."""
    return _request("SUBSCRIBE", number, streams)


def unsubscribe(number: int, streams: Sequence[bytes]) -> str:
    """An UNSUBSCRIBE message."""
    return _request("UNSUBSCRIBE", number, streams)


def _object(body: dict[str, Any], key: str, otherwise: dict[str, Any]) -> dict[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else otherwise


def classify(body: dict[str, Any]) -> Reply:
    """What a message that is no market data means. Acks are never enveloped, errors come in two shapes."""
    number = body.get("id") if isinstance(body.get("id"), int) else None
    inner = _object(body, "data", {})
    if "serverShutdown" in (body.get("e"), inner.get("e")) or body.get("stream") == "!serverShutdown":
        return ServerShutdown()
    error = _object(body, "error", body)
    if "code" in error and "msg" in error:
        code = error["code"] if isinstance(error["code"], int) else -1
        return VenueError(number, code, str(error["msg"]))
    return Ack(number) if "result" in body else UnknownReply()


def spot_weight(limit: int) -> int:
    """Request weight of a spot depth snapshot (rest-api.md, Order book)."""
    return next((weight for top, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= top), 250)


def usdm_weight(limit: int) -> int:
    """Request weight of a USD-M depth snapshot."""
    return next((weight for top, weight in ((50, 2), (100, 5), (500, 10)) if limit <= top), 20)


def spot_limit(limit: int) -> int:
    """Spot takes any limit up to 5000."""
    return max(1, min(limit, 5000))


def usdm_limit(limit: int) -> int:
    """USD-M takes only these: the smallest that is large enough."""
    return next((allowed for allowed in (5, 10, 20, 50, 100, 500) if limit <= allowed), 1000)


SPOT = Venue(
    name="binance-spot",
    scanner="binance",
    rule="spot",
    time_unit_ns=1_000_000,
    rest_url="https://api.binance.com",
    ws_urls={PUBLIC: "wss://stream.binance.com:9443"},
    ws_paths={PUBLIC: "/stream"},
    limits=Limits(5, 1024, 24 * 3600.0, 20.0, 300, 300.0, 6000),
    snapshot_limit=5000,
    exchange_path="/api/v3/exchangeInfo",
    depth_path="/api/v3/depth",
    group_of=lambda name: PUBLIC,
    parse_stream=parse_stream,
    stream_name=stream_name,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    classify=classify,
    depth_weight=spot_weight,
    clamp_limit=spot_limit,
    parse_instruments=parse_exchange_info,
)
USDM = Venue(
    name="binance-usdm",
    scanner="binance",
    rule="futures",
    time_unit_ns=1_000_000,
    rest_url="https://fapi.binance.com",
    ws_urls={PUBLIC: "wss://fstream.binance.com", MARKET: "wss://fstream.binance.com"},
    ws_paths={PUBLIC: "/public/stream", MARKET: "/market/stream"},
    limits=Limits(10, 1024, 24 * 3600.0, 180.0, 300, 300.0, 2400),
    snapshot_limit=1000,
    exchange_path="/fapi/v1/exchangeInfo",
    depth_path="/fapi/v1/depth",
    group_of=usdm_group,
    parse_stream=parse_stream,
    stream_name=stream_name,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    classify=classify,
    depth_weight=usdm_weight,
    clamp_limit=usdm_limit,
    parse_instruments=parse_exchange_info,
    exchange_weight=1,
    default_streams=("depth@100ms", "aggTrade", "bookTicker"),
)
VENUES = {venue.name: venue for venue in (SPOT, USDM)}
