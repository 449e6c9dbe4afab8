"""Record → reader latency, no socket: a writer publishes TRADE records open-loop, a jitted handler reads them.

    python -m benchmarks.bus_latency [--seconds 5]

The writer runs on core 0 and publishes at fixed times whether or not anybody keeps up; the reader runs on
core 1 in another process, spinning or hybrid. Latency is the handler's clock minus the record's publish stamp.
Lost records are printed beside: a reader that drops late ones looks too good.
"""

import argparse
import multiprocessing
import os
import sys

import numba
import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.kernels import llvm, session
from ringbook.engine.percentiles import percentiles
from ringbook.engine.pipeline import Pipeline, ingest_room
from ringbook.io.bus import create
from ringbook.io.reader import join

from .machine import describe, table

SEEN = 0


@numba.njit
def count_one(record, state):
    """The cheapest handler there is."""
    state[SEEN] += 1
    return 0


@numba.njit(nogil=True)
def publish_paced(words, ctl, work, step_ns, count):
    """Publish `count` prepared trades, each at its own time; returns how late the last one was."""
    due = llvm.clock_ns(llvm.CLOCK_REALTIME) + step_ns
    late = 0
    for _ in range(count):
        now = llvm.clock_ns(llvm.CLOCK_REALTIME)
        while now < due:
            llvm.cpu_relax()
            now = llvm.clock_ns(llvm.CLOCK_REALTIME)
        late = now - due
        session.apply_decoded(words, ctl, work, now, now)
        due += step_ns
    return late


def write(name: str, rate: float, seconds: float, started, begin, stop) -> None:
    """The writer process."""
    os.sched_setaffinity(0, {0})
    ingest_room("binance")
    jit.warm()
    with create(name, venue="bench", symbol_capacity=4) as bus:
        bus.add_symbol(b"TEST", "bench", 2, 2, 1, 1)
        pipeline = Pipeline(bus.words, bus.ctl, bus.geo, "binance", next_seq=bus.next_seq)
        pipeline.open_book(0)
        frame = pipeline.space.frame[0]
        frame["kind"], frame["symbol_id"] = layout.KIND_TRADE, 0
        publish_paced(bus.words, bus.ctl, pipeline.work, 1000, 10)
        started.set()
        begin.wait(60)
        publish_paced(bus.words, bus.ctl, pipeline.work, int(1e9 / rate), int(rate * seconds))
        stop.wait(30)
        bus.delete()


def one(mode: str, rate: float, seconds: float) -> list[object]:
    """One row of the table."""
    context = multiprocessing.get_context("spawn")
    started, begin, stop = context.Event(), context.Event(), context.Event()
    name = f"bench-{os.getpid()}"
    writer = context.Process(target=write, args=(name, rate, seconds, started, begin, stop), daemon=True)
    writer.start()
    assert started.wait(120)
    with join(name) as bus:
        state = np.zeros(8, np.int64)
        options = {"core": 1, "mode": mode, "measure": True, "timeout_s": 1.0}
        report = bus.spin(count_one, state, on_ready=lambda _: begin.set(), **options)
        found = percentiles(bus.histograms()["publish_to_read"], (50, 99, 99.9))
    stop.set()
    writer.join(10)
    assert state[SEEN] + report.lost >= int(rate * seconds), (state[SEEN], report.lost)
    return [
        mode,
        f"{rate:,.0f}",
        int(state[SEEN]),
        report.lost,
        *(found[k] for k in ("p50", "p99", "p99.9", "max")),
    ]


def main() -> None:
    """Every mode at every rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    cases = (("spin", 1_000), ("spin", 100_000), ("spin", 1_000_000), ("hybrid", 1_000), ("hybrid", 100_000))
    rows = [one(mode, rate, chosen.seconds) for mode, rate in cases]
    headers = ("reader", "records/s", "read", "lost", "p50 ns", "p99 ns", "p99.9 ns", "max ns")
    sys.stdout.write(f"{describe()}\n\n{table(headers, rows)}\n")


if __name__ == "__main__":
    main()
