"""A bus as a notebook shows it: how its writer is, and every symbol with health and best prices."""

from typing import TYPE_CHECKING

from ..engine import units
from ..engine.layout import ASK, BID
from .errors import RingbookError
from .ladder import fixed
from .markup import alarm, badge, card, escape, table
from .owner import age_text

if TYPE_CHECKING:
    from .reader import Bus
    from .views import Book

SYMBOLS_MOST = 30
SYMBOLS_IN_LINE = 4
WRITER = {
    "stalled": "the writer lives but does not beat: stopped, paused or hung; what it wrote may be old",
    "closed": "the writer said good-bye: nothing new will come, until another takes the name",
    "dead": "the writer is gone without a word: nothing new will come, until another takes the name",
    "superseded": "another writer has the name, but its bus cannot be read yet",
}


def _best(book: "Book", side: int) -> tuple[str, str]:
    rows = book.levels[side]
    if not len(rows):
        return "–", "–"
    return fixed(int(rows[0, 0]), book.price_digits), units.to_text(rows[0, 1], book.qty_digits)


def _age(book: "Book") -> str:
    return (
        "–"
        if not book.recv_ns
        else f"{book.age_ns / 1e6:.0f} ms"
        if book.age_ns < 1e9
        else age_text(book.age_ns)
    )


def _line(book: "Book") -> list[str]:
    (bid, bid_qty), (ask, ask_qty) = _best(book, BID), _best(book, ASK)
    cells = [escape(book.symbol), badge(book.health), bid_qty, bid, ask, ask_qty]
    return [*cells, str(book.last_update_id), _age(book)]


def bus_text(bus: "Bus") -> str:
    """One line for the plain prompt."""
    try:
        facts = bus.health()
    except RingbookError as error:
        return f"<Bus: {error}>"
    states = [f"{symbol} {health}" for symbol, health in facts["symbols"].items()]
    more = f" and {len(states) - SYMBOLS_IN_LINE} more" if len(states) > SYMBOLS_IN_LINE else ""
    beat = age_text(facts["heartbeat_age_ns"])
    listed = ", ".join(states[:SYMBOLS_IN_LINE]) or "no symbols yet"
    return f"<Bus {facts['bus']}: writer {facts['verdict']}, last heartbeat {beat} ago; {listed}{more}>"


def bus_html(bus: "Bus") -> str:
    """The card; a bus that was closed or cannot be read says so."""
    try:
        facts, symbols = bus.health(), bus.symbols
        books = [bus.book(symbol) for symbol in symbols[:SYMBOLS_MOST]]
    except RingbookError as error:
        return card(alarm("closed", str(error)))
    verdict = facts["verdict"]
    head = (
        f'<div class="rbk-h"><b>{escape(facts["bus"])}</b>{badge(verdict)}<span class="rbk-d">'
        f"last heartbeat {age_text(facts['heartbeat_age_ns'])} ago · pid {facts['pid']} · "
        f"generation {facts['generation']} · next seq {facts['next_seq']:,}</span></div>"
    )
    warning = alarm(verdict, f"{verdict.upper()}: {WRITER[verdict]}") if verdict in WRITER else ""
    headers = ["symbol", "health", "bid qty", "bid", "ask", "ask qty", "update id", "age"]
    more = len(symbols) - len(books)
    rest = f'<div class="rbk-f">and {more:,} more symbols</div>' if more else ""
    return card(head, warning, table(headers, [_line(book) for book in books], (0, 1)), rest)
