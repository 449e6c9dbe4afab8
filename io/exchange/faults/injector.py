"""Decides which faults strike. Time comes in and chance is seeded, so it runs with sockets and without.

faults = Faults(["BTCUSDT"], plan, clock_s)     # clock_s: seconds of any clock
faults.frame("btcusdt@depth", "BTCUSDT", payload, connection=1)    -> strikes on this frame
faults.request("depth", "BTCUSDT"), faults.handshake("websocket"), faults.lookup("example.com")
faults.beat(connections)                        -> strikes of the clock: connections, market, times
faults.conditions                               -> what is in force: hidden symbols, shifted ids, skew
"""

import time
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from .conditions import Conditions
from .kinds import CLOCK, CONNECTION, DNS, FRAME, HANDSHAKE, REST, SECONDLY, STREAM
from .ledger import Ledger, Strike, ids_of
from .plan import Entry, FaultError, Plan, entry_from

CATCH_UP_S = 10  # whole seconds that one late beat still makes up for


class Trigger:
    """When one entry of the plan strikes; every entry has its own chance, so one changes no other."""

    def __init__(self, entry: Entry, seed: str) -> None:
        self.entry, self.random = entry, Random(seed)
        self.fired, self.next_s = 0, entry.at_s or entry.every_s
        by_second = entry.timed and entry.kind.level in SECONDLY
        self._pause_s = entry.every_s or (1.0 if by_second else 0.0)

    def over(self, now_s: float) -> bool:
        """Whether it never strikes again."""
        entry = self.entry
        return bool(entry.count and self.fired >= entry.count) or bool(
            entry.until_s and now_s >= entry.until_s
        )

    def strikes(self, now_s: float) -> bool:
        """Whether it strikes at this opportunity."""
        entry = self.entry
        if now_s < self.next_s or self.over(now_s):
            return False
        if entry.probability < 1.0 and self.random.random() >= entry.probability:
            return False
        if self._pause_s:
            self.next_s += self._pause_s * (1 + (now_s - self.next_s) // self._pause_s)
        self.fired += 1
        return True


class Faults:
    """The faults of one exchange: those of the plan and those asked for while it runs.

    symbols    names the market has
    clock_s    seconds that pass; only differences count
    simulated  False where a recording is played: what only a simulated market can do is refused
    """

    def __init__(
        self, symbols: list[str], plan: Plan | None = None, clock_s: Callable[[], float] = time.monotonic,
        simulated: bool = True,
    ) -> None:  # fmt: skip
        self.symbols, self.plan, self.clock_s, self.simulated = symbols, plan or Plan(), clock_s, simulated
        self.ledger = Ledger()
        self.conditions = Conditions()
        self.on_market: Callable[[Strike], None] = lambda strike: None
        self._triggers: dict[str, list[Trigger]] = {}
        self._numbered = 0
        self._banned_until_s = 0.0
        self._start_s, self._second = clock_s(), 0
        for entry in self.plan.entries:
            self._add(entry)
            if entry.kind.name == "listed":
                self.conditions.hidden |= dict.fromkeys(self._targets(entry), "gone")

    # -------------------------------------------------------------- the plan
    def start(self) -> None:
        """Count seconds from now on."""
        self._start_s, self._second = self.clock_s(), 0

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return self.clock_s() - self._start_s

    @property
    def quiet(self) -> bool:
        """Whether nothing strikes any more; what lasts may still last."""
        now_s = self.now_s
        return all(trigger.over(now_s) for triggers in self._triggers.values() for trigger in triggers)

    @property
    def strikes_frames(self) -> bool:
        """Whether any frame may still be struck; False is the fast path."""
        return bool(self._triggers.get(FRAME))

    @property
    def struck(self) -> dict[str, int]:
        """How many of each kind have struck."""
        return dict(self.ledger.struck)

    def _add(self, entry: Entry) -> None:
        unknown = [symbol for symbol in entry.symbols if symbol not in self.symbols]
        if unknown:
            known = ", ".join(self.symbols)
            raise FaultError(f"{entry.kind.name}: symbol was {unknown[0]!r}, expected one of {known}")
        if entry.kind.simulated and not self.simulated:
            raise FaultError(
                f"{entry.kind.name} needs the simulated market, but a recording is played; remove it"
            )
        self._numbered += 1
        trigger = Trigger(entry, f"{self.plan.seed}/{self._numbered}/{entry.kind.name}")
        self._triggers.setdefault(entry.kind.level, []).append(trigger)

    def inject(self, request: object) -> str:
        """Carry out a request such as {"kind": "gap", "symbol": "BTCUSDT"} from now on; tells what it does."""
        if not isinstance(request, dict):
            raise FaultError(f"a fault was {request!r}, expected an object with kind and its settings")
        facts = dict(request)
        if "symbol" in facts:
            facts["symbols"] = [facts.pop("symbol")]
        if facts.get("kind") == "burst" and "count" in facts:  # how many orders, as it has always been asked
            facts["orders"] = facts.pop("count")
        entry = entry_from(facts, "request")
        now_s = self.now_s
        ends = {"until_s": entry.until_s + now_s} if entry.until_s else {}
        self._add(Entry(**{**vars(entry), "at_s": entry.at_s + now_s, **ends}))
        return entry.kind.sees

    def _strike(self, trigger: Trigger, now_s: float, **where: Any) -> Strike:
        strike = Strike(
            self.ledger.total + 1, trigger.entry.kind, now_s, trigger.random.getrandbits(64),
            trigger.entry.values, **where,
        )  # fmt: skip
        self.ledger.enter(strike)
        return strike

    def _live(self, level: str, now_s: float) -> list[Trigger]:
        """Triggers of a level; those that are over are forgotten."""
        found = self._triggers.get(level)
        if found and any(trigger.over(now_s) for trigger in found):
            found = self._triggers[level] = [one for one in found if not one.over(now_s)]
        return found or []

    # -------------------------------------------------------------- opportunities
    def frame(self, stream: str, symbol: str, payload: bytes, connection: int = 0) -> list[Strike]:
        """Strikes on one market-data frame to one connection, in the order of the plan."""
        now_s, strikes = self.now_s, []
        for trigger in self._live(FRAME, now_s):
            if trigger.entry.hits(symbol, stream) and trigger.strikes(now_s):
                first_id, last_id = ids_of(payload)
                where = {"symbol": symbol, "stream": stream, "connection": connection}
                strikes.append(self._strike(trigger, now_s, **where, first_id=first_id, last_id=last_id))
        return strikes

    def swallows_diff(self, symbol: str, first_id: int = 0, last_id: int = 0) -> bool:
        """Whether the diff frame about to be sent reaches nobody."""
        if not self._triggers.get(STREAM):
            return False
        now_s, shift = self.now_s, self.conditions.id_shift.get(symbol, 0)
        for trigger in self._live(STREAM, now_s):
            if trigger.entry.hits(symbol, f"{symbol.lower()}@depth") and trigger.strikes(now_s):
                ids = {"first_id": max(0, first_id - shift), "last_id": max(0, last_id - shift)}
                self._strike(trigger, now_s, symbol=symbol, **ids)
                return True
        return False

    def request(self, endpoint: str, symbol: str = "") -> list[Strike]:
        """Strikes on one REST request."""
        now_s, strikes = self.now_s, []
        for trigger in self._live(REST, now_s):
            entry = trigger.entry
            if endpoint in entry.endpoints and entry.hits(symbol) and trigger.strikes(now_s):
                strikes.append(self._strike(trigger, now_s, symbol=symbol, stream=endpoint))
                if entry.kind.name == "banned":
                    self._banned_until_s = now_s + float(entry.values["retry_after_s"])
        return strikes

    @property
    def banned_s(self) -> float:
        """Seconds for which the ban of a `banned` fault still lasts; 0: no ban."""
        return max(0.0, self._banned_until_s - self.now_s)

    def handshake(self, what: str, connection: int = 0) -> list[Strike]:
        """Strikes on one handshake; `what` is "tls" or "websocket"."""
        now_s, strikes = self.now_s, []
        for trigger in self._live(HANDSHAKE, now_s):
            is_tls = trigger.entry.kind.name == "tls-failure"
            if is_tls == (what == "tls") and trigger.strikes(now_s):
                strikes.append(self._strike(trigger, now_s, connection=connection))
        return strikes

    def lookup(self, host: str) -> bool:
        """Whether the look-up of this name fails."""
        now_s = self.now_s
        for trigger in self._live(DNS, now_s):
            if trigger.strikes(now_s):
                self._strike(trigger, now_s, stream=host)
                return True
        return False

    # -------------------------------------------------------------- the clock's strikes
    def beat(self, connections: Iterable[int] = ()) -> list[Strike]:
        """Strikes that are due, on connections by number, on the market, on the clock; the last two are
        carried out here. Call it many times a second."""
        now_s, numbers = self.now_s, list(connections)
        self.conditions.expire(now_s)
        whole = int(now_s)
        passed, self._second = min(whole - self._second, CATCH_UP_S), whole
        strikes = []
        for level in SECONDLY:
            for trigger in self._live(level, now_s):
                targets = numbers if level == CONNECTION else self._targets(trigger.entry)
                strikes += self._due(trigger, now_s, targets, passed)
        for strike in strikes:
            if strike.kind.level != CONNECTION:
                self.conditions.begin(strike)
                self.on_market(strike)
        return strikes

    def _targets(self, entry: Entry) -> list[Any]:
        if entry.kind.level == CLOCK:
            return [""]
        return [symbol for symbol in self.symbols if entry.hits(symbol)]

    def _due(self, trigger: Trigger, now_s: float, targets: list[Any], passed: int) -> list[Strike]:
        """A timed entry strikes all targets at once, one of chance each by itself."""
        if not targets:
            return []
        key = "connection" if trigger.entry.kind.level == CONNECTION else "symbol"
        if trigger.entry.timed:
            hit = targets if trigger.strikes(now_s) else []
        else:
            hit = [target for _ in range(passed) for target in targets if trigger.strikes(now_s)]
        return [self._strike(trigger, now_s, **{key: target}) for target in hit]
