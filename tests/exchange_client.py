"""A plain Binance client for tests: aiohttp, json, Decimal and dicts; it shares no code with the exchange."""

import json
from decimal import Decimal
from typing import Any

import aiohttp

Side = dict[Decimal, Decimal]


class PlainBook:
    """A book kept by the venue's published rules; `gap` says that an event was missing."""

    def __init__(self, snapshot: dict[str, Any], usdm: bool) -> None:
        self.usdm = usdm
        self.last_id: int = snapshot["lastUpdateId"]
        self.first = True
        self.sides: tuple[Side, Side] = (numbers(snapshot["bids"]), numbers(snapshot["asks"]))

    def event(self, data: dict[str, Any]) -> str:
        """Apply one depthUpdate: "applied", "old" or "gap"."""
        first, last = data["U"], data["u"]
        if self.usdm:
            if last < self.last_id and self.first:
                return "old"
            fits = (first <= self.last_id <= last) if self.first else False
            if not fits and data["pu"] != self.last_id:
                return "gap"
        elif last <= self.last_id:
            return "old"
        elif first > self.last_id + 1 or (not self.first and first != self.last_id + 1):
            return "gap"
        self.first, self.last_id = False, last
        for side, rows in zip(self.sides, (data["b"], data["a"]), strict=True):
            for price, qty in rows:
                if Decimal(qty):
                    side[Decimal(price)] = Decimal(qty)
                else:
                    side.pop(Decimal(price), None)
        return "applied"

    def top(self, count: int | None = None) -> list[list[tuple[Decimal, Decimal]]]:
        bids, asks = self.sides
        return [sorted(bids.items(), reverse=True)[:count], sorted(asks.items())[:count]]


def numbers(rows: list[list[str]]) -> Side:
    return {Decimal(price): Decimal(qty) for price, qty in rows}


def ordered(body: dict[str, Any]) -> list[list[tuple[Decimal, Decimal]]]:
    """The `bids` and `asks` of a JSON body as numbers, in the order sent."""
    return [[(Decimal(p), Decimal(q)) for p, q in body[side]] for side in ("bids", "asks")]


async def get_json(session: aiohttp.ClientSession, url: str, **params: Any) -> Any:
    async with session.get(url, params=params) as reply:
        return json.loads(await reply.text())


async def next_json(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The next text message; fails after five seconds of silence or at a close."""
    return json.loads(await socket.receive_str(timeout=5.0))
