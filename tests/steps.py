"""Kernels taken apart: plain twins of the atomics that log every store, or let a writer run between loads.

A writer never looks at its readers, so its run is a list of stores. Every prefix of the list is what a
writer killed at that point leaves behind; every way of letting it go on between two loads is a race.
"""

import random
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ringbook.engine import layout

from .model.ring import wrap
from .plain import plain_room

Store = tuple[int, int, bool]  # index, value, release


class Loads:
    """Plain loads; `before` runs ahead of each."""

    LINE_WORDS = layout.LINE_BYTES // layout.WORD_BYTES
    wrapping_add = staticmethod(lambda left, right: wrap(left + right))
    wrapping_sub = staticmethod(lambda left, right: wrap(left - right))

    def __init__(self, before: Callable[[], None] | None = None) -> None:
        self.before = before
        self.load_relaxed = self.load_acquire = self.load_seq_cst = self._load

    def _load(self, words: np.ndarray, index: int) -> int:
        if self.before:
            self.before()
        return int(words[index])

    def move_line(self, to: np.ndarray, at: int, source: np.ndarray, start: int) -> None:
        """A copy in vectors: to the machine, single words, each whole."""
        for word in self.order_of(self.LINE_WORDS):
            to[at + word] = self._load(source, start + word)

    def order_of(self, count: int) -> list[int]:
        """The order in which a copy in vectors reads its words."""
        return list(range(count))

    def fence_acquire(self) -> None:
        """Loads happen in program order here."""

    def fence_seq_cst(self) -> None:
        """Likewise."""


class Recorder(Loads):
    """Plain stores, done at once and logged; a fence is logged as None."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Store | None] = []

    def store_relaxed(self, words: np.ndarray, index: int, value: int) -> None:
        words[index] = value
        self.log.append((int(index), int(value), False))

    def store_release(self, words: np.ndarray, index: int, value: int) -> None:
        words[index] = value
        self.log.append((int(index), int(value), True))

    def fence_release(self) -> None:
        self.log.append(None)

    def move_line(self, to: np.ndarray, at: int, source: np.ndarray, start: int) -> None:
        """To the machine, word-sized stores in no order of their own."""
        for word in range(self.LINE_WORDS):
            self.store_relaxed(to, at + word, source[start + word])


def room(twin: Any, *modules: ModuleType, mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    """The kernels of `modules` in plain Python over `twin` in place of the atomics."""
    plain = plain_room(*modules, mutate=mutate)
    for value in vars(plain).values():
        if hasattr(value, "__code__") and value.__code__.co_filename.startswith("<plain"):
            value.__globals__["llvm"] = twin
    return plain


def stores(log: list[Store | None]) -> list[Store]:
    """The log in program order, fences left out."""
    return [step for step in log if step is not None]


def reordered(log: list[Store | None], rng: random.Random) -> list[Store]:
    """One order in which a weak machine may show the stores: those between two fences in any order, but a
    release store after all before it, and stores to one word in program order."""
    waiting: list[tuple[int, Store, int]] = []  # program position, store, fences before it
    fences = 0
    for step in log:
        if step is None:
            fences += 1
        else:
            waiting.append((len(waiting), step, fences))
    order: list[Store] = []
    while waiting:
        epoch = waiting[0][2]
        free = []
        words_before: set[int] = set()
        for position, (_, step, fence) in enumerate(waiting[:64]):
            if fence != epoch:
                break
            if step[0] not in words_before and not (step[2] and position):
                free.append(position)
            words_before.add(step[0])
        order.append(waiting.pop(rng.choice(free))[1])
    return order


class Race(Loads):
    """A reader on a weak machine beside a writer: `start` stores done at first, `step` more before load `at`.

    Time is how many of the writer's stores show. A load may be satisfied at any time since the last acquire,
    loads of one word in program order. An acquire load is a floor for the loads after it; an acquire fence
    makes a floor of all the loads before it.
    """

    def __init__(
        self, words: np.ndarray, order: list[Store], start: int, at: int, step: int, rng: random.Random
    ) -> None:
        super().__init__()
        self.words, self.rng = words, rng
        self.begun, self.at, self.later = start, at, min(len(order), start + step)
        self.load_acquire = self._acquire
        self.loads, self.floor, self.latest = 0, start, start
        self.satisfied: dict[int, int] = {}  # word → time of its last load
        # word → its stores: the time at which each shows, and its value
        self.writes: dict[int, list[tuple[int, int]]] = {}
        for time, (index, value, _) in enumerate(order, 1):
            self.writes.setdefault(index, []).append((time, value))

    def order_of(self, count: int) -> list[int]:
        """Any: vectors promise none."""
        return self.rng.sample(range(count), count)

    def _load(self, words: np.ndarray, index: int) -> int:
        now = self.later if self.loads >= self.at else self.begun
        self.loads += 1
        time = self.rng.randint(max(self.floor, self.satisfied.get(index, 0)), now)
        self.satisfied[index] = time
        self.latest = max(self.latest, time)
        shown = [value for when, value in self.writes.get(index, ()) if when <= time]
        return shown[-1] if shown else int(self.words[index])

    def _acquire(self, words: np.ndarray, index: int) -> int:
        value = self._load(words, index)
        self.floor = max(self.floor, self.satisfied[index])
        return value

    def fence_acquire(self) -> None:
        """What was loaded before stays before what is loaded after."""
        self.floor = self.latest
