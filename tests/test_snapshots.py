"""Snapshot requests against a venue that answers, lags, refuses and bans."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.backoff import NS_PER_S
from ringbook.engine.snapshots import (
    BAN_NS,
    FIRST_RETRY_NS,
    FIRST_SYNC,
    FLIGHTS_MAX,
    RESYNC,
    SHARE,
    TOO_OLD_NS,
    Fetch,
    SnapshotScheduler,
)

WEIGHT, PER_MINUTE = 250, 6000
SECOND = NS_PER_S


def scheduler(weight: int = WEIGHT, per_minute: int = PER_MINUTE, seed: int = 0) -> SnapshotScheduler:
    return SnapshotScheduler(weight, per_minute, random.Random(seed))


def heaviest_minute(times_ns: list[int], weight: int) -> int:
    """Weight of the heaviest 60 s among requests in order of time."""
    first = most = 0
    for last, at_ns in enumerate(times_ns):
        while times_ns[first] <= at_ns - 60 * SECOND:
            first += 1
        most = max(most, (last - first + 1) * weight)
    return most


def drive(machine: SnapshotScheduler, limit_s: int = 7200) -> list[tuple[int, Fetch]]:
    """Tick twenty times a second until nothing is wanted; answers come a tick later."""
    now_ns, log, flying = 0, [], []
    while machine.wants:
        for fetch in flying:
            machine.loaded(fetch)
        flying = machine.tick(now_ns)
        log += [(now_ns, fetch) for fetch in flying]
        now_ns += SECOND // 20
        assert now_ns < limit_s * SECOND
    return log


def test_five_hundred_symbols_load_under_the_budget() -> None:
    machine = scheduler()
    for symbol_id in range(500):
        machine.want(symbol_id, 0)
    log = drive(machine)
    assert sorted(fetch.symbol_id for _, fetch in log) == list(range(500))
    assert heaviest_minute([at_ns for at_ns, _ in log], WEIGHT) <= PER_MINUTE * SHARE
    expected_s = scheduler().seconds_for(500)
    assert expected_s <= log[-1][0] / SECOND <= expected_s + 60


answers = st.sampled_from(["loaded"] * 4 + ["too old", "failed", "503", "429", "418", "429 for 7 s", "late"])


@given(symbols=st.integers(1, 60), script=st.lists(answers, max_size=120), seed=st.integers(0, 9))
def test_any_venue_that_comes_round_loads_everything(symbols: int, script: list[str], seed: int) -> None:
    machine, now_ns = scheduler(seed=seed), 0
    for symbol_id in range(symbols):
        machine.want(symbol_id, 0, symbol_id % 2)
    flying: list[tuple[int, Fetch, str]] = []
    sent: list[int] = []
    answered, words = set(), iter(script)
    paused_ns = 0
    while machine.wants:
        for at_ns, fetch, word in [one for one in flying if one[0] <= now_ns]:
            flying.remove((at_ns, fetch, word))
            answered.add(fetch.number)
            paused_ns = max(paused_ns, answer(machine, fetch, now_ns, word))
        fetches = machine.tick(now_ns)
        assert not fetches or now_ns >= paused_ns
        for fetch in fetches:
            assert fetch.number not in answered
            word = next(words, "loaded")
            flying.append((now_ns + (20 * SECOND if word == "late" else SECOND // 5), fetch, word))
        sent += [now_ns] * len(fetches)
        assert len(flying) <= FLIGHTS_MAX
        now_ns += SECOND // 2
        assert now_ns < 4 * 3600 * SECOND
    assert heaviest_minute(sent, WEIGHT) <= PER_MINUTE * SHARE


def answer(machine: SnapshotScheduler, fetch: Fetch, now_ns: int, word: str) -> int:
    """Tell the machine what came; returns until when it must be silent."""
    if word in ("loaded", "late"):
        machine.loaded(fetch)
        return 0
    if word == "too old":
        machine.too_old(fetch, now_ns)
        return 0
    status = int(word[:3]) if word[0].isdigit() else 0
    retry_after_ns = 7 * SECOND if word.endswith(" s") else 0
    machine.failed(fetch, now_ns, status, retry_after_ns)
    quiet = {429: max(SECOND, retry_after_ns), 418: BAN_NS}
    return now_ns + quiet[status] if status in quiet else 0


def test_resyncs_go_before_first_syncs() -> None:
    machine = scheduler(weight=5)
    for symbol_id in range(6):
        machine.want(symbol_id, 0, FIRST_SYNC)
    for symbol_id in range(10, 14):
        machine.want(symbol_id, 1, RESYNC)
    machine.want(5, 2, RESYNC)  # asked before, urgent now
    machine.want(5, 3, FIRST_SYNC)  # and no less urgent for being asked again
    order = [fetch.symbol_id for fetch in machine.tick(SECOND)]
    assert len(order) == FLIGHTS_MAX
    assert set(order[:5]) == {5, 10, 11, 12, 13} and order[5:] == [0, 1, 2]


def test_asking_twice_asks_the_venue_once() -> None:
    machine = scheduler()
    for _ in range(3):
        machine.want(1, 0)
    assert len(machine.tick(0)) == 1
    machine.want(1, 1)
    assert machine.tick(1) == []


def test_answers_to_older_requests_are_ignored() -> None:
    machine = scheduler()
    machine.want(1, 0)
    (old,) = machine.tick(0)
    machine.cancel(1)
    machine.want(1, 1)
    (new,) = machine.tick(1)
    assert new.number != old.number
    machine.too_old(old, 2)
    machine.failed(old, 2, 503)
    machine.loaded(old)
    machine.loaded(Fetch(99, 5))
    assert machine.wants[1].in_flight == new.number
    machine.loaded(new)
    assert not machine.wants and machine.due_ns(2) is None


def test_only_the_answer_to_the_present_want_is_awaited() -> None:
    """One asked for before a disconnect may be from before the venue restarted."""
    machine = scheduler()
    machine.want(7, 0)
    (old,) = machine.tick(0)
    assert machine.awaits(old)
    machine.cancel(7)
    assert not machine.awaits(old)
    machine.want(7, SECOND)
    (new,) = machine.tick(SECOND)
    assert machine.awaits(new) and not machine.awaits(old)


def test_cancelled_requests_still_count_as_in_flight() -> None:
    """They are under way whatever we want meanwhile."""
    machine = scheduler(weight=5)
    for symbol_id in range(FLIGHTS_MAX):
        machine.want(symbol_id, 0)
    flights = machine.tick(0)
    for symbol_id in range(FLIGHTS_MAX):
        machine.cancel(symbol_id)
        machine.want(symbol_id, 1)
    assert machine.tick(1) == []
    machine.failed(flights[0], 2)
    machine.loaded(flights[1])
    machine.too_old(flights[2], 2)
    assert len(machine.tick(3)) == 3


@pytest.mark.parametrize(
    ("status", "retry_after_ns", "pause_ns"),
    [(429, 0, SECOND), (429, 30 * SECOND, 30 * SECOND), (418, 0, BAN_NS), (418, 600 * SECOND, 600 * SECOND),
     (503, 0, 0), (503, 20 * SECOND, 20 * SECOND), (0, 0, 0)],
)  # fmt: skip
def test_bans_and_retry_after_stop_every_request(status: int, retry_after_ns: int, pause_ns: int) -> None:
    machine = scheduler(weight=5)
    machine.want(1, 0)
    (fetch,) = machine.tick(0)
    machine.want(2, 0)
    machine.failed(fetch, 0, status, retry_after_ns)
    if pause_ns:
        assert machine.tick(pause_ns - 1) == []
        assert (machine.due_ns(0) or 0) >= pause_ns
    assert 2 in [other.symbol_id for other in machine.tick(pause_ns)]


def test_a_ban_heard_of_late_counts_although_the_request_was_cancelled() -> None:
    machine = scheduler()
    machine.want(1, 0)
    (fetch,) = machine.tick(0)
    machine.cancel(1)
    machine.failed(fetch, 5, 418, 0)
    machine.want(2, 6)
    assert machine.tick(6) == [] and len(machine.tick(5 + BAN_NS)) == 1


def test_waits_after_lagging_answers_and_failures() -> None:
    machine = scheduler()
    machine.want(1, 0)
    for tries in range(9):
        start_ns = tries * 100 * SECOND
        (fetch,) = machine.tick(start_ns)
        (machine.failed if tries % 2 else machine.too_old)(fetch, start_ns)
        due_ns = machine.due_ns(start_ns)
        assert due_ns is not None and machine.tick(due_ns - 1) == []
        assert due_ns - start_ns >= (FIRST_RETRY_NS // 2 if tries % 2 else TOO_OLD_NS)


def test_weight_that_others_spent_holds_us_back() -> None:
    machine = scheduler()
    machine.want(1, 0)
    machine.weight_used(0, PER_MINUTE)
    assert machine.tick(59 * SECOND) == [] and len(machine.tick(60 * SECOND)) == 1
    quiet = scheduler()
    quiet.want(1, 0)
    quiet.weight_used(0, PER_MINUTE // 10)  # within what is left to others
    assert len(quiet.tick(0)) == 1


def test_an_engine_that_was_restarted_leaves_room_for_its_question() -> None:
    """What its predecessor has spent counts; some is never used, for each restart asks before it knows."""
    machine = scheduler(weight=5)
    for symbol_id in range(PER_MINUTE):
        machine.want(symbol_id, 0)
    machine.weight_used(0, int(0.8 * PER_MINUTE))
    spent = 0
    while fetches := machine.tick(0):
        spent += 5 * len(fetches)
        for fetch in fetches:
            machine.loaded(fetch)
    assert 0 < spent <= int(0.95 * PER_MINUTE) - int(0.8 * PER_MINUTE)


@pytest.mark.parametrize(
    ("status", "retry_s", "wait_s"), [(429, 0, 1), (429, 7, 7), (418, 0, 120), (418, 9, 9)]
)
def test_a_refusal_of_any_request_pauses_snapshots(status: int, retry_s: int, wait_s: int) -> None:
    machine = scheduler()
    machine.want(1, 0)
    machine.refused(0, 200)
    machine.refused(0, status, retry_s * SECOND)
    assert machine.tick(wait_s * SECOND - 1) == []
    assert len(machine.tick(wait_s * SECOND)) == 1


def test_expected_time_grows_with_the_symbols() -> None:
    machine = scheduler()
    times = [machine.seconds_for(symbols) for symbols in range(200)]
    assert times[:20] == [0.0] * 20 and all(a <= b for a, b in pairwise(times))


def test_one_request_heavier_than_the_budget_still_goes_out() -> None:
    machine = scheduler(weight=50, per_minute=10)
    machine.want(1, 0)
    assert len(machine.tick(0)) == 1 and machine.seconds_for(3) == 120.0
