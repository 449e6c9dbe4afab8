"""Values a scale cannot carry: the finer scale is found exactly, and the book goes on in it unchanged."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.instruments import Instrument, fallback
from ringbook.io.replay import Replay
from ringbook.io.rescale import INT64_MAX, finer
from ringbook.io.venues.base import get_venue

COARSE = Instrument(b"BTCUSDT", 2, 3, 1, 1)
SATURATED = "92233720368.54775807"
STREAM = "btcusdt@depth@100ms"
Levels = list[tuple[str, str]]


def diff(first: int, last: int, bids: Levels, asks: Levels) -> bytes:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return orjson.dumps({"stream": STREAM, "data": data})


# -- finding the scale
def test_more_decimals_on_one_side_leave_the_other_alone() -> None:
    wider = finer(COARSE, diff(1, 1, [("100.125", "1")], []))
    assert wider == Instrument(b"BTCUSDT", 3, 3, 10, 1)
    wider = finer(COARSE, diff(1, 1, [("100.1", "1")], [("101", "0.00000001")]))
    assert wider == Instrument(b"BTCUSDT", 2, 8, 1, 10**5)


@pytest.mark.parametrize("digits", [(10, 8), (8, 8), (2, 3), (9, 0)])
def test_a_saturated_quantity_is_carried_at_eight_decimals(digits: tuple[int, int]) -> None:
    """Binance shows 92233720368.54775807 where a quantity left its own int64."""
    held = Instrument(b"X", *digits, 1, 1)
    wider = finer(held, diff(1, 1, [("0.5", SATURATED)], []))
    if digits[1] == 8:
        assert wider is None  # it fits already
    else:
        assert wider is not None and (wider.price_digits, wider.qty_digits) == (digits[0], 8)


def test_a_price_too_large_for_many_decimals_gives_some_up() -> None:
    wider = finer(fallback(b"X"), diff(1, 1, [(SATURATED, "1")], []))
    assert wider is not None and (wider.price_digits, wider.qty_digits) == (8, 8)
    assert wider.price_tick == 1


@pytest.mark.parametrize(
    "price",
    ["92233720368.547758071", "10000000000000000000", "0.0000000000000000001", "1e400", "1E+999999999", "NaN",
     "Infinity", "-Infinity", "sNaN", "1" * 5000, "", "abc", "0x10", "1e-999999999"],
)  # fmt: skip
def test_what_no_scale_carries_gives_none(price: str) -> None:
    assert finer(COARSE, diff(1, 1, [(price, "1")], [])) is None
    assert finer(COARSE, diff(1, 1, [("100.125", "1"), ("1", price)], [])) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b"null", b'"x"', b"{}", b'{"data":[]}', b'{"data":null}', b'{"b":5}', b'{"b":[5,[1]]}',
     b'{"b":[[null,null]]}', b'{"b":[[{},[]]]}', b'{"p":null,"q":1}', b'{"p":[1],"q":[2]}'],
)  # fmt: skip
def test_messages_without_levels_give_none(body: bytes) -> None:
    assert finer(COARSE, body) is None


@pytest.mark.parametrize(
    "data",
    [
        {"lastUpdateId": 1, "bids": [["1.2345", "1"]], "asks": []},
        {"e": "trade", "p": "1.2345", "q": "1"},
        {"u": 1, "s": "X", "b": "1.2345", "B": "1", "a": "2", "A": "1"},
        {"u": 1, "s": "X", "b": "1", "B": "1", "a": "1.2345", "A": "1"},
    ],
)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_every_kind_of_message_is_understood(data: dict[str, Any], is_wrapped: bool) -> None:
    body = {"stream": "x@y", "data": data} if is_wrapped else data
    wider = finer(COARSE, orjson.dumps(body))
    assert wider is not None and (wider.price_digits, wider.qty_digits) == (4, 3)


numbers = st.decimals(min_value=0, max_value=10**12, allow_nan=False, places=None).map(
    lambda d: format(d, "f")
)


@given(levels=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_the_scale_found_is_exact_and_never_coarser_without_need(levels: Levels) -> None:
    wider = finer(COARSE, diff(1, 1, levels, []))
    found = wider or COARSE
    for column, digits, before in ((0, found.price_digits, 2), (1, found.qty_digits, 3)):
        values = [Fraction(level[column]) for level in levels]
        if wider is not None:
            assert all((value * 10**digits).denominator == 1 for value in values)
            assert max(values) * 10**digits <= INT64_MAX
            assert digits >= before or max(values) * 10**before > INT64_MAX


# -- carrying the book over
class Rig:
    """One spot symbol at 2/3 decimals, fed by stream messages and snapshots."""

    def __init__(self, instrument: Instrument = COARSE) -> None:
        self.replay = Replay(get_venue("binance-spot"), {b"BTCUSDT": instrument}, fallback, symbol_capacity=4)
        self.now = 10**9

    def send(self, payload: bytes) -> None:
        self.now += 1000
        self.replay.feed.message(payload, self.now, self.now)

    def snapshot(self, update_id: int, bids: Levels, asks: Levels, limit: int = 0) -> None:
        self.now += 1000
        body = orjson.dumps({"lastUpdateId": update_id, "bids": bids, "asks": asks})
        self.replay.feed.snapshot(self.replay.feed.ids[b"BTCUSDT"], body, limit, self.now, self.now)

    @property
    def book(self) -> dict[str, Any]:
        """Health, id and both sides, in decimals."""
        ((_, book),) = self.replay.books()
        for side in layout.SIDE_NAMES:
            book[side] = {Decimal(price): Decimal(qty) for price, qty in book[side]}
        return book

    @property
    def digits(self) -> tuple[int, int]:
        held = self.replay.feed.known[self.replay.feed.ids[b"BTCUSDT"]]
        return held.price_digits, held.qty_digits

    def records(self) -> np.ndarray:
        raw = self.replay.bus.records(1, self.replay.pipeline.next_seq)
        return raw.view(layout.record_dtype(layout.TOP_N_DEFAULT)).reshape(-1)


def decimals(levels: Levels) -> dict[Decimal, Decimal]:
    return {Decimal(price): Decimal(qty) for price, qty in levels}


BIDS = [(f"{100 - n / 100:.2f}", f"{n + 1}.125") for n in range(300)]
ASKS = [(f"{101 + n / 100:.2f}", f"{n + 1}.5") for n in range(200)]


def live() -> Rig:
    rig = Rig()
    rig.send(diff(1, 5, [], []))
    rig.snapshot(5, BIDS, ASKS)
    assert rig.book["health"] == "LIVE"
    return rig


@pytest.mark.parametrize(
    ("level", "digits"),
    [(("99.999", "2"), (3, 3)), (("99.99", "0.00000001"), (2, 8)), (("50.12345", "7.0001"), (5, 4))],
)
def test_a_live_book_survives_an_off_grid_level_exactly(
    level: tuple[str, str], digits: tuple[int, int]
) -> None:
    rig = live()
    rig.send(diff(6, 6, [level, ("99.50", "0")], []))
    held = decimals(BIDS) | decimals([level])
    del held[Decimal("99.50")]
    assert rig.digits == digits
    assert rig.book == {"health": "LIVE", "last_update_id": 6, "bids": held, "asks": decimals(ASKS)}
    rig.send(diff(7, 7, [], [("101.00", "0"), ("101.001" if digits[0] > 2 else "101.02", "9")]))
    assert rig.book["health"] == "LIVE" and rig.book["last_update_id"] == 7
    assert Decimal("101.00") not in rig.book["asks"]


def test_readers_see_the_old_row_end_and_the_new_one_go_on() -> None:
    rig = live()
    rig.send(diff(6, 6, [("99.999", "2")], []))
    table, records = rig.replay.bus.symbol_rows, rig.records()
    assert (table[0]["state"], table[0]["successor"]) == (layout.SYMBOL_RETIRED, 1)
    assert table[1]["state"] == layout.SYMBOL_ACTIVE and table[1]["price_digits"] == 3
    old, new = (records[records["symbol_id"] == row] for row in (0, 1))
    assert old[-1]["health"] == layout.GAP and new[-1]["health"] == layout.LIVE
    assert layout.SYNCING not in new["health"][1:]


@pytest.mark.parametrize("early", range(4))
def test_buffered_diffs_survive_too(early: int) -> None:
    """The off-grid level comes while the snapshot is still awaited, after `early` diffs were kept."""
    rig, kept = Rig(), decimals(BIDS)
    for number in range(early):
        rig.send(diff(10 + number, 10 + number, [(f"90.0{number}", "1.5")], []))
        kept[Decimal(f"90.0{number}")] = Decimal("1.5")
    rig.send(diff(10 + early, 10 + early, [("90.0125", "0.00001")], []))
    kept[Decimal("90.0125")] = Decimal("0.00001")
    rig.send(diff(11 + early, 11 + early, [("99.00", "0")], []))
    del kept[Decimal("99.00")]
    assert rig.book["health"] == "SYNCING" and rig.digits == (4, 5)
    rig.snapshot(9, BIDS, ASKS)
    assert rig.book == {
        "health": "LIVE", "last_update_id": 11 + early, "bids": kept, "asks": decimals(ASKS),
    }  # fmt: skip


def test_an_off_grid_snapshot_is_loaded_at_its_own_scale() -> None:
    rig = Rig()
    rig.send(diff(1, 5, [], []))
    rig.snapshot(5, [("99.12345", "1")], [("101.00", "0.0000001")])
    assert rig.book["health"] == "LIVE" and rig.digits == (5, 7)
    assert rig.book["bids"] == {Decimal("99.12345"): Decimal(1)}


def test_a_book_that_would_leave_int64_syncs_anew() -> None:
    rig = Rig()
    rig.send(diff(1, 5, [], []))
    rig.snapshot(5, [("1.00", "9000000000000000")], ASKS)
    rig.send(diff(6, 6, [("2.00", "0.00001")], []))
    assert rig.digits == (2, 5) and rig.book["health"] == "SYNCING"
    rig.snapshot(6, [("1.00", "5")], ASKS)
    assert rig.book["health"] == "LIVE" and rig.book["bids"] == {Decimal(1): Decimal(5)}


def test_a_horizon_that_would_leave_int64_syncs_anew() -> None:
    """The farthest level a limited snapshot told is gone, but how far it reached is still known."""
    rig, far = Rig(), "90000000000000000.00"
    rig.send(diff(1, 5, [], []))
    rig.snapshot(5, [("1.00", "1"), ("0.99", "1")], [("2.00", "1"), (far, "1")], limit=2)
    rig.send(diff(6, 6, [], [(far, "0")]))
    assert rig.book["health"] == "LIVE"
    rig.send(diff(7, 7, [("1.001", "1")], []))
    assert rig.digits == (3, 3) and rig.book["health"] == "SYNCING"


def test_a_value_no_scale_carries_ends_in_gap_and_nothing_is_guessed() -> None:
    rig = live()
    rig.send(diff(6, 6, [("1.00", "99999999999999999999")], []))
    assert rig.book["health"] == "GAP" and rig.digits == (2, 3)
    assert rig.replay.bus.symbol_count == 1
