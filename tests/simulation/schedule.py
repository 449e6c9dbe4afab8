"""From a seed to a story: venue, symbols, settings of the engine, pace of the market, and which faults strike when."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ringbook.io.exchange.faults.kinds import KINDS
from ringbook.io.exchange.faults.plan import Plan, entry_from

CALM_SHARE, IDLE_SHARE, LONG_SHARE, PLAIN_SHARE, TWO_LEGS_SHARE = 0.12, 0.08, 0.03, 0.15, 0.3
FIRST_S = 4.0  # from when on most faults strike
SYMBOLS = {
    "spot": ("BTCUSDT", "ETHUSDT", "SHIBUSDT", "币安人生USDT"),
    "usdm": ("BTCUSDT", "ETHUSDT", "1000SHIBUSDT", "SOLUSDT"),
}
Facts = dict[str, Any]


@dataclass
class Story:
    """What one seed plays.

    late      symbols that are listed and subscribed while it runs
    churn     symbols taken off and put on again
    end_s     when the last fault is over
    settings  of the engine, above its defaults
    exchange  options of the exchange
    """

    seed: int
    venue: str
    symbols: tuple[str, ...]
    late: tuple[str, ...] = ()
    churn: tuple[str, ...] = ()
    end_s: float = 20.0
    levels: int = 50
    step_s: float = 0.4
    plan: Plan = field(default_factory=Plan)
    settings: Facts = field(default_factory=dict)
    exchange: Facts = field(default_factory=dict)

    @property
    def calm(self) -> bool:
        """No fault strikes."""
        return not self.plan.entries

    @property
    def text(self) -> str:
        """In one line."""
        kinds = ", ".join(entry.kind.name for entry in self.plan.entries) or "no faults"
        legs = f"{self.settings['redundancy']} leg(s), {self.settings['source']}"
        return f"seed {self.seed}: {self.venue} {'/'.join(self.symbols)}, {legs}, until {self.end_s:.0f} s: {kinds}"


def story_of(seed: int) -> Story:
    """The story of a seed; nothing else has a part in it."""
    rng = random.Random(f"ringbook {seed}")
    venue = rng.choice(("spot", "usdm"))
    symbols = tuple(rng.sample(SYMBOLS[venue], rng.choice((2, 2, 3))))
    story = Story(seed, venue, symbols, levels=rng.choice((40, 60, 90)), step_s=rng.choice((0.25, 0.4, 0.6)))
    story.end_s, is_long = float(rng.randrange(16, 30)), rng.random() < LONG_SHARE
    is_idle = rng.random() < IDLE_SHARE
    if is_idle:
        story.step_s = 7.0
    if is_long:
        story.end_s = 110.0
    story.settings = settings_of(rng, is_idle)
    story.exchange = {"seed": rng.getrandbits(30), "ping_s": rng.choice((3.0, 9.0)), "pong_timeout_s": 12.0}
    if rng.random() >= CALM_SHARE:
        entries_of(rng, story, is_long)
    if rng.random() < 0.1 and not story.late:
        story.churn = (rng.choice(symbols),)
    return story


def settings_of(rng: random.Random, is_idle: bool) -> Facts:
    """What a user may set, with the times short enough for a short life."""
    return {
        "source": "plain" if rng.random() < PLAIN_SHARE else "direct",
        "redundancy": 2 if rng.random() < TWO_LEGS_SHARE else 1,
        "hold_ms": rng.choice((100, 300, 800)),
        "life_s": rng.choice((0.0, 9.0, 14.0)),
        "silence_s": rng.choice((3.0, 5.0)),
        "pong_timeout_s": rng.choice((1.5, 3.0)),
        "stale_floor_s": 2.0,
        "stale_ceiling_s": 60.0 if is_idle else 10.0,
        "first_frame_s": 20.0 if is_idle else 6.0,
        "top_n": rng.choice((5, 20)),
        "publish_all": rng.random() < 0.3,
        "deltas": rng.random() < 0.2,
        "snapshot_limit": rng.choice((20, 50, 100, 1000, 5000)),
        "pending_words": rng.choice((400, 2000, 32_768)),
        "slots": 1024,
        "book_levels": rng.choice((80, 512)),
        "symbol_capacity": 16,
        "streams": (
            "depth@100ms",
            *rng.choice(((), ("bookTicker",), ("trade", "bookTicker"), ("depth5@100ms",))),
        ),
    }


def entries_of(rng: random.Random, story: Story, is_long: bool) -> None:
    """Draw the faults of a story."""
    names = rng.sample(sorted(SHAPES), rng.randrange(1, 7))
    if is_long:
        names = ["mute" if rng.random() < 0.7 else "half-open", *names[:1]]
    facts = []
    for name in dict.fromkeys(names):
        at_s = 0.0 if KINDS[name].level in ("handshake", "dns", "rest") else FIRST_S + 6.0 * rng.random()
        entry = {"kind": name, "at_s": at_s, "until_s": story.end_s} | SHAPES[name](rng, story.end_s - at_s)
        if is_long and name == "mute":
            entry |= {
                "at_s": 6.0,
                "duration_s": 100.0,
                "count": 1,
                "probability": 1.0,
                "streams": ["*@depth*"],
            }
        if name == "listed":
            story.late = (rng.choice(story.symbols),)
            entry["symbols"] = list(story.late)
        elif name == "delisted":
            entry["symbols"] = [rng.choice(story.symbols)]
        facts.append(entry)
    story.plan = Plan(tuple(entry_from(entry) for entry in facts), story.seed)


Shape = Callable[[random.Random, float], Facts]


def often(**values: Any) -> Shape:
    """Strikes at each opportunity with some chance."""
    return lambda rng, left_s: {"probability": rng.choice((0.003, 0.02, 0.08))} | drawn(rng, values)


def timed(**values: Any) -> Shape:
    """Strikes a few times, some seconds apart."""
    return lambda rng, left_s: (
        {"every_s": 2.0 + 5.0 * rng.random(), "count": rng.randrange(1, 4)} | drawn(rng, values)
    )


def once(**values: Any) -> Shape:
    """Strikes once or twice, from the start."""
    return lambda rng, left_s: {"count": rng.randrange(1, 3)} | drawn(rng, values)


def drawn(rng: random.Random, values: Facts) -> Facts:
    """One of each value's choices."""
    return {name: rng.choice(choices) for name, choices in values.items()}


SHAPES: dict[str, Shape] = {
    "lost": often(),
    "duplicated": often(copies=(1, 3)),
    "reordered": often(places=(1, 2, 5)),
    "delayed": timed(delay_s=(0.2, 1.0, 2.5)),
    "truncated": often(keep=(0.0, 0.5, 0.99)),
    "corrupted": often(bits=(1, 2, 30)),
    "misframed": timed(how=("any",)),
    "merged": often(frames=(2, 5)),
    "fragmented": often(pieces=(2, 5)),
    "segmented": often(bytes=(13, 60), gap_s=(0.001, 0.01)),
    "mute": lambda rng, left_s: {
        "probability": 0.01,
        "count": rng.randrange(1, 3),
        "duration_s": rng.choice((2.0, 6.0, left_s / 2)),
    },
    "gap": timed(),
    "reset": timed(),
    "half-open": timed(duration_s=(0.0, 4.0)),
    "closed": timed(code=(0, 1000, 1001, 1005, 1006, 1012)),
    "pings-unanswered": timed(duration_s=(0.0, 8.0)),
    "pings-unsent": timed(duration_s=(0.0, 8.0)),
    "server-shutdown": timed(grace_s=(0.2, 3.0, 8.0)),
    "slow-frames": timed(bytes_per_s=(4_000, 20_000), duration_s=(1.0, 4.0)),
    "slow-handshake": once(gap_s=(0.001, 0.02, 1.0)),
    "refused": once(status=(400, 418, 429, 503), retry_after_s=(1, 5)),
    "cut": lambda rng, left_s: {"age_s": rng.choice((5.0, 8.0, 12.0))},
    "tls-failure": once(how=("abort", "certificate")),
    "dns-failure": once(),
    "stale": once(updates=(1, 20, 2_000)),
    "late": once(delay_s=(0.3, 2.0, 6.0)),
    "failing": once(status=(0, 503), endpoints=(["depth"], ["depth", "exchangeInfo"])),
    "slow": once(bytes_per_s=(500, 5_000)),
    "short": once(keep=(0.0, 0.5, 0.98), honest=(True, False)),
    "rate-limited": once(retry_after_s=(1, 4)),
    "banned": once(retry_after_s=(2, 6)),
    "hung": once(duration_s=(0.0, 3.0)),
    "burst": timed(orders=(50, 400)),
    "storm": timed(factor=(5, 20), duration_s=(1.0,)),
    "ids-back": lambda rng, left_s: {
        "updates": rng.choice((200_000, 1_000_000)),
        "restart": rng.random() < 0.7,
    },
    "tick-size": lambda rng, left_s: {"digits": rng.choice((1, 2))},
    "delisted": lambda rng, left_s: {
        "status": rng.choice(("gone", "BREAK")),
        "duration_s": min(6.0, left_s / 2),
    },
    "listed": lambda rng, left_s: {},
    "clock-skew": timed(skew_s=(-50.0, 3.0), duration_s=(2.0,)),
}
