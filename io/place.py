"""A reader's place on a bus, across generations: cursor, filter, private record."""

from typing import Any

import numpy as np

from ..engine import burst as bursts
from ..engine import layout
from ..engine.kernels import cursor as cursors
from ..engine.kernels import idle, ring, wait
from .attach import Attachment, symbol_table
from .errors import RingbookError
from .owner import Verdict

KIND_CODES = {name: code for code, name in layout.KIND_NAMES.items()}
ENDS = ("wait", "stop")
STARTS = ("newest", "board", "oldest")
POLL_NS, SLEEP_NS = 1_000_000, 10_000_000


def kind_code(kind: str | int | None) -> int:
    """KIND_* from its name or itself; ANY for None."""
    if kind is None:
        return cursors.ANY
    if isinstance(kind, int) and kind in layout.KIND_NAMES:
        return kind
    if isinstance(kind, str) and kind.upper() in KIND_CODES:
        return KIND_CODES[kind.upper()]
    raise RingbookError(f"record kind was {kind!r}, expected one of {', '.join(KIND_CODES)}")


def check_end(on_end: str) -> None:
    """Refuse an `on_end` that is none."""
    if on_end not in ENDS:
        raise RingbookError(f"on_end was {on_end!r}, expected one of {', '.join(ENDS)}")


def poll_ns(mode: str, poll_ms: float) -> int | None:
    """Sleep of a reader that polls; None for one that does not."""
    if not 0.01 <= poll_ms <= 10.0:
        raise RingbookError(f"poll_ms was {poll_ms!r}, expected 0.01..10")
    return round(poll_ms * 1e6) if mode == "poll" else None


class Place:
    """Where one reader stands.

    link    the attached generation
    symbol  only this symbol, through rescales and successions; None for all
    kind    only this KIND_*, by name or code; None for all
    start   "newest": what is published from now on; "board": first the latest BOOK of every symbol;
            "oldest": what the ring still holds and the writer is not about to overwrite
    poll_ns sleep that long between looks, and never ask the writer for a wake-up; None: ask for it
    """

    make_burst = staticmethod(bursts.make_burst)
    looks_always = False  # a reader with news need not ask how its one writer is

    def __init__(
        self,
        link: Attachment,
        symbol: str | None,
        kind: str | int | None,
        start: str,
        poll_ns: int | None = None,
    ) -> None:
        if start not in STARTS:
            raise RingbookError(f"start was {start!r}, expected one of {', '.join(STARTS)}")
        self.symbol = symbol.encode() if symbol is not None else None
        self.cursor = np.zeros(cursors.CURSOR_WORDS, np.int64)
        self.cursor[cursors.CUR_KIND] = kind_code(kind)
        self.cursor[cursors.CUR_FILTERED] = int(symbol is not None)
        self.start, self.poll_ns = start, poll_ns
        self._enter(link)
        self.begin()

    def begin(self) -> None:
        """Stand where `start` says, as of now."""
        words, _, geo = self.bus
        self.cursor[cursors.CUR_BOARD] = 0 if self.start == "board" else cursors.BOARD_DONE
        self.cursor[cursors.CUR_SEQ] = words[layout.H_HEAD]
        if self.start == "oldest":
            oldest = ring.oldest_readable(words, geo, self.link.first_seq)
            # A full ring is about to lose its oldest records: an eighth of it is a head start.
            margin = (int(geo[layout.GEO_SLOT_MASK]) + 1) // 8 if oldest != self.link.first_seq else 0
            self.cursor[cursors.CUR_SEQ] = layout.wrap_seq(oldest + margin)

    def _enter(self, link: Attachment) -> None:
        self.link = link
        symbols = int(link.geo[layout.GEO_SYMBOLS])
        self.seen = np.zeros(symbols, np.int64)
        self.wanted = np.full(symbols, cursors.UNKNOWN, np.int64)
        self.out = np.zeros(int(link.geo[layout.GEO_SLOT_WORDS]), np.int64)
        self.record = self.out.view(layout.record_dtype(link.top_n))
        self._private_page = np.zeros(layout.CTL_WORDS, np.int64)
        self.cursor[cursors.CUR_SUSPECT] = 0  # it was about the other control page
        self.learn_symbols()

    def learn_symbols(self) -> None:
        """Mark the rows of the symbol table that came since the last look."""
        if self.symbol is None:
            return
        rows = symbol_table(self.link.words, self.link.geo)["symbol"]
        self.wanted[: len(rows)] = np.where(rows == self.symbol, cursors.WANTED, cursors.UNWANTED)

    @property
    def bus(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """words, ctl, geo for kernels; ctl is a private page, without wake-ups, for a reader that polls."""
        ctl = self._private_page if self.link.ctl is None or self.poll_ns else self.link.ctl
        return self.link.words, ctl, self.link.geo

    @property
    def sleep_ns(self) -> int:
        """Longest sleep: short where nobody wakes us."""
        return self.poll_ns or (POLL_NS if self.link.ctl is None else SLEEP_NS)

    def advance(self) -> int:
        """Step to the next record asked for; it lies in `record[0]` if READ_OK comes back."""
        words, _, geo = self.bus
        code = cursors.advance(words, geo, self.cursor, self.seen, self.wanted, self.out)
        if code == cursors.NEW_SYMBOL:
            self.learn_symbols()
        return code

    def take(self) -> Any:
        """Copy of the record just stepped to."""
        return self.record[0].copy()

    def wait(self, spin_ticks: int) -> None:
        """Wait for the next record, at most for one sleep."""
        idle.wait_for_next(*self.bus, self.cursor, 0 if self.poll_ns else spin_ticks, self.sleep_ns)

    @property
    def top_n(self) -> int:
        """Levels a side in a record of this generation."""
        return self.link.top_n

    def burst_arguments(self, histogram: np.ndarray) -> tuple:
        """What the loop around a handler takes before the user's state; see engine/burst.py."""
        return self.bus, (self.cursor, self.seen, self.wanted, self.out, self.record, histogram)

    def progress(self) -> tuple[int, ...]:
        """Changes whenever something was read, skipped or lost."""
        return tuple(self.cursor[: cursors.CUR_FILTERED].tolist())

    def is_drained(self) -> bool:
        """Whether nothing is left to read right now; ask after the verdict, not before."""
        return not wait.is_ready(self.link.words, self.link.geo, self.cursor[cursors.CUR_SEQ])

    def look_around(self) -> Verdict:
        """See how the writer is, and move to the successor once this generation is read to its end.

        Records the successor's first seq is past are counted as lost. Returns the verdict found.
        """
        verdict = self.link.verdict()
        if verdict is not Verdict.SUPERSEDED or not self.is_drained():
            return verdict
        link = self.link.successor()
        if link is None:
            return Verdict.DEAD
        expected, first_seq = int(self.cursor[cursors.CUR_SEQ]), link.first_seq
        self.cursor[cursors.CUR_LOST] += max(0, layout.wrap_seq(first_seq - expected))
        self.cursor[cursors.CUR_SEQ] = first_seq
        self._enter(link)
        return verdict

    @property
    def read(self) -> int:
        """Records handed out of the ring."""
        return int(self.cursor[cursors.CUR_READ])

    @property
    def lost(self) -> int:
        """Records overwritten before they were read."""
        return int(self.cursor[cursors.CUR_LOST])

    @property
    def laps(self) -> int:
        """How often the writer lapped this reader."""
        return int(self.cursor[cursors.CUR_LAPS])

    @property
    def missed_wakes(self) -> int:
        """Wake-ups that never came; must stay 0. A reader that polls asks for none."""
        return 0 if self.link.ctl is None or self.poll_ns else int(self.cursor[cursors.CUR_MISSED])

    def fill(self, report: Any) -> None:
        """Put the counts into a SpinReport."""
        report.records, report.lost, report.laps = self.read, self.lost, self.laps
        report.skipped = int(self.cursor[cursors.CUR_SKIPPED])
        report.sleeps, report.missed_wakes = int(self.cursor[cursors.CUR_SLEEPS]), self.missed_wakes
        report.generation = self.link.generation
