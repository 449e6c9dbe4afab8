"""Our side as processes that stay: started and compiled once, each then runs one job after the other."""

import multiprocessing
import os
import time
from multiprocessing.connection import Connection

import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.kernels.cursor import count_ticks

from . import ring_loops, shape

BURST_TICKS = 1 << 40  # a spinning reader here need not see Ctrl-C: its writer always comes to an end


def ticks_per_ns() -> float:
    """Rate of the cycle counter."""
    count_ticks(1_000_000)
    return count_ticks(50_000_000) / 50_000_000


def run(job: shape.Job) -> None:
    """Do one job; what came of it stands in its result file."""
    os.sched_setaffinity(0, {job.core})
    writes = job.role != "read"
    words, ctl = shape.mapped(job.ring, writes), shape.mapped(job.ctl, True)
    result, geo = shape.mapped(job.result, True), shape.geometry(job.slots, job.width)
    rows, out = shape.rows_of(job.width).ravel(), np.zeros(job.width, np.int64)
    spin_ticks = job.spin_ticks if job.sleep_ns else BURST_TICKS
    numbers = np.array([*job[7:12], spin_ticks], np.int64)
    if job.role in ("write", "ping"):
        while not all(ctl[shape.CTL_READY + 8 * who] for who in range(job.readers)):
            time.sleep(0.0002)
        time.sleep(0.002)
    else:
        ctl[shape.CTL_READY + 8 * job.who] = 1
    if job.role == "write":
        ring_loops.write_all(words, ctl, geo, rows, numbers, result)
    elif job.role == "read":
        ring_loops.read_all(words, ctl, geo, out, numbers, result)
    else:
        theirs = shape.mapped(job.second, False)
        ring_loops.ping_pong(words, theirs, geo, out, rows, numbers, job.role == "ping", result)


def serve(connection: Connection) -> None:
    """The process: jobs come in, a word goes out when each is done, None ends it."""
    jit.warm(rooms=("ring", "wait", "cursor", "ring_loops"))
    while (job := connection.recv()) is not None:
        run(job)
        connection.send("done")


class Worker:
    """One such process, from outside."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def start(self, job: shape.Job) -> None:
        """Hand it a job."""
        self.connection.send(job)

    def wait(self, timeout_s: float) -> None:
        """Until the job is done."""
        if not self.connection.poll(timeout_s):
            raise TimeoutError(f"a job of ours was not done after {timeout_s:.0f} s")
        assert self.connection.recv() == "done"

    def close(self) -> None:
        """End the process."""
        self.connection.send(None)
        self.process.join(5)
        self.connection.close()
        self.process.close()


assert layout.CTL_WORDS > shape.CTL_READY + 8 * 8
