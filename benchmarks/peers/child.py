"""The peers' process: jobs come in as JSON lines, seconds and answers go out. `python -m benchmarks.peers.child`.

It imports the standard library and the peers only, so that any interpreter with those packages can run it.
"""

import gc
import json
import os
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import books, decoders, handlers, transports
from .job import Job, unpack

PARTS = {"decode": decoders, "book": books, "handler": handlers, "transport": transports}


def about() -> dict[str, Any]:
    """Versions of what is here; an empty one for what is absent."""
    found = {}
    for part in PARTS.values():
        for package, _ in part.CONTESTANTS.values():
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = ""
    return {"python": platform.python_version(), "versions": found}


def play(order: dict[str, Any]) -> dict[str, Any]:
    """Run one contestant; the collector is off while it is timed. `passes`: how often, the median counts."""
    _, factory = PARTS[order["part"]].CONTESTANTS[order["who"]]
    texts = unpack(Path(order["path"])) if order["path"] else [str(order["count"]).encode()]
    has_snapshot = order["part"] in ("book", "handler")
    job = Job(
        texts[has_snapshot:], texts[0] if has_snapshot else b"", tuple(order["digits"]), order["read_top"],
        order["port"],
    )  # fmt: skip
    run, answer = factory()(job)
    gc.collect()
    gc.disable()
    taken = []
    for _ in range(order.get("passes", 1)):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    gc.enable()
    return {"seconds": statistics.median(taken), "answer": answer()}


def main() -> None:
    """Serve until the other side closes."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what packages print is not a reply
    for line in sys.stdin:
        order = json.loads(line)
        if "core" in order:
            os.sched_setaffinity(0, {order["core"]})
        replies.write(json.dumps(about() if order["part"] == "about" else play(order)) + "\n")


if __name__ == "__main__":
    main()
