"""Terminal pictures: ladders, tables, summaries. `rich` draws them when it is installed (extra `tui`)."""

import io
import pwd
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RingbookError
from .owner import age_text

if TYPE_CHECKING:
    from .census import BusInfo
    from .reader import Book, Bus

BAR_CELLS = 14
HEALTH_STYLES = {
    "LIVE": "green",
    "SYNCING": "yellow",
    "INIT": "yellow",
    "STALE": "red",
    "GAP": "red",
    "DOWN": "red",
}
FRAMES_PER_SECOND = 10
QUIET_SECONDS = 1.0


def need_rich() -> Any:
    """The rich package, or a clear message how to get it."""
    try:
        import rich
        import rich.columns
        import rich.live
        import rich.markup
        import rich.table
        import rich.text
    except ImportError:
        raise RingbookError("the live ladder needs the package rich: pip install 'ringbook[tui]'") from None
    return rich


def _bar(qty: float, largest: float, left: bool) -> str:
    cells = 0 if largest <= 0 else max(1, round(BAR_CELLS * qty / largest))
    return ("█" * cells).rjust(BAR_CELLS) if left else ("█" * cells).ljust(BAR_CELLS)


def _decimals(digits: int) -> str:
    return f"{{:.{digits}f}}"


def ladder(book: "Book", levels: int) -> Any:
    """One symbol's ladder as a rich table: bids left, asks right, health in the title."""
    rich = need_rich()
    style = HEALTH_STYLES.get(book.health, "white")
    spread = f"  spread {book.spread:.{book.price_digits}f}" if len(book.bids) and len(book.asks) else ""
    title = f"[bold]{rich.markup.escape(book.symbol)}[/]  [{style}]{book.health}[/]{spread}"
    table = rich.table.Table(title=title, box=None, padding=(0, 1), header_style="dim")
    for name, justify in (
        ("", "right"),
        ("qty", "right"),
        ("bid", "right"),
        ("ask", "left"),
        ("qty", "left"),
    ):
        table.add_column(name, justify=justify)
    table.add_column("")
    sides = [side[:levels] for side in (book.bids, book.asks)]
    largest = max([0.0, *(float(level[1]) for side in sides for level in side)])
    shown = 5 if largest < 1_000 else 2 if largest < 100_000 else 0  # decimals of a quantity worth reading
    price, qty = _decimals(book.price_digits), _decimals(min(book.qty_digits, shown))
    for row in range(levels):
        cells = [("", "", ""), ("", "", "")]
        for index, side in enumerate(sides):
            if row < len(side):
                amount = float(side[row][1])
                cells[index] = (
                    _bar(amount, largest, index == 0),
                    qty.format(amount),
                    price.format(side[row][0]),
                )
        (bid_bar, bid_qty, bid), (ask_bar, ask_qty, ask) = cells
        table.add_row(
            f"[green]{bid_bar}[/]", bid_qty, f"[bold green]{bid}[/]",
            f"[bold red]{ask}[/]", ask_qty, f"[red]{ask_bar}[/]",
        )  # fmt: skip
    table.caption = f"id {book.last_update_id}  age {book.age_ns / 1e6:.1f} ms"
    return table


def ladders(bus: "Bus", symbols: Sequence[str], levels: int) -> Any:
    """Several ladders side by side."""
    rich = need_rich()
    return rich.columns.Columns([ladder(bus.book(symbol), levels) for symbol in symbols], padding=(0, 4))


def watch(
    bus: "Bus",
    symbols: Sequence[str],
    levels: int,
    seconds: float | None,
    footer: Callable[[], str] | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Redraw ladders until time is up or Ctrl-C.

    footer  a line shown below, asked for at each redraw
    check   called at each redraw; may raise to stop
    """
    rich = need_rich()
    console = rich.get_console()
    until = None if seconds is None else time.monotonic() + seconds
    with rich.live.Live(console=console, refresh_per_second=FRAMES_PER_SECOND, transient=False) as live:
        while until is None or time.monotonic() < until:
            if check:
                check()
            picture = ladders(bus, symbols, levels)
            if footer:
                picture = rich.console.Group(picture, rich.text.Text(footer(), style="dim"))
            live.update(picture)
            time.sleep(1 / FRAMES_PER_SECOND)


class WarmProgress:
    """Counts the kernels as they are compiled or loaded; silent while that takes less than a second."""

    def __init__(self) -> None:
        self.started, self.shown = time.monotonic(), False

    def __call__(self, done: int, total: int, name: str, seconds: float, from_cache: bool) -> None:
        """Called by jit.warm after each kernel."""
        if not self.shown and time.monotonic() - self.started < QUIET_SECONDS:
            return
        self.shown = True
        how = "loaded" if from_cache else "compiled"
        text = f"kernels {done:3d}/{total}  {how} {name} ({seconds:.2f} s)"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif done == total or done % 20 == 0:
            print(text, file=sys.stderr, flush=True)


class Steps:
    """Says what a start is at: one line written over in a terminal or notebook, else a line per change.

    Silent while everything takes less than a second.
    """

    def __init__(self) -> None:
        self.started, self.last = time.monotonic(), ""
        self._over = sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")

    def __call__(self, text: str) -> None:
        """Say what is being done now."""
        if text == self.last or time.monotonic() - self.started < QUIET_SECONDS:
            return
        if self._over:
            print(f"\r{text:<{len(self.last)}}", end="", flush=True)
        else:
            print(text, flush=True)
        self.last = text

    def done(self, text: str) -> None:
        """Say how it ended, if anything was said before."""
        if self.last:
            self(text)
            print(end="\n" if self._over else "", flush=True)


def rows(headers: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A plain aligned table."""
    text = [list(map(str, line)) for line in lines]
    widths = [max([len(h), *(len(line[i]) for line in text)]) for i, h in enumerate(headers)]
    shown = [list(headers), *text]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in shown
    )


def bus_table(buses: Sequence["BusInfo"]) -> str:
    """`ringbook ls` for people: who owns each bus, how old it and its last heartbeat are, how large it is."""
    headers = (
        "name", "verdict", "pid", "user", "venue", "generation", "age", "heartbeat", "size", "symbols", "next seq",
        "command",
    )  # fmt: skip
    lines: list[list[object]] = []
    for one in buses:
        size = f"{one.size_bytes / 1e6:.1f} MB"
        if one.problem:
            lines.append([one.name, one.verdict, "", user_of(one.uid), *[""] * 4, size, "", "", one.problem])
            continue
        ages = age_text(one.age_ns), age_text(one.heartbeat_age_ns) + " ago"
        lines.append(
            [one.name, one.verdict, one.pid, user_of(one.uid), one.venue, one.generation, *ages, size,
             one.symbols, one.next_seq, one.command]
        )  # fmt: skip
    return rows(headers, lines)


def user_of(uid: int) -> str:
    """Name of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid) if uid >= 0 else "?"


def save_picture(path: Path, bus: "Bus", symbols: Sequence[str], summary: str, levels: int = 10) -> None:
    """Write the ladders as they are now, with a summary below, as an SVG picture of a terminal."""
    rich = need_rich()
    console = rich.console.Console(record=True, width=110, file=io.StringIO())
    console.print(ladders(bus, symbols, levels))
    console.print(rich.text.Text("\n" + summary))
    picture = console.export_svg(title="ringbook demo")
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # no font from elsewhere
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise RingbookError(f"--picture {path}: cannot be written ({error.strerror})") from None


def print_once(bus: "Bus", symbols: Sequence[str], levels: int = 10) -> None:
    """The ladders as they are now, for output that is not a terminal."""
    rich = need_rich()
    console = rich.console.Console(width=150)
    for symbol in symbols:
        console.print(ladder(bus.book(symbol), levels))
