"""The shadow audit in a running engine: nothing found where all is right, a poked level found, the venue's moods."""

import asyncio

import pytest

from ringbook.engine import layout
from ringbook.engine.kernels import book_apply
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.reader import join
from ringbook.io.run import Engine

from .engine_rig import running, tell
from .raw_server import RawVenue
from .raw_server import until as raw_until
from .test_live_engine import all_live, counter, engine_on, until

SYMBOLS = ("BTCUSDT", "ETHUSDT")
VOID = ("audits_gap", "audits_old", "audits_late", "audits_full", "audits_failed")


def wide(venue: str = "spot", **more: object) -> ExchangeOptions:
    """A market fast enough that the book moves while a snapshot is under way."""
    facts: dict = {"venue": venue, "symbols": SYMBOLS, "speed": 5, "weight_per_minute": 1_000_000} | more
    return ExchangeOptions(**facts)


@pytest.mark.parametrize("redundancy", [1, 2])
@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_nothing_is_found_where_nothing_is_wrong(venue: str, redundancy: int) -> None:
    async def story() -> None:
        name = f"t-audit-{venue}-{redundancy}"
        async with (
            Exchange(wide(venue)) as exchange,
            engine_on(exchange, name, audit_s=0.05, redundancy=redundancy) as engine,
        ):
            engine.fetching.scheduler.budget.amount = 1_000_000
            await until(lambda: all_live(engine) and counter(engine, "audits") >= 8)
            assert counter(engine, "audit_levels") > 8 * 100
            assert counter(engine, "audit_differences") == counter(engine, "audits_wrong") == 0
            assert counter(engine, "gaps") == 0

    asyncio.run(story())


class Poker:
    """Changes the quantity of one level of a live book behind the engine's back, again where a diff mended it."""

    def __init__(self, engine: Engine, symbol: str) -> None:
        self.engine, self.symbol, self.poked = engine, symbol, (0, 0, 0)

    def __call__(self) -> None:
        pipeline, symbol_id = self.engine.pipeline, self.engine.feed.ids[self.symbol.encode()]
        with join(self.engine.bus.name) as bus:
            shown = bus.book(self.symbol, full=True)
        side, price, qty = self.poked
        if shown.health == "LIVE" and (price, qty) not in [(int(p), int(q)) for p, q in shown.levels[side]]:
            price, qty = (int(value) for value in shown.levels[1][100])
            self.poked = 1, price, qty + 1
            book_apply.set_level(pipeline.words, pipeline.book_base(symbol_id), *self.poked)


@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_a_poked_level_is_found_told_and_healed(venue: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        name = f"t-poke-{venue}"
        async with (
            Exchange(wide(venue)) as exchange,
            engine_on(exchange, name, audit_s=0.05, slots=65_536) as engine,
        ):
            engine.fetching.scheduler.budget.amount = 1_000_000
            await until(lambda: all_live(engine) and counter(engine, "audits") >= 2)
            other = engine.pipeline.space.states[engine.feed.ids[b"BTCUSDT"]]
            poke = Poker(engine, "ETHUSDT")
            await raw_until(lambda: counter(engine, "audits_wrong") == 1, poke)
            assert counter(engine, "audit_differences") == 1
            await until(lambda: all_live(engine) and counter(engine, "resyncs") == 1)
            done = counter(engine, "audits")
            await until(lambda: counter(engine, "audits") >= done + 3)
            assert counter(engine, "audits_wrong") == counter(engine, "gaps") == 1
            assert other["gaps"] == 0
            with join(name) as bus:
                (gap,) = bus.gaps("ETHUSDT")
                assert (gap["cause"], gap["health"]) == (layout.CAUSE_AUDIT, layout.GAP)
                assert gap["end_ns"] > gap["begin_ns"]
                assert layout.CAUSE_AUDIT in bus.statuses(100, "ETHUSDT")["cause"]

    asyncio.run(story())
    assert "ETHUSDT: its book was not the venue's" in caplog.text
    assert "1 of" in caplog.text


def test_a_stale_snapshot_is_no_alarm() -> None:
    """A snapshot of an older book says so by its id: the audit is void, the book stays LIVE."""

    async def story() -> None:
        async with Exchange(wide()) as exchange, engine_on(exchange, "t-stale", audit_s=0.05) as engine:
            engine.fetching.scheduler.budget.amount = 1_000_000
            await until(lambda: all_live(engine) and counter(engine, "audits") >= 2)
            exchange.faults.inject({"kind": "stale", "probability": 1.0, "updates": 5000})
            before = counter(engine, "audits_old")
            await until(lambda: counter(engine, "audits_old") >= before + 3)
            assert counter(engine, "audits_wrong") == counter(engine, "gaps") == 0
            assert all_live(engine)

    asyncio.run(story())


@pytest.mark.parametrize("status", [418, 429, 503])
def test_a_refusal_is_not_asked_again_at_once(status: int) -> None:
    """429, 418 and Retry-After pause every request; books that are LIVE stay so."""

    async def story(venue: RawVenue) -> None:
        async with running(venue, audit_s=0.05) as run:
            socket = await run.live()
            run.engine.fetching.scheduler.budget.amount = 1_000_000
            await raw_until(lambda: run.count("audits") >= 2, lambda: venue.tick(socket))
            venue.replies["depth"] = [(status, {"Retry-After": "3600"}, b"{}")]
            await raw_until(lambda: run.count("audits_failed") == 1, lambda: venue.tick(socket))
            asked = venue.asked.count("depth")
            for _ in range(20):
                venue.tick(socket)
                await asyncio.sleep(0.02)
            assert venue.asked.count("depth") == asked
            assert run.health() == ["LIVE", "LIVE"]
            assert run.count("audits_wrong") == 0

    tell(story)


def test_a_body_that_cannot_be_read_and_a_lost_connection_make_it_void() -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, audit_s=0.05) as run:
            socket = await run.live()
            run.engine.fetching.scheduler.budget.amount = 1_000_000
            venue.replies["depth"] = [(200, {}, b'{"lastUpdateId":')]
            await raw_until(lambda: run.count("audits_failed") == 1, lambda: venue.tick(socket))
            # A snapshot of the far future: its id is not reached before the connection goes.
            body = b'{"lastUpdateId":999999999,"bids":[],"asks":[]}'
            venue.replies["depth"] = [(200, {}, body)] * 4
            await raw_until(lambda: len(venue.replies["depth"]) < 4, lambda: venue.tick(socket))
            socket.writer.transport.abort()
            venue.replies["depth"] = []
            await raw_until(lambda: run.count("audits_gap") >= 1)
            await run.live()
            assert run.count("audits_wrong") == 0

    tell(story)


def test_off_is_off() -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, audit_s=0) as run:
            socket = await run.live()
            for _ in range(20):
                venue.tick(socket)
                await asyncio.sleep(0.02)
            assert venue.asked.count("depth") == len(venue.symbols)
            assert sum(run.count(name) for name in (*VOID, "audits")) == 0

    tell(story)
