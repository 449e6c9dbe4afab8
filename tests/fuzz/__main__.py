"""`python -m tests.fuzz guided|blind`: hunt, print one line of JSON; ends with 1 when something was found."""

import argparse
import json
import sys
from pathlib import Path

from . import blind, guided
from .targets import TARGETS


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("how", choices=["guided", "search", "blind", "hunt"])
    asked.add_argument("--target", choices=sorted(TARGETS), default="decode")
    asked.add_argument("--seconds", type=float, default=10.0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--at", type=int, help="blind: only the block of this iteration, up to it")
    asked.add_argument("--mode", type=int, default=-1, help="blind: only this kernel, see drive.MODE_NAMES")
    asked.add_argument("--mutant", default="", help="blind: a mistake put into the kernels, to see it found")
    asked.add_argument("--keep", action="store_true", help="guided: add what reaches further to the corpus")
    asked.add_argument("--bred", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--found", type=Path, help=argparse.SUPPRESS)
    asked.add_argument(
        "--mutate", nargs=3, default=(), help="kernel, old text, new text: a mistake in a twin"
    )
    given = asked.parse_args()
    mutate = tuple(given.mutate) or None
    if given.how == "search":
        guided.search(given.target, int(given.seconds), given.bred, given.found, given.seed, mutate)
    if given.how == "hunt":
        blind.hunt(given.seconds, given.seed, given.at, given.mode, given.found, given.mutant)
        return 0
    if given.how == "blind":
        seen = blind.run(given.seconds, given.seed, given.at, given.mode, given.mutant)
        print(blind.report(seen), flush=True)
        return 1 if seen.crashed else 0
    outcome = guided.run(given.target, int(given.seconds), given.seed, mutate, given.keep)
    print(json.dumps(outcome.facts()), flush=True)
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
