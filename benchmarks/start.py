"""Starting: compile into an empty cache, start from a full one, join a bus; and what the cache weighs.

    python -m benchmarks.start [--quick] [--rounds 5]

Each start is a process of its own, timed from outside, interpreter and imports included. --quick compiles one room
of kernels only.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ringbook.io.bus import create
from ringbook.io.census import rm

from .machine import describe, table

WARM = "from ringbook.__main__ import main; import sys; sys.argv[1:] = ['warm']; sys.exit(main())"
ONE_ROOM = (
    "from ringbook.engine import jit; from ringbook.engine.kernels import ring; jit.warm(rooms=('ring',))"
)
JOIN = """
import time
begun = time.perf_counter()
import ringbook
imported = time.perf_counter()
with ringbook.join(NAME):
    joined = time.perf_counter()
with ringbook.join(NAME):
    again = time.perf_counter()
print(imported - begun, joined - imported, again - joined)
"""


def timed(code: str, cache: Path | None) -> tuple[float, str]:
    """Seconds of a process that runs this code with this cache (None: the user's), and what it printed."""
    environment = os.environ | ({"RINGBOOK_CACHE_DIR": str(cache)} if cache else {})
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - begun, done.stdout


def weight(folder: Path) -> tuple[int, float]:
    """Files and MB below a folder."""
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return len(sizes), sum(sizes) / 1e6


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    code, rounds = (ONE_ROOM, 1) if chosen.quick else (WARM, chosen.rounds)
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name)
        cold_s, _ = timed(code, cache)
        files, megabytes = weight(cache)
        assert files > 0, "nothing was cached"
        warm_s = statistics.median(timed(code, cache)[0] for _ in range(rounds))
        assert weight(cache)[0] == files, "a warm start compiled again"
    timed(WARM, None)
    bus_name = f"start-{os.getpid()}"
    with create(bus_name, venue="none", symbol_capacity=1):
        found = [
            tuple(map(float, timed(JOIN.replace("NAME", repr(bus_name)), None)[1].split()))
            for _ in range(rounds)
        ]
    rm(bus_name)
    what = "one room of kernels" if chosen.quick else "all kernels"
    rows = [
        (f"cold: {what} compiled into an empty cache", f"{cold_s:.1f} s"),
        ("warm: the same from the cache, with interpreter and imports", f"{warm_s:.2f} s"),
        ("cache on disk", f"{megabytes:.1f} MB in {files} files"),
        ("import ringbook", f"{statistics.median(a for a, *_ in found):.2f} s"),
        (
            "first join: imports numba, kernels from the cache",
            f"{statistics.median(b for _, b, _ in found):.2f} s",
        ),
        ("another join in the same process", f"{statistics.median(c for *_, c in found) * 1e3:.1f} ms"),
    ]
    sys.stdout.write(f"{describe()}\n\n{table(('start', 'value'), rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
