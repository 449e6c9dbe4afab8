"""Tries with their own back-off inside one budget: nothing storms, nothing is forgotten."""

import random

from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.backoff import NS_PER_S, Budget
from ringbook.engine.retries import Retries

FIRST_NS, CAP_NS, AMOUNT, WINDOW_NS = 10 * NS_PER_S, 100 * NS_PER_S, 4, 60 * NS_PER_S


def retries(seed: int = 1) -> Retries:
    return Retries(FIRST_NS, CAP_NS, Budget(AMOUNT, WINDOW_NS), random.Random(seed))


def test_a_key_is_tried_later_and_later_until_it_is_well() -> None:
    asked, tries = retries(), []
    asked.want(7, 0)
    for second in range(1000):
        tries += [second] * len(asked.due(second * NS_PER_S))
        asked.want(7, second * NS_PER_S)  # wanting it again does not make it sooner
    pauses = [b - a for a, b in zip([0, *tries], tries, strict=False)]
    assert 5 <= pauses[0] <= 11
    assert all(50 <= pause <= 101 for pause in pauses[5:])
    asked.forget([7, 8])
    assert asked.due(10_000 * NS_PER_S) == []
    asked.want(7, 10_000 * NS_PER_S)
    assert asked.due(10_011 * NS_PER_S) == [7]


@given(keys=st.integers(1, 300), seed=st.integers(0, 9))
def test_a_thousand_silent_streams_stay_within_the_budget_and_all_get_their_turn(
    keys: int, seed: int
) -> None:
    asked, tries = retries(seed), []
    for key in range(keys):
        asked.want(key, 0)
    for second in range(keys * WINDOW_NS // (AMOUNT * NS_PER_S) + 200):
        tries += [(second, key) for key in asked.due(second * NS_PER_S)]
    for second, _ in tries:
        assert sum(1 for then, _ in tries if second - 60 < then <= second) <= AMOUNT
    assert {key for _, key in tries} == set(range(keys))
