"""`python -m tests.torture`: compile, drill, torture, print one line of JSON; ends with 1 when something was wrong."""

import argparse
import json
import os
import sys
from pathlib import Path

from ringbook.engine import jit

from . import bursts, conductor


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=20.0, help="go on for so long")
    asked.add_argument("--records", type=int, default=500_000, help="published in a round")
    asked.add_argument("--seen", type=int, default=0, help="go on until so many overruns and rejections")
    asked.add_argument("--reads", type=int, default=0, help="go on until so many reads")
    asked.add_argument("--limit", type=float, default=3600.0, help="seconds after which no round begins")
    asked.add_argument("--patience", type=float, default=60.0, help="seconds a sleeper has for waking up")
    asked.add_argument("--drill", action="store_true", help="only see whether every sleeper is woken")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--directory", type=Path, default=os.environ.get("RINGBOOK_DIR"))
    given = asked.parse_args()
    jit.warm(rooms=("ring", "board", "wait", "cursor", "idle", "lifecycle"))
    bursts.warm()
    total = {"not_woken": conductor.drill(given.seed, given.directory, given.patience)}
    if not given.drill:
        total |= conductor.torture(
            given.seconds, given.records, given.seen, given.reads, given.limit, given.seed, given.directory
        )
        total = conductor.summary(total)
    print(json.dumps(total), flush=True)
    return 1 if conductor.faults(total) else 0


if __name__ == "__main__":
    sys.exit(main())
