"""SUBSCRIBE batches: sizes, budget, acknowledgements, refusals and repeats."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.backoff import NS_PER_S, Budget
from ringbook.engine.subscription import ACK_TIMEOUT_NS, BATCH_STREAMS, RESERVED_MESSAGES, Subscriptions

Message = tuple[bool, int, list[str]]


def subscribe(number: int, names: Sequence[bytes]) -> str:
    return json.dumps([True, number, [name.decode() for name in names]])


def unsubscribe(number: int, names: Sequence[bytes]) -> str:
    return json.dumps([False, number, [name.decode() for name in names]])


def requests(amount: int = 5) -> Subscriptions:
    return Subscriptions(Budget(amount, NS_PER_S), subscribe, unsubscribe)


def streams(count: int) -> list[bytes]:
    return [f"s{number}@trade".encode() for number in range(count)]


def sent(subscriptions: Subscriptions, now_ns: int) -> list[Message]:
    return [json.loads(text) for text in subscriptions.send(now_ns)]


def drive(
    subscriptions: Subscriptions, lost: Sequence[bool] = (), seconds: int = 200
) -> list[tuple[int, Message]]:
    """Send whenever due; answer all but the requests that `lost` names by their order."""
    log: list[tuple[int, Message]] = []
    now_ns = 0
    while (due_ns := subscriptions.due_ns(now_ns)) is not None:
        now_ns = max(now_ns, due_ns)
        assert now_ns < seconds * NS_PER_S
        for message in sent(subscriptions, now_ns):
            log.append((now_ns, message))
            if not (len(log) <= len(lost) and lost[len(log) - 1]):
                subscriptions.acknowledged(message[1])
    return log


@given(count=st.integers(1, 1000), amount=st.integers(1, 10), lost=st.lists(st.booleans(), max_size=15))
def test_every_stream_gets_subscribed_under_the_budget(count: int, amount: int, lost: list[bool]) -> None:
    subscriptions = requests(amount)
    subscriptions.want(streams(count))
    log = drive(subscriptions, lost)
    assert subscriptions.active == set(streams(count)) and subscriptions.settled
    ids = [number for _, (_, number, _) in log]
    assert len(set(ids)) == len(ids)
    allowed = max(1, amount - RESERVED_MESSAGES)
    for at_ns, (_, _, names) in log:
        assert 1 <= len(names) <= BATCH_STREAMS <= 100
        assert sum(1 for then_ns, _ in log if at_ns - NS_PER_S < then_ns <= at_ns) <= allowed


def test_a_thousand_streams_take_ten_messages() -> None:
    subscriptions = requests()
    subscriptions.want(streams(1000))
    log = drive(subscriptions)
    assert len(log) == 10
    asked = sorted(name.encode() for _, (_, _, names) in log for name in names)
    assert asked == sorted(streams(1000))


def test_pongs_leave_less_for_requests() -> None:
    subscriptions = requests()
    subscriptions.want(streams(500))
    for _ in range(4):
        subscriptions.budget.spend(0)
    assert sent(subscriptions, 0) == []
    assert subscriptions.due_ns(0) == NS_PER_S
    assert len(sent(subscriptions, NS_PER_S)) == 5 - RESERVED_MESSAGES


def test_an_unanswered_request_is_asked_again_under_a_new_id() -> None:
    subscriptions = requests()
    subscriptions.want(streams(2))
    ((_, first, names),) = sent(subscriptions, 0)
    assert subscriptions.due_ns(1) == ACK_TIMEOUT_NS
    assert sent(subscriptions, ACK_TIMEOUT_NS - 1) == []
    ((_, second, again),) = sent(subscriptions, ACK_TIMEOUT_NS)
    assert again == names and second != first
    assert subscriptions.acknowledged(first) == ()  # too late: the second request stands
    assert subscriptions.acknowledged(second) == tuple(streams(2))
    assert subscriptions.due_ns(0) is None


def test_a_refusal_is_told_and_not_repeated() -> None:
    subscriptions = requests()
    subscriptions.want(streams(1))
    ((_, number, _),) = sent(subscriptions, 0)
    refused = subscriptions.refused(number, "Invalid request")
    assert refused is not None
    assert refused.streams == tuple(streams(1)) and refused.reason == "Invalid request"
    assert subscriptions.settled and not subscriptions.active
    assert sent(subscriptions, 100 * ACK_TIMEOUT_NS) == []


def test_strange_numbers_change_nothing() -> None:
    subscriptions = requests()
    subscriptions.want(streams(1))
    sent(subscriptions, 0)
    for number in (None, 0, -1, 77):
        assert subscriptions.acknowledged(number) == ()
        assert subscriptions.refused(number, "?") is None
    assert not subscriptions.settled


def test_unsubscribing_takes_streams_away() -> None:
    subscriptions = requests()
    subscriptions.want(streams(3))
    drive(subscriptions)
    subscriptions.drop(streams(1))
    ((add, number, names),) = sent(subscriptions, 5 * NS_PER_S)
    assert not add and names == ["s0@trade"]
    assert subscriptions.acknowledged(number) == ()
    assert subscriptions.active == set(streams(3)[1:])


def test_a_new_connection_starts_from_nothing_but_keeps_counting() -> None:
    """Ids go on, so that an ack from before cannot be taken for one of now; the budget stays spent."""
    subscriptions = requests()
    subscriptions.want(streams(1000))
    before = sent(subscriptions, 0)
    subscriptions.reset()
    assert subscriptions.settled
    subscriptions.want(streams(3))
    assert sent(subscriptions, 0) == []
    ((_, number, names),) = sent(subscriptions, NS_PER_S)
    assert number > max(old for _, old, _ in before) and len(names) == 3


def test_wanting_nothing_sends_nothing() -> None:
    subscriptions = requests()
    subscriptions.want([])
    assert subscriptions.settled and sent(subscriptions, 0) == []
