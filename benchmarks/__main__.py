"""Every benchmark, one after the other; `--quick` is shorter. The output is what RESULTS.md keeps.

python -m benchmarks [--quick]
"""

import argparse
import subprocess
import sys

RUNS = {
    "Decode and the fused path (no sockets)": (["benchmarks.kernels"], ["benchmarks.kernels"]),
    "Record → reader (no socket)": (
        ["benchmarks.bus_latency", "--seconds", "10"],
        ["benchmarks.bus_latency", "--seconds", "1"],
    ),
    "Wire → record (no reader)": (
        ["benchmarks.latency", "--rounds", "5"],
        ["benchmarks.latency", "--rounds", "1", "--messages", "4000"],
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
    for title, variants in RUNS.items():
        command = variants[quick]
        sys.stdout.write(f"\n## {title}\n\n`python -m {' '.join(command)}`\n\n")
        sys.stdout.flush()
        code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
