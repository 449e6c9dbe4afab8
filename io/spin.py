"""Running a user's jitted handler on every record, on a core of its own."""

import contextlib
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError

from ..engine import burst as bursts
from ..engine.kernels.cursor import count_ticks
from ..engine.kernels.idle import NEVER_SLEEP
from ..engine.layout import KIND_NAMES
from .errors import CoreRefused, HandlerFailed, RingbookError
from .owner import Verdict

log = logging.getLogger(__name__)
BURST_NS = 40_000_000  # Ctrl-C and stop() are seen between bursts
HYBRID_SPIN_NS = 50_000
CALIBRATION_NS = 2_000_000
MODES = ("spin", "hybrid", "poll")


@dataclass
class SpinReport:
    """What a spin did; returned at its end, and handed to `on_ready` before its first record."""

    compile_s: float  # compiling the handler and the loop around it; 0 the second time
    records: int = 0  # records of the ring the handler saw; those of the board come on top
    lost: int = 0  # records overwritten before they were read, exact
    skipped: int = 0  # records not asked for, or older than what the board gave; with the lost they add up
    laps: int = 0
    sleeps: int = 0
    missed_wakes: int = 0  # must stay 0
    generation: int = 0
    seconds: float = 0.0
    ended_by: str = ""  # "handler", "stop", "timeout", "end of bus", "error"
    late: int = 0  # of a merge: records that came too late for their place in the order
    held: int = 0  # of a merge: records read and not handed to the handler when it ended
    by_bus: dict[str, dict[str, int]] = field(default_factory=dict)  # of a merge: the counts of each bus


def check_core(core: int | None) -> None:
    """Raise CoreRefused for a core that this thread may not use."""
    allowed = os.sched_getaffinity(0)
    if core is not None and core not in allowed:
        raise CoreRefused(f"core was {core}, expected one this thread may use: {sorted(allowed)}")


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this thread on one core meanwhile."""
    if core is None:
        yield
        return
    check_core(core)
    before = os.sched_getaffinity(0)
    if len(before) == 1:
        log.warning("core %d is the only one: the writer cannot run while this reader spins", core)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@functools.lru_cache(maxsize=64)
def loop_for(handler: Callable, make_burst: Callable = bursts.make_burst) -> Callable:
    """The loop specialised to a handler, made once per handler."""
    if not hasattr(handler, "py_func"):
        raise HandlerFailed(
            f"handler was {handler!r}, expected a function compiled by numba: put @numba.njit above "
            f"{shape_of(make_burst)}, returning 0 to go on or 1 to stop"
        )
    return make_burst(handler)


def shape_of(make_burst: Callable) -> str:
    """How the handler of a loop begins."""
    return f"def handler({'bus, ' if make_burst is bursts.make_merged_burst else ''}record, state)"


def _compile(loop: Any, handler: Any, arguments: tuple, shape: str) -> float:
    """Compile the loop for these arguments; returns seconds."""
    begun = time.perf_counter()
    try:
        loop.compile(tuple(numba.typeof(argument) for argument in arguments))
    except Exception as error:  # numba lets a KeyError through for a field the record does not have
        raise HandlerFailed(
            f"handler {handler.__name__} could not be compiled for (record, {numba_name(arguments[2])}); "
            f"expected {shape[4:]} -> int in nopython mode. Numba says: {type(error).__name__}: {error}"
        ) from error
    return time.perf_counter() - begun


def numba_name(value: Any) -> str:
    """How numba types a value, or why it cannot."""
    try:
        return str(numba.typeof(value))
    except (NumbaError, ValueError):
        return f"{type(value).__name__}, which numba has no type for"


@dataclass
class Spinner:
    """One run of `Bus.spin` or `Merged.spin`; see there for the parameters."""

    place: Any  # a Place, or a MergedPlace
    handler: Any
    state: Any
    mode: str
    stop: threading.Event
    histogram: np.ndarray
    measure: bool
    timeout_s: float | None
    on_end: str
    on_ready: Callable[[SpinReport], None] | None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise RingbookError(f"mode was {self.mode!r}, expected one of {', '.join(MODES)}")
        per_ns = count_ticks(CALIBRATION_NS) / CALIBRATION_NS
        sleep_ns = NEVER_SLEEP if self.mode == "spin" else self.place.sleep_ns
        spin_ticks = 0 if self.mode == "poll" else HYBRID_SPIN_NS * per_ns
        self.limits = np.array([BURST_NS * per_ns, spin_ticks, sleep_ns, self.measure], np.int64)
        self.loop, self.top_n = loop_for(self.handler, self.place.make_burst), 0
        self.report = SpinReport(compile_s=self._prepare())
        self._begun = self._newest = time.monotonic()

    def _arguments(self) -> tuple:
        return *self.place.burst_arguments(self.histogram), self.state, self.limits

    def _prepare(self) -> float:
        """Compile for the record of this generation; another top_n is another type."""
        if self.top_n == self.place.top_n:
            return 0.0
        self.top_n = self.place.top_n
        return _compile(self.loop, self.handler, self._arguments(), shape_of(self.place.make_burst))

    def run(self) -> SpinReport:
        """Hand records to the handler until something ends it."""
        self.place.begin()  # compiling took its time
        if self.on_ready:
            self.on_ready(self.report)
        self._begun = self._newest = time.monotonic()
        try:
            while not self.report.ended_by:
                self._burst()
        except BaseException:
            self.report.ended_by = "error"
            raise
        finally:
            self._fill_report()
        return self.report

    def report_now(self) -> SpinReport:
        """A copy of the report as of now; for other threads, while it runs and afterwards."""
        if not self.report.ended_by:
            self._fill_report()
        return replace(self.report)

    def _burst(self) -> None:
        before = self.place.progress()
        try:
            code = self.loop(*self._arguments())
        except Exception as error:
            kind = KIND_NAMES.get(int(self.place.record[0]["kind"]), "?")
            seq = int(self.place.record[0]["seq"])
            error.add_note(f"raised by handler {self.handler.__name__} on record seq {seq}, kind {kind}")
            raise
        now = time.monotonic()
        if code == bursts.BURST_STOPPED:
            self.report.ended_by = "handler"
        elif self.stop.is_set():
            self.stop.clear()
            self.report.ended_by = "stop"
        elif code == bursts.BURST_SYMBOL:
            self.place.learn_symbols()
        else:
            moved = before != self.place.progress()
            self._newest = now if moved else self._newest
            if not moved or self.place.looks_always:
                self._look_around()
        if self.timeout_s is not None and now - self._newest >= self.timeout_s:
            self.report.ended_by = self.report.ended_by or "timeout"

    def _look_around(self) -> None:
        verdict = self.place.look_around()
        self.report.compile_s += self._prepare()
        if verdict in (Verdict.CLOSED, Verdict.DEAD) and self.on_end == "stop" and self.place.is_drained():
            self.report.ended_by = "end of bus"

    def _fill_report(self) -> None:
        self.place.fill(self.report)
        self.report.seconds = time.monotonic() - self._begun
