"""ringbook's own endpoints under /ringbook: the truth at each update id, statistics, faults.

No venue has these. They let a test or the demo ask what a book should have been:

    GET  /ringbook/truth?symbol=S&update_id=N[&limit=L]   the book right after id N
    POST /ringbook/truth/top  [[symbol, id, levels], …]   many tops at once, in the order asked
    GET  /ringbook/stats                                  frames sent, faults struck, symbols and their ids
    GET  /ringbook/faults[?since=N]                       counts by kind, and the ledger after strike N
    POST /ringbook/fault  {"kind": …, "symbol": …}        inject a fault (docs/faults.md)

Update ids here are the printed ones, also after an `ids-back` fault.

The history is bounded (truth.py); an id it has forgotten or that has not happened is 404, an id inside a
recorded frame, where the book is not defined, is 409.
"""

import asyncio
from collections.abc import Callable

import orjson
from aiohttp import web

from .faults.injector import Faults
from .faults.plan import FaultError
from .rest import Source
from .truth import UnknownBook

STATUS = {"forgotten": 404, "ahead": 404, "between": 409}
BATCH = 50  # tops answered between two turns of the event loop
QUERIES_MAX = 10_000


class Witness:
    """Handlers of the /ringbook endpoints. `stats` is asked for the counts of the whole exchange."""

    def __init__(self, source: Source, faults: Faults, stats: Callable[[], dict]) -> None:
        self.source, self.faults, self.stats = source, faults, stats

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ringbook/truth", self._truth),
            web.post("/ringbook/truth/top", self._tops),
            web.get("/ringbook/stats", self._stats),
            web.get("/ringbook/faults", self._faults),
            web.post("/ringbook/fault", self._fault),
        ]

    async def _truth(self, request: web.Request) -> web.Response:
        symbol = request.query.get("symbol", "")
        if symbol not in self.source.instruments:
            return refusal(
                404,
                f"symbol was {symbol!r}, expected one of {', '.join(self.source.instruments)}",
                "unknown symbol",
            )
        try:
            update_id = int(request.query.get("update_id", ""))
            limit = int(request.query["limit"]) if "limit" in request.query else None
        except ValueError as error:
            return refusal(400, f"update_id and limit must be whole numbers: {error}")
        try:
            true_id = self.faults.conditions.true_id(symbol, update_id)
            book = self.source.history(symbol).book_at(true_id)
        except UnknownBook as unknown:
            return refusal(STATUS[unknown.reason], str(unknown), unknown.reason)
        return web.json_response(
            {
                "symbol": symbol,
                "update_id": update_id,
                "bids": self.source.pairs(symbol, book.top(0, limit)),
                "asks": self.source.pairs(symbol, book.top(1, limit)),
            }
        )

    async def _tops(self, request: web.Request) -> web.Response:
        try:
            wanted = [(str(s), int(i), int(n)) for s, i, n in orjson.loads(await request.read())]
        except (ValueError, TypeError) as error:
            return refusal(400, f"the body must be a list of [symbol, update_id, levels]: {error}")
        if len(wanted) > QUERIES_MAX:
            return refusal(400, f"{len(wanted)} queries, expected at most {QUERIES_MAX} in one request")
        answers: list[dict] = [{"error": "unknown symbol"}] * len(wanted)
        for symbol in {symbol for symbol, _, _ in wanted} & self.source.instruments.keys():
            places = [at for at, query in enumerate(wanted) if query[0] == symbol]
            places.sort(key=lambda at: wanted[at][1])
            for start in range(0, len(places), BATCH):
                self._answer(symbol, wanted, places[start : start + BATCH], answers)
                await asyncio.sleep(0)
        return web.Response(body=orjson.dumps(answers), content_type="application/json")

    def _answer(self, symbol: str, wanted: list[tuple], places: list[int], answers: list[dict]) -> None:
        try:
            true_id = self.faults.conditions.true_id
            ids = [(true_id(symbol, wanted[at][1]), wanted[at][2]) for at in places]
            tops = self.source.history(symbol).tops_at(ids)
        except UnknownBook as unknown:
            tops = [unknown] * len(places)
        for at, top in zip(places, tops, strict=True):
            if isinstance(top, UnknownBook):
                answers[at] = {"error": top.reason, "msg": str(top)}
            else:
                bids, asks = (self.source.pairs(symbol, side) for side in top)
                answers[at] = {"bids": bids, "asks": asks}

    async def _stats(self, request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(self.stats()), content_type="application/json")

    async def _faults(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return refusal(400, f"since was {since!r}, expected the number of a strike")
        ledger = self.faults.ledger
        facts = {
            "seed": self.faults.plan.seed,
            "struck": self.faults.struck,
            "forgotten": ledger.forgotten,
            "ledger": ledger.since(int(since)),
        }
        return web.Response(body=orjson.dumps(facts), content_type="application/json")

    async def _fault(self, request: web.Request) -> web.Response:
        try:
            effect = self.faults.inject(orjson.loads(await request.read()))
        except (FaultError, orjson.JSONDecodeError) as error:
            return refusal(400, str(error))
        return web.json_response({"injected": effect})


def refusal(status: int, message: str, reason: str = "bad request") -> web.Response:
    """An error answer: its status, a reason for programs and a message for people."""
    return web.json_response({"error": reason, "msg": message}, status=status)
