"""The connection machine: every event in every state, and invariants over random lives."""

import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import connection as c
from ringbook.engine.backoff import NS_PER_S, Budget
from ringbook.engine.connection import Action, Connection, State
from ringbook.engine.subscription import Subscriptions

MESSAGES, ATTEMPTS, WINDOW_NS = 5, 4, 60 * NS_PER_S
STREAMS = [f"s{number}@depth".encode() for number in range(230)]
KINDS = (c.Connect, c.SendText, c.SendPing, c.SendPong, c.Drop, c.MarkUp, c.MarkDown)


def request(number: int, names: object) -> str:
    return json.dumps([number, [name.decode() for name in names]])  # type: ignore[attr-defined]


def connection(seed: int = 0, life_ns: int = 0) -> Connection:
    subscriptions = Subscriptions(Budget(MESSAGES, NS_PER_S), request, request)
    attempts = Budget(ATTEMPTS, WINDOW_NS)
    return Connection(
        STREAMS, subscriptions, attempts, random.Random(seed), 20 * NS_PER_S, 10 * NS_PER_S, life_ns
    )


def in_state(state: State) -> Connection:
    """A machine brought to a state at time 1 s by events alone."""
    machine = connection()
    if state is not State.IDLE:
        machine.start(NS_PER_S)
    if state in (State.RUNNING, State.WAITING):
        machine.opened(NS_PER_S)
    if state is State.WAITING:
        machine.lost(NS_PER_S, "gone")
    if state is State.STOPPED:
        machine.stop(NS_PER_S)
    assert machine.state is state
    return machine


EVENTS: dict[str, Callable[[Connection, int], list[Action] | None]] = {
    "start": lambda m, now: m.start(now),
    "opened": lambda m, now: m.opened(now),
    "failed": lambda m, now: m.failed(now, "refused"),
    "failed, retry after": lambda m, now: m.failed(now, "429", 90 * NS_PER_S),
    "seen": lambda m, now: m.seen(now),
    "pinged": lambda m, now: m.pinged(now, b"payload"),
    "closed": lambda m, now: m.closed(now, 1001, "going away"),
    "violated": lambda m, now: m.violated(now, 1002, "reserved bits"),
    "lost": lambda m, now: m.lost(now, "reset by peer"),
    "shutdown": lambda m, now: m.shutdown_announced(now),
    "useless": lambda m, now: m.useless(now, "silent"),
    "subscribe": lambda m, now: m.subscribe(now, [b"more@depth"]),
    "unsubscribe": lambda m, now: m.unsubscribe(now, STREAMS[:1]),
    "ack": lambda m, now: m.acknowledged(now, m.subscriptions.next_id - 1),
    "strange ack": lambda m, now: m.acknowledged(now, None),
    "stop": lambda m, now: m.stop(now),
    "tick": lambda m, now: m.tick(now),
}
A, C, R, W, S = State.IDLE, State.CONNECTING, State.RUNNING, State.WAITING, State.STOPPED
SAME = (A, C, R, W, S)
# state afterwards, for the states in the order of SAME
AFTER = {
    "start": (C, C, R, W, S),
    "opened": (A, R, R, W, S),
    "failed": (A, W, R, W, S),
    "failed, retry after": (A, W, R, W, S),
    "pinged": SAME,
    "seen": SAME,
    "closed": (A, C, W, W, S),
    "violated": (A, C, W, W, S),
    "lost": (A, W, W, W, S),
    "shutdown": SAME,
    "useless": (A, C, W, W, S),
    "subscribe": SAME,
    "unsubscribe": SAME,
    "ack": SAME,
    "strange ack": SAME,
    "stop": (S, S, S, S, S),
    "tick": (A, C, R, C, S),
}


@pytest.mark.parametrize("state", SAME)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_in_every_state(event: str, state: State) -> None:
    machine = in_state(state)
    actions = EVENTS[event](machine, 5 * NS_PER_S) or []
    assert all(isinstance(action, KINDS) for action in actions)
    assert machine.state is AFTER[event][SAME.index(state)]
    kinds = [type(action) for action in actions]
    assert (c.MarkDown in kinds) is (state is R and machine.state is W)
    assert (c.MarkUp in kinds) is (state is C and machine.state is R)
    if state in (A, W, S) and event not in ("start", "tick"):
        assert not actions
    if state is S:
        assert not actions


def is_paid(action: Action) -> bool:
    return isinstance(action, c.SendText | c.SendPing)


def in_window(times: list[int], now_ns: int, window_ns: int) -> int:
    return sum(1 for at_ns in times if at_ns > now_ns - window_ns)


steps = st.lists(
    st.tuples(
        st.sampled_from(
            [*(name for name in EVENTS if name != "stop"), *["tick", "opened", "pinged", "lost"] * 2]
        ),
        st.sampled_from([1, NS_PER_S // 100, NS_PER_S // 4, NS_PER_S, 11 * NS_PER_S, 31 * NS_PER_S]),
    ),
    max_size=150,
)


@given(events=steps, seed=st.integers(0, 9), life_s=st.sampled_from([0, 40]))
def test_budgets_hold_over_any_life_and_it_always_comes_back(
    events: list[tuple[str, int]], seed: int, life_s: int
) -> None:
    machine, now_ns = connection(seed, life_s * NS_PER_S), NS_PER_S
    sent: list[int] = []
    attempts: list[int] = []
    machine.start(now_ns)
    attempts.append(now_ns)
    for name, pause_ns in events:
        now_ns += pause_ns
        before = machine.state
        actions = EVENTS[name](machine, now_ns) or []
        for action in actions:
            sent += [now_ns] * isinstance(action, c.SendText | c.SendPing | c.SendPong)
            attempts += [now_ns] * isinstance(action, c.Connect)
            # Pongs are owed whatever the budget says; nothing else may go out beyond it.
            assert not is_paid(action) or in_window(sent, now_ns, NS_PER_S) <= MESSAGES
            assert not is_paid(action) or machine.state is R
        assert in_window(attempts, now_ns, WINDOW_NS) <= ATTEMPTS
        if name == "pinged" and before is R:
            assert actions == [c.SendPong(b"payload")]
        if machine.state is W and before is not W:
            assert machine.retry_ns > now_ns
    recover(machine, now_ns)


def recover(machine: Connection, now_ns: int) -> None:
    """From anywhere, a venue that behaves brings it to RUNNING with every stream asked for."""
    machine.life_ns = 0
    asked: set[str] = set()
    for _ in range(1200):
        now_ns += NS_PER_S // 2
        actions = machine.tick(now_ns)
        if machine.state is C:
            actions += machine.opened(now_ns)
            asked.clear()
        for action in actions:
            if isinstance(action, c.SendText):
                number, names = json.loads(action.text)
                asked.update(names)
                machine.acknowledged(now_ns, number)
        machine.seen(now_ns)
    assert machine.state is R
    requests = machine.subscriptions
    assert requests.settled and requests.active == requests.wanted
    assert set(STREAMS[1:]) <= requests.wanted <= {*STREAMS, b"more@depth"}


def test_silence_is_pinged_once_and_then_dropped() -> None:
    machine = in_state(R)
    kinds = [type(a) for second in range(2, 32) for a in machine.tick(second * NS_PER_S)]
    assert kinds.count(c.SendPing) == 1 and kinds[-2:] == [c.Drop, c.MarkDown]
    assert machine.state is W


def test_an_answer_to_the_ping_keeps_the_connection() -> None:
    machine = in_state(R)
    for second in range(2, 300):
        if c.SendPing() in machine.tick(second * NS_PER_S):
            machine.seen(second * NS_PER_S + 1)
    assert machine.state is R and machine.reconnects == 0


def test_the_planned_end_comes_in_time_and_it_feeds_on() -> None:
    machine = connection(life_ns=100 * NS_PER_S)
    machine.start(1)
    machine.opened(2)
    machine.seen(99 * NS_PER_S)
    machine.tick(99 * NS_PER_S)
    assert machine.leaving == ""
    assert c.Drop not in map(type, machine.tick(101 * NS_PER_S))
    assert machine.leaving == "its planned life is over"
    assert machine.state is R


def test_an_announced_shutdown_makes_it_leave_until_it_connects_again() -> None:
    machine = in_state(R)
    assert machine.shutdown_announced(5 * NS_PER_S) == []
    assert machine.leaving == c.ANNOUNCED
    machine.lost(6 * NS_PER_S, "cut")
    machine.tick(machine.retry_ns)
    machine.opened(machine.retry_ns)
    assert machine.leaving == ""


def test_a_healthy_connection_clears_the_back_off_and_a_short_one_does_not() -> None:
    for lasted_ns, tries in ((c.HEALTHY_NS, 1), (c.HEALTHY_NS - 1, 4)):
        machine = in_state(R)
        machine.backoff.tries = 3
        machine.lost(NS_PER_S + lasted_ns, "gone")
        assert machine.backoff.tries == tries


def test_retry_after_is_obeyed() -> None:
    machine = in_state(C)
    machine.failed(NS_PER_S, "429", 90 * NS_PER_S)
    assert machine.retry_ns >= 91 * NS_PER_S and machine.tick(90 * NS_PER_S) == []


@pytest.mark.parametrize(
    ("code", "answer"),
    [(1000, 1000), (1001, 1001), (1003, 1003), (1008, 1008), (3000, 3000), (4999, 4999),
     (0, 1000), (999, 1000), (1004, 1000), (1005, 1000), (1006, 1000), (1015, 1000), (2999, 1000), (65535, 1000)],
)  # fmt: skip
def test_only_codes_that_may_be_sent_are_echoed(code: int, answer: int) -> None:
    drop = in_state(R).closed(NS_PER_S, code, "bye")[0]
    assert isinstance(drop, c.Drop) and drop.code == answer
