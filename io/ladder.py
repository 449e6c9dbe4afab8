"""One book as an HTML ladder: asks above, bids below, quantity and running total as bars, and how far to believe it."""

from typing import TYPE_CHECKING

import numpy as np

from ..engine.layout import ASK, BID, SIDES
from .markup import MEANINGS, alarm, badge, card, clock, escape
from .owner import age_text

if TYPE_CHECKING:
    from .views import Book

LEVELS_MOST = 100
SIDE_WORDS = ("bids", "asks")


def fixed(mantissa: int, digits: int, shown: int | None = None) -> str:
    """A mantissa as text with `shown` decimals, all of them if None; what is cut off must be zeros."""
    sign, text = "-" if mantissa < 0 else "", f"{abs(mantissa):0{digits + 1}d}"
    whole, fraction = (text[:-digits], text[-digits:]) if digits else (text, "")
    fraction = fraction if shown is None else fraction[:shown]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def decimals_needed(mantissas: list[int], digits: int) -> int:
    """Fewest decimals that show every mantissa exactly."""
    zeros = digits
    while zeros and any(mantissa % 10**zeros for mantissa in mantissas):
        zeros -= 1
    return digits - zeros


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole > 0 else 0:.1f}%"


def _rows(book: "Book", levels: int) -> tuple[list[str], list[str]]:
    """Table rows of bids and asks, best first."""
    held = [rows[:levels].tolist() for rows in book.levels]
    qtys = [[qty for _, qty in rows] for rows in held]
    totals = [np.cumsum(np.array(found, object)).tolist() for found in qtys]  # may leave int64
    largest = max([0, *qtys[BID], *qtys[ASK]])
    most = max([0, *totals[BID], *totals[ASK]])
    shown = decimals_needed([*qtys[BID], *qtys[ASK]], book.qty_digits)
    rows: tuple[list[str], list[str]] = ([], [])
    for side in range(SIDES):
        for (price, qty), total in zip(held[side], totals[side], strict=True):
            rows[side].append(
                f'<tr class="rbk-{side}"><td class="rbk-p">{fixed(price, book.price_digits)}</td>'
                f'<td class="rbk-q" style="--w:{_share(qty, largest)}">{fixed(qty, book.qty_digits, shown)}</td>'
                f'<td class="rbk-s" style="--w:{_share(total, most)}">{fixed(total, book.qty_digits, shown)}</td></tr>'
            )
        if not rows[side]:
            rows[side].append(f'<tr class="rbk-{side}"><td colspan="3">no {SIDE_WORDS[side]}</td></tr>')
    return rows


def _middle(book: "Book") -> str:
    """The row between the sides."""
    if book.mid is None or book.spread is None:
        return '<tr class="rbk-m"><td colspan="3">no mid: a side is empty</td></tr>'
    spread = int(book.levels[ASK][0, 0]) - int(book.levels[BID][0, 0])
    bps = f" ({book.spread / book.mid * 1e4:.2f} bps)" if book.mid > 0 else ""
    tilt = f" · imbalance {book.imbalance:+.2f}" if book.imbalance is not None else ""
    text = f"spread {fixed(spread, book.price_digits)}{bps} · mid {book.mid:.{book.price_digits + 1}f}{tilt}"
    return f'<tr class="rbk-m"><td colspan="3">{text}</td></tr>'


def _foot(book: "Book", levels: int) -> str:
    counts = [
        f"{min(levels, len(book.levels[side])):,} of {book.depth[side]:,} {SIDE_WORDS[side]}"
        for side in (ASK, BID)
    ]
    if not book.recv_ns:
        return f'<div class="rbk-f">nothing received yet · {", ".join(counts)}</div>'
    age = f"{book.age_ns / 1e6:.1f} ms" if abs(book.age_ns) < 1e9 else age_text(book.age_ns)
    return (
        f'<div class="rbk-f">received {clock(book.recv_ns)}, {age} old when this was drawn · '
        f"update id {book.last_update_id} · {', '.join(counts)}</div>"
    )


def ladder_html(book: "Book", levels: int) -> str:
    """The ladder of a book with at most `levels` levels a side, 1..LEVELS_MOST."""
    levels = min(max(int(levels), 1), LEVELS_MOST)
    bids, asks = _rows(book, levels)
    head = (
        f'<div class="rbk-h"><b>{escape(book.symbol)}</b>{badge(book.health)}'
        f'<span class="rbk-d">{escape(book.venue)}</span></div>'
    )
    is_live = book.health == "LIVE"
    warning = (
        "" if is_live else alarm(book.health, f"NOT LIVE: {book.health}, {MEANINGS.get(book.health, '')}")
    )
    body = "".join((*reversed(asks), _middle(book), *bids))
    heads = "".join(f"<th>{name}</th>" for name in ("price", "quantity", "cumulative"))
    return card(
        head,
        warning,
        f'<table class="{"" if is_live else "rbk-off"}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>',
        _foot(book, levels),
    )
