"""The tortured processes. Each is forked from the conductor, which has compiled everything and maps no bus."""

import random
import time
from pathlib import Path

import numpy as np

from ringbook.engine import layout
from ringbook.engine.kernels import cursor, idle, wait
from ringbook.engine.layout import wrap_seq
from ringbook.io import bus
from ringbook.io.attach import Attachment, attach
from ringbook.io.errors import BusNotFound
from ringbook.io.generation import write_generation
from ringbook.io.succession import Predecessor

from . import bursts
from .bursts import SYMBOLS, T

NAME = "torture"
STOP_WRITER, STOP_READERS, READY, PUBLISH = range(4)  # words of the conductor's orders
MS = 1_000_000
WAKE_WORD = (1 << 32) - 20  # the futex compares the low half, which wraps soon
SPIN_TICKS = 20_000
IDLE_S = 0.0005  # when nothing was written during a burst: on a busy machine the writer needs the core
# (records, records to a head, spins after each head, seconds of sleep afterwards)
PACES = (
    (20_000, 1, 0, 0.0),
    (20_000, 64, 0, 0.0),
    (20_000, 1, 3, 0.0),
    (10_000, 1, 10, 0.0),
    (10_000, 5, 30, 0.0),
    (5_000, 1, 30, 0.0),
    (3, 1, 0, 0.0005),
    (1, 1, 0, 0.002),
)  # fmt: skip


def write(
    directory: Path,
    orders: np.ndarray,
    tally: np.ndarray,
    seed: int,
    slots: int,
    top_n: int,
    start: int | None,
) -> None:
    """Own the bus and publish at changing paces until told to stop; `start` only for the first of a round."""
    owner = bus.create(
        NAME, venue="test", symbol_capacity=SYMBOLS, slot_count=slots, top_n=top_n, book_levels=64,
        directory=directory,
    )  # fmt: skip
    if start is not None:
        write_generation(owner.words, owner.geo, "test", Predecessor(0, wrap_seq(start - 1), None))
    owner.ctl[layout.CTL_WAKE] = WAKE_WORD
    orders[READY] = 1
    rng, seq = random.Random(seed), owner.next_seq
    while not orders[STOP_WRITER]:
        count, batch, pause, sleep_s = rng.choice(PACES)
        until = time.monotonic() + rng.uniform(0.0, 0.03)
        while time.monotonic() < until and not orders[STOP_WRITER]:
            seq = bursts.write(owner.words, owner.ctl, owner.geo, tally, seq, count, batch, pause)
            time.sleep(sleep_s)


class Follower:
    """A reader that loses nothing without being told: its place, and what it expects of it."""

    def __init__(self, link: Attachment, tally: np.ndarray) -> None:
        self.link, self.tally = link, tally
        self.place = np.zeros(cursor.CURSOR_WORDS, np.int64)
        self.place[[cursor.CUR_BOARD, cursor.CUR_KIND]] = cursor.BOARD_DONE, cursor.ANY
        self.place[cursor.CUR_SEQ] = self.start = int(link.words[layout.H_HEAD])
        self.out = np.zeros(link.geo[layout.GEO_SLOT_WORDS], np.int64)
        self.between = 0  # records of generations that nobody can open any more
        self.accepted = int(tally[bursts.ACCEPTED])

    def run(self, spin_ticks: int, sleep_ns: int) -> bool:
        """One burst; true when there was nothing to read for a while."""
        link = self.link
        timed_out = bursts.follow(
            link.words, link.ctl, link.geo, self.place, self.out, self.tally, 20_000, spin_ticks, sleep_ns
        )
        self._add_up()
        return bool(timed_out)

    def _add_up(self) -> None:
        """Every seq passed was accepted here, or told as lost, or lay in a file that was gone."""
        passed = wrap_seq(int(self.place[cursor.CUR_SEQ]) - int(self.start))
        lost = int(self.place[cursor.CUR_LOST]) + self.between
        read = int(self.tally[bursts.ACCEPTED]) - self.accepted
        self.tally[T["lost"]], self.tally[T["sleeps"]] = lost, self.place[cursor.CUR_SLEEPS]
        self.tally[T["lost_wakes"]] = self.place[cursor.CUR_MISSED]
        self.tally[T["uncounted"]] = abs(passed - read - lost)

    def go_on(self) -> bool:
        """Move to the next writer's file once this one is drained; true if there was one."""
        following = self.link.successor()
        if following is None:
            return False
        while not self.run(0, idle.NEVER_SLEEP):  # whatever the dead writer left
            pass
        gap = wrap_seq(following.first_seq - int(self.place[cursor.CUR_SEQ]))
        if gap < 0 or (gap and following.generation == self.link.generation + 1):
            self.tally[T["wrong"]] += 1
        self.between += gap
        self.place[cursor.CUR_SEQ] = following.first_seq
        self.place[cursor.CUR_SUSPECT] = 0  # a writer that died before its wake-up will never tell
        self.link = following
        self.tally[T["successions"]] += 1
        return True


def follow(directory: Path, orders: np.ndarray, tally: np.ndarray, seed: int, manner: str) -> None:
    """Follow to the very end: `spin` never sleeps, `hybrid` sleeps in the futex, `poll` sleeps by the clock."""
    follower = Follower(attach_soon(directory), tally)
    spin_ticks = (
        SPIN_TICKS if manner == "spin" else 0 if manner == "poll" else random.Random(seed).choice((0, 2_000))
    )
    while True:
        over = bool(orders[STOP_READERS])
        idle_now = follower.run(spin_ticks, 10 * MS if manner == "hybrid" else idle.NEVER_SLEEP)
        if not idle_now or follower.go_on():
            continue
        if over:
            behind = wrap_seq(int(follower.link.words[layout.H_HEAD]) - int(follower.place[cursor.CUR_SEQ]))
            tally[T["uncounted"]] += abs(behind)
            return
        if manner != "hybrid":
            time.sleep(0.001 if manner == "poll" else 0.0)


def hammer(directory: Path, orders: np.ndarray, tally: np.ndarray, seed: int) -> None:
    """Read where the writer is about to write."""
    while not orders[STOP_READERS]:
        link = attach_soon(directory)
        out = np.zeros(link.geo[layout.GEO_SLOT_WORDS], np.int64)
        while not orders[STOP_READERS] and link.successor() is None:
            head = link.words[layout.H_HEAD]
            bursts.hammer(link.words, link.geo, out, tally, 20_000)
            if link.words[layout.H_HEAD] == head:
                time.sleep(IDLE_S)


def watch(directory: Path, orders: np.ndarray, tally: np.ndarray, seed: int) -> None:
    """Read the board, of every writer's file in turn."""
    latest = np.zeros(SYMBOLS, np.int64)
    while not orders[STOP_READERS]:
        link = attach_soon(directory)
        out = np.zeros(link.geo[layout.GEO_SLOT_WORDS], np.int64)
        while not orders[STOP_READERS] and link.successor() is None:
            head = link.words[layout.H_HEAD]
            bursts.watch_board(link.words, link.geo, out, tally, latest, 20_000)
            if link.words[layout.H_HEAD] == head:
                time.sleep(IDLE_S)


def call(directory: Path, orders: np.ndarray, tally: np.ndarray, seed: int) -> None:
    """Own a bus and, when told, publish one record, as the writer does when somebody sleeps."""
    owner = bus.create(
        NAME,
        venue="test",
        symbol_capacity=SYMBOLS,
        slot_count=4,
        top_n=1,
        book_levels=64,
        directory=directory,
    )
    owner.ctl[layout.CTL_WAKE] = (1 << 32) - 1
    orders[READY] = 1
    while not orders[PUBLISH]:
        time.sleep(0.001)
    bursts.write(owner.words, owner.ctl, owner.geo, tally, owner.next_seq, 1, 1, 0)
    while not orders[STOP_WRITER]:
        time.sleep(0.001)


def sleep(directory: Path, orders: np.ndarray, tally: np.ndarray, seed: int) -> None:
    """Sleep for the next record, longer than anybody waits here."""
    link = attach(NAME, directory)
    assert link.ctl is not None
    tally[T["sleeps"]] = 1
    code = wait.sleep_until(link.words, link.ctl, link.geo, int(link.words[layout.H_HEAD]), 600_000 * MS)
    assert code == wait.WAIT_READY


def attach_soon(directory: Path) -> Attachment:
    """Attach; a writer that dies while it starts may leave no file for a moment."""
    until = time.monotonic() + 20
    while True:
        try:
            return attach(NAME, directory)
        except BusNotFound:
            if time.monotonic() > until:
                raise
            time.sleep(0.001)
