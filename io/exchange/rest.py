"""The venue's REST endpoints: ping, time, exchangeInfo, depth; weights, limits and errors included."""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

import orjson
from aiohttp import web

from .answers import send
from .budget import MINUTE_S, Verdict, WeightBudget
from .faults.injector import Faults
from .faults.ledger import Strike
from .faults.replies import Reply, banned, damaged, refusal_of, updates_behind
from .instruments import Instrument
from .listing import exchange_info
from .truth import History
from .venues import Venue
from .wire import MILLISECOND_NS


class Source(Protocol):
    """Where books come from: the simulated market or a recording."""

    instruments: dict[str, Instrument]
    faults: Faults
    finished: bool

    async def run(self) -> None: ...

    async def snapshot(self, symbol: str, limit: int, behind: int = 0) -> bytes: ...

    def history(self, symbol: str) -> History: ...

    def pairs(self, symbol: str, levels: list[tuple[int, int]]) -> list[list[str]]: ...


class VenueError(Exception):
    """An error as the venue words it: HTTP status, code, message."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


MISSING_SYMBOL = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
Handler = Callable[[web.Request], Awaitable[bytes]]
STRIKES = web.RequestKey("strikes", list[Strike])


class Rest:
    """Handlers of one venue over one source. Weight is kept per remote address."""

    def __init__(
        self, venue: Venue, source: Source, per_minute: int, clock_ns: Callable[[], int],
        monotonic_s: Callable[[], float], minute_s: float = MINUTE_S,
    ) -> None:  # fmt: skip
        self.venue, self.source, self.per_minute = venue, source, per_minute
        self.clock_ns, self.monotonic_s, self.minute_s = clock_ns, monotonic_s, minute_s
        self.budgets: dict[str, WeightBudget] = {}
        self.snapshots_served = 0

    def routes(self) -> list[web.RouteDef]:
        prefix, info_weight = self.venue.rest_prefix, self.venue.exchange_info_weight
        return [
            web.get(f"{prefix}/ping", self._weighed(self._ping, lambda _: 1)),
            web.get(f"{prefix}/time", self._weighed(self._time, lambda _: 1)),
            web.get(f"{prefix}/exchangeInfo", self._weighed(self._exchange_info, lambda _: info_weight)),
            web.get(f"{prefix}/depth", self._weighed(self._depth, self._depth_weight)),
        ]

    def _weighed(self, handler: Handler, weight_of: Callable[[web.Request], int]) -> Callable:
        async def handle(request: web.Request) -> web.StreamResponse:
            faults = self.source.faults
            if faults.banned_s:
                return await send(request, banned(faults.banned_s))
            endpoint = request.path.rpartition("/")[2]
            request[STRIKES] = strikes = faults.request(endpoint, request.query.get("symbol", ""))
            refusal = refusal_of(strikes)
            if refusal is not None:
                return await send(request, refusal)
            verdict = self._budget(request).spend(weight_of(request), self.monotonic_s())
            headers = {"X-MBX-USED-WEIGHT-1M": str(verdict.used), "X-MBX-USED-WEIGHT": str(verdict.used)}
            if verdict.status != 200:
                return self._refused(verdict, headers)
            try:
                body, status = await handler(request), 200
            except VenueError as error:
                body, status = orjson.dumps({"code": error.code, "msg": str(error)}), error.status
            headers["Content-Type"] = "application/json"
            return await send(request, damaged(Reply(status, body, headers), strikes))

        return handle

    def _budget(self, request: web.Request) -> WeightBudget:
        fresh = WeightBudget(self.per_minute, minute_s=self.minute_s)
        return self.budgets.setdefault(request.remote or "", fresh)

    def weight(self) -> dict[str, int]:
        """What the addresses have used: the limit, the heaviest minute of any of them, requests refused."""
        budgets = self.budgets.values()
        return {
            "limit": self.per_minute,
            "most": max((one.most for one in budgets), default=0),
            "refused": sum(one.refused for one in budgets),
        }

    def _refused(self, verdict: Verdict, headers: dict[str, str]) -> web.Response:
        if verdict.status == 429:
            text = (
                f"Too much request weight used; current limit is {self.per_minute} request weight per "
                "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
            )
        else:
            until_ms = self.clock_ns() // MILLISECOND_NS + 1000 * verdict.retry_after_s
            text = f"Way too much request weight used; IP banned until {until_ms}."
        return web.json_response(
            {"code": -1003, "msg": text},
            status=verdict.status,
            headers={**headers, "Retry-After": str(verdict.retry_after_s)},
        )

    # -------------------------------------------------------------- endpoints
    async def _ping(self, request: web.Request) -> bytes:
        return b"{}"

    async def _time(self, request: web.Request) -> bytes:
        micro = request.headers.get("X-MBX-TIME-UNIT", "").upper() == "MICROSECOND"
        now_ns = self.clock_ns() + self.source.faults.conditions.skew_ns
        return orjson.dumps({"serverTime": now_ns // (1000 if micro else MILLISECOND_NS)})

    async def _exchange_info(self, request: web.Request) -> bytes:
        conditions = self.source.faults.conditions
        chosen = [
            one for one in self.source.instruments.values() if conditions.hidden.get(one.symbol) != "gone"
        ]
        if "symbol" in request.query:
            chosen = [self._instrument(request.query["symbol"])]
        elif "symbols" in request.query:
            try:
                names = orjson.loads(request.query["symbols"])
            except orjson.JSONDecodeError:
                raise VenueError(-1100, "Illegal characters found in parameter 'symbols'.") from None
            chosen = [self._instrument(name) for name in names]
        now_ms = (self.clock_ns() + conditions.skew_ns) // MILLISECOND_NS
        reply = exchange_info(self.venue, chosen, now_ms, self.per_minute)
        for row in reply["symbols"]:
            row["status"] = conditions.hidden.get(row["symbol"], row["status"])
        return orjson.dumps(reply)

    async def _depth(self, request: web.Request) -> bytes:
        instrument = self._instrument(request.query.get("symbol", ""))
        limit = self._limit(request)
        strikes: list[Strike] = request[STRIKES]
        body = await self.source.snapshot(instrument.symbol, limit, updates_behind(strikes))
        self.snapshots_served += 1
        return self.source.faults.conditions.dressed(instrument.symbol, body, MILLISECOND_NS)

    def _instrument(self, symbol: object) -> Instrument:
        if not isinstance(symbol, str) or not symbol:
            raise VenueError(-1102, MISSING_SYMBOL)
        hidden = self.source.faults.conditions.hidden.get(symbol) == "gone"
        if hidden or symbol not in self.source.instruments:
            raise VenueError(-1121, "Invalid symbol.")
        return self.source.instruments[symbol]

    def _limit(self, request: web.Request) -> int:
        text = request.query.get("limit", str(self.venue.default_limit))
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise VenueError(
                -1100, "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."
            )
        limit, known = int(text), self.venue.depth_limits
        if limit < 1 or (self.venue.exact_limits and limit not in known):
            raise VenueError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit, known[-1])

    def _depth_weight(self, request: web.Request) -> int:
        try:
            return self.venue.weight_of_depth(self._limit(request))
        except VenueError:
            return 1
