"""Scenes of the soak: which venue, source and legs, and a fault plan in which every kind strikes. Seeded."""

import random
from dataclasses import dataclass

LISTED = "SOLUSDT"  # appears in the middle of a scene
FAR_S = 1e8  # never
FIRST_SHARE = 0.6  # of a scene's span: by then every kind has struck once


@dataclass(frozen=True)
class Scene:
    """One cast: an exchange, an engine, a reader."""

    venue: str
    source: str
    redundancy: int
    tls: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is followed from the start."""
        return ("BTCUSDT", "ETHUSDT")


SCENES = (
    Scene("binance-spot", "direct", 1),
    Scene("binance-usdm", "plain", 1),
    Scene("binance-spot", "plain", 2, tls=True),
    Scene("binance-usdm", "direct", 2),
)

DEPTH, TRADES = ["*@depth*"], ["*@trade", "*@aggTrade"]
# kind → seconds between two strikes, and settings. A bit flipped in a book's number can read well, and then
# nobody can tell: `corrupted` strikes trades only.
TIMED: dict[str, tuple[float, dict]] = {
    "lost": (3, {"streams": DEPTH}),
    "duplicated": (2, {}),
    "reordered": (4, {"streams": DEPTH, "places": 3}),
    "delayed": (13, {"delay_s": 0.5}),
    "truncated": (5, {}),
    "corrupted": (3, {"streams": TRADES, "bits": 3}),
    "misframed": (23, {}),
    "merged": (2, {"frames": 10}),
    "fragmented": (2, {"pieces": 5}),
    "segmented": (3, {"bytes": 64, "gap_s": 0.0}),
    "mute": (29, {"duration_s": 4.0, "streams": DEPTH}),
    "gap": (9, {}),
    "reset": (31, {}),
    "half-open": (61, {"duration_s": 8.0}),
    "closed": (37, {}),
    "pings-unanswered": (43, {"duration_s": 3.0}),
    "pings-unsent": (47, {"duration_s": 10.0}),
    "server-shutdown": (53, {"grace_s": 1.0}),
    "slow-frames": (41, {"bytes_per_s": 50_000, "duration_s": 2.0}),
    "slow-handshake": (11, {"gap_s": 0.002}),
    "refused": (17, {"status": 429, "retry_after_s": 1}),
    "cut": (59, {"age_s": 5.0}),
    "stale": (11, {"updates": 5_000}),
    "late": (13, {"delay_s": 1.0}),
    "failing": (11, {"endpoints": ["depth", "exchangeInfo"]}),
    "slow": (17, {"bytes_per_s": 500_000}),
    "short": (13, {}),
    "rate-limited": (47, {"retry_after_s": 1}),
    "banned": (67, {"retry_after_s": 2}),
    "hung": (19, {"duration_s": 2.0}),
    "burst": (11, {"orders": 2_000}),
    "storm": (29, {"factor": 20, "duration_s": 0.5}),
    "ids-back": (71, {"updates": 1_000_000}),
    "delisted": (47, {"symbols": ["ETHUSDT"], "duration_s": 2.0}),
    "clock-skew": (37, {"skew_s": -5.0, "duration_s": 3.0}),
}
# What can only happen so often: a grid gets no finer than a few digits, a symbol is listed once.
ONCE: dict[str, dict] = {
    "tick-size": {"symbols": ["ETHUSDT"], "count": 1},
    "listed": {"symbols": [LISTED], "count": 1},
}
TLS_ONLY: dict[str, dict] = {"tls-failure": {"how": "abort", "probability": 0.2}}
ELSEWHERE = ("dns-failure",)  # happens in a client's own process: tests/test_faults_connections.py


def kinds_of(scene: Scene) -> set[str]:
    """The kinds of fault that must strike in a scene."""
    return {*TIMED, *ONCE, *(TLS_ONLY if scene.tls else ())}


def plan_text(seed: int) -> str:
    """What the exchange starts with: the seed, and a symbol that nobody sees before its time."""
    return f'seed = {seed}\n[[fault]]\nkind = "listed"\nsymbols = ["{LISTED}"]\nat_s = {FAR_S}\n'


def entries(scene: Scene, seed: int, span_s: float) -> list[dict]:
    """The faults to inject: each kind first at a random time, then again and again until the span is over."""
    rng = random.Random(f"{seed}/{scene}")
    found = []
    for kind, (every_s, settings) in TIMED.items():
        first_s = rng.uniform(0.02, min(FIRST_SHARE, every_s / span_s + 0.02)) * span_s
        found.append(
            {"kind": kind, "at_s": round(first_s, 3), "every_s": every_s, "until_s": span_s, **settings}
        )
    for kind, settings in ONCE.items():
        found.append({"kind": kind, "at_s": round(rng.uniform(0.1, 0.4) * span_s, 3), **settings})
    for kind, settings in (TLS_ONLY if scene.tls else {}).items():
        found.append({"kind": kind, "until_s": span_s, **settings})
    return found
