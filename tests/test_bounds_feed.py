"""Bounds of what frames can do to a feed, each reached: levels, copies, waits, rows, names."""

import asyncio
import json
from collections.abc import Sequence

import numpy as np

from ringbook.engine import layout
from ringbook.engine.instruments import from_steps
from ringbook.engine.kernels.hold import HELD_MAX
from ringbook.io.config import load
from ringbook.io.feed import RESCALES_MAX
from ringbook.io.reload import Reloads

from .hostile import Rig
from .test_legs import HOLD, chain, counter, send, synced


def diff(number: int, bids: list[tuple[str, str]]) -> bytes:
    """Diff number of BTCUSDT."""
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": number, "u": number, "b": bids, "a": []}
    return json.dumps({"stream": "btcusdt@depth@100ms", "data": data}, separators=(",", ":")).encode()


def last_record(rig: Rig) -> np.void:
    """The newest record on the bus."""
    words = rig.bus.records(rig.pipe.next_seq - 1, rig.pipe.next_seq)
    return words[0].view(layout.record_dtype(int(rig.bus.geo[layout.GEO_TOP_N])))[0]


def test_a_record_holds_its_levels_and_tells_how_many_there_are() -> None:
    rig = Rig()
    rig.send(diff(11, [(f"{price}.00", "1") for price in range(50, 90)]))
    record = last_record(rig)
    held = len(rig.pipe.words) and int(record["depth"][0])
    assert (int(record["count"][0]), held) == (
        5,
        41,
    )  # the rig's buses show 5; one more came with the snapshot
    rig.check()


def test_levels_that_were_dropped_are_counted() -> None:
    """The rig's books hold 1,024 levels a side: of 3,000 bids the farthest go, and the horizon says from where."""
    rig = Rig()
    rig.send(diff(11, [(f"{50 + i // 100}.{i % 100:02d}", "1") for i in range(3_000)]))
    record = last_record(rig)
    held = int(record["depth"].sum())
    assert held == 1_024 + 1
    assert rig.count("evictions") == 3_000 + 2 - held
    rig.send(diff(12, [("0.01", "0"), ("0.02", "0")]))  # deletes of levels that are not there
    assert rig.count("orphan_deletes") == 2
    assert record["horizon"][0] >= 50 * 100
    assert rig.health() == ["LIVE", "LIVE"]
    rig.check()


def test_what_waited_too_long_or_too_many_is_counted() -> None:
    for hold, later in ((1 << 60, 1000), (HOLD, 2 * HOLD)):
        rig = synced("spot", hold=hold)
        events = chain([0] * (HELD_MAX + 2))
        for event in events[1 : HELD_MAX + 1] if hold != HOLD else events[1:2]:
            send(rig, event)
        assert counter(rig, "holds_expired") == 0
        send(rig, events[-1], later=later)
        assert counter(rig, "holds_expired") == 1
        assert counter(rig, "gaps") == 1


def test_the_newest_trades_are_known() -> None:
    """With two legs 1,024 ids are told from copies; an older one counts as known."""
    rig = Rig()
    rig.pipe.share(1)

    def trade(number: int, slot: int) -> None:
        rig.pipe.read_leg(slot)
        data = {
            "e": "trade",
            "E": 1,
            "s": "BTCUSDT",
            "t": number,
            "p": "1.00",
            "q": "1.00",
            "T": 1,
            "m": True,
        }
        rig.send(json.dumps({"stream": "btcusdt@trade", "data": data}, separators=(",", ":")).encode())

    trade(1, 0)
    for number in range(3, 1026):
        trade(number, 0)
    trade(2, 1)  # 1,023 behind the newest: not seen before
    assert (rig.count("trades"), rig.count("repeats")) == (1025, 0)
    trade(2, 0)
    assert (rig.count("trades"), rig.count("repeats")) == (1025, 1)
    trade(1027, 0)
    trade(1026, 1)
    trade(3, 1)
    trade(1, 1)  # too old to tell
    assert (rig.count("trades"), rig.count("repeats")) == (1027, 3)


def test_a_scale_that_goes_back_and_forth_takes_few_rows() -> None:
    """Values that no one scale carries, in turn: each costs a row, so only a few do; the other symbol is untouched."""
    rig = Rig(symbol_capacity=64)
    fine, large = "0.000000000000000001", "9000000000.00"
    body = b'{"lastUpdateId":%d,"bids":[["98.00","1"]],"asks":[["102.00","2"]]}'
    for number in range(40):
        symbol_id, last_id = rig.feed.ids[b"BTCUSDT"], 100 * number + 100
        rig.pipe.start_sync(symbol_id)
        rig.feed.snapshot(symbol_id, body % last_id, 0, rig.now_ns, rig.now_ns)
        rig.send(diff(last_id + 1, [(fine if number % 2 else large, "1")]))
    assert rig.bus.symbol_count == 2 + RESCALES_MAX
    assert rig.count("rows_refused") > 0
    assert rig.pipe.space.states[rig.feed.ids[b"ETHUSDT"]]["health"] == layout.LIVE
    symbol_id = rig.feed.ids[b"BTCUSDT"]
    state = rig.pipe.space.states[symbol_id]
    assert (state["health"], state["cause"]) == (layout.GAP, layout.CAUSE_UNREPRESENTABLE)
    rig.check()


def test_symbols_that_come_and_go_leave_no_names() -> None:
    rig = Rig(symbol_capacity=256)
    before = (dict(rig.feed.names), dict(rig.feed.ids), dict(rig.feed.rescales), rig.pipe.space.routes.copy())
    for number in range(200):
        symbol = b"T%dUSDT" % number
        rig.feed.add_instrument(from_steps(symbol, "0.01", "0.01"))
        rig.feed.add_streams({symbol.lower() + b"@trade": (symbol, layout.KIND_TRADE)})
        rig.feed.remove_symbol(symbol)
    assert (rig.feed.names, rig.feed.ids, rig.feed.rescales) == before[:3]
    assert np.array_equal(rig.pipe.space.routes, before[3])
    assert len(rig.feed.known) <= len(rig.pipe.space.states)
    rig.send(diff(11, [("99.00", "3")]))
    rig.check()


def test_a_book_is_copied_on_request_and_the_requests_are_counted() -> None:
    rig = Rig()
    for number in (11, 12, 13):
        rig.bus.ctl[layout.CTL_BOOK_REQUEST] = 1
        rig.send(diff(number, [("99.00", str(number))]))
        assert rig.bus.ctl[layout.CTL_BOOK_REQUEST] == 0
    assert rig.count("book_requests") == 3
    rig.send(diff(14, []))
    assert rig.count("book_requests") == 3
    rig.check()


def test_a_storm_of_hangups_is_two_reloads() -> None:
    """One under way and one behind it, however many signals come."""
    config, read = load(None, {"venue": "binance-spot", "symbols": ["BTCUSDT"]}), []

    class Slow:
        """An engine whose change of symbols takes a while."""

        def __init__(self) -> None:
            self.config, self.feed, self.gate = config, Rig().feed, asyncio.Event()

        async def subscribe(self, symbols: Sequence[str]) -> None:
            await self.gate.wait()

        def unsubscribe(self, symbols: Sequence[str]) -> None: ...

    async def story() -> None:
        engine = Slow()
        reloads = Reloads(engine, lambda: read.append(1) or config)
        for _ in range(1_000):
            reloads.ask()
        await asyncio.sleep(0)
        for _ in range(1_000):
            reloads.ask()
        engine.gate.set()
        assert reloads._task is not None
        await reloads._task

    asyncio.run(story())
    assert len(read) == 2
