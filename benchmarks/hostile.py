"""The hostile world as a part of RESULTS.md: faults of every kind, kill -9, and whether every book was right.

    python -m benchmarks.hostile --minutes 12

It is tests/hostile_soak with its table; ends with 1 when a book was wrong or memory grew.
"""

import argparse
import sys

from ringbook.engine import jit
from ringbook.engine.pipeline import ingest_room
from tests.hostile_soak.conductor import play_all
from tests.hostile_soak.report import table_of, total_of
from tests.hostile_soak.scenes import SCENES


def main() -> int:
    """Play every scene, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    ingest_room("binance")
    jit.warm()
    total = total_of(play_all(list(SCENES), 60 * chosen.minutes, chosen.seed), chosen.seed)
    print(table_of(total))
    for text in total["wrong"]:
        print(f"\nWRONG: {text}", file=sys.stderr)
    return 1 if total["wrong"] or total["wrong_books"] else 0


if __name__ == "__main__":
    sys.exit(main())
