"""`ringbook top`: how an engine and each of its books are, from shared memory alone, like any reader.

`Top.look` is numbers; `as_text` and `as_table` are pictures of them, the worst symbols first.
"""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import layout
from . import show
from .ledger import duration_text, summary
from .views import top_book

if TYPE_CHECKING:
    from .reader import Bus

WORST_FIRST = ("DOWN", "GAP", "STALE", "SYNCING", "INIT", "LIVE")
RATES = {"messages_s": "frames", "records_s": "records"}
COUNTS = (
    "resyncs", "snapshots", "connections", "weight_used", "weight_limit", "evictions", "outages", "audits",
    "audit_differences",
)  # fmt: skip
VOID_AUDITS = ("audits_gap", "audits_old", "audits_late", "audits_full", "audits_failed")
STAGES = ("venue_to_recv", "recv_to_publish")
HEADERS = (
    "symbol", "health", "age", "updates/s", "spread", "bids", "asks", "gaps", "blind", "last cause",
)  # fmt: skip
NO_OUTAGES = {"outages": 0, "blind_ns": 0, "last_cause": ""}


class Top:
    """Looks at a bus again and again; rates are between two looks."""

    def __init__(self, bus: "Bus") -> None:
        self.bus = bus
        self._before: tuple[int, int, dict[str, int], np.ndarray] | None = (
            None  # generation, ns, counters, changes
        )

    def look(self) -> dict[str, Any]:
        """Everything shown, as plain values; rates are None at the first look at a generation."""
        link, now_ns = self.bus.link, time.monotonic_ns()
        table, counters, verdict = self.bus.symbol_rows, self.bus.counters(), link.verdict()
        changes = self._changes(len(table))
        seconds, old_counters, old_changes = 0.0, counters, changes
        if self._before is not None and self._before[0] == link.generation:
            seconds, old_counters = (now_ns - self._before[1]) / 1e9, self._before[2]
            old_changes = np.resize(self._before[3], len(changes)) if len(self._before[3]) else changes
            old_changes[len(self._before[3]) :] = changes[len(self._before[3]) :]  # rows added since
        self._before = link.generation, now_ns, counters, changes

        def rate(new: int, old: int) -> float | None:
            return round((new - old) / seconds, 1) if seconds > 0 else None

        sums, symbols = summary(self.bus.gaps()), []
        for symbol_id in np.flatnonzero(table["state"] == layout.SYMBOL_ACTIVE).tolist():
            book = top_book(link, table, symbol_id, verdict)
            past = sums.get(book.symbol, NO_OUTAGES)
            symbols.append(
                {
                    "symbol": book.symbol,
                    "health": book.health,
                    "age_ns": book.age_ns if book.recv_ns else None,
                    "updates_s": rate(int(changes[symbol_id]), int(old_changes[symbol_id])),
                    "spread": book.spread,
                    "levels": list(book.depth),
                    "outages": past["outages"],
                    "blind_ns": past["blind_ns"],
                    "last_cause": past["last_cause"],
                }
            )
        stages = self.bus.stages()
        return {
            "bus": link.name,
            "verdict": verdict.value,
            "pid": link.owner.pid,
            "generation": link.generation,
            "uptime_ns": time.time_ns() - int(link.header["created_ns"]),
            "heartbeat_age_ns": link.heartbeat_age_ns(),
            "next_seq": int(link.words[layout.H_HEAD]),
            **{name: rate(counters[of], old_counters[of]) for name, of in RATES.items()},
            **{name: counters[name] for name in COUNTS},
            "audits_void": sum(counters[name] for name in VOID_AUDITS),
            "latency_ns": {name: {k: stages[name][k] for k in ("count", "p50", "p99")} for name in STAGES},
            "symbols": sorted(symbols, key=_badness),
        }

    def _changes(self, count: int) -> np.ndarray:
        """Changes of each full book so far: its seqlock steps by two at every one."""
        link = self.bus.link
        first, stride = (
            int(link.geo[layout.GEO_BOOKS]) + layout.B_VERSION,
            int(link.geo[layout.GEO_BOOK_STRIDE]),
        )
        return link.words[first : first + max(0, count - 1) * stride + 1 : stride][:count].copy() // 2


def _badness(one: dict[str, Any]) -> tuple[int, int, str]:
    return WORST_FIRST.index(one["health"]), -one["blind_ns"], one["symbol"]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def head_lines(facts: dict[str, Any]) -> list[str]:
    """The engine itself, in lines."""
    counts = dict.fromkeys(WORST_FIRST, 0)
    for one in facts["symbols"]:
        counts[one["health"]] += 1
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no symbols yet"
    stages = [
        f"{name.replace('_', ' ')} p50 {stage['p50'] / 1e3:,.0f} µs, p99 {stage['p99'] / 1e3:,.0f} µs"
        for name, stage in facts["latency_ns"].items()
        if stage["count"]
    ]
    return [
        f"{facts['bus']}: {facts['verdict']}, pid {facts['pid']}, generation {facts['generation']}, made "
        f"{duration_text(facts['uptime_ns'])} ago, last heartbeat {duration_text(facts['heartbeat_age_ns'])} ago",
        f"{_number(facts['messages_s'])} messages/s, {_number(facts['records_s'])} records/s, next seq "
        f"{facts['next_seq']:,}; {facts['connections']} connections, weight {facts['weight_used']:,} of "
        f"{facts['weight_limit']:,} a minute",
        f"{facts['resyncs']} resyncs, {facts['snapshots']} snapshots, {facts['evictions']} evictions, "
        f"{facts['outages']} outages; {facts['audits']} audits, {facts['audit_differences']} levels differed, "
        f"{facts['audits_void']} void",
        "; ".join(stages) or "no latencies yet",
        states,
    ]  # fmt: skip


def cells(one: dict[str, Any]) -> list[str]:
    """A symbol's line."""
    return [
        one["symbol"], one["health"], "–" if one["age_ns"] is None else duration_text(max(0, one["age_ns"])),
        _number(one["updates_s"]), "–" if one["spread"] is None else f"{one['spread']:.8g}",
        *(f"{count:,}" for count in one["levels"]), str(one["outages"] or ""),
        duration_text(one["blind_ns"]) if one["outages"] else "", one["last_cause"],
    ]  # fmt: skip


def rest_line(facts: dict[str, Any], shown: int) -> str:
    """What is not shown line by line; empty when everything is."""
    rest = facts["symbols"][shown:]
    if not rest:
        return ""
    states = ", ".join(
        f"{sum(one['health'] == state for one in rest)} {state}"
        for state in WORST_FIRST
        if any(one["health"] == state for one in rest)
    )
    rate = None if rest[0]["updates_s"] is None else sum(one["updates_s"] for one in rest)
    return f"and {len(rest):,} more: {states}; {_number(rate)} updates/s"


def as_text(facts: dict[str, Any], most: int) -> str:
    """The picture in plain text."""
    table = show.rows(HEADERS, [cells(one) for one in facts["symbols"][:most]])
    return "\n".join([*head_lines(facts), "", table, rest_line(facts, most)]).rstrip()


def as_table(facts: dict[str, Any], most: int) -> Any:
    """The picture for a terminal."""
    rich = show.need_rich()
    table = rich.table.Table(box=None, padding=(0, 1), header_style="dim")
    for name in HEADERS:
        table.add_column(
            name, justify="left" if name in ("symbol", "health", "last cause") else "right", no_wrap=True
        )
    for one in facts["symbols"][:most]:
        symbol, health, *others = cells(one)
        style = show.HEALTH_STYLES.get(health, "white")
        table.add_row(rich.markup.escape(symbol), f"[{style}]{health}[/]", *others)
    head = rich.text.Text("\n".join(head_lines(facts)) + "\n")
    return rich.console.Group(head, table, rich.text.Text(rest_line(facts, most), style="dim"))


def watch_top(bus: "Bus", interval_s: float, most: int | None, count: int | None) -> None:
    """Redraw until Ctrl-C, or so many times; as many symbols as the terminal has lines."""
    rich, top, drawn = show.need_rich(), Top(bus), 0
    console = rich.get_console()
    facts = top.look()
    with rich.live.Live(console=console, auto_refresh=False, transient=False) as live:
        while count is None or drawn < count:
            lines = max(1, console.size.height - len(head_lines(facts)) - 4)
            live.update(as_table(facts, min(most or lines, lines)), refresh=True)
            drawn += 1
            time.sleep(interval_s)
            facts = top.look()
