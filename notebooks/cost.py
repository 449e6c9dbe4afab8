"""What a look of each live view costs in Python, without a browser: python -m notebooks.cost

Joins the only bus there is; times the reading, the model and the packing of a frame, at 4 looks a second.
"""

import argparse
import time

import numpy as np

from ringbook import join, live
from ringbook.io.live.view import View, packed


def cost(view: View, looks: int) -> tuple[np.ndarray, int]:
    """Milliseconds of each look but the first, and the bytes of the last frame's arrays."""
    took, size = [], 0
    for _ in range(looks + 1):
        begun = time.perf_counter()
        _, buffers = packed(view.look())
        took.append((time.perf_counter() - begun) * 1e3)
        size = sum(len(one) for one in buffers)
        time.sleep(0.25)
    return np.array(took[1:]), size


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=100)
    looks = parser.parse_args().looks
    bus = join()
    print("view     median ms     p95     max   bytes")
    for view in live.dashboard(bus, bus.symbols[0]).views:
        took, size = cost(view, looks)
        figures = (np.median(took), np.percentile(took, 95), took.max())
        print(f"{view.kind:8}" + "".join(f"{figure:10.2f}" for figure in figures) + f"{size:8d}")


if __name__ == "__main__":
    main()
