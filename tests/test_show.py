"""Terminal pictures: ladders of empty, one-sided and full books, tables, and warm-up progress."""

import sys

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io import show
from ringbook.io.errors import RingbookError
from ringbook.io.views import Book

rich = pytest.importorskip("rich", reason="install ringbook[tui]")


def book(bids: list, asks: list, health: str = "LIVE", symbol: str = "BTCUSDT", digits: int = 2) -> Book:
    """A book of mantissas."""
    levels = tuple(np.array(rows, np.int64).reshape(-1, 2) for rows in (bids, asks))
    return Book(
        symbol=symbol, venue="test", health=health, stored_health=health, price_digits=digits, qty_digits=3,
        levels=levels, depth=(len(bids), len(asks)), horizon=(0.0, float("inf")), last_update_id=42,
        as_of_seq=1, recv_ns=1, age_ns=1_500_000, is_full=False,
    )  # fmt: skip


def drawn(picture: object, width: int = 120) -> str:
    console = show.need_rich().console.Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(picture)
    return captured.get()


FULL = book([[6160150 - n, 1000 + n] for n in range(20)], [[6160151 + n, 10**9 + n] for n in range(20)])


@pytest.mark.parametrize("levels", [1, 10, 20, 50])
def test_a_full_book(levels):
    text = drawn(show.ladder(FULL, levels))
    assert all(
        word in text for word in ("BTCUSDT", "LIVE", "spread 0.01", "61601.50", "61601.51", "id 42", "1.5 ms")
    )
    assert ("61601.49" in text) == (levels > 1)
    assert "█" * show.BAR_CELLS in text


@pytest.mark.parametrize(
    "empty",
    [
        book([], [], "INIT"),
        book([[1, 1]], [], "SYNCING"),
        book([], [[1, 1]], "GAP"),
        book([[1, 0]], [[2, 0]], "STALE"),
        book([], [], "DOWN", "币安人生USDT", 0),
        book([[1, (1 << 63) - 1]], [[(1 << 63) - 1, 1]], "LIVE", digits=18),
    ],
    ids=lambda one: one.health,
)
def test_books_that_lack_something(empty):
    text = drawn(show.ladder(empty, 5))
    assert empty.symbol in text and empty.health in text


def test_a_symbol_cannot_write_markup():
    """Symbols come from the venue; brackets in one are shown and never obeyed."""
    assert "A[/bold]B[red]" in drawn(show.ladder(book([], [], symbol="A[/bold]B[red]"), 1))


def test_every_health_has_a_colour():
    assert set(show.HEALTH_STYLES) == set(layout.HEALTH_NAMES)


class Shown:
    """As much of a bus as ladders need."""

    def book(self, symbol: str) -> Book:
        return FULL


def test_watching_redraws_asks_and_stops(capsys):
    asked: list[str] = []
    bus = Shown()
    show.watch(
        bus, ["BTCUSDT", "ETHUSDT"], 3, 0.3, lambda: asked.append("footer") or "told below", lambda: None
    )
    assert "told below" in capsys.readouterr().out
    assert asked

    def enough() -> None:
        raise RingbookError("enough")

    with pytest.raises(RingbookError, match="enough"):
        show.watch(bus, ["BTCUSDT"], 3, None, check=enough)


def test_without_rich_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(RingbookError, match=r"pip install 'ringbook\[tui\]'"):
        show.need_rich()


def test_rows_align():
    text = show.rows(("name", "n"), [("a", 1), ("longer", 22)])
    assert text.splitlines() == ["name    n", "a       1", "longer  22"]
    assert show.rows(("only",), []) == "only"


def test_warm_progress_is_quiet_when_quick(capsys, monkeypatch):
    quick = show.WarmProgress()
    quick(1, 40, "kernel", 0.0, True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(show, "QUIET_SECONDS", -1.0)
    slow = show.WarmProgress()
    for done in range(1, 41):
        slow(done, 40, f"kernel{done}", 0.5, done % 2 == 0)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["kernels  20/40  loaded kernel20 (0.50 s)", "kernels  40/40  loaded kernel40 (0.50 s)"]
