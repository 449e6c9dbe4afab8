"""The built-in exchange: a real server on loopback that speaks Binance spot or USD-M.

async with Exchange(ExchangeOptions(symbols=("BTCUSDT",))) as exchange:
    exchange.rest_url, exchange.ws_url        # point any client there
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

from aiohttp import web

from .faults.injector import Faults
from .injection import Injection
from .instruments import Instrument, catalogue, made_up
from .market import Market
from .options import ExchangeOptions
from .player import Player
from .rest import Rest
from .session import GOING_AWAY, Session, SessionRules, time_unit_ns
from .simulation import Simulation
from .streams import Hub
from .tls import Certificate
from .truth import UnknownBook
from .venues import Venue, venue_named
from .witness import Witness

DEFAULT_SYMBOLS = 2
SHUTDOWN_S = 1.0
URL_BYTES_MAX = 64 << 10  # room for 1,024 streams in a URL


class Exchange:
    """One running exchange; use it as an async context manager."""

    def __init__(
        self, options: ExchangeOptions | None = None, clock_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.options = options or ExchangeOptions()
        self.venue: Venue = venue_named(self.options.venue)
        self.clock_ns, self.clock_s = clock_ns, clock_s
        self.sessions: set[Session] = set()
        self.source = self.open_source()
        self.hub, self.faults = self.source.hub, self.source.faults
        self.injection = Injection(self.faults, self.sessions)
        per_minute = self.options.weight_per_minute or self.venue.weight_per_minute
        minute_s = self.options.minute_s
        self.rest = Rest(self.venue, self.source, per_minute, clock_ns, clock_s, minute_s)
        self.witness = Witness(self.source, self.faults, self.stats)
        self.rules = self._rules()
        self.certificate = Certificate(self.options.host, self.options.ca_file) if self.options.tls else None
        self._runner: web.AppRunner | None = None
        self._driver: asyncio.Task | None = None
        self._pulse: asyncio.Task | None = None
        self.port = 0

    def open_source(self) -> Player | Simulation:
        """Where its books come from."""
        chosen = self.options
        if chosen.recording:
            return Player(chosen.recording, self.venue, chosen.speed, self.clock_ns, chosen.faults)
        instruments = chosen_instruments(self.venue.name, chosen.symbols)
        instruments += made_up(self.venue.name, chosen.more_symbols)
        symbols = [one.symbol for one in instruments]
        faults = Faults(symbols, chosen.faults, self.clock_s)
        hub = Hub(self.venue, symbols, faults.conditions)
        market = Market(instruments, chosen.seed, self.venue.shared_ids)
        return Simulation(market, hub, faults, self.venue.name == "usdm", chosen.speed, self.clock_ns)

    def _rules(self) -> SessionRules:
        chosen, venue = self.options, self.venue
        return SessionRules(
            venue.messages_per_second if chosen.messages_per_second is None else chosen.messages_per_second,
            venue.ping_s if chosen.ping_s is None else chosen.ping_s,
            venue.pong_timeout_s if chosen.pong_timeout_s is None else chosen.pong_timeout_s,
        )

    # -------------------------------------------------------------- addresses
    @property
    def rest_url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.options.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self.certificate else 'ws'}://{self.options.host}:{self.port}"

    @property
    def ca_file(self) -> Path | None:
        """The authority a client has to trust; None without TLS."""
        return self.certificate.ca_file if self.certificate else None

    # -------------------------------------------------------------- life
    async def __aenter__(self) -> "Exchange":
        app = web.Application()
        app.add_routes([*self.rest.routes(), *self.witness.routes()])
        for prefix in ("", "/public", "/market") if self.venue.routed else ("",):
            for form in ("/ws", "/ws/{streams:.*}", "/stream"):
                app.router.add_get(prefix + form, self._connect)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=SHUTDOWN_S, max_line_size=URL_BYTES_MAX
        )
        await self._runner.setup()
        await self.listen(self._runner)
        self.faults.start()
        self._driver = asyncio.create_task(self.source.run())
        self._pulse = asyncio.create_task(self.injection.run())
        return self

    async def listen(self, runner: web.AppRunner) -> None:
        """Open the socket; its port is known from then on."""
        context = self.certificate.server_context(self.injection.tls) if self.certificate else None
        site = web.TCPSite(runner, self.options.host, self.options.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            where = f"{self.options.host}:{self.options.port}"
            raise OSError(f"cannot listen on {where} ({error}); choose another host or port") from None
        self.port = runner.addresses[0][1]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._driver is not None
        assert self._pulse is not None
        assert self._runner is not None
        self._driver.cancel()
        self._pulse.cancel()
        for session in list(self.sessions):
            session.part(GOING_AWAY, b"exchange stopped")
        await self._runner.cleanup()
        for task in (self._driver, self._pulse):
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def wait(self) -> None:
        """Return only when the source fails; its error is raised here."""
        assert self._driver is not None
        assert self._pulse is not None
        await asyncio.gather(self._driver, self._pulse)

    # -------------------------------------------------------------- websocket
    async def _connect(self, request: web.Request) -> web.StreamResponse:
        try:
            unit_ns = time_unit_ns(request.query.get("timeUnit", ""))
        except ValueError as error:
            return web.json_response({"code": -1130, "msg": str(error)}, status=400)
        names = stream_names(request)
        if len(names) > self.venue.streams_max:
            message = f"{len(names)} streams, expected at most {self.venue.streams_max} per connection"
            return web.json_response({"code": 2, "msg": message}, status=400)
        refused = await self.injection.refusal(request)
        if refused is not None:
            return refused
        socket = web.WebSocketResponse(autoping=False, compress=False, timeout=SHUTDOWN_S)
        wire = await self.injection.greet(request, socket)
        combined = request.path.endswith("/stream")
        session = Session(
            socket,
            self.hub,
            self.venue,
            self.rules,
            request.path,
            unit_ns,
            combined,
            wire=wire,
            clock_ns=self.clock_ns,
        )
        self.injection.open(request, session)
        try:
            await session.run(names)
        finally:
            self.sessions.discard(session)
        return socket

    def stats(self) -> dict:
        """Counts since the start, and where each symbol's ids stand."""
        source = self.source
        symbols = {}
        for symbol in source.instruments:
            with contextlib.suppress(UnknownBook):
                history = source.history(symbol)
                shift = self.faults.conditions.id_shift.get(symbol, 0)  # ids as they are printed
                ids = history.first_id - shift, history.last_id - shift
                symbols[symbol] = dict(zip(("first_id", "last_id"), ids, strict=True))
        return {
            "venue": self.venue.name,
            "finished": source.finished,
            "connections": len(self.sessions),
            "snapshots": self.rest.snapshots_served,
            "weight": self.rest.weight(),
            "frames": dict(self.hub.frames),
            "faults": self.faults.struck,
            "hidden": sorted(self.faults.conditions.hidden),
            "symbols": symbols,
        }


def chosen_instruments(venue: str, symbols: tuple[str, ...]) -> list[Instrument]:
    """The instruments named, or the first few; ValueError for a name the catalogue lacks."""
    known = catalogue(venue)
    for symbol in symbols:
        if symbol not in known:
            raise ValueError(f"symbol was {symbol!r}, expected some of {', '.join(known)}")
    return [known[symbol] for symbol in symbols or tuple(known)[:DEFAULT_SYMBOLS]]


def stream_names(request: web.Request) -> list[str]:
    """The streams a URL names, in either form; names may be percent-encoded."""
    text = request.match_info.get("streams") or request.query.get("streams", "")
    return [name for name in unquote(text).split("/") if name]


async def serve(options: ExchangeOptions, started: Callable[[Exchange], None] | None = None) -> None:
    """Run an exchange until cancelled. `started` is told the addresses once it listens."""
    async with Exchange(options) as exchange:
        if started is not None:
            started(exchange)
        await exchange.wait()
