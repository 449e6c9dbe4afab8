"""python -m tests.simulation --seeds 0:2000 [--jobs 2] [--first] | --seed N [--trace]"""

import argparse
import os
import sys
from collections.abc import Iterator

from ..ready import load_kernels
from .play import Outcome, play
from .report import as_line, outcomes, summary_of
from .schedule import story_of

STEP = 250  # seeds between two words about the progress


def seeds_from(text: str) -> range:
    """`FIRST:AFTER`, or a number of seeds from 0 on."""
    first, _, after = text.rpartition(":")
    return range(int(first or 0), int(after))


def main() -> int:
    """Play one seed or many; the exit code is 1 when something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=seeds_from, help="FIRST:AFTER, or how many")
    parser.add_argument("--seed", type=int, help="one seed")
    parser.add_argument("--trace", action="store_true", help="with --seed: its story, step by step")
    parser.add_argument("--first", action="store_true", help="end at the first seed that fails")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return one(chosen.seed, chosen.trace)
    seeds = chosen.seeds or range(200)
    total = summary_of(told(outcomes(seeds, chosen.jobs), len(seeds)), chosen.first)
    complaints = total.complaints()
    print("\n".join([*complaints, as_line(total)]), flush=True)
    return 1 if complaints else 0


def told(played: Iterator[Outcome], of: int) -> Iterator[Outcome]:
    """The same outcomes; now and then a line on stderr says how far it is."""
    for number, outcome in enumerate(played, 1):
        yield outcome
        if outcome.failure or number % STEP == 0:
            print(f"seeds {number:,}/{of:,} {outcome.failure or ''}".rstrip(), file=sys.stderr, flush=True)


def one(seed: int, trace: bool) -> int:
    """Play one seed and tell its story."""
    load_kernels()
    story = story_of(seed)
    print(story.text)
    outcome = play(story, print if trace else None)
    print(outcome.failure or f"all held for {outcome.virtual_s:.1f} virtual s, digest {outcome.digest}")
    return 1 if outcome.failure else 0


if __name__ == "__main__":
    sys.exit(main())
