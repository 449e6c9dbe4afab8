"""The sequencing rules: the venues' worked examples, and every small case against the plain model."""

import itertools

import pytest

from ringbook.engine.kernels import sync

from .model import sync as model

NAMES = {sync.SYNC_ACCEPT: "accept", sync.SYNC_DROP: "drop", sync.SYNC_GAP: "gap"}
SPOT, FUTURES = sync.RULE_SPOT, sync.RULE_FUTURES


@pytest.mark.parametrize(
    ("rule", "first", "book", "event", "verdict"),
    [
        # NKNUSDT, recorded: snapshot 499869752
        (SPOT, 1, 499869752, (499869750, 499869752, -1), "drop"),
        (SPOT, 1, 499869752, (499869753, 499869754, -1), "accept"),
        (SPOT, 0, 10, (11, 12, -1), "accept"),
        (SPOT, 0, 10, (5, 12, -1), "accept"),  # ranges may overlap
        (SPOT, 0, 10, (12, 12, -1), "gap"),
        (SPOT, 0, 10, (10, 10, -1), "drop"),
        # SUSHIUSDT, recorded: snapshot 600859605926
        (FUTURES, 1, 600859605926, (600859603343, 600859604824, 1), "drop"),
        (FUTURES, 1, 600859605926, (600859605926, 600859607423, 600859604824), "accept"),
        (FUTURES, 0, 600859607423, (600859607950, 600859609417, 600859607423), "accept"),
        (FUTURES, 0, 10, (11, 12, 9), "gap"),  # U fits, pu does not: pu alone counts
        (FUTURES, 1, 10, (11, 12, 10), "accept"),  # the variant that drops u == last
        (FUTURES, 1, 10, (11, 12, 9), "gap"),
        (FUTURES, 0, 10, (7, 9, 6), "drop"),  # overlap of two connections
        (SPOT, 0, 10, (12, 11, -1), "gap"),  # runs backwards
        (FUTURES, 0, 10, (12, 11, 10), "gap"),
    ],
)
def test_table(rule: int, first: int, book: int, event: tuple[int, int, int], verdict: str) -> None:
    assert NAMES[sync.decide(rule, first, book, *event)] == verdict
    assert sync.decide.py_func(rule, first, book, *event) == sync.decide(rule, first, book, *event)


@pytest.mark.parametrize(("rule", "make"), [(SPOT, model.Spot), (FUTURES, model.Futures)])
def test_every_small_case(rule: int, make: type[model.Spot]) -> None:
    seen = set()
    for book, first_id, last_id, prev, first in itertools.product(
        range(4), range(5), range(5), range(-1, 5), (0, 1)
    ):
        want = make(book=book).fits(model.Event(first_id, last_id, prev), bool(first))
        assert NAMES[sync.decide(rule, first, book, first_id, last_id, prev)] == want
        seen.add(want)
    assert seen == {"accept", "drop", "gap"}


def test_the_old_documentation_off_by_one_would_be_caught() -> None:
    """Before 2025-11-12 the venue's page tested U > last, which calls every normal event a gap."""
    assert sync.decide(SPOT, 0, 10, 11, 12, -1) == sync.SYNC_ACCEPT
