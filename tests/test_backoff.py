"""Delays between tries, and budgets over sliding windows, against arithmetic done by hand."""

import random

from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.backoff import NS_PER_S, Backoff, Budget

times = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 7)), max_size=60)


@given(
    first_ns=st.integers(1, NS_PER_S),
    factor=st.integers(1, 1000),
    tries=st.integers(1, 90),
    retry_after_ns=st.integers(0, 10 * NS_PER_S),
    seed=st.integers(0, 99),
)
def test_delay_lies_in_the_upper_half_of_a_growing_ceiling(
    first_ns: int, factor: int, tries: int, retry_after_ns: int, seed: int
) -> None:
    cap_ns = first_ns * factor
    backoff, plain = (
        Backoff(first_ns, cap_ns, random.Random(seed)),
        Backoff(first_ns, cap_ns, random.Random(seed)),
    )
    for number in range(tries):
        ceiling = min(cap_ns, first_ns * 2**number)
        delay, asked = plain.next_ns(), backoff.next_ns(retry_after_ns)
        assert ceiling // 2 <= delay <= ceiling
        assert asked == max(delay, retry_after_ns)
    backoff.reset()
    assert backoff.next_ns() <= first_ns


def test_a_million_tries_stay_at_the_cap() -> None:
    backoff = Backoff(1, 1000, random.Random(1))
    backoff.tries = 1_000_000
    assert 500 <= backoff.next_ns() <= 1000


def test_delays_differ_between_machines() -> None:
    delays = {Backoff(NS_PER_S, NS_PER_S, random.Random(seed)).next_ns() for seed in range(50)}
    assert len(delays) == 50


@given(amount=st.integers(1, 20), window_ns=st.integers(1, 100), steps=times)
def test_no_window_ever_holds_more_than_the_amount(
    amount: int, window_ns: int, steps: list[tuple[int, int]]
) -> None:
    budget, now_ns, spent = Budget(amount, window_ns), 0, []
    for pause_ns, units in steps:
        now_ns += pause_ns
        inside = sum(count for at_ns, count in spent if at_ns > now_ns - window_ns)
        assert budget.used(now_ns) == inside
        fits = inside + units <= amount or (inside == 0 and units > amount)
        assert budget.fits(now_ns, units) is fits
        if fits:
            budget.spend(now_ns, units)
            spent.append((now_ns, units))


@given(
    amount=st.integers(1, 9), window_ns=st.integers(1, 100), steps=times, units=st.integers(1, 15),
)  # fmt: skip
def test_ready_is_the_first_moment_that_fits(
    amount: int, window_ns: int, steps: list[tuple[int, int]], units: int
) -> None:
    """Also after pongs spent more than there was."""
    budget, now_ns = Budget(amount, window_ns), 0
    for pause_ns, count in steps:
        now_ns += pause_ns
        budget.spend(now_ns, count)
    ready_ns = budget.ready_ns(now_ns, units)
    assert now_ns <= ready_ns <= now_ns + window_ns
    if ready_ns > now_ns:
        assert not budget.fits(ready_ns - 1, units)
    assert budget.fits(ready_ns, units)


def test_spending_nothing_leaves_no_trace() -> None:
    budget = Budget(1, 10)
    budget.spend(0, 0)
    assert budget.fits(0) and budget.used(0) == 0
