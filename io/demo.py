"""`ringbook demo`: the whole chain on one machine, watched, measured and judged.

A child process serves the built-in exchange, another runs the headless engine connected to it as to a real
venue; this process reads the bus with a jitted handler and shows the ladders. A gap is injected on the way.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import jit, layout
from ..engine.kernels import book_area  # noqa: F401  (registered, so that full books are warm)
from ..engine.percentiles import percentiles
from ..engine.pipeline import ingest_room
from . import demo_reader, show
from .census import rm as remove
from .children import Child
from .errors import RingbookError
from .reader import Bus, join
from .venues.base import UnknownVenue
from .verdict import Verdict, ask, compare_full, compare_samples

SYMBOLS = {
    "binance-spot": ("BTCUSDT", "ETHUSDT", "PEPEUSDT"),
    "binance-usdm": ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT"),
}
SPIN_CORES = 4  # below this a spinning reader would take the engine's core
READY_S, LIVE_S = 60.0, 30.0
COMPARE_EVERY_S = 1.0
GAP_AFTER = 0.4  # share of the run
SPEED = "5"  # times real time: `@depth@100ms` becomes 50 frames a second


@dataclass
class Demo:
    """State of a running demo."""

    bus: Bus
    rest_url: str
    seconds: float
    state: np.ndarray = field(default_factory=demo_reader.new_state)
    verdict: Verdict = field(default_factory=Verdict)
    compared_until: int = 0
    next_compare: float = 0.0
    gap_at: float = 0.0
    gap_symbol: str = ""
    lost: int = 0
    mode: str = "hybrid"
    failure: BaseException | None = None

    def read(self) -> None:
        """Body of the reader thread: the jitted handler on every record."""
        cores = sorted(os.sched_getaffinity(0))
        self.mode = "spin" if len(cores) >= SPIN_CORES else "hybrid"
        try:
            done = self.bus.spin(demo_reader.handler, self.state, core=cores[-1], mode=self.mode)
            self.lost = done.lost
        except BaseException as error:  # told in the foreground, where the user looks
            self.failure = error

    def check(self) -> None:
        """Called at each redraw: compare what was sampled, inject the gap when its time has come."""
        if self.failure:
            raise self.failure
        now = time.monotonic()
        if self.gap_at and now >= self.gap_at:
            self.gap_at, self.gap_symbol = 0.0, self.bus.symbols[0]
            ask(f"{self.rest_url}/ringbook/fault", {"kind": "gap", "symbol": self.gap_symbol})
        if now >= self.next_compare:
            self.next_compare = now + COMPARE_EVERY_S
            self.compare()

    def compare(self) -> None:
        """Take the samples since the last time to the exchange."""
        until = int(self.state[demo_reader.SAMPLES])
        found = demo_reader.samples(self.state, self.compared_until, until)
        self.compared_until = until
        compare_samples(self.rest_url, found, self.bus.symbol_rows, self.verdict)

    def footer(self) -> str:
        """The line under the ladders."""
        gap = f"  gap injected in {self.gap_symbol}" if self.gap_symbol else ""
        seen = int(self.state[demo_reader.SEEN])
        return (
            f"{seen} records read ({self.mode}), {self.verdict.compared} books compared with the truth{gap}"
        )


def wait_live(bus: Bus, engine: Child, seconds: float) -> float:
    """Wait until every symbol is LIVE; returns how long it took. RingbookError otherwise."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        states = bus.health()["symbols"]
        if states and all(state == "LIVE" for state in states.values()):
            return time.monotonic() - started
        if not engine.is_running:
            raise RingbookError("the engine ended before its books were live; its messages stand above")
        time.sleep(0.02)
    raise RingbookError(f"after {seconds:.0f} s the books were {bus.health()['symbols']}, expected all LIVE")


def full_check(demo: Demo) -> None:
    """Compare every whole book once more, at a moment when it is LIVE."""
    for symbol in demo.bus.symbols:
        deadline = time.monotonic() + LIVE_S
        book = demo.bus.book(symbol, full=True)
        while book.health != "LIVE" and time.monotonic() < deadline:
            time.sleep(0.05)
            book = demo.bus.book(symbol, full=True)
        if book.health == "LIVE":
            compare_full(demo.rest_url, book, demo.verdict)
        else:
            demo.verdict.full_books[symbol] = f"was {book.health}"


def compare_something(demo: Demo) -> None:
    """Go on until a book was compared: on a starved machine the time may be over before a LIVE one was sampled."""
    deadline = time.monotonic() + LIVE_S
    demo.compare()
    while not demo.verdict.compared and time.monotonic() < deadline:
        time.sleep(0.1)
        demo.check()  # a reader that has failed will never sample one


def summarize(demo: Demo, to_live_s: float) -> dict[str, Any]:
    """Everything the summary tells."""
    counters = demo.bus.counters()
    stages = {name: percentiles(words) for name, words in demo.bus.histograms().items()}
    reader = demo.state[demo_reader.LATENCY : demo_reader.LATENCY + layout.HIST_WORDS]
    return {
        "frames": counters["frames"],
        "records": counters["records"],
        "levels": counters["levels"],
        "gaps": counters["gaps"],
        "resyncs": counters["resyncs"],
        "snapshots": counters["snapshots"],
        "slow_decodes": counters["slow_decodes"],
        "records_read": int(demo.state[demo_reader.SEEN]),
        "records_lost": demo.lost,
        "reader": demo.mode,
        "seconds_to_live": round(to_live_s, 3),
        "wire_to_record_ns": stages["recv_to_publish"],
        "record_to_reader_ns": percentiles(reader),
        "books_compared": demo.verdict.compared,
        "books_wrong": demo.verdict.wrong,
        "books_unknown": demo.verdict.unknown,
        "first_wrong": demo.verdict.first_wrong,
        "full_books": demo.verdict.full_books,
        "good": demo.verdict.is_good and counters["gaps"] >= bool(demo.gap_symbol),
    }


def summary_text(facts: dict[str, Any], seconds: float) -> str:
    """The summary for people."""
    names = ("frames", "records", "levels", "gaps", "resyncs", "snapshots", "records_read", "records_lost")
    counts = [(name.replace("_", " "), facts[name]) for name in (*names, "seconds_to_live")]
    stages = [
        ("wire → record", facts["wire_to_record_ns"]),
        ("record → reader", facts["record_to_reader_ns"]),
    ]
    shown = [(n, *(f"{p[k] / 1000:.2f}" for k in ("p50", "p99", "p99.9", "max"))) for n, p in stages]
    full = ", ".join(f"{symbol} {state}" for symbol, state in facts["full_books"].items())
    verdict = "VERDICT: every book equals the exchange's truth."
    if not facts["books_compared"] and set(facts["full_books"].values()) <= {"equal"}:
        verdict = (
            f"VERDICT: NONE. No LIVE book was sampled in {seconds + LIVE_S:.0f} s; is the machine too busy?"
        )
    elif not facts["good"]:
        verdict = f"VERDICT: NOT EQUAL. {facts['first_wrong'] or facts['full_books']}"
    return "\n".join(
        (
            show.rows(("", f"in {seconds:.0f} s"), counts),
            "",
            show.rows((f"latency, µs ({facts['reader']} reader)", "p50", "p99", "p99.9", "max"), shown),
            "",
            f"{facts['books_compared']} books compared with the truth at their update ids, "
            f"{facts['books_wrong']} wrong; full books: {full}",
            verdict,
        )
    )


@contextlib.contextmanager
def removed_at_the_end(name: str, directory: Path | str | None = None) -> Iterator[None]:
    """Remove the files of a bus once its engine has ended."""
    try:
        yield
    finally:
        with contextlib.suppress(RingbookError):  # the engine may have failed before it made them
            remove(name, directory)


def run_demo(venue: str, source: str, seconds: float, *, as_json: bool, picture: Path | None = None) -> int:
    """Run the demo; exit code 0 when every compared book was right."""
    if venue not in SYMBOLS:
        raise UnknownVenue(f"venue was {venue!r}, expected one of {', '.join(SYMBOLS)}")
    ingest_room("binance")
    jit.warm(show.WarmProgress())
    symbols, name = ",".join(SYMBOLS[venue]), f"demo-{os.getpid()}"
    with Child(
        "the exchange", "exchange", "--venue", venue, "--symbols", symbols, "--speed", SPEED
    ) as exchange:
        urls = exchange.ready(READY_S)
        addresses = ("--rest-url", urls["rest"], "--ws-url", urls["ws"], "--source", source)
        options = ("--venue", venue, "--symbols", symbols, "--bus", name, *addresses)
        with removed_at_the_end(name), Child("the engine", "run", *options) as engine:
            engine.ready(READY_S)
            with join(name) as bus:
                facts = _watch_and_judge(bus, engine, urls["rest"], seconds, as_json)
                if picture:
                    show.save_picture(picture, bus, bus.symbols, summary_text(facts, seconds))
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        print("\n" + summary_text(facts, seconds))
    return 0 if facts["good"] else 1


def _watch_and_judge(bus: Bus, engine: Child, rest_url: str, seconds: float, as_json: bool) -> dict[str, Any]:
    to_live_s = wait_live(bus, engine, LIVE_S)
    demo = Demo(bus, rest_url, seconds)
    demo.gap_at = time.monotonic() + GAP_AFTER * seconds
    reader = threading.Thread(target=demo.read, name="reader", daemon=True)
    reader.start()
    try:
        if as_json or not sys.stdout.isatty():
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                demo.check()
                time.sleep(0.1)
            if not as_json:
                show.print_once(bus, bus.symbols)
        else:
            show.watch(bus, bus.symbols, 10, seconds, demo.footer, demo.check)
        full_check(demo)
        compare_something(demo)
    finally:
        bus.stop()
        reader.join(5.0)
    return summarize(demo, to_live_s)
