"""The roll-over machine: every turn of every story, and that it never lets go of what feeds without a reason."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.backoff import NS_PER_S
from ringbook.engine.rollover import Facts, Rollover, Stagger, Step, overlaps

GRACE_NS, PATIENCE_NS = NS_PER_S, 5 * NS_PER_S
NOTHING, OPEN, RESTART, PROMOTE = Step.NOTHING, Step.OPEN, Step.RESTART, Step.PROMOTE
# leaving, runs, settled, overlaps: as letters where true
Story = list[tuple[float, str, Step]]


def facts(letters: str) -> Facts:
    return Facts(leaving="l" in letters, runs="r" in letters, settled="s" in letters, overlaps="o" in letters)


STORIES: dict[str, Story] = {
    "nobody leaves": [(0, "r", NOTHING), (99, "r", NOTHING)],
    "a lost connection is not replaced but connects again": [(0, "l", NOTHING), (1, "", NOTHING)],
    "the usual way": [
        (0, "lr", OPEN), (0.1, "r", NOTHING), (0.5, "rs", NOTHING), (1.4, "rso", NOTHING), (1.5, "rso", PROMOTE),
        (1.6, "r", NOTHING),
    ],
    "overlap is waited for": [
        (0, "lr", OPEN), (1, "rs", NOTHING), (5.9, "rs", NOTHING), (5.95, "rso", PROMOTE),
    ],
    "a mute successor connects again, the old one stays": [
        (0, "lr", OPEN), (1, "rs", NOTHING), (6, "rs", RESTART), (6.1, "r", NOTHING), (8, "rs", NOTHING),
        (9, "rso", PROMOTE),
    ],
    "a successor that is lost begins its grace anew": [
        (0, "lr", OPEN), (1, "rs", NOTHING), (1.5, "r", NOTHING), (1.6, "rso", NOTHING), (2.5, "rso", NOTHING),
        (2.6, "rso", PROMOTE),
    ],
    "a successor that never stands leaves the old one alone": [
        (0, "lr", OPEN), (100, "r", NOTHING), (10_000, "r", NOTHING),
    ],
    "the old one is cut first": [(0, "lr", OPEN), (3, "", PROMOTE), (4, "r", NOTHING)],
    "the old one is cut during the overlap": [(0, "lr", OPEN), (1, "rs", NOTHING), (1.5, "so", PROMOTE)],
    "one after the other": [
        (0, "lr", OPEN), (1, "rso", NOTHING), (2, "rso", PROMOTE), (3, "lr", OPEN), (4, "rso", NOTHING),
        (5, "rso", PROMOTE),
    ],
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: str) -> None:
    plan = Rollover(GRACE_NS, PATIENCE_NS)
    last_s, before = 0.0, ""
    for at_s, letters, step in STORIES[story]:
        run(plan, last_s, at_s, before)
        assert plan.tick(at(at_s), facts(letters)) is step, at_s
        last_s, before = at_s, letters.replace("l", "")


def at(seconds: float) -> int:
    return 1000 * NS_PER_S + round(seconds * NS_PER_S)


def run(plan: Rollover, from_s: float, to_s: float, letters: str) -> None:
    """Turns in between, at which nothing changes and nothing may happen."""
    for turn in range(1, min(200, round((to_s - from_s) * 20))):
        assert plan.tick(at(from_s + turn / 20), facts(letters)) is NOTHING


def test_a_process_that_stood_still_has_not_read_what_waits() -> None:
    plan = Rollover(GRACE_NS, PATIENCE_NS)
    plan.tick(at(0), facts("lr"))
    plan.tick(at(1), facts("rso"))
    assert [plan.tick(at(2 + turn), facts("rso")) for turn in range(10)] == [NOTHING] * 9 + [PROMOTE]


def test_a_quick_loss_between_two_ticks_is_told_and_counts() -> None:
    plan = Rollover(GRACE_NS, PATIENCE_NS)
    plan.tick(at(0), facts("lr"))
    plan.tick(at(1), facts("rso"))
    run(plan, 1, 1.9, "rso")
    plan.successor_opened()
    run(plan, 1.9, 2.9, "rso")
    assert plan.tick(at(3), facts("rso")) is PROMOTE


letters = st.sampled_from(["".join(x) for n in range(5) for x in itertools.combinations("lrso", n)])
turns = st.lists(st.tuples(st.integers(1, NS_PER_S), letters), max_size=60)


@given(turns=turns)
def test_invariants_over_any_life(turns: list[tuple[int, str]]) -> None:
    """A running connection is only let go for a successor that was settled for the grace and overlaps."""
    plan, now_ns, is_open, settled_since = Rollover(GRACE_NS, PATIENCE_NS), NS_PER_S, False, 0
    for pause_ns, chosen in turns:
        now_ns += pause_ns
        now = facts(chosen)
        step = plan.tick(now_ns, now)
        if is_open:
            settled_since = (settled_since or now_ns) if now.settled else 0
        assert step is not OPEN or (not is_open and now.leaving and now.runs)
        assert step not in (PROMOTE, RESTART) or is_open
        if step is PROMOTE and now.runs:
            assert now.settled
            assert now.overlaps
            assert now_ns - settled_since >= GRACE_NS
        if step is RESTART:
            assert now.runs
            assert now_ns - settled_since >= PATIENCE_NS
        if is_open and not now.runs:
            assert step is PROMOTE
        is_open = (is_open or step is OPEN) and step is not PROMOTE
        settled_since = 0 if step is not NOTHING else settled_since
        assert plan.under_way == is_open


CASES = {
    "both speak": ([5], [7], [3], [False], True),
    "the old one is ahead but both chain": ([9], [7], [3], [False], True),
    "something waits": ([5], [7], [3], [True], False),
    "the new one is silent where the old one speaks": ([5], [-1], [3], [False], False),
    "both silent since": ([5], [-1], [5], [False], True),
    "both silent for ever": ([-1], [-1], [-1], [False], True),
    "one of two": ([5, 5], [7, -1], [3, 3], [False, False], False),
    "no books": ([], [], [], [], True),
}


@pytest.mark.parametrize("case", CASES)
def test_overlaps(case: str) -> None:
    *arrays, wanted = CASES[case]
    assert (
        overlaps(*(np.array(one, bool if at == 3 else np.int64) for at, one in enumerate(arrays))) is wanted
    )


def starts(links: int, announced: bool, lasts_ns: int) -> list[int]:
    """When so many links begin that all want to at 0, each under way for so long."""
    stagger, begun = Stagger(), []
    for tick in range(2000):
        now_ns = tick * NS_PER_S // 20
        under_way = sum(1 for at in begun if now_ns - at < lasts_ns)
        if len(begun) < links and stagger.may_start(now_ns, under_way, announced):
            begun.append(now_ns)
    return begun


def test_planned_ends_go_one_after_the_other() -> None:
    begun = starts(5, announced=False, lasts_ns=2 * NS_PER_S)
    assert len(begun) == 5
    assert (np.diff(begun) >= 2 * NS_PER_S).all()


def test_announced_ends_are_spaced_but_do_not_wait_for_each_other() -> None:
    begun = starts(10, announced=True, lasts_ns=60 * NS_PER_S)
    assert begun == [at * NS_PER_S // 2 for at in range(10)]
