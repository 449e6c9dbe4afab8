"""`python -m tests.hostile_soak`: play, print one line of JSON and a table; ends with 1 when something was wrong."""

import argparse
import json
import os
import sys
from pathlib import Path

from ..ready import load_kernels
from .conductor import play_all
from .report import table_of, total_of
from .scenes import SCENES


def main() -> int:
    """Play the scenes."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10.0, help="of all scenes together")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument(
        "--scenes", type=int, nargs="+", default=range(len(SCENES)), choices=range(len(SCENES))
    )
    asked.add_argument("--directory", type=Path, default=os.environ.get("RINGBOOK_DIR"))
    asked.add_argument("--keep", action="store_true", help="leave logs and plans where they are")
    asked.add_argument("--table", action="store_true", help="print the table too")
    given = asked.parse_args()
    load_kernels()  # so that no child compiles
    scenes = [SCENES[number] for number in given.scenes]
    total = total_of(
        play_all(scenes, 60 * given.minutes, given.seed, given.directory, given.keep), given.seed
    )
    print(json.dumps(total), flush=True)
    if given.table:
        print(f"\n{table_of(total)}")
    return 1 if total["wrong"] or total["wrong_books"] else 0


if __name__ == "__main__":
    sys.exit(main())
