"""`make real`: recorded frames through real sockets into the engine, judged by an oracle and by the venue itself.

For every recording and both frame sources: the built-in exchange serves the recording over loopback, the
engine (a process of its own) syncs on the recorded snapshot, and at the end its full book must equal, level
by level, the book plain Python makes of the same lines. Wherever a bookTicker's id equals a diff's final id,
best prices and quantities of the engine's own BOOK and TICKER records must agree.
"""

import argparse
import os
import sys
import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numba
import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.pipeline import ingest_room
from ringbook.io import show
from ringbook.io.census import rm as remove
from ringbook.io.children import Child
from ringbook.io.reader import Bus, join
from ringbook.io.verdict import ask

from .model.venue_book import follow

PROJECT = Path(__file__).resolve().parent.parent
TOPS, TICKERS = 0, 1  # words of the reader's state that count; then two tables of id and best levels
TABLE_ROWS, TABLE_WORDS = 1 << 18, 5
WAIT_S = 120.0


@dataclass(frozen=True)
class Case:
    """One recording."""

    venue: str
    symbol: str
    streams: str
    files: tuple[str, ...]

    def paths(self, folder: Path) -> list[Path]:
        return [folder / name for name in self.files]


CASES = (
    Case(
        "binance-spot", "BTCUSDT", "depth@100ms,trade,bookTicker",
        ("binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"),
    ),
    Case("binance-usdm", "ETHUSDT", "depth@0ms,trade,bookTicker", ("binance-usdm/ethusdt_20240808.gz",)),
)  # fmt: skip


def recordings() -> Path:
    """Where the recordings lie."""
    return Path(os.environ.get("RINGBOOK_RECORDINGS") or PROJECT.parent / "shared" / "data")


@numba.njit
def collect(record, state):
    """Keep id and best levels of every LIVE book and every ticker."""
    is_book = record.kind == layout.KIND_BOOK and record.health == layout.LIVE
    if is_book or record.kind == layout.KIND_TICKER:
        table = TOPS if is_book else TICKERS
        at = 2 + (table * TABLE_ROWS + state[table] % TABLE_ROWS) * TABLE_WORDS
        state[table] += 1
        state[at] = record.last_update_id
        for side in range(2):
            state[at + 1 + 2 * side] = record.price[side, 0]
            state[at + 2 + 2 * side] = record.qty[side, 0]
    return 0


def table(state: np.ndarray, which: int) -> dict[int, tuple]:
    start = 2 + which * TABLE_ROWS * TABLE_WORDS
    rows = state[start : start + int(state[which]) * TABLE_WORDS].reshape(-1, TABLE_WORDS)
    return {row[0]: tuple(row[1:]) for row in rows.tolist()}


def witness(state: np.ndarray) -> tuple[int, int]:
    """(ids seen in both a BOOK and a TICKER record, how many of them agree)."""
    books, tickers = table(state, TOPS), table(state, TICKERS)
    shared = books.keys() & tickers.keys()
    return len(shared), sum(books[i] == tickers[i] for i in shared)


def wait_drained(bus: Bus, rest_url: str, engine: Child) -> int:
    """Wait until the engine has taken every frame the exchange sent; returns their number."""
    deadline, sent = time.monotonic() + WAIT_S, 0
    while time.monotonic() < deadline and engine.is_running:
        stats = ask(f"{rest_url}/ringbook/stats")
        counters = bus.counters()
        sent = sum(stats["frames"].values())
        taken = counters["frames"] - counters["acks"] - counters["control_frames"]
        if stats["finished"] and sent > 0 and taken >= sent:
            return sent
        time.sleep(0.1)
    raise AssertionError(f"the engine took {bus.counters()['frames']} frames of {sent} in {WAIT_S:.0f} s")


def run_case(case: Case, folder: Path, source: str) -> dict[str, object]:
    """Serve, follow, compare; raises AssertionError where anything differs."""
    name, files = f"real-{os.getpid()}-{source}", [str(path) for path in case.paths(folder)]
    started = time.monotonic()
    with Child(
        "the exchange", "exchange", "--venue", case.venue, "--speed", "0", "--recording", *files
    ) as exchange:
        urls = exchange.ready(60)
        options = ("--venue", case.venue, "--symbols", case.symbol, "--streams", case.streams, "--bus", name)
        addresses = ("--rest-url", urls["rest"], "--ws-url", urls["ws"], "--source", source)
        with Child("the engine", "run", *options, *addresses, "--publish-all", "--slots", "65536") as engine:
            engine.ready(90)
            with join(name) as bus:
                state = np.zeros(2 + 2 * TABLE_ROWS * TABLE_WORDS, np.int64)
                spun: list = []
                reader = threading.Thread(
                    target=lambda: spun.append(bus.spin(collect, state, mode="hybrid", start="oldest")),
                    daemon=True,
                )
                reader.start()
                frames = wait_drained(bus, urls["rest"], engine)
                time.sleep(0.3)
                book, counters = bus.book(case.symbol, full=True), bus.counters()
                bus.stop()
                reader.join(10)
            engine.stop()
    remove(name)
    oracle, agreed = follow(case.paths(folder), case.venue == "binance-usdm")
    assert book.health == "LIVE", book.health
    assert book.last_update_id == oracle.last
    for side, want in enumerate(oracle.levels()):
        got = [(Decimal(p), Decimal(q)) for p, q in book.exact(side)]
        assert got == want, f"{case.symbol} {layout.SIDE_NAMES[side]} differ"
    shared, same = witness(state)
    assert counters["gaps"] == 0
    assert shared == same > 0, f"{same} of {shared} bookTickers agree"
    return {
        "recording": case.symbol,
        "source": source,
        "frames": frames,
        "levels held": sum(len(side) for side in oracle.levels()),
        "book": "equal",
        "venue agrees": f"{same}/{shared}",
        "oracle agrees": agreed,
        "records lost by reader": spun[0].lost if spun else "?",
        "slow": counters["slow_decodes"],
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> int:
    """Every case with the chosen sources; exit code 0 when all are equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--source", choices=("direct", "plain", "both"), default="both")
    chosen = parser.parse_args()
    folder = recordings()
    missing = [path for case in CASES for path in case.paths(folder) if not path.is_file()]
    if missing:
        sys.stderr.write(f"no recordings: {missing[0]} is missing; set RINGBOOK_RECORDINGS to their folder\n")
        return 2
    ingest_room("binance")
    jit.warm(show.WarmProgress())
    sources = ("direct", "plain") if chosen.source == "both" else (chosen.source,)
    done = [run_case(case, folder, source) for case in CASES for source in sources]
    sys.stdout.write(show.rows(list(done[0]), [list(line.values()) for line in done]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
