"""The whole way inside ringbook: a decoded trade through the engine's own kernels to a user's handler in `Bus.spin`.

One writer process stays and publishes what it is told; the reader is this process. Same clock, same intended send
time as in the other sections: it travels in `recv_mono_ns`.
"""

import multiprocessing
import os
from multiprocessing.connection import Connection

import numba
import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.jit import POLICY
from ringbook.engine.kernels import llvm, session
from ringbook.engine.pipeline import Pipeline, ingest_room
from ringbook.io.bus import create
from ringbook.io.reader import join

from . import shape
from .duel import Case, Outcome, WrongAnswer
from .ring_loops import BEFORE_NS

SEEN, SAMPLES = 0, 8
TIMEOUT_S = 60


@numba.njit(**POLICY)
def note(record, state):
    """The handler: how long ago the record was due."""
    state[SAMPLES + state[SEEN]] = llvm.clock_ns(llvm.CLOCK_MONOTONIC) - record.recv_mono_ns
    state[SEEN] += 1
    return 0


@numba.njit(**POLICY)
def publish_paced(words, ctl, work, step_ns, count):
    """Publish `count` prepared trades, each at its own time; returns ns."""
    begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
    due_ns = begun + BEFORE_NS
    for _ in range(count):
        while llvm.clock_ns(llvm.CLOCK_MONOTONIC) < due_ns:
            pass
        session.apply_decoded(words, ctl, work, due_ns, due_ns)
        due_ns += step_ns
    return llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun


def _write(name: str, orders: Connection) -> None:
    """The writer process: publishes (step_ns, count) as often as it is told."""
    os.sched_setaffinity(0, {shape.WRITER_CORE})
    ingest_room("binance")
    jit.warm()
    with create(name, venue="bench", symbol_capacity=4) as bus:
        bus.add_symbol(b"TEST", "bench", 2, 2, 1, 1)
        pipeline = Pipeline(bus.words, bus.ctl, bus.geo, "binance", next_seq=bus.next_seq)
        pipeline.open_book(0)
        frame = pipeline.space.frame[0]
        frame["kind"], frame["symbol_id"] = layout.KIND_TRADE, 0
        publish_paced(bus.words, bus.ctl, pipeline.work, 1000, 10)
        orders.send("started")
        while (order := orders.recv()) is not None:
            orders.send(publish_paced(bus.words, bus.ctl, pipeline.work, *order))
        bus.delete()


class Engine:
    """The writer process, from outside, and the reader."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = f"bench-{os.getpid()}"
        self.orders, theirs = context.Pipe()
        self.writer = context.Process(target=_write, args=(self.name, theirs), daemon=True)
        self.writer.start()
        theirs.close()
        self._told()

    def _told(self) -> object:
        if not self.orders.poll(TIMEOUT_S):
            raise TimeoutError(f"the engine's writer was silent for {TIMEOUT_S} s")
        return self.orders.recv()

    def play(self, case: Case) -> Outcome:
        """Read one run of trades with a handler."""
        order = (round(1e9 / case.rate), case.count)
        state = np.zeros(SAMPLES + case.count, np.int64)
        with join(self.name) as bus:
            report = bus.spin(
                note, state, core=shape.READER_CORE, mode="hybrid" if case.sleep_ns else "spin",
                timeout_s=1.0, on_ready=lambda _: self.orders.send(order),
            )  # fmt: skip
        took_ns, seen = self._told(), int(state[SEEN])
        if seen + report.lost != case.count:
            raise WrongAnswer(f"the handler saw {seen} and {report.lost} were lost of {case.count}")
        latencies = state[SAMPLES : SAMPLES + seen].copy()
        return Outcome(latencies, report.lost, seen, int(took_ns), report.sleeps, report.missed_wakes)

    def close(self) -> None:
        """End the writer and its bus."""
        self.orders.send(None)
        self.writer.join(10)
        self.orders.close()
        self.writer.close()
