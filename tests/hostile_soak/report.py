"""The soak's answer: one line of JSON, and the same as a table."""

from collections import Counter
from typing import Any

import numpy as np

from .conductor import Played
from .scenes import ELSEWHERE, kinds_of
from .vitals import DRIFT_MB, FIT_S, SLOPE_MB_PER_MIN


def percentiles(values: list[float]) -> dict[str, float]:
    """Count, p50, p99 and the largest, in seconds."""
    if not values:
        return {"count": 0}
    p50, p99 = np.percentile(values, (50, 99))
    return {"count": len(values), "p50": round(p50, 3), "p99": round(p99, 3), "max": round(max(values), 3)}


def share(found: list[dict[str, Any]], of: str) -> float:
    """LIVE looks among those counted under a name."""
    return round(sum(one["live"] for one in found) / max(1, sum(one[of] for one in found)), 4)


def total_of(all_played: list[Played], seed: int) -> dict[str, Any]:
    """Everything added up; `wrong` is empty when nothing was wrong."""
    found = [one.findings for one in all_played]
    sums = {
        name: sum(one[name] for one in found) for name in ("compared", "full", "wrong", "unknown", "rejoined")
    }
    faults: Counter[str] = sum((one.faults for one in all_played), Counter())
    deaths: Counter[str] = sum((Counter(one.deaths) for one in all_played), Counter())
    lives = [one.lives[-1].summary() for one in all_played if one.lives]
    wrong = [f"{one.scene}: {text}" for one in all_played for text in one.wrong]
    wrong += [f"wrong book: {text}" for one in found for text in one["examples"]]
    refused = sum(one.weight["refused"] for one in all_played)
    wrong += [f"{refused} requests were refused for their weight"] if refused else []
    return {
        "seed": seed, "seconds": round(sum(one.seconds for one in all_played), 1), "scenes": len(all_played),
        "compared": sums["compared"], "full_books": sums["full"], "wrong_books": sums["wrong"],
        "unknown_to_truth": sums["unknown"], "reader_retries": sums["rejoined"],
        "live_share": share(found, "looks"), "live_share_running": share(found, "looks_running"),
        "recovery_s": percentiles([x for one in found for x in one["recoveries_s"]]),
        "restart_s": percentiles([x for one in found for x in one["restarts_s"]]),
        "signals": dict(deaths), "faults": dict(sorted(faults.items())),
        "faults_total": sum(faults.values()),
        "missing": sorted(set.union(*(kinds_of(one.scene) for one in all_played)) - faults.keys()),
        "weight": [one.weight for one in all_played], "memory": lives,
        "exchange_memory": [one.exchange for one in all_played],
        "log_bytes": sum(one.log_bytes for one in all_played), "wrong": wrong,
    }  # fmt: skip


def table_of(total: dict[str, Any]) -> str:
    """The same for people, as markdown."""
    weight = "; ".join(f"{one['most']} of {one['limit']}" for one in total["weight"])
    memory = "; ".join(f"{one['start_mb']:.0f} → {one['end_mb']:.0f} MB" for one in total["memory"] if one)
    slopes = [one["slope_mb_per_min"] for one in total["memory"] if one and one["slope_mb_per_min"] != -1.0]
    rows = [
        ("time", f"{total['seconds'] / 60:.1f} minutes, {total['scenes']} scenes, seed {total['seed']}"),
        ("books compared with the truth", f"{total['compared']:,} ({total['full_books']:,} of full depth)"),
        ("books shown LIVE and wrong", f"{total['wrong_books']}"),
        (
            "looks that were LIVE",
            f"{100 * total['live_share_running']:.1f} % while an engine ran, {100 * total['live_share']:.1f} % in all",
        ),
        ("faults injected", f"{total['faults_total']:,} of {len(total['faults'])} kinds"),
        ("recoveries, same engine", spread(total["recovery_s"])),
        ("recoveries, over a restart", spread(total["restart_s"])),
        (
            "signals",
            ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in total["signals"].items()),
        ),
        ("heaviest minute of REST weight", weight),
        ("private memory of the last engine", memory),
        (
            "its slope",
            ", ".join(f"{one:+.2f}" for one in slopes) + " MB a minute" if slopes else "too short to tell",
        ),
        ("engine log", f"{total['log_bytes'] / 1024:.0f} kB"),
    ]
    lines = ["| what | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    lines += ["| fault | struck |", "|---|---:|"]
    lines += [f"| `{kind}` | {count:,} |" for kind, count in total["faults"].items()]
    leak = f"A leak is a slope above {SLOPE_MB_PER_MIN} MB a minute, over {FIT_S:.0f} s or more,"
    notes = f"{leak} that adds up to over {DRIFT_MB:.0f} MB."
    return "\n".join([*lines, "", f"{notes} Not injected here: {', '.join(ELSEWHERE)}."])


def spread(found: dict[str, float]) -> str:
    """p50, p99 and how many."""
    if not found["count"]:
        return "none"
    return f"p50 {found['p50']:.2f} s, p99 {found['p99']:.2f} s, longest {found['max']:.2f} s, of {found['count']}"
