"""What a notebook draws of books and buses: every number right, trouble loud, text safe, size bounded."""

import re
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout, units
from ringbook.io import bus, ladder
from ringbook.io.bus_card import SYMBOLS_MOST
from ringbook.io.reader import Bus, join
from ringbook.io.views import LADDER_LEVELS, Book

from .bus_tools import publish_book
from .pictures import screenshot

MANTISSAS = st.integers(0, layout.KEY_NONE)


def made(bids, asks, health="LIVE", digits=(2, 3), **changes) -> Book:
    """A book of the given levels, best first."""
    levels = tuple(np.array(rows, np.int64).reshape(-1, 2) for rows in (bids, asks))
    plain = Book(
        symbol="BTCUSDT", venue="test", health=health, stored_health=health, price_digits=digits[0],
        qty_digits=digits[1], levels=levels, depth=(len(bids), len(asks)), horizon=(0.0, float("inf")),
        last_update_id=7, as_of_seq=3, recv_ns=1_700_000_000_000_000_000, age_ns=2_000_000, is_full=False,
    )  # fmt: skip
    return replace(plain, **changes)


class Cells(HTMLParser):
    """Rows of cell texts; checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("src", "href"), (name, value)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


# ---------------------------------------------------------------- numbers of a book
def test_derived_numbers() -> None:
    book = made([(9990, 3000), (9980, 1000), (9000, 9000)], [(10010, 1000), (10020, 500)])
    assert book.mid == pytest.approx(100.0)
    assert book.microprice == pytest.approx(99.90 * 0.25 + 100.10 * 0.75)
    assert book.imbalance == pytest.approx(0.5)
    near = book.depth_within(20)
    assert near and (near.levels, near.is_complete) == ((2, 2), (True, True))
    assert near.qty == pytest.approx((4.0, 1.5))
    assert near.value == pytest.approx((99.90 * 3 + 99.80, 100.10 + 50.10))
    assert book.depth_within(9.9) and book.depth_within(9.9).levels == (0, 0)


def test_a_depth_that_may_go_on_says_so() -> None:
    """The full book has more levels than this copy, or the venue's snapshot ended before the limit."""
    book = made([(9990, 1)], [(10010, 1)], depth=(5, 1))
    assert book.depth_within(20).is_complete == (False, True)
    assert made([(9990, 1)], [(10010, 1)], horizon=(99.0, 101.0)).depth_within(99).is_complete == (True, True)
    assert made([(9990, 1)], [(10010, 1)], horizon=(99.0, 101.0)).depth_within(101).is_complete == (
        False,
        False,
    )
    assert (
        made([(9990, 1), (1, 1)], [(10010, 1)], horizon=(99.0, 101.0)).depth_within(101).is_complete[0]
        is False
    )


@pytest.mark.parametrize("levels", [([], []), ([(1, 1)], []), ([], [(1, 1)]), ([(0, 0)], [(0, 0)])])
def test_what_cannot_be_said_is_none(levels) -> None:
    book = made(*levels)
    assert (book.microprice, book.imbalance, book.depth_within(10)) == (None, None, None)
    assert "BTCUSDT" in repr(book) and Cells(book.html()).rows


def test_top_keeps_the_best() -> None:
    book = made([(3, 1), (2, 1), (1, 1)], [(4, 1), (5, 1)], is_full=True).top(2)
    assert [rows[:, 0].tolist() for rows in book.levels] == [[3, 2], [4, 5]]
    assert (book.depth, book.is_full) == ((3, 2), False)


@given(st.integers(-(1 << 63), layout.KEY_NONE), st.integers(0, 18))
def test_fixed_text_is_the_number(mantissa: int, digits: int) -> None:
    text = ladder.fixed(mantissa, digits)
    assert len(text.partition(".")[2]) == digits
    assert units.to_mantissa(text, digits) == mantissa
    shown = ladder.decimals_needed([mantissa], digits)
    assert ladder.fixed(mantissa, digits, shown) == units.to_text(mantissa, digits)


# ---------------------------------------------------------------- the ladder
def test_the_ladder_has_asks_above_bids_below_and_running_totals() -> None:
    book = made([(9990, 3000), (9980, 1500)], [(10010, 1000), (10020, 500)])
    assert Cells(book._repr_html_()).rows == [
        ["price", "quantity", "cumulative"],
        ["100.20", "0.5", "1.5"],
        ["100.10", "1.0", "1.0"],
        ["spread 0.20 (20.00 bps) · mid 100.000 · imbalance +0.50"],
        ["99.90", "3.0", "3.0"],
        ["99.80", "1.5", "4.5"],
    ]
    assert "22:13:20.000 UTC, 2.0 ms old" in book.html() and "2 of 2 asks, 2 of 2 bids" in book.html()


@pytest.mark.parametrize("health", layout.HEALTH_NAMES)
def test_what_is_not_live_is_loud(health: str) -> None:
    text = made([(1, 1)], [(2, 1)], health).html()
    assert f">{health}</span>" in text
    assert (f"NOT LIVE: {health}, " in text) == (health != "LIVE") == ('class="rbk-off"' in text)


def test_names_are_escaped_and_nothing_is_fetched() -> None:
    text = made([], [], symbol="<script>x", venue="&<img src=x>").html()
    assert "&lt;script&gt;x" in text and "&amp;&lt;img" in text
    assert not {"script", "img", "link", "iframe"} & Cells(text).tags
    assert not re.search(r"url\(|@import|https?:", text)


def test_rows_are_bounded() -> None:
    deep = [(price, 1) for price in range(1, 2000)]
    assert len(Cells(made(deep, deep)._repr_html_()).rows) == 2 * LADDER_LEVELS + 2
    assert len(Cells(made(deep, deep).html(10**9)).rows) == 2 * ladder.LEVELS_MOST + 2
    assert len(Cells(made(deep, deep).html(-1)).rows) == 4


LEVELS = st.lists(st.tuples(MANTISSAS, MANTISSAS), max_size=6)


@given(LEVELS, LEVELS, st.tuples(st.integers(0, 18), st.integers(0, 18)), st.integers(-(1 << 62), 1 << 62))
def test_any_book_can_be_shown(bids, asks, digits, age_ns) -> None:
    """Also one no venue would send: every number exact, every bar between nothing and full."""
    book = made(bids, asks, "GAP", digits, age_ns=age_ns)
    text = book.html()
    rows = [row for row in Cells(text).rows[1:] if len(row) == 3]
    shown = [(units.to_mantissa(p, digits[0]), units.to_mantissa(q, digits[1])) for p, q, _ in rows]
    assert shown == [*reversed(asks), *bids]
    assert all(0 <= float(share) <= 100 for share in re.findall(r"--w:([\d.]+)%", text))
    assert repr(book).startswith("<Book test BTCUSDT GAP ")


# ---------------------------------------------------------------- the bus
@pytest.fixture
def writer(tmp_path: Path) -> Iterator[bus.WriterBus]:
    """A running bus with two symbols, one of them with a book."""
    tmp_path.chmod(0o700)
    capacity = SYMBOLS_MOST + 5
    with bus.create(
        "a", directory=tmp_path, venue="test", symbol_capacity=capacity, slot_count=16, book_levels=64
    ) as w:
        w.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
        w.add_symbol(b"<i>", "test", 2, 3, 1, 1)
        publish_book(w, 0, bid=12345)
        w.beat(time.time_ns() + 3_600_000_000_000)  # does not stall while a busy machine tests it
        yield w


@pytest.fixture
def reader(writer: bus.WriterBus) -> Bus:
    """A reader of it."""
    return join("a", writer.directory)


def test_a_bus_lists_its_symbols(reader: Bus) -> None:
    rows = Cells(reader._repr_html_()).rows
    assert [row[:7] for row in rows[1:]] == [
        ["BTCUSDT", "LIVE", "0.007", "123.45", "123.46", "0.007", "10"],
        ["<i>", "INIT", "–", "–", "–", "–", "0"],
    ]
    assert re.fullmatch(
        r"<Bus a: writer running, last heartbeat [\d.]+ s ago; BTCUSDT LIVE, <i> INIT>", repr(reader)
    )


def test_a_bus_in_trouble_is_loud(writer: bus.WriterBus, reader: Bus) -> None:
    writer.beat(time.time_ns() - 5_000_000_000)
    assert "STALLED: the writer lives but does not beat" in reader._repr_html_()
    writer.close()
    assert "CLOSED: the writer said good-bye" in reader._repr_html_() and ">DOWN<" in reader._repr_html_()
    assert "writer closed" in repr(reader)
    reader.close()
    assert "this Bus was closed; join again" in reader._repr_html_() and "closed" in repr(reader)


def test_many_symbols_are_cut(writer: bus.WriterBus, reader: Bus) -> None:
    for number in range(SYMBOLS_MOST + 3):
        writer.add_symbol(f"S{number}".encode(), "test", 2, 3, 1, 1)
    text = reader._repr_html_()
    assert len(Cells(text).rows) == 1 + SYMBOLS_MOST and "and 5 more symbols" in text
    assert repr(reader).endswith("and 31 more>")


# ---------------------------------------------------------------- drawn
def pixels(png: Path) -> np.ndarray:
    """An 8-bit RGB or RGBA picture as uint8[height, width, channels]."""
    data, at, packed = png.read_bytes(), 8, b""
    width, height, depth, colours = struct.unpack(">IIBB", data[16:26])
    channels = {2: 3, 6: 4}[colours]
    assert depth == 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += size + 12
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height + 1, width + 1, channels), np.int64)  # a line and a column of zeros before
    for y, line in enumerate(lines):
        row, above = out[y + 1], out[y]
        values = line[1:].reshape(width, channels).astype(np.int64)
        for x in range(width):
            left, up, corner = row[x], above[x + 1], above[x]
            nearest = np.abs((left + up - corner)[None] - (left, up, corner)).argmin(0)
            paeth = np.choose(nearest, (left, up, corner))
            row[x + 1] = (values[x] + (0, left, up, (left + up) // 2, paeth)[line[0]]) & 255
    return out[1:, 1:, :3].astype(np.uint8)


def test_chromium_draws_it_on_light_and_dark(tmp_path: Path) -> None:
    """Neither half is blank, the badge of GAP is red in both, and the green of LIVE is nowhere."""
    book = made([(9990, 3000)], [(10010, 1000)], "GAP")
    target = screenshot([book.html()], tmp_path / "gap.png", 600, 160)
    if target is None:
        pytest.skip("chromium not found, so there is nothing to draw with")
    picture = pixels(target)
    for half in (picture[:, :300], picture[:, 300:]):
        colours = {tuple(colour) for colour in half.reshape(-1, 3)}
        assert len(colours) > 20
        assert (0xB3, 0x26, 0x1E) in colours and (0x0B, 0x7A, 0x43) not in colours
