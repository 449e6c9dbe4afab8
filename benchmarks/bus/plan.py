"""What is run: sections of cases with their contestants, taken in turn, round after round."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import c_ring, peers, shape
from .duel import OURS, SHM, Arena, C, Case, Outcome
from .engine import Engine

BARE = "bare futex in C"
SLEEP_NS, HYBRID_SPIN_NS = 10_000_000, 50_000  # as io/spin.py's hybrid reader
RATES, PEER_RATES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000)
BLOCKING = ("Pipe", "pyzmq")  # peers whose readers can share a core
WIDTHS = (shape.SMALL_WORDS, shape.FULL_WORDS)
SPIN, HYBRID, WAKE, PING_PONG, FLOOD, ENGINE = "spin", "hybrid", "wake", "ping-pong", "flood", "engine"
ROLES = {PING_PONG: ("ping", "pong")}


@dataclass
class Entry:
    """One contestant in one case, and what each round gave."""

    section: str
    case: Case
    who: str
    rounds: list[Outcome] = field(default_factory=list)


def seconds_of(rate: float, quick: bool) -> float:
    """Length of a paced run: longer where records are rarer."""
    full = {1_000: 1.0, 10_000: 1.0, 100_000: 0.4}.get(rate, 0.25)
    return full * (0.2 if quick else 1.0)


def contestants() -> tuple[list[str], list[str]]:
    """Who can be measured here; and a line for each who cannot."""
    found, lines = [OURS], []
    if c_ring.program():
        found.append(C)
    else:
        lines.append("Skipped: C11, because there is no C compiler (`cc`); so there are no ratios either.")
    for kind in peers.KINDS:
        why = peers.missing(kind)
        found += [] if why else [kind]
        lines += [f"Skipped: {kind}, because {why}."] if why else []
    return found, lines


def entries(present: list[str], quick: bool) -> Iterator[Entry]:
    """All cases of a run."""
    rings = [who for who in (OURS, C) if who in present]
    others = [who for who in present if who not in rings]
    shorter = 0.2 if quick else 1.0
    for width in WIDTHS:
        for rate in RATES:
            count = int(rate * seconds_of(rate, quick))
            for who in (*rings, *(others if rate in PEER_RATES else ())):
                yield Entry(SPIN, Case(width, rate, count), who)
        for readers in (1, 2, 3, 4):
            hybrid = {"readers": readers, "sleep_ns": SLEEP_NS, "spin_ns": HYBRID_SPIN_NS}
            for who in (*rings, *(who for who in others if who in BLOCKING)):
                yield Entry(HYBRID, Case(width, 5_000, int(3_000 * shorter), **hybrid), who)
        for who in rings:
            yield Entry(PING_PONG, Case(width, 0, int(100_000 * shorter)), who)
        for batch in (64, 1):
            count = int((8_000_000 if width == shape.SMALL_WORDS else 2_000_000) * shorter)
            for who in (*rings, *(others if batch == 1 else ())):
                yield Entry(FLOOD, Case(width, 0, count if who in rings else count // 40, batch=batch), who)
    for who in (*rings, *([BARE] if C in present else [])):
        yield Entry(WAKE, Case(shape.SMALL_WORDS, 1_000, int(1_500 * shorter), sleep_ns=SLEEP_NS), who)
    for rate, sleep_ns in ((10_000, 0), (100_000, 0), (1_000_000, 0), (10_000, SLEEP_NS)):
        count = int(rate * seconds_of(rate, quick))
        yield Entry(ENGINE, Case(shape.FULL_WORDS, rate, count, sleep_ns=sleep_ns), OURS)


def run_one(arena: Arena, engine: Engine, entry: Entry) -> Outcome:
    """Play an entry once."""
    if entry.section == ENGINE:
        return engine.play(entry.case)
    if entry.who == BARE:
        return arena.play(entry.case, C, C, ("wake", "sleep"))
    if entry.who in (OURS, C):
        return arena.play(entry.case, entry.who, entry.who, ROLES.get(entry.section, ("write", "read")))
    with tempfile.TemporaryDirectory(dir=SHM, prefix="ringbook-bench-") as folder:
        return peers.play(entry.who, entry.case, Path(folder))


def run_all(plan: list[Entry], rounds: int) -> None:
    """Every entry once per round, neighbours being the contestants of one case."""
    arena, engine = Arena(), Engine()
    try:
        for _ in range(rounds):
            for entry in plan:
                entry.rounds.append(run_one(arena, engine, entry))
    finally:
        arena.close()
        engine.close()
