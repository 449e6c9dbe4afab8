"""Every benchmark, one after the other. The long form writes RESULTS.md; `--quick` only prints.

python -m benchmarks [--quick]
"""

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
INTRODUCTION = """# Results

Made by `make bench` on {date}. Every run verifies its answers and fails otherwise. Ratios and medians count;
single absolute times on a shared two-core machine do not. What was tried, and what limits the figures, stands
in `benchmarks/README.md`.
"""

RUNS = {
    "Decode and the fused path (no sockets)": (["benchmarks.kernels"], ["benchmarks.kernels"]),
    "Beside Rust, without sockets": (
        ["benchmarks.rust_offline", "--rounds", "5"],
        ["benchmarks.rust_offline", "--rounds", "1"],
    ),
    "Analysis of records": (["benchmarks.analysis"], ["benchmarks.analysis"]),
    "Record → reader (no socket)": (["benchmarks.bus"], ["benchmarks.bus", "--quick"]),
    "Wire → record (no reader)": (
        ["benchmarks.latency", "--rounds", "3"],
        ["benchmarks.latency", "--rounds", "1", "--rates", "10000", "--messages", "4000"],
    ),
    "Messages a second through a websocket": (
        ["benchmarks.throughput", "--seconds", "10", "--rounds", "3"],
        ["benchmarks.throughput", "--seconds", "2", "--rounds", "1"],
    ),
}


def main() -> int:
    """Run all; the exit code of the first that fails, whose answers were wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    page = INTRODUCTION.format(date=datetime.date.today())
    for title, variants in RUNS.items():
        command = variants[quick]
        head = f"\n## {title}\n\n`python -m {' '.join(command)}`\n\n"
        sys.stdout.write(head)
        sys.stdout.flush()
        done = subprocess.run(
            [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, check=False
        )
        sys.stdout.write(done.stdout)
        if done.returncode:
            return done.returncode
        page += head + done.stdout
    if not quick:
        RESULTS.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
