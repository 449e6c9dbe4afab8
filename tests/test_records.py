"""Records as the array they are: for numpy, numba, pickle, the prompt; and as the bus hands them out."""

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given

import ringbook
from ringbook.engine import layout
from ringbook.engine.layout import KIND_BOOK, KIND_DEPTH, KIND_STATUS, KIND_TICKER, KIND_TRADE
from ringbook.io import bus
from ringbook.io.reader import Bus, join
from ringbook.io.records import Records

from .bus_tools import publish_book
from .test_export import TOP_N, any_records, symbol_rows


@numba.njit
def sum_of_seqs(records):
    """What a user's kernel does with records."""
    total = 0
    for at in range(len(records)):
        total += records[at].seq
    return total


def test_records_are_an_array_for_numpy_and_numba() -> None:
    raw = np.zeros(4, layout.record_dtype(TOP_N))
    raw["seq"], raw["symbol_id"] = [1, 2, 3, 4], [0, 1, 0, 9]
    made = Records.of(raw, symbol_rows((2, 3), (4, 5), (6, 7)))
    assert numba.typeof(made) == numba.typeof(raw) and sum_of_seqs(made) == 10
    assert made.symbols == ["S0", "S1", "S0", ""]
    assert type(made[0]) is np.void and type(made["seq"]) is type(made.view(np.ndarray)) is np.ndarray
    for part in (made[1:], made[made["seq"] > 2], made[[0, 1]], made.copy(), copy.deepcopy(made), made[::-1]):
        assert type(part) is Records and len(part.symbol_rows) == 3 and part.dtype == raw.dtype
    back = pickle.loads(pickle.dumps(made.of_kind("BOOK")))
    assert type(back) is Records and back.kind == KIND_BOOK and len(back.symbol_rows) == 3
    assert np.concatenate([made, made])["seq"].sum() == 20


def test_a_repr_tells_the_kinds_and_the_newest() -> None:
    raw = np.zeros(9, layout.record_dtype(TOP_N))
    raw["seq"], raw["kind"] = range(9), KIND_TRADE
    raw["symbol_id"][8] = 5
    shown = repr(Records.of(raw, symbol_rows((2, 3), (2, 3)))).splitlines()
    assert shown[0].startswith("<Records: 9 TRADE;") and len(shown) == 6
    assert " 7 TRADE  S0 " in shown[4] and shown[5] == "seq 8"
    assert "none" in repr(Records.of(raw[:0], symbol_rows()))


@given(any_records())
def test_a_repr_never_fails(records: Records) -> None:
    assert str(records) == repr(records)


# ---------------------------------------------------------------- through the bus
@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Bus]:
    """A reader of a bus with a record of every kind."""
    tmp_path.chmod(0o700)
    with bus.create(
        "a", directory=tmp_path, venue="test", symbol_capacity=4, slot_count=16, book_levels=64
    ) as writer:
        writer.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        writer.add_symbol(b"ETHUSDT", "test", 4, 0, 1, 1)
        for number, kind in enumerate((KIND_BOOK, KIND_TRADE, KIND_TICKER, KIND_STATUS, KIND_DEPTH)):
            publish_book(writer, number % 2, kind=kind, bid=12345)
        yield join("a", tmp_path)


def test_the_bus_hands_out_records(reader: Bus) -> None:
    found = reader.records(9)
    assert isinstance(found, ringbook.Records) and found.kind is None
    assert found.symbols == ["BTCUSDT", "ETHUSDT", "BTCUSDT", "ETHUSDT", "BTCUSDT"]
    assert found.to_pandas()["kind"].tolist() == ["BOOK", "TRADE", "TICKER", "STATUS", "DEPTH"]
    assert reader.trades(9)["seq"].tolist() == [2] and reader.trades(9, "BTCUSDT").kind == KIND_TRADE
    assert reader.tickers(9)["seq"].tolist() == [3] and reader.statuses(9)["seq"].tolist() == [4]
    book = reader.records(9, kind="BOOK").to_pandas(prices="float")
    assert book.loc[0, ["bid_price_0", "bid_qty_0", "ask_price_0"]].tolist() == [123.45, 0.007, 123.46]
    assert book["bid_price_1"].isna().all() and book["event_time"].isna().all()
