"""The Python door: books, records, following, across laps, rescales and successions."""

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ringbook
from ringbook.engine import layout
from ringbook.engine.kernels import book, book_apply, book_area, cursor
from ringbook.engine.layout import ASK, BID
from ringbook.io import bus, views
from ringbook.io.errors import BookBusy, BookNotLive, RingbookError, SymbolNotFound
from ringbook.io.reader import Bus, join

from .bus_tools import blank_bus, publish_book, publish_raw


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of our own."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def writer(home: Path) -> Iterator[bus.WriterBus]:
    """A running bus "a" with BTCUSDT and ETHUSDT, ring of 16."""
    with bus.create(
        "a", directory=home, venue="test", symbol_capacity=4, slot_count=16, book_levels=128
    ) as made:
        made.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        made.add_symbol(b"ETHUSDT", "test", 4, 0, 1, 1)
        yield made


@pytest.fixture
def reader(writer: bus.WriterBus, home: Path) -> Bus:
    """A reader of that bus."""
    return join(None, home)


def test_package_door(writer: bus.WriterBus, home: Path) -> None:
    with ringbook.join("a", home) as joined:
        assert joined.symbols == ["BTCUSDT", "ETHUSDT"]
        assert joined.symbol_rows["price_digits"].tolist() == [2, 4]
    assert [info.name for info in ringbook.ls(home)] == ["a"]
    with pytest.raises(RingbookError, match="closed; join again"):
        joined.symbols  # noqa: B018


def test_book(writer: bus.WriterBus, reader: Bus) -> None:
    empty = reader.book("BTCUSDT")
    assert (empty.health, len(empty.bids), empty.mid, empty.spread, empty.as_of_seq) == (
        "INIT",
        0,
        None,
        None,
        0,
    )
    publish_book(writer, 0, bid=12345)
    found = reader.book("BTCUSDT")
    assert found.bids.tolist() == [[123.45, 0.007]]
    assert found.asks.tolist() == [[123.46, 0.007]]
    assert found.exact(ASK) == [(Decimal("123.46"), Decimal("0.007"))]
    assert found.levels[BID].tolist() == [[12345, 7]]
    assert found.mid == pytest.approx(123.455)
    assert found.spread == pytest.approx(0.01)
    assert (found.health, found.last_update_id, found.as_of_seq, found.depth) == ("LIVE", 10, 1, (1, 1))
    assert found.horizon == (0.0, float("inf"))
    assert 0 <= found.age_ns < 60e9
    assert "BTCUSDT LIVE" in repr(found)
    publish_book(writer, 0, bid=1)
    assert found.levels[BID].tolist() == [[12345, 7]], "a book is a copy"


def test_strict(writer: bus.WriterBus, reader: Bus) -> None:
    publish_book(writer)
    assert reader.book("BTCUSDT", strict=True).health == "LIVE"
    writer.beat(time.time_ns() - 2_000_000_000)
    assert reader.book("BTCUSDT").health == "STALE"
    with pytest.raises(BookNotLive, match=r"was STALE \(writer stalled, stored LIVE\), expected LIVE"):
        reader.book("BTCUSDT", strict=True)
    publish_book(writer, health=layout.GAP)
    with pytest.raises(BookNotLive, match="was GAP"):
        reader.book("BTCUSDT", strict=True)


def test_unknown_symbols_name_the_nearest(reader: Bus) -> None:
    with pytest.raises(SymbolNotFound, match="one of the 2 on this bus, such as BTCUSDT"):
        reader.book("BTCUSD")


def test_a_bus_without_symbols(home: Path) -> None:
    made = bus.create("b", directory=home, venue="test", symbol_capacity=1, slot_count=4)
    with made, join("b", home) as door:
        assert door.symbols == []
        with pytest.raises(SymbolNotFound, match="no symbols yet"):
            door.book("A")


def fill_full_book(writer: bus.WriterBus, symbol_id: int, levels: int) -> int:
    """Write a full book with `levels` a side through the book's own kernels; returns its base."""
    base = int(writer.geo[layout.GEO_BOOKS] + symbol_id * writer.geo[layout.GEO_BOOK_STRIDE])
    book.book_reset(writer.words, base, int(writer.geo[layout.GEO_BOOK_LEVELS]), 20)
    book_area.book_begin(writer.words, base)
    for level in range(levels):
        book_apply.set_level(writer.words, base, BID, 1000 - level, 5)
        book_apply.set_level(writer.words, base, ASK, 1001 + level, 6)
    book_area.book_end(writer.words, base, 77, 770, time.time_ns(), 0, layout.LIVE)
    return base


def test_full_book(writer: bus.WriterBus, reader: Bus) -> None:
    fill_full_book(writer, 0, 100)
    reader.book("BTCUSDT", full=True)  # compiled before the heartbeat below gets old
    publish_book(writer)
    found = reader.book("BTCUSDT", full=True)
    assert found.levels[BID].tolist() == [[1000 - level, 5] for level in range(100)]
    assert found.levels[ASK].tolist() == [[1001 + level, 6] for level in range(100)]
    assert (found.health, found.as_of_seq, found.last_update_id, found.is_full) == ("LIVE", 77, 770, True)
    assert (found.depth, found.mid) == ((100, 100), pytest.approx(10.005))


def test_a_busy_full_book_is_asked_for(
    writer: bus.WriterBus, reader: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book that is always being changed is served through the scratch copy, or refused in time."""
    base = fill_full_book(writer, 0, 3)
    book_area.book_begin(writer.words, base)
    monkeypatch.setattr(views, "REQUEST_S", 0.02)
    with pytest.raises(BookBusy, match="served no copy"):
        reader.book("BTCUSDT", full=True)
    assert writer.ctl[layout.CTL_BOOK_REQUEST] == 1
    monkeypatch.setattr(views, "REQUEST_S", 5.0)
    monkeypatch.setattr(
        views.time, "sleep", lambda _: book_area.serve_book_request(writer.words, writer.geo, writer.ctl)
    )
    assert reader.book("BTCUSDT", full=True).levels[ASK].tolist() == [[1001, 6], [1002, 6], [1003, 6]]


def test_records(writer: bus.WriterBus, reader: Bus) -> None:
    assert len(reader.records(5)) == 0
    for number in range(40):
        kind = layout.KIND_TRADE if number % 4 == 0 else layout.KIND_BOOK
        publish_book(writer, number % 2, kind=kind)
    assert reader.records(3)["seq"].tolist() == [38, 39, 40]
    assert reader.records(100)["seq"].tolist() == list(range(25, 41))
    assert reader.records(2, symbol="ETHUSDT")["seq"].tolist() == [38, 40]
    assert reader.records(2, kind="trade")["seq"].tolist() == [33, 37]
    assert reader.records(9, "BTCUSDT", layout.KIND_TRADE)["symbol_id"].tolist() == [0] * 4
    assert len(reader.records(9, "NOBODY")) == 0
    assert len(reader.records(0)) == 0
    for wrong in ({"n": -1}, {"n": 1, "kind": "NEWS"}, {"n": 1, "kind": 99}):
        with pytest.raises(RingbookError, match="expected"):
            reader.records(**wrong)


def test_follow_starts(writer: bus.WriterBus, reader: Bus) -> None:
    for number in range(20):
        publish_book(writer, number % 2)
    follow = {start: reader.follow(start=start, timeout_s=0.01) for start in ("newest", "oldest", "board")}
    publish_book(writer)
    seen = {start: [int(record["seq"]) for record in records] for start, records in follow.items()}
    assert seen == {"newest": [21], "oldest": list(range(7, 22)), "board": [21, 20]}
    for wrong in ({"start": "middle"}, {"on_end": "panic"}):
        with pytest.raises(RingbookError, match="expected"):
            reader.follow(**wrong)


def test_a_lapped_follower_counts_and_starts_again_from_the_board(writer: bus.WriterBus, reader: Bus) -> None:
    following = reader.follow(timeout_s=0.01)
    publish_book(writer, 0)
    assert int(next(following)["seq"]) == 1
    for _ in range(30):
        publish_book(writer, 0)
    publish_book(writer, 1)
    publish_book(writer, 1, kind=layout.KIND_TRADE)
    found = [
        (int(r["seq"]), int(r["symbol_id"]), bool(r["flags"] & layout.FLAG_FROM_BOARD)) for r in following
    ]
    assert found == [(31, 0, True), (32, 1, True), (33, 1, False)]
    assert (following.lost, following.place.laps, following.place.read) == (31, 1, 2)


def test_follow_filters(writer: bus.WriterBus, reader: Bus) -> None:
    following = reader.follow("ETHUSDT", kind="TRADE", timeout_s=0.01)
    for number in range(12):
        publish_book(writer, number % 2, kind=(layout.KIND_BOOK, layout.KIND_TRADE)[number // 2 % 2])
    assert [int(record["seq"]) for record in following] == [4, 8, 12]


def test_a_symbol_is_followed_through_a_rescale(writer: bus.WriterBus, reader: Bus) -> None:
    """The new row has another id; nothing is missed and nothing of others gets in."""
    following = reader.follow("BTCUSDT", timeout_s=0.01)
    publish_book(writer, 0)
    assert int(next(following)["symbol_id"]) == 0
    publish_book(writer, 0)
    other = writer.add_symbol(b"SOLUSDT", "test", 2, 3, 1, 1)
    new = writer.add_symbol(b"BTCUSDT", "test", 5, 3, 1, 1)
    writer.retire_symbol(0, new)
    for symbol_id in (other, new, 1, new):
        publish_book(writer, symbol_id, bid=12345)
    assert [int(record["symbol_id"]) for record in following] == [0, new, new]
    assert reader.symbols == ["ETHUSDT", "SOLUSDT", "BTCUSDT"]
    assert reader.book("BTCUSDT").bids[0, 0] == pytest.approx(0.12345)


def test_stop_ends_following(reader: Bus) -> None:
    reader.stop()
    assert list(reader.follow()) == []


def test_without_a_writable_control_page(writer: bus.WriterBus, home: Path) -> None:
    """A reader of the group polls; everything else is the same."""
    (home / "a.ctl").unlink()
    with join("a", home) as polling:
        following = polling.follow(timeout_s=0.05)
        publish_book(writer)
        assert [int(record["seq"]) for record in following] == [1]
        assert following.place.missed_wakes == 0
        fill_full_book(writer, 0, 2)
        assert len(polling.book("BTCUSDT", full=True).bids) == 2


def test_health_counters_histograms(writer: bus.WriterBus, reader: Bus) -> None:
    publish_book(writer)
    facts = reader.health()
    assert facts["verdict"] == "running"
    assert facts["symbols"] == {"BTCUSDT": "LIVE", "ETHUSDT": "INIT"}
    writer.counters[layout.C["gaps"]] = 3
    assert reader.counters()["gaps"] == 3
    assert set(reader.histograms()) == set(layout.HISTOGRAM_NAMES) == set(reader.stages())
    writer.close()
    assert reader.health()["symbols"] == {"BTCUSDT": "DOWN", "ETHUSDT": "DOWN"}


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=12))
def test_every_record_is_read_or_counted(rounds: list[tuple[int, int]]) -> None:
    """However reads and publishes alternate: records read and lost add up to those published."""
    words, geo, ctl = blank_bus(8, 2)
    place, seen, wanted = (
        np.zeros(cursor.CURSOR_WORDS, np.int64),
        np.zeros(2, np.int64),
        np.zeros(2, np.int64),
    )
    place[[cursor.CUR_SEQ, cursor.CUR_BOARD, cursor.CUR_KIND]] = 1, cursor.BOARD_DONE, cursor.ANY
    out, published, last = np.zeros(geo[layout.GEO_SLOT_WORDS], np.int64), 0, 0
    for publishes, reads in rounds:
        for _ in range(publishes):
            published += 1
            publish_raw(words, geo, ctl, published)
        for _ in range(reads):
            if cursor.advance(words, geo, place, seen, wanted, out) == layout.READ_OK:
                assert out[0] > last
                last = int(out[0])
    while cursor.advance(words, geo, place, seen, wanted, out) != layout.READ_EARLY:
        pass
    assert place[cursor.CUR_READ] + place[cursor.CUR_LOST] == published
