"""Fault plans: TOML, the command line, errors that help, and the same faults for the same seed."""

import re

import pytest

from ringbook.io.exchange.faults.injector import Faults
from ringbook.io.exchange.faults.kinds import KINDS
from ringbook.io.exchange.faults.plan import (
    FaultError,
    Plan,
    assembled,
    entry_from,
    entry_from_words,
    plan_from,
)

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
PAYLOAD = b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":7,"u":9,"b":[],"a":[]}'


class Clock:
    """Virtual seconds."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def faults_of(*facts: dict, seed: int = 1) -> tuple[Faults, Clock]:
    """Faults on a virtual clock."""
    clock = Clock()
    return Faults(SYMBOLS, Plan(tuple(map(entry_from, facts)), seed), clock), clock


def test_a_plan_in_toml():
    plan = plan_from(
        """
        seed = 7
        [[fault]]
        kind = "lost"
        probability = 0.25
        symbols = ["BTCUSDT"]
        streams = ["*@depth@100ms"]
        [[fault]]
        kind = "closed"
        every_s = 30
        code = 1012
        [[fault]]
        kind = "stale"
        at_s = 2.5
        """
    )
    lost, closed, stale = plan.entries
    assert plan.seed == 7
    assert (lost.probability, lost.count, lost.symbols) == (0.25, 0, ("BTCUSDT",))
    assert lost.hits("BTCUSDT", "btcusdt@depth@100ms")
    assert not lost.hits("BTCUSDT", "btcusdt@trade")
    assert not lost.hits("ETHUSDT", "ethusdt@depth@100ms")
    assert (closed.every_s, closed.values["code"]) == (30.0, 1012)
    assert (stale.at_s, stale.count, stale.endpoints, stale.values["updates"]) == (2.5, 1, ("depth",), 5_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed = ", "not TOML"),
        ("speed = 2", "has 'speed', expected seed and"),
        ("seed = 'x'", "seed was 'x', expected a whole number"),
        ("fault = 3", "expected [[fault]]"),
        ("fault = [3]", "fault 1 was 3, expected a table"),
        ("[fault]\nkind = 'lost'", "expected [[fault]] in double brackets"),
        ("[[fault]]\nat_s = 2", "kind was None, expected one of lost"),
        ("[[fault]]\nkind = 'losst'", "did you mean lost?"),
        ("[[fault]]\nkind = 'lost'\nchance = 1", "lost has no setting 'chance', expected some of at_s"),
        (
            "[[fault]]\nkind = 'lost'\nprobability = 1.5",
            "lost.probability was 1.5, expected a number in 0..1",
        ),
        ("[[fault]]\nkind = 'lost'\ncount = 0", "lost.count was 0, expected a whole number in 1"),
        ("[[fault]]\nkind = 'lost'\nsymbols = [1]", "lost.symbols was [1], expected a list of names"),
        ("[[fault]]\nkind = 'lost'\nendpoints = ['depth']", "strikes no REST endpoint"),
        ("[[fault]]\nkind = 'late'\nendpoints = ['trades']", "has 'trades', expected some of ping"),
        (
            "[[fault]]\nkind = 'corrupted'\nbits = 0",
            "corrupted.bits was 0, expected a whole number in 1..1000",
        ),
        ("[[fault]]\nkind = 'corrupted'\nbits = 1.5", "corrupted.bits was 1.5, expected a whole number"),
        ("[[fault]]\nkind = 'closed'\ncode = 999", "closed.code was 999, expected one of 0, 1000"),
        ("[[fault]]\nkind = 'ids-back'\nrestart = 1", "ids-back.restart was 1, expected true or false"),
        ("[[fault]]\nkind = 'misframed'\nhow = 'badly'", "expected one of any, reserved"),
        ("[[fault]]\nkind = 'lost'\n[[fault]]\nkind = 'x'", "plan, fault 2: "),
    ],
)
def test_a_wrong_plan_says_what_was_found_and_expected(text, words):
    with pytest.raises(FaultError) as caught:
        plan_from(text)
    assert words in str(caught.value)


def test_faults_of_the_command_line(tmp_path):
    entry = entry_from_words("lost:probability=0.001,symbols=BTCUSDT+ETHUSDT,at_s=3")
    assert (entry.probability, entry.symbols, entry.at_s) == (0.001, ("BTCUSDT", "ETHUSDT"), 3.0)
    assert entry_from_words("short:honest=false").values["honest"] is False
    assert entry_from_words("tls-failure:how=certificate").values["how"] == "certificate"
    for text, words in (
        ("lost:often", "has no value"),
        ("loss", "did you mean lost?"),
        ("lost:count=x", "'x'"),
    ):
        with pytest.raises(FaultError, match=re.escape(words)):
            entry_from_words(text)
    file = tmp_path / "plan.toml"
    file.write_text("seed = 3\n[[fault]]\nkind = 'reset'\n")
    plan = assembled(file, ("lost",), None)
    assert ([entry.kind.name for entry in plan.entries], plan.seed) == (["reset", "lost"], 3)
    assert assembled(file, (), 9).seed == 9
    with pytest.raises(FaultError, match=r"cannot be read .* give a TOML file"):
        assembled(tmp_path / "none.toml", (), None)


# ---------------------------------------------------------------- when a fault strikes
def frames_struck(faults: Faults, clock: Clock, count: int = 2_000) -> list[tuple]:
    for _ in range(count):
        clock.now_s += 0.01
        for symbol in SYMBOLS:
            faults.frame(f"{symbol.lower()}@depth", symbol, PAYLOAD)
        faults.beat([1, 2])
    return [(one.kind.name, one.at_s, one.seed, one.symbol, one.connection) for one in faults.ledger.strikes]


CHANCES = ({"kind": "lost", "probability": 0.1}, {"kind": "reset", "probability": 0.5},
           {"kind": "corrupted", "probability": 0.05, "symbols": ["ETHUSDT"]})  # fmt: skip


def test_the_same_seed_brings_the_same_faults():
    struck = frames_struck(*faults_of(*CHANCES, seed=5))
    assert struck == frames_struck(*faults_of(*CHANCES, seed=5))
    assert struck != frames_struck(*faults_of(*CHANCES, seed=6))
    kinds = [name for name, *_ in struck]
    assert 300 < kinds.count("lost") < 500
    assert 5 < kinds.count("reset") < 35  # twenty seconds of two connections
    assert {symbol for name, *_, symbol, _ in struck if name == "corrupted"} == {"ETHUSDT"}


def test_an_entry_added_changes_no_other():
    alone = frames_struck(*faults_of(CHANCES[0]))
    beside = frames_struck(*faults_of(CHANCES[0], {"kind": "delayed", "probability": 0.3}))
    assert alone == [row for row in beside if row[0] == "lost"]


def times(facts: dict, step_s: float = 0.125, count: int = 80) -> list[float]:
    """When a frame fault strikes within ten seconds of frames."""
    faults, clock = faults_of(facts)
    for _ in range(count):
        faults.frame("btcusdt@trade", "BTCUSDT", PAYLOAD)
        clock.now_s += step_s
    return [strike.at_s for strike in faults.ledger.strikes]


def test_triggers():
    assert times({"kind": "lost"}) == [0.0]
    assert times({"kind": "lost", "at_s": 3}) == [3.0]
    assert times({"kind": "lost", "count": 3, "at_s": 1}) == [1.0, 1.125, 1.25]
    assert times({"kind": "lost", "every_s": 2}) == [2.0, 4.0, 6.0, 8.0]
    assert times({"kind": "lost", "every_s": 2, "at_s": 1, "count": 2}) == [1.0, 3.0]
    assert times({"kind": "lost", "probability": 1.0, "at_s": 2, "until_s": 2.5}) == [2.0, 2.125, 2.25, 2.375]


def test_the_clock_strikes_every_connection_at_once_and_waits_for_one():
    faults, clock = faults_of({"kind": "reset", "at_s": 1}, {"kind": "storm", "every_s": 3})
    clock.now_s += 2.0
    assert faults.beat([]) == []
    assert [(strike.kind.name, strike.connection) for strike in faults.beat([4, 7])] == [
        ("reset", 4),
        ("reset", 7),
    ]
    clock.now_s += 1.5
    assert [strike.symbol for strike in faults.beat([4])] == SYMBOLS
    assert faults.beat([4]) == []


def test_the_ledger_tells_time_symbol_and_ids():
    faults, clock = faults_of({"kind": "lost", "at_s": 1})
    clock.now_s += 1.5
    (strike,) = faults.frame("btcusdt@depth", "BTCUSDT", PAYLOAD, connection=3)
    assert faults.ledger.since(0) == [strike.row()]
    assert faults.ledger.since(1) == []
    row = strike.row()
    assert (row["kind"], row["at_s"], row["symbol"], row["stream"]) == (
        "lost",
        1.5,
        "BTCUSDT",
        "btcusdt@depth",
    )
    assert (row["connection"], row["first_id"], row["last_id"]) == (3, 7, 9)


def test_requests_are_checked():
    faults, clock = faults_of()
    clock.now_s += 10
    assert faults.inject({"kind": "lost", "symbol": "ETHUSDT", "count": 2}) == KINDS["lost"].sees
    assert not faults.frame("x", "BTCUSDT", PAYLOAD)
    assert [bool(faults.frame("x", "ETHUSDT", PAYLOAD)) for _ in range(3)] == [True, True, False]
    for request in ({"kind": "x"}, [], {"kind": "lost", "symbol": "NOPE"}, {"kind": "lost", "symbol": 3}):
        with pytest.raises(FaultError):
            faults.inject(request)
    played = Faults(SYMBOLS, simulated=False)
    with pytest.raises(FaultError, match="needs the simulated market"):
        played.inject({"kind": "tick-size"})
