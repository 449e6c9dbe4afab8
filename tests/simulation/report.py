"""Many seeds: played in processes, added up, judged."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np

from ringbook.io.exchange.faults.kinds import KINDS

from ..ready import load_kernels
from .play import RECOVERY_S, Outcome, play
from .schedule import story_of

CHUNK_SEEDS = 10
MANY_SEEDS = 2_000  # from so many on each kind must have struck often enough
STRIKES_MIN = 100
LIVE_SHARE_MIN = 0.99


def outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    """Play these seeds, in their order."""
    if jobs <= 1:
        load_kernels()
        for seed in seeds:
            yield play(story_of(seed))
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=load_kernels) as pool:
        yield from pool.map(play_one, seeds, chunksize=CHUNK_SEEDS)


def play_one(seed: int) -> Outcome:
    """One seed, in whatever process."""
    return play(story_of(seed))


@dataclass
class Summary:
    """What many seeds came to."""

    seeds: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    live_ns: Counter[bool] = field(default_factory=Counter)  # by whether the seed was calm
    all_ns: Counter[bool] = field(default_factory=Counter)
    virtual_s: float = 0.0
    weight_share: float = 0.0
    settle_s: list[float] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)

    def add(self, one: Outcome) -> None:
        """One more seed."""
        self.seeds += 1
        if one.failure:
            self.failures.append((one.seed, one.failure))
        self.counts += one.counts
        self.struck += one.struck
        self.live_ns[one.calm] += one.live_ns
        self.all_ns[one.calm] += one.all_ns
        self.virtual_s += one.virtual_s
        self.weight_share = max(self.weight_share, one.weight_share)
        if not one.calm and not one.failure:
            self.settle_s.append(one.settle_s)
        self.recoveries_s += one.recoveries_s

    def share(self, calm: bool) -> float:
        """Share of symbol-time that books were LIVE, since they first were."""
        return self.live_ns[calm] / max(1, self.all_ns[calm])

    def complaints(self) -> list[str]:
        """What is wrong; empty when all holds."""
        found = [
            f"seed {seed}: {text}\n    python -m tests.simulation --seed {seed} --trace"
            for seed, text in self.failures
        ]
        if self.all_ns[True] and self.share(True) < LIVE_SHARE_MIN:
            found.append(
                f"without faults books were LIVE for {self.share(True):.4f}, expected {LIVE_SHARE_MIN}"
            )
        if self.seeds >= MANY_SEEDS:
            found += [
                f"{name} struck {self.struck[name]} times, expected {STRIKES_MIN} or more"
                for name in KINDS
                if self.struck[name] < STRIKES_MIN
            ]
        return found

    def facts(self) -> dict[str, Any]:
        """For one line of JSON."""
        return {
            "seeds": self.seeds, "failed": len(self.failures), "virtual_hours": round(self.virtual_s / 3600, 2),
            **{name: self.counts[name] for name in SHOWN},
            "live_share_without_faults": round(self.share(True), 5),
            "live_share_with_faults": round(self.share(False), 5),
            "recovery_s": percentiles(self.recoveries_s),
            "settled_after_last_fault_s": {**percentiles(self.settle_s), "bound": RECOVERY_S},
            "most_weight_of_a_minute": round(self.weight_share, 3),
            "fewest_strikes": min((self.struck[name], name) for name in KINDS),
            "strikes": {name: self.struck[name] for name in KINDS},
        }  # fmt: skip


SHOWN = (
    "turns", "steps", "compared", "blurred", "records", "diffs", "reads", "snapshots", "gaps", "resyncs", "rollovers",
    "held", "filled", "stale_streams",
)  # fmt: skip


def percentiles(values: list[float]) -> dict[str, float]:
    """Half, 99 % and all of the values are at most this."""
    if not values:
        return {}
    p50, p99 = np.percentile(values, (50, 99))
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "max": round(max(values), 3)}


def summary_of(found: Iterable[Outcome], stop_at_first: bool = False) -> Summary:
    """Add up outcomes."""
    total = Summary()
    for one in found:
        total.add(one)
        if one.failure and stop_at_first:
            break
    return total


def as_line(total: Summary) -> str:
    """One line of JSON."""
    return json.dumps(total.facts())
