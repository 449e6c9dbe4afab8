"""One run: a writer and its readers, each ours or C, over fresh files; answers checked, latencies handed back."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import c_ring, shape
from .ring_loops import ACCEPTED, ELAPSED, LOST, MISSED, RESULT_WORDS, SLEEPS, WRONG
from .worker import Worker, ticks_per_ns

SHM = Path("/dev/shm")
OURS, C = "ringbook", "C11"


class WrongAnswer(AssertionError):
    """A record was accepted that nobody sent, or some are not accounted for."""


@dataclass(frozen=True)
class Case:
    """What one run measures."""

    width: int
    rate: float = 0.0  # records/s; 0: as fast as it goes
    count: int = 1000
    readers: int = 1
    sleep_ns: int = 0  # 0: the reader spins
    spin_ns: int = 0  # how long a hybrid reader spins before it sleeps
    batch: int = 1
    slots: int = shape.SLOTS
    first: int = 1


@dataclass
class Outcome:
    """What came of it."""

    latencies: np.ndarray  # ns, of all readers
    lost: int
    accepted: int
    writer_ns: int
    sleeps: int
    missed: int


class Arena:
    """Holds the processes of our side, as many as were needed so far, and plays one run after the other."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.per_ns = ticks_per_ns()

    def close(self) -> None:
        """End our processes."""
        for worker in self.workers:
            worker.close()

    def play(self, case: Case, writer: str = OURS, reader: str = OURS, roles=("write", "read")) -> Outcome:
        """Run one case.

        writer, reader  OURS or C
        roles           ("write", "read"), ("ping", "pong") or, C only, ("wake", "sleep")
        Raises          WrongAnswer.
        """
        with (
            tempfile.TemporaryDirectory(dir=SHM, prefix="ringbook-bench-") as folder,
            shape.files(Path(folder), case.slots, case.width, case.count, case.readers) as files,
        ):
            jobs = [self._job(case, files, roles[1], who) for who in range(case.readers)]
            jobs.append(self._job(case, files, roles[0], case.readers))
            self._finish([*[reader] * case.readers, writer], jobs, 60.0)
            results = [np.array(shape.mapped(path, False)) for path in files["results"]]
        return judge(case, results, roles)

    def _job(self, case: Case, files: dict[str, Any], role: str, who: int) -> shape.Job:
        leads = role in ("write", "ping", "wake")
        ring, second = files["ring"], files["second"]
        return shape.Job(
            role, shape.WRITER_CORE if leads else shape.READER_CORE,
            second if role == "pong" else ring, files["ctl"], files["results"][who],
            case.slots, case.width, case.first, case.count,
            round(1e9 / case.rate) if case.rate else 0, case.batch,
            case.sleep_ns, round(case.spin_ns * self.per_ns), who, case.readers,
            {"ping": second, "pong": ring}.get(role, ""),
        )  # fmt: skip

    def _finish(self, sides: list[str], jobs: list[shape.Job], timeout_s: float) -> None:
        """Start all, wait for all."""
        ours, programs = [], []
        for side, job in zip(sides, jobs, strict=True):
            if side == C:
                programs.append(c_ring.start(job))
                continue
            if len(ours) == len(self.workers):
                self.workers.append(Worker())
            ours.append(self.workers[len(ours)])
            ours[-1].start(job)
        try:
            for worker in ours:
                worker.wait(timeout_s)
            codes = [program.wait(timeout_s) for program in programs]
        finally:
            for program in programs:
                program.kill()
                program.wait()
        if any(codes):
            raise WrongAnswer(f"the C program ended with {codes}")


def judge(case: Case, results: list[np.ndarray], roles: tuple[str, str]) -> Outcome:
    """Check that every record was accepted once and whole, or counted as lost."""
    readers, writer = results[:-1], results[-1]
    for found in results:
        if found[WRONG]:
            raise WrongAnswer(f"{found[WRONG]} of {found[ACCEPTED]} records were accepted with a wrong sum")
    for found in readers:
        if found[ACCEPTED] + found[LOST] != case.count:
            raise WrongAnswer(f"{found[ACCEPTED]} accepted and {found[LOST]} lost of {case.count}")
    timed = [writer] if roles[0] == "ping" else readers
    samples = [found[RESULT_WORDS : RESULT_WORDS + found[ACCEPTED]] for found in timed]
    total = np.sum([found[:RESULT_WORDS] for found in readers], axis=0)
    latencies = np.concatenate(samples)
    return Outcome(latencies, int(total[LOST]), int(total[ACCEPTED]), int(writer[ELAPSED]),
                   int(total[SLEEPS]), int(total[MISSED]))  # fmt: skip
