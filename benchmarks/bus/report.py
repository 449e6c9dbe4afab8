"""Tables of a run, and what became of the aims."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ringbook.engine import jit

from ..machine import describe, table
from . import c_ring, peers, ring_loops, shape
from .duel import OURS, C
from .plan import BARE, ENGINE, FLOOD, HYBRID, PING_PONG, SPIN, WAKE, Entry

TITLES = {
    SPIN: "One way, paced, open loop; one reader that spins (iceoryx2 polls; pyzmq and Pipe block)",
    HYBRID: "One way, paced, open loop; hybrid readers, all on one core (pyzmq and Pipe block)",
    WAKE: "Waking a reader that sleeps: paced, 1,000 records/s, 64 bytes",
    ENGINE: "From a decoded trade through the engine to a handler in `Bus.spin`; 10,000 once more as hybrid",
    PING_PONG: "Ping-pong, closed loop: half of a round trip, which flatters",
}
LATENCY_HEADERS = ("record", "records/s", "readers", "contestant", "read", "lost", "p50 ns", "p99 ns",
                   "p99.9 ns", "max ns", "p50 ratio", "p99 ratio")  # fmt: skip


def percentile(entry: Entry, share: float) -> np.ndarray:
    """One percentile per round, ns."""
    return np.array([np.percentile(one.latencies, share) for one in entry.rounds])


def rate(entry: Entry) -> np.ndarray:
    """Million records per second the writer wrote, per round."""
    return np.array([entry.case.count * 1e3 / one.writer_ns for one in entry.rounds])


def rival(plan: Iterable[Entry], entry: Entry) -> Entry | None:
    """Whom an entry is held against: C in the same case; for waking, the bare futex."""
    against = BARE if entry.section == WAKE else C
    same = (one for one in plan if (one.section, one.case, one.who) == (entry.section, entry.case, against))
    return next(same, None)


def ratio(plan: list[Entry], entry: Entry, figure: Callable[[Entry], np.ndarray]) -> float | None:
    """Median over the rounds of ours : theirs; None without a rival."""
    other = rival(plan, entry)
    return float(np.median(figure(entry) / figure(other))) if other else None


def shown(value: float | None) -> str:
    """A ratio for a cell."""
    return "" if value is None else f"{value:.2f}"


def name_of(who: str) -> str:
    """A contestant with its version."""
    return peers.named(who) if who in peers.KINDS else who


def latency_row(plan: list[Entry], entry: Entry) -> list[object]:
    """p50 and p99 are medians over the rounds, p99.9 and the maximum of all rounds together."""
    everything = np.concatenate([one.latencies for one in entry.rounds])
    read, lost = (sum(getattr(one, name) for one in entry.rounds) for name in ("accepted", "lost"))
    figures = [np.median(percentile(entry, share)) for share in (50, 99)]
    figures += [np.percentile(everything, 99.9), everything.max()]
    ratios = [shown(ratio(plan, entry, lambda one, at=share: percentile(one, at))) for share in (50, 99)]
    pace = f"{entry.case.rate:,.0f}" if entry.case.rate else "in turn"
    return [f"{entry.case.width * 8} B", pace, entry.case.readers, name_of(entry.who), f"{read:,}", lost,
            *(f"{figure:,.0f}" for figure in figures), *ratios]  # fmt: skip


def flood_row(plan: list[Entry], entry: Entry) -> list[object]:
    """Throughput with a reader attached."""
    lost = sum(one.lost for one in entry.rounds) / (entry.case.count * len(entry.rounds))
    return [f"{entry.case.width * 8} B", entry.case.batch, name_of(entry.who),
            f"{np.median(rate(entry)):.3g}", f"{rate(entry).min():.3g}", f"{lost:.1%}",
            shown(ratio(plan, entry, rate))]  # fmt: skip


def tables(plan: list[Entry]) -> str:
    """Every section."""
    parts = []
    for section, title in TITLES.items():
        rows = [latency_row(plan, entry) for entry in plan if entry.section == section]
        parts.append(f"### {title}\n\n{table(LATENCY_HEADERS, rows)}")
    headers = ("record", "records per head", "contestant", "million records/s", "slowest round",
               "lost by the reader", "ratio to C")  # fmt: skip
    rows = [flood_row(plan, entry) for entry in plan if entry.section == FLOOD]
    parts.append(f"### As fast as it goes, one reader attached\n\n{table(headers, rows)}")
    return "\n\n".join(parts)


# ---------------------------------------------------------------- the aims
def _worst(plan: list[Entry], section: str, width: int, share: float) -> float | None:
    mine = [one for one in plan if (one.section, one.who, one.case.width) == (section, OURS, width)]
    ratios = [ratio(plan, one, lambda entry: percentile(entry, share)) for one in mine]
    return max((one for one in ratios if one is not None), default=None)


def _slowest(plan: list[Entry], width: int) -> float | None:
    mine = [one for one in plan if (one.section, one.who, one.case.width) == (FLOOD, OURS, width)]
    return min((float(np.median(rate(one))) for one in mine), default=None)


def aims(plan: list[Entry]) -> str:
    """Each aim beside what was measured; of several rates or batches the worst counts."""
    small, full = shape.SMALL_WORDS, shape.FULL_WORDS
    rows = [
        ("64 B one way, p50 against C", _worst(plan, SPIN, small, 50), 1.15, True),
        ("64 B one way, p99 against C", _worst(plan, SPIN, small, 99), 1.5, True),
        ("full record one way, p50 against C", _worst(plan, SPIN, full, 50), 3.0, True),
        ("64 B, million records/s with a reader", _slowest(plan, small), 10.0, False),
        ("full record, million records/s with a reader", _slowest(plan, full), 5.0, False),
        ("waking a sleeper, p50 against a bare futex", _worst(plan, WAKE, small, 50), 1.2, True),
    ]
    cells = []
    for what, found, aim, at_most in rows:
        reached = "not measured" if found is None else "yes" if (found <= aim) == at_most else "no"
        cells.append((what, f"{'≤' if at_most else '≥'} {aim:g}", f"{found:.3g}" if found else "", reached))
    headers = ("aim (worst of all rates or batches)", "wanted", "measured", "reached")
    return f"### Aims\n\n{table(headers, cells)}"


# ---------------------------------------------------------------- circumstances
def _read(path: str) -> str:
    file = Path(path)
    return file.read_text().strip() if file.exists() else "unknown"


def idle_line(core: int, seconds: float) -> str:
    """The machine's own pauses on a core: no reader there can have a better tail."""
    before, result = os.sched_getaffinity(0), np.zeros(3, "i8")
    os.sched_setaffinity(0, {core})
    try:
        ring_loops.idle(int(seconds * 1e9), result)
    finally:
        os.sched_setaffinity(0, before)
    reads, longest, paused = (int(value) for value in result)
    return (
        f"core {core}: {(seconds * 1e9 - paused) / reads:.0f} ns per clock read, longest pause "
        f"{longest / 1e3:,.0f} µs, {paused / seconds / 1e9:.2%} of the time in pauses over 1 µs"
    )


def circumstances(seconds: float) -> str:
    """What the figures were measured on; an idle loop on each core first."""
    jit.warm(rooms=("ring", "wait", "cursor", "ring_loops"))
    load, page = os.getloadavg()[0], os.sysconf("SC_PAGE_SIZE")
    compiler = f"{c_ring.version()}, {' '.join(c_ring.FLAGS)}" if c_ring.program() else "none"
    cpu = "/sys/devices/system"
    return "\n".join((
        describe(), "",
        f"- clocksource {_read(f'{cpu}/clocksource/clocksource0/current_clocksource')}, SMT active "
        f"{_read(f'{cpu}/cpu/smt/active')}, governor {_read(f'{cpu}/cpu/cpu0/cpufreq/scaling_governor')}, "
        f"pages of {page} B, load average {load:.2f}, nice {os.getpriority(os.PRIO_PROCESS, 0)}",
        f"- C compiler: {compiler}",
        f"- writer on core {shape.WRITER_CORE}, readers on core {shape.READER_CORE}; {shape.SLOTS:,} slots",
        f"- idle loop, {idle_line(shape.WRITER_CORE, seconds)}",
        f"- idle loop, {idle_line(shape.READER_CORE, seconds)}",
    ))  # fmt: skip
