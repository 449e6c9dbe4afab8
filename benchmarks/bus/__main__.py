"""The bus beside the same protocol in C11, iceoryx2, pyzmq and multiprocessing.Pipe, in one run.

python -m benchmarks.bus [--quick] [--rounds 5]

Latency is the reader's clock when it holds the whole accepted record, minus the *intended* send time that the record
carries; the writer sends at fixed times whether or not anybody keeps up. Every accepted record is checked, and a
wrong one fails the run. Lost ones stand beside: a reader that drops late records looks too good.
"""

import argparse
import os
import sys

from . import plan, report


def main() -> int:
    """Run, check, print Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the records, two rounds")
    parser.add_argument("--rounds", type=int, default=0)
    chosen = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.stdout.write("not measurable here: writer and reader need a core each\n")
        return 0
    present, lines = plan.contestants()
    sys.stdout.write("\n".join((report.circumstances(0.2 if chosen.quick else 1.0), "", *lines)) + "\n")
    sys.stdout.flush()
    entries = list(plan.entries(present, chosen.quick))
    plan.run_all(entries, chosen.rounds or (2 if chosen.quick else 5))
    sys.stdout.write(f"\n{report.aims(entries)}\n\n{report.tables(entries)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
