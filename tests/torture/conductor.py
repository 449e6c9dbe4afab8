"""Rounds of torture: starts the processes, stops and kills them at random, adds up what they saw."""

import mmap
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import bursts, children
from .bursts import NAMES, TALLY_WORDS
from .children import PUBLISH, READY, STOP_READERS, STOP_WRITER

ROWS = 512  # processes a round
PATIENCE_S = 60.0
KILL_WRITER = 0.75  # a draw of Round.torment
SLEEPERS = 3
FAULTS = ("wrong", "uncounted", "lost_wakes", "failed", "not_woken")
# slots, levels a side, first seq; those near an edge cross it within the round
BUSES = (
    (2, 20, (1 << 63) - 100_000),
    (4, 1, (1 << 32) - 100_000),
    (8, 50, -50_000),
    (16, 1, 1),
    (2, 1, (1 << 32) - 3),
    (4, 20, -1),
    (16, 5, (1 << 63) - 2),
)
CASTS = (
    ("hammer",),
    ("spin", "hybrid"),
    ("hammer", "watch"),
    ("spin",),
    ("hybrid", "hybrid", "poll"),
)


def shared(*shape: int) -> np.ndarray:
    """Zeroed int64 that forked processes share."""
    size = int(np.prod(shape)) * 8
    return np.frombuffer(mmap.mmap(-1, size), np.int64).reshape(shape)


class Troupe:
    """Child processes over one folder, with memory they share with the conductor."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.orders, self.tallies = shared(8), shared(ROWS, TALLY_WORDS)
        self.made = 0

    def fork(self, role: Callable, *arguments: object) -> int:
        """A child that runs `role` and ends; nothing of the conductor's goes on in it."""
        tally, seed = self.tallies[self.made], self.rng.getrandbits(32)
        self.made += 1
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            role(self.folder, self.orders, tally, seed, *arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def until(self, is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
        """Wait, but not for ever."""
        end = time.monotonic() + patience_s
        while not is_so() and time.monotonic() < end:
            time.sleep(0.002)
        return is_so()

    def finish(self, pids: list[int], patience_s: float = PATIENCE_S) -> int:
        """Wait for children to end by themselves; returns how many failed, or had to be killed."""
        waiting, failed = set(pids), 0

        def all_gone() -> bool:
            nonlocal failed
            for pid in list(waiting):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    waiting.discard(pid)
                    failed += status != 0
            return not waiting

        if not self.until(all_gone, patience_s):
            for pid in waiting:
                kill(pid)
        return failed + len(waiting)


class Round(Troupe):
    """One bus, one writer at a time, some readers."""

    def __init__(self, folder: Path, rng: random.Random, bus: tuple, cast: tuple) -> None:
        super().__init__(folder, rng)
        self.bus = bus
        self.counts = dict.fromkeys(("writers_killed", "readers_killed", "stops", "failed"), 0)
        self.writer = self.start_writer(self.bus[2])
        self.until(lambda: bool(self.orders[READY]))
        self.readers = {self.start_reader(role): role for role in cast}

    def start_writer(self, first_seq: int | None) -> int:
        return self.fork(children.write, self.bus[0], self.bus[1], first_seq)

    def start_reader(self, role: str) -> int:
        if role in ("hammer", "watch"):
            return self.fork(getattr(children, role))
        return self.fork(children.follow, role)

    def torment(self, draw: float) -> None:
        """One cruelty: stop somebody for a while, or kill and replace."""
        if draw < 0.7:
            pid = self.rng.choice([self.writer, *self.readers])
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.rng.choice((0.0, 0.001, 0.015, 0.04)))
            os.kill(pid, signal.SIGCONT)
            self.counts["stops"] += 1
        elif draw < 0.85:
            kill(self.writer)
            self.counts["writers_killed"] += 1
            self.writer = self.start_writer(None)
        else:
            pid = self.rng.choice(list(self.readers))
            kill(pid)
            self.counts["readers_killed"] += 1
            role = self.readers.pop(pid)
            self.readers[self.start_reader(role)] = role

    def published(self) -> int:
        """Records so far, of all writers of the round."""
        return int(self.tallies[:, bursts.PUBLISHED].sum())

    def is_wrong(self) -> bool:
        """Whether a reader accepted what it should not: then the round has shown what it can."""
        return bool(self.tallies[:, bursts.WRONG].any())

    def run(self, records: int) -> dict[str, int]:
        """Torment until so many records are out, then let everybody finish; returns all counts.

        What comes next waits for records, not for time: on a busy machine a writer gets to write, too.
        """
        draw = KILL_WRITER
        while (done := self.published()) < records and self.made < ROWS - 1 and not self.is_wrong():
            target, end = done + self.rng.randint(1, records // 20), time.monotonic() + 2.0
            while self.published() < target and time.monotonic() < end:
                time.sleep(0.002)
            self.torment(draw)
            draw = self.rng.random()
        self.orders[STOP_WRITER] = 1
        self.counts["failed"] += self.finish([self.writer])
        self.orders[STOP_READERS] = 1
        self.counts["failed"] += self.finish(list(self.readers))
        sums = self.tallies.sum(axis=0)
        return {name: int(sums[place]) for place, name in enumerate(NAMES)} | self.counts


def kill(pid: int) -> None:
    """kill -9, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def drill(seed: int, directory: Path | None, patience_s: float) -> int:
    """Let readers fall asleep for minutes, publish one record; returns how many were not woken by it."""
    folder = Path(tempfile.mkdtemp(prefix="drill-", dir=directory))
    try:
        troupe = Troupe(folder, random.Random(seed))
        writer = troupe.fork(children.call)
        troupe.until(lambda: bool(troupe.orders[READY]))
        sleepers = [troupe.fork(children.sleep) for _ in range(SLEEPERS)]
        troupe.until(lambda: all(is_asleep(troupe.tallies[1 + i], pid) for i, pid in enumerate(sleepers)))
        troupe.orders[PUBLISH] = 1
        left = troupe.finish(sleepers, patience_s)
        troupe.orders[STOP_WRITER] = 1
        return left + troupe.finish([writer])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_asleep(tally: np.ndarray, pid: int) -> bool:
    """Whether a sleeper has begun, and the kernel says that it sleeps."""
    if not tally[bursts.T["sleeps"]]:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def torture(
    seconds: float, records: int, seen: int, reads: int, limit_s: float, seed: int, directory: Path | None
) -> dict:
    """Rounds until the time is over, every cast has played and enough was seen; returns everything counted.

    seconds  at least so long
    records  published in a round
    seen     go on until there were so many overruns and so many rejections after the copy
    reads    and so many reads of a record that was there
    limit_s  but begin no round after this
    """
    rng, rounds, total = random.Random(seed), 0, dict.fromkeys(("overruns", "rejected", "reads"), 0)
    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < limit_s:
        bus, cast = BUSES[rounds % len(BUSES)], CASTS[rounds % len(CASTS)]
        if spent > seconds and rounds >= len(CASTS):
            if min(total["overruns"], total["rejected"]) >= seen and total["reads"] >= reads:
                break
            bus, cast = BUSES[0], CASTS[0]  # what meets most races
        folder = Path(tempfile.mkdtemp(prefix="torture-", dir=directory))
        try:
            one = Round(folder, rng, bus, cast)
            for name, value in one.run(records).items():
                total[name] = total.get(name, 0) + value
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rounds += 1
        total["reads"] = total["accepted"] + total["overruns"] + total["rejected"]
        if faults(total):
            break
    spent, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = (used.ru_utime + used.ru_stime) / spent
    return {"rounds": rounds, "seconds": round(spent, 1), "cores": round(cores, 2), "seed": seed, **total}


def summary(total: dict) -> dict:
    """The counts and the share of reads that were accepted. A look at a record not yet written is no read."""
    return total | {"accepted_of_reads": round(total["accepted"] / max(1, total["reads"]), 3)}


def faults(total: dict) -> dict:
    """The counts that must be zero and are not."""
    return {name: total[name] for name in FAULTS if total.get(name)}
