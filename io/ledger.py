"""The ledger as people and programs get it: rows in order, sums by symbol; and how a successor carries it on."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..engine import layout
from . import show
from .attach import Attachment
from .errors import RingbookError
from .owner import Verdict, age_text

HEADER_WORDS, ROW_WORDS = layout.LEDGER_HEADER_WORDS, layout.GAP_WORDS
ROOM_WORDS = layout.LEDGER_ROWS * ROW_WORDS


def rows_of(words: np.ndarray, geo: np.ndarray) -> np.ndarray:
    """The ledger's rows in place, gap_dtype[LEDGER_ROWS]; only for one whose writer is gone or not yet there."""
    start = int(geo[layout.GEO_LEDGER]) + HEADER_WORDS
    return words[start : start + ROOM_WORDS].view(layout.gap_dtype)


def read_gaps(link: Attachment, symbol: str | None = None, since_ns: int | None = None) -> np.ndarray:
    """Copy of the outages, oldest first, blind_ns of an open one counted up to now.

    symbol    only this one
    since_ns  only those that lasted at that time or began later
    """
    from ..engine.kernels.ledger import read_ledger

    out = np.zeros(ROOM_WORDS, np.int64)
    count = read_ledger(link.words, link.geo, out)
    gaps = out[: count * ROW_WORDS].view(layout.gap_dtype)
    gaps = gaps[np.argsort(gaps["number"], kind="stable")]
    is_open, now_ns = gaps["end_ns"] == 0, time.time_ns()
    gaps["blind_ns"][is_open] = np.maximum(0, now_ns - gaps["begin_ns"][is_open])
    if symbol is not None:
        gaps = gaps[gaps["symbol"] == symbol.encode()]
    if since_ns is not None:
        gaps = gaps[(gaps["end_ns"] == 0) | (gaps["end_ns"] >= since_ns)]
    return gaps


def overwritten(link: Attachment) -> int:
    """Outages that were in the ledger once and had to make room."""
    return max(0, int(link.words[link.geo[layout.GEO_LEDGER]]) - layout.LEDGER_ROWS)


def as_dict(gap: np.void) -> dict[str, Any]:
    """One outage in plain values; symbol_id null when no symbol of this generation goes on with it."""
    row = int(gap["symbol_id"])
    return {
        "number": int(gap["number"]),
        "symbol": gap["symbol"].decode(errors="replace"),
        "symbol_id": None if row == layout.NO_ROW else row,
        "begin_ns": int(gap["begin_ns"]),
        "end_ns": int(gap["end_ns"]),
        "is_open": int(gap["end_ns"]) == 0,
        "cause": cause_name(gap["cause"]),
        "last_cause": cause_name(gap["last_cause"]),
        "health": layout.HEALTH_NAMES[min(int(gap["health"]), layout.DOWN)],
        "ids_missed": int(gap["ids_missed"]),
        "blind_ns": int(gap["blind_ns"]),
        "generation": int(gap["generation"]),
    }


def cause_name(code: int) -> str:
    """Name of a cause; the number of one this version does not know."""
    return layout.CAUSE_NAMES[code] if code < len(layout.CAUSE_NAMES) else f"cause {code}"


def summary(gaps: np.ndarray) -> dict[str, dict[str, Any]]:
    """Sums by symbol: outages, open ones, blind time in all, the longest, ids missed, the newest cause."""
    found: dict[str, dict[str, Any]] = {}
    for name in np.unique(gaps["symbol"]):
        rows = gaps[gaps["symbol"] == name]
        found[name.decode(errors="replace")] = {
            "outages": len(rows),
            "open": int((rows["end_ns"] == 0).sum()),
            "blind_ns": int(rows["blind_ns"].sum()),
            "longest_ns": int(rows["blind_ns"].max()),
            "ids_missed": int(rows["ids_missed"].sum()),
            "last_cause": cause_name(rows[-1]["last_cause"]),
        }
    return found


SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_since(text: str, now_ns: int) -> int:
    """A wall-clock time in ns from 90s, 15m, 2h, 3d (ago) or an ISO time, UTC unless it says otherwise."""
    if match := re.fullmatch(r"(\d{1,9})([smhd])", text.strip()):
        return now_ns - int(match[1]) * SECONDS[match[2]] * 1_000_000_000
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise RingbookError(
            f"--since was {text!r}, expected 90s, 15m, 2h, 3d or a time such as 2026-01-31T12:00"
        ) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1e9)


def duration_text(duration_ns: int) -> str:
    """A time span for people: '87.1 ms', '2.503 s', '4 min', '2 h'."""
    return f"{duration_ns / 1e6:.1f} ms" if duration_ns < 1_000_000_000 else age_text(duration_ns)


def gaps_text(link: Attachment, gaps: np.ndarray) -> str:
    """`ringbook gaps` for people: every outage, then the sums by symbol, then what the reader should know."""
    lines: list[list[object]] = []
    for gap in gaps:
        one = as_dict(gap)
        begin = datetime.fromtimestamp(one["begin_ns"] / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")
        cause = one["cause"] + (f" … {one['last_cause']}" if one["last_cause"] != one["cause"] else "")
        end = "" if not one["is_open"] else "open" if one["symbol_id"] is not None else "open, not followed"
        lines.append(
            [one["number"], one["symbol"], begin.removesuffix("+00:00"), duration_text(one["blind_ns"]), end,
             one["health"], one["ids_missed"] or "", cause]
        )  # fmt: skip
    headers = ("no", "symbol", "begin (UTC)", "blind", "", "worst", "ids missed", "cause")
    parts = [show.rows(headers, lines) if lines else "no outage"]
    if lines:
        sums = [
            [symbol, one["outages"], one["open"] or "", duration_text(one["blind_ns"]),
             duration_text(one["longest_ns"]), one["ids_missed"] or ""]
            for symbol, one in summary(gaps).items()
        ]  # fmt: skip
        parts.append(show.rows(("symbol", "outages", "open", "blind in all", "longest", "ids missed"), sums))
    if count := overwritten(link):
        parts.append(f"{count} older outages had to make room")
    verdict = link.verdict()
    if verdict is not Verdict.RUNNING:
        ago = age_text(link.heartbeat_age_ns())
        parts.append(
            f"the writer is {verdict.value}, last heartbeat {ago} ago: every book has been blind since then"
        )
    return "\n\n".join(parts)


def carry_ledger(
    old_words: np.ndarray, old_geo: np.ndarray, new_words: np.ndarray, new_geo: np.ndarray
) -> None:
    """Begin a generation's ledger with the rows of the last one, whose writer is gone; nobody reads the new file yet.

    What was open stays open: the book is blind until this generation has it LIVE. A book that was LIVE when its
    writer died has been blind since that writer's last heartbeat.
    """
    old, new = rows_of(old_words, old_geo), rows_of(new_words, new_geo)
    total = max(0, min(int(old_words[old_geo[layout.GEO_LEDGER]]), 1 << 62))  # whatever a damaged file says
    whole = (old["version"] != 0) & (old["version"] & 1 == 0)  # odd: the writer died while it wrote this row
    new[whole] = old[whole]
    new["version"][whole] = 2
    new["symbol_id"] = layout.NO_ROW
    for symbol in _live_at_death(old_words, old_geo, old[whole]):
        total += 1
        row = new[(total - 1) % layout.LEDGER_ROWS]
        row["version"], row["number"], row["symbol"] = 2, total, symbol
        row["begin_ns"], row["end_ns"] = old_words[layout.H_HEARTBEAT], 0
        row["cause"] = row["last_cause"] = layout.CAUSE_WRITER_DIED
        row["health"], row["symbol_id"] = layout.DOWN, layout.NO_ROW
        row["ids_missed"], row["blind_ns"] = 0, 0
        row["generation"] = old_words[layout.H_GENERATION]
    new_words[new_geo[layout.GEO_LEDGER]] = total


def _live_at_death(words: np.ndarray, geo: np.ndarray, rows: np.ndarray) -> list[bytes]:
    """Symbols whose full books were LIVE when their writer went without a word."""
    if words[layout.H_WRITER_STATE] == layout.CLOSED:
        return []
    start, stride = int(geo[layout.GEO_SYMBOL_TABLE]), int(geo[layout.GEO_BOOK_STRIDE])
    count = max(0, min(int(words[layout.H_SYMBOL_COUNT]), int(geo[layout.GEO_SYMBOLS])))
    width = layout.symbol_dtype.itemsize // layout.WORD_BYTES
    table = words[start : start + count * width].view(layout.symbol_dtype)
    first = int(geo[layout.GEO_BOOKS]) + layout.B_HEALTH
    health = words[first : first + (count - 1) * stride + 1 : stride] if count else words[:0]
    is_open = set(rows["symbol"][rows["end_ns"] == 0].tolist())
    live = table["symbol"][(table["state"] == layout.SYMBOL_ACTIVE) & (health == layout.LIVE)]
    return [symbol for symbol in live.tolist() if symbol not in is_open]
