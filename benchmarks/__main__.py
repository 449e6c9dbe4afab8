"""Every benchmark, one after the other; RESULTS.md keeps the newest answer to each question.

    python -m benchmarks [--quick] [--only NAME ...] [--plots]

NAME is the part of a title's file, as in `--only latency`. `--quick` runs shorter forms and only prints; a question
that minutes cannot answer is left out. `--plots` only draws docs/bench again; the long run ends with it too.
"""

import argparse
import datetime
import subprocess
import sys
import time
from pathlib import Path

from . import plots

RESULTS = Path(__file__).with_name("RESULTS.md")
INTRODUCTION = """# Results

Made by `make bench`, each part on the day it names. Every run verifies its answers and fails otherwise. Ratios and
medians count; single absolute times on a shared two-core machine do not. What was tried, and what limits the
figures, stands in `benchmarks/README.md`.
"""

# Name → title, options of the long run, options of the quick one; None: it has none.
RUNS: dict[str, tuple[str, list[str], list[str] | None]] = {
    "kernels": ("Decode and the fused path (no sockets)", [], ["--rounds", "3", "--markets", "spot"]),
    "rust_offline": (
        "Beside Rust, without sockets",
        ["--rounds", "5"],
        ["--rounds", "1", "--markets", "spot"],
    ),
    "peers": ("Beside Python peers", ["--rounds", "5"], ["--rounds", "1", "--messages", "1000"]),
    "limits": ("Decode beside the memory's own speed", [], ["--rounds", "5"]),
    "scale": ("Symbols, depth and memory", [], ["--quick"]),
    "pauses": ("Pauses and Python's collector", [], ["--quick"]),
    "start": ("Starting", [], ["--quick"]),
    "analysis": ("Analysis of records", [], []),
    "bus": ("Record → reader (no socket)", [], ["--quick"]),
    "latency": (
        "Wire → record (no reader)",
        ["--rounds", "5", "--data", "benchmarks/data/latency.json"],
        ["--rounds", "1", "--rates", "10000", "--messages", "4000"],
    ),
    "throughput": (
        "Messages a second through a websocket",
        ["--seconds", "10", "--rounds", "3"],
        ["--seconds", "2", "--rounds", "1"],
    ),
    "hostile": ("A hostile world", ["--minutes", "15"], None),
}
# Written by hand from the lines that `make soak` and `make simulate` print.
BY_HAND = ("The bus under torture", "The engine in virtual time")


def run(name: str, quick: bool) -> tuple[int, str]:
    """Run one benchmark, showing what it prints; exit code and section."""
    title, long, short = RUNS[name]
    options = short if quick else long
    if options is None:
        sys.stdout.write(f"\n{title}: not in the quick run; see `python -m benchmarks.{name} --help`\n")
        return 0, ""
    words, begun = ["-m", f"benchmarks.{name}", *options], time.monotonic()
    head = f"## {title}\n\n`python {' '.join(words)}`, {datetime.date.today()}\n\n"
    sys.stdout.write(f"\n{head}")
    sys.stdout.flush()
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(f"{done.stdout}\n({time.monotonic() - begun:.0f} s)\n")
    return done.returncode, head + done.stdout.strip() + "\n"


def sections() -> dict[str, str]:
    """What RESULTS.md holds, by title."""
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}


def main() -> int:
    """Run all, or those named; the exit code of the first that fails, whose answers were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="NAME")
    parser.add_argument("--plots", action="store_true")
    chosen = parser.parse_args()
    for name in () if chosen.plots else chosen.only:
        code, section = run(name, chosen.quick)
        if code:
            return code
        if not chosen.quick:
            kept = sections() | {RUNS[name][0]: section}
            order = [*(title for title, _, _ in RUNS.values()), *BY_HAND]
            parts = [kept[title] for title in order if title in kept]
            RESULTS.write_text("\n".join([INTRODUCTION, *parts]), encoding="utf-8")
    return 0 if chosen.quick else plots.main()


if __name__ == "__main__":
    sys.exit(main())
