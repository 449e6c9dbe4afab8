"""A fault plan: which faults strike, when and whom; from TOML, from the command line or from a request.

seed = 7

[[fault]]
kind = "lost"
probability = 0.001
symbols = ["BTCUSDT"]
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .kinds import ENDPOINTS, KINDS, REST, Kind, Value

NO_END = 0.0


class FaultError(ValueError):
    """A fault or plan that cannot be carried out; the message says what was expected."""


@dataclass(frozen=True)
class Entry:
    """One fault of a plan. With neither `probability` nor `every_s` it strikes `count` times, from `at_s` on.

    at_s         seconds after the start from which it may strike
    until_s      seconds after the start at which it stops; 0: never
    every_s      at most one strike in so many seconds; 0: no such limit
    probability  of a strike at one opportunity; 1: each
    count        strikes at most; 0 (not given, but one of the two above): no limit
    symbols      symbols it strikes; empty: all
    streams      patterns of stream names such as "*@trade"; empty: all
    endpoints    REST endpoints
    values       parameters of the kind
    """

    kind: Kind
    at_s: float = 0.0
    until_s: float = NO_END
    every_s: float = 0.0
    probability: float = 1.0
    count: int = 0
    symbols: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def timed(self) -> bool:
        """Whether the clock alone decides when it strikes."""
        return self.probability == 1.0

    def hits(self, symbol: str, stream: str = "") -> bool:
        """Whether a frame or request of this symbol and stream is among its targets."""
        if self.symbols and symbol not in self.symbols:
            return False
        return not self.streams or any(fnmatchcase(stream, pattern) for pattern in self.streams)


@dataclass(frozen=True)
class Plan:
    """A seed and the faults it drives. The same seed and the same inputs bring the same faults."""

    entries: tuple[Entry, ...] = ()
    seed: int = 1


NUMBERS = {"at_s": 1e9, "until_s": 1e9, "every_s": 1e9, "probability": 1.0}
LISTS = ("symbols", "streams", "endpoints")
COMMON = tuple(one.name for one in fields(Entry) if one.name not in ("kind", "values"))


def entry_from(facts: object, where: str = "fault") -> Entry:
    """One fault out of TOML, JSON or the command line; FaultError says what is wrong with it."""
    if not isinstance(facts, dict):
        raise FaultError(f"{where} was {facts!r}, expected a table with kind and its settings")
    name = facts.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        close = get_close_matches(str(name), KINDS, 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise FaultError(f"{where}: fault kind was {name!r}, expected one of {', '.join(KINDS)}{meant}")
    kind = KINDS[name]
    chosen: dict[str, Any] = {}
    values = {key: one.default for key, one in kind.parameters.items()}
    for key, value in facts.items():
        if key in kind.parameters:
            values[key] = _parameter(f"{where}: {name}.{key}", kind, key, value)
        elif key in COMMON:
            chosen[key] = _setting(f"{where}: {name}.{key}", key, value)
        elif key != "kind":
            known = ", ".join((*kind.parameters, *COMMON))
            raise FaultError(f"{where}: {name} has no setting {key!r}, expected some of {known}; remove it")
    if chosen.get("endpoints") and kind.level != REST:
        raise FaultError(f"{where}: {name} strikes no REST endpoint; remove `endpoints`")
    chosen.setdefault("endpoints", kind.endpoints if kind.level == REST else ())
    if not {"probability", "every_s", "count"} & chosen.keys() and not kind.always:
        chosen["count"] = 1
    return Entry(kind, values=values, **chosen)


def _parameter(where: str, kind: Kind, key: str, value: object) -> Value:
    accepted = kind.parameters[key].accept(value)
    if accepted is None:
        raise FaultError(f"{where} was {value!r}, expected {kind.parameters[key].expected}; correct it")
    return accepted


def _setting(where: str, key: str, value: object) -> Any:
    if key in LISTS:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
            raise FaultError(f"{where} was {value!r}, expected a list of names; correct it")
        strangers = [name for name in names if key == "endpoints" and name not in ENDPOINTS]
        if strangers:
            raise FaultError(
                f"{where} has {strangers[0]!r}, expected some of {', '.join(ENDPOINTS)}; correct it"
            )
        return tuple(names)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "count":
        if not isinstance(value, int) or not number or not 1 <= value <= 1_000_000_000:
            raise FaultError(f"{where} was {value!r}, expected a whole number in 1..1000000000; correct it")
        return value
    if not number or not 0 <= value <= NUMBERS[key]:  # type: ignore[operator]
        raise FaultError(f"{where} was {value!r}, expected a number in 0..{NUMBERS[key]:g}; correct it")
    return float(value)  # type: ignore[arg-type]


def plan_from(text: str, where: str = "plan") -> Plan:
    """The plan a TOML text holds."""
    try:
        facts = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultError(f"{where}: not TOML ({error}); correct it") from None
    strangers = facts.keys() - {"seed", "fault"}
    if strangers:
        raise FaultError(f"{where} has {min(strangers)!r}, expected seed and [[fault]] tables; remove it")
    rows = facts.get("fault", [])
    if not isinstance(rows, list):
        raise FaultError(f"{where}: fault was one table, expected [[fault]] in double brackets; correct it")
    entries = tuple(entry_from(row, f"{where}, fault {number}") for number, row in enumerate(rows, 1))
    return Plan(entries, seed_from(facts.get("seed", 1), where))


def seed_from(seed: object, where: str) -> int:
    """A seed; FaultError for anything but a whole number."""
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FaultError(f"{where}: seed was {seed!r}, expected a whole number; correct it")
    return seed


def read_plan(path: Path) -> Plan:
    """The plan of a TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FaultError(f"fault plan {path}: cannot be read ({error}); give a TOML file") from None
    return plan_from(text, str(path))


def entry_from_words(text: str) -> Entry:
    """One fault as the command line writes it: `lost:probability=0.001,symbols=BTCUSDT+ETHUSDT`."""
    name, _, rest = text.partition(":")
    facts: dict[str, Any] = {"kind": name}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise FaultError(f"--fault {text}: {part!r} has no value, expected name=value; correct it")
        facts[key.strip()] = value.strip().split("+") if key.strip() in LISTS else word(value.strip())
    return entry_from(facts, f"--fault {text}")


def word(text: str) -> Value:
    """A value as typed: a number, true, false or a word."""
    for make in (int, float):
        try:
            return make(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def assembled(file: Path | None, words: tuple[str, ...], seed: int | None) -> Plan:
    """The plan of a file with the faults and the seed of the command line added."""
    plan = read_plan(file) if file else Plan()
    entries = (*plan.entries, *map(entry_from_words, words))
    return Plan(entries, plan.seed if seed is None else seed)
