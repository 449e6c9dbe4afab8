"""What a commit may not worsen unseen: instructions of the hot kernels, and ratios within one run; never times.

    python -m benchmarks.guard [--accept] [--only counts|ratios]      make guard

Counts are compared with `guard.json`, 5 % either way; a kernel whose sources are the committed ones is not compiled
again. A change that is meant is committed with --accept. Under another Python minor, numba or llvmlite the counts
are reported only. Ratios are the best of many interleaved runs, and fail below half of what was measured.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numba
import numpy as np
import orjson

from ringbook.engine import jit
from ringbook.engine.kernels import binance
from ringbook.engine.pipeline import ingest_room
from ringbook.engine.workspace import W_PUBLISH_ALL

from . import assembly, frames
from .kernels import decode_all, make_feed
from .machine import interleaved
from .peers.ours import generated, take_each

KEPT = Path(__file__).with_name("guard.json")
TOLERANCE = 0.05  # of a count, either way
FLOOR = 0.5  # of a ratio
ROUNDS, MESSAGES = 40, 1000
ACCEPT = "python -m benchmarks.guard --accept"


# ---------------------------------------------------------------- instructions
def judge_counts(kept: dict, sources: dict[str, str], found: dict[str, int]) -> tuple[list[str], list[str]]:
    """What to say about the counts, and what is wrong with them.

    kept     name → [digest of sources, instructions], of this compiler
    sources  name → digest now
    found    name → instructions, of the kernels whose sources changed
    """
    lines, faults = [], []
    for name in sources:
        if name not in kept:
            faults.append(f"{name}: {found[name]:,} instructions, none committed; {ACCEPT}")
            continue
        before = kept[name][1]
        now = found.get(name, before)
        change = f"{now / before - 1:+.1%}" if name in found else "sources unchanged"
        lines.append(f"{name}: {now:,} instructions ({change})")
        if abs(now - before) > TOLERANCE * before:
            faults.append(
                f"{name}: {now:,} instructions, {before:,} committed ({change}); if meant: {ACCEPT}"
            )
    return lines, faults


def check_counts(kept: dict, accept: bool) -> list[str]:
    """Compare, or take over, the instructions of every hot kernel; what is wrong."""
    if platform.machine() != "x86_64":
        sys.stdout.write(f"counts left out: they are for x86-64, this is {platform.machine()}\n")
        return []
    names = [name for group in assembly.HOT for name in group]
    key, now = assembly.compiler(), {name: assembly.sources(name) for name in names}
    known = kept["instructions"].get(key)
    if known is None and not accept:
        sys.stdout.write(f"counts left out: none committed for {key}; to compare from now on: {ACCEPT}\n")
        return []
    changed = [name for name in names if (known or {}).get(name, [""])[0] != now[name]]
    found = assembly.counts(changed)
    if accept:
        old = known or {}
        kept["instructions"][key] = {n: [now[n], found[n] if n in found else old[n][1]] for n in names}
    lines, faults = judge_counts(kept["instructions"][key], now, found)
    sys.stdout.write("\n".join(lines) + "\n")
    return faults


# ---------------------------------------------------------------- ratios
@numba.njit
def fold_bytes(data, size):
    """The reference: a dependent multiplication for every byte, which no compiler makes shorter."""
    total = np.uint64(0)
    for at in range(size):
        total = (total ^ np.uint64(data[at])) * np.uint64(0x100000001B3)
    return total


def ratios() -> dict[str, float]:
    """How many times longer the reference takes than ours, by the best runs."""
    ingest_room("binance")
    jit.warm()
    messages = generated(MESSAGES)
    feed, texts = make_feed("spot"), frames.resized(messages[1:], 100, MESSAGES)
    assert feed.snapshot(0, messages[0], 0, 1, 1) == 0
    pipe, space = feed.pipeline, feed.pipeline.space
    pipe.work[W_PUBLISH_ALL] = 1
    saved, tables = (pipe.words.copy(), pipe.work.copy()), (space.routes, space.instruments)
    framed, bounds = frames.packed(messages[1:], framed=True)
    plain, offsets = frames.packed(texts, framed=False)

    def fused() -> None:
        pipe.work[:] = saved[1]
        assert take_each(pipe.ingest, pipe.words, pipe.ctl, framed, pipe.work, bounds) == -1

    def restore() -> None:
        pipe.words[:] = saved[0]

    def decode() -> None:
        assert decode_all(binance.scan, plain, offsets, tables, space.frame, space.rows) > 0

    def by_orjson() -> None:
        for text in texts[:100]:
            data = orjson.loads(text)["data"]
            for side in (data["b"], data["a"]):
                for price, qty in side:
                    float(price), float(qty)

    took = interleaved(
        {
            "restore": restore, "fused": fused, "fold 20": lambda: fold_bytes(framed, bounds[-1]),
            "decode": decode, "fold 100": lambda: fold_bytes(plain, offsets[-1]), "orjson": by_orjson,
        },
        ROUNDS,
    )  # fmt: skip
    best = {name: float(seconds.min()) for name, seconds in took.items()}
    return {
        "decode of 100 levels, beside orjson + float": best["orjson"] * len(texts) / 100 / best["decode"],
        "decode of 100 levels, beside a fold of the bytes": best["fold 100"] / best["decode"],
        "frame of 20 levels to record, beside a fold of the bytes": best["fold 20"] / best["fused"],
    }


def check_ratios(kept: dict, accept: bool) -> list[str]:
    """Compare, or take over, the ratios; what is wrong."""
    found = ratios()
    if accept:
        kept["ratios"] = {name: round(value, 2) for name, value in found.items()}
    sys.stdout.writelines(
        f"{n}: {v:.2f}x (floor {kept['ratios'][n] * FLOOR:.2f}x)\n" for n, v in found.items()
    )
    return [
        f"{name}: {value:.2f}x, less than half of the {kept['ratios'][name]:.2f}x committed"
        for name, value in found.items()
        if value < FLOOR * kept["ratios"][name]
    ]


def main() -> int:
    """Compare and say; 1 when something got worse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--accept", action="store_true", help="write what is found into guard.json")
    parser.add_argument("--only", choices=("counts", "ratios"))
    chosen = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"instructions": {}, "ratios": {}}
    faults = check_counts(kept, chosen.accept) if chosen.only != "ratios" else []
    faults += check_ratios(kept, chosen.accept) if chosen.only != "counts" else []
    if chosen.accept:
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    sys.stdout.writelines(f"WORSE OR UNEXPECTED  {fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
