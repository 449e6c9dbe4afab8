"""The full book against a dict after every step: valid and invalid messages, tiny pools, extreme prices."""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ringbook.engine import layout
from ringbook.engine.kernels import book_check
from ringbook.engine.layout import ASK, BID, SIDES

from .book_bench import COMPILED, BookPair, burst, fill, plain, warm
from .reaching import run_until_reached

EXTREME = (0, 1, 2**31, 2**62, 2**63 - 2, 2**63 - 1, -1, -(2**62), -(2**63 - 1))
FAR = 1 << 40  # that much worse, and of the same tag
RARE_STATES = {
    "beyond the limit", "new one dropped", "worst dropped", "filled from the table", "a deleted entry stays",
    "levels behind the cutoff", "a search goes on", "a table grew", "near keys with one tag",
}  # fmt: skip
PLAIN = plain()

sides = st.sampled_from((BID, ASK))
one_tag = st.integers(-3, 3).map(lambda far: 7 + far * (1 << 8 * layout.TAG_BYTES))
prices = st.one_of(st.integers(1, 300), st.integers(1, 300), st.sampled_from(EXTREME), one_tag)
quantities = st.one_of(st.just(0), st.integers(1, 9), st.sampled_from((1, 2**63 - 1, -1, -(2**63))))
messages = st.lists(st.tuples(prices, quantities), max_size=30)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm()


class BookMachine(RuleBasedStateMachine):
    kernels = COMPILED
    reached: set[str] = set()  # noqa: RUF012 - over all runs on purpose

    @initialize(levels=st.sampled_from((64, 64, 80, 256, 640)), floor=st.sampled_from((1, 20, 20, 50)))
    def start(self, levels: int, floor: int) -> None:
        self.pair = BookPair(levels, self.kernels, floor)

    @rule(side=sides, price=prices, qty=quantities)
    def delta(self, side: int, price: int, qty: int) -> None:
        self.pair.set_level(side, price, qty)

    @rule(side=sides, rows=messages)
    def message(self, side: int, rows: list[tuple[int, int]]) -> None:
        self.pair.apply(side, rows)

    @rule(side=sides, seed=seeds, share=st.sampled_from((0.0, 0.1, 0.9)), spread=st.sampled_from((300, 5000)))
    def many(self, side: int, seed: int, share: float, spread: int) -> None:
        for price, qty in burst(seed, share, spread, 150):
            self.pair.set_level(side, price, qty)

    @rule(side=sides, seed=seeds, share=st.sampled_from((0.1, 0.5, 0.9)), spread=st.sampled_from((100, 900)))
    def long_message(self, side: int, seed: int, share: float, spread: int) -> None:
        self.pair.apply(side, list(burst(seed, share, spread, 120)))

    @rule(side=sides, seed=seeds, keep=st.sampled_from((0.0, 0.1, 0.5)))
    def thin_out(self, side: int, seed: int, keep: float) -> None:
        rng = random.Random(seed)
        for price in self.pair.model.prices(side):
            if rng.random() >= keep:
                self.pair.set_level(side, price, 0)

    @rule(seed=seeds, length=st.integers(0, 200))
    def snapshot(self, seed: int, length: int) -> None:
        self.pair.reset()
        for side in range(SIDES):
            rows = sorted(burst(seed + side, 0.0, 2000, length), reverse=side == BID)
            self.pair.apply(side, rows, "load_rows")

    @rule(side=sides, price=prices)
    def horizon(self, side: int, price: int) -> None:
        self.pair.kernels.set_horizon(self.pair.words, self.pair.base, side, price)
        limit = self.pair.model.limit[side]
        inner = price if limit is None else (min if side == ASK else max)(price, limit)
        self.pair.model.horizon[side] = inner

    @invariant()
    def same(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check()
            type(self).reached |= self.pair.reached  # in place: the caller looks at this very set


QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def test_equals_the_model_after_every_step() -> None:
    BookMachine.reached = set()
    quick = settings(max_examples=60, stateful_step_count=25, **QUICK)
    run_until_reached(BookMachine, quick, RARE_STATES, BookMachine.reached)
    assert BookMachine.reached == RARE_STATES


def test_plain_python_form_equals_the_model_too() -> None:
    class PlainMachine(BookMachine):
        kernels = PLAIN

    run_state_machine_as_test(PlainMachine, settings=settings(max_examples=4, stateful_step_count=6, **QUICK))


@given(st.lists(st.tuples(sides, st.integers(1, 60), st.sampled_from((0, 0, 1, 2))), max_size=120))
@settings(max_examples=15, deadline=None)
def test_compiled_and_plain_leave_the_same_words(steps: list[tuple[int, int, int]]) -> None:
    first, second = BookPair(64), BookPair(64, PLAIN)
    for pair in (first, second):
        for side, price, qty in steps:
            pair.set_level(side, price, qty)
    assert (first.words == second.words).all()


def test_the_greatest_price_is_a_price() -> None:
    """Its key stands for none elsewhere."""
    pair = BookPair(64)
    for qty in (2, 1, 1, 0):
        pair.apply(ASK, [(layout.KEY_NONE, qty)])
        pair.check()


def test_levels_far_apart_are_found_when_the_near_part_runs_dry() -> None:
    """Gaps of every size, up to those that no addition may cross."""
    pair = BookPair(640)
    near = [(price, 1) for price in range(1000, 1100)]
    far = [(1 << power, 2) for power in range(11, 63)] + [(layout.KEY_NONE, 3)]
    pair.apply(ASK, near + far)
    for price, _ in near + far:
        pair.apply(ASK, [(price, 0)])
        pair.check()
    assert "filled from the table" in pair.reached


def test_a_level_that_comes_back_moves_nothing() -> None:
    pair = BookPair(256)
    fill(pair, ASK, 100)
    before = pair.words.copy()
    pair.apply(ASK, [(100_010, 0)])
    pair.apply(ASK, [(100_010, 2)])
    pair.check()
    pair.forget_shown(before)
    assert (pair.words == before).all()


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_full_side_drops_the_worst_and_says_so(side: int) -> None:
    pair, sign = BookPair(128), 2 * side - 1
    fill(pair, side, 128)
    worst = pair.model.prices(side)[-1]
    assert pair.word(layout.B_EVICTED) == 0
    assert pair.word(layout.B_HORIZON + side) == layout.HORIZON_OPEN[side]
    pair.set_level(side, worst + sign, 5)  # worse than everything: dropped
    assert pair.word(layout.B_HORIZON + side) == worst
    pair.set_level(side, worst - sign, 5)  # inside: the last level goes
    assert pair.word(layout.B_HORIZON + side) == worst - sign
    pair.set_level(side, worst, 5)  # where one was dropped nothing is taken any more
    pair.set_level(1 - side, 100_000 - 2 * sign, 5)  # the other side has room of its own
    pair.check()
    assert pair.word(layout.B_EVICTED) == 3
    assert pair.reached >= {"worst dropped", "new one dropped", "beyond the limit"}
    pair.apply(side, [(100_000, 0), (100_000 + sign, 7), (100_000, 4)])  # full in the middle of a message
    pair.check()


def test_orphans_are_counted_and_change_nothing() -> None:
    pair = BookPair(128)
    fill(pair, ASK, 100)
    pair.apply(ASK, [(100_010, 0)])
    before = pair.words.copy()
    for price in (100_010, 99_999, 100_005, 200_000):
        pair.set_level(ASK, price, 0)
    pair.set_level(BID, 5, 0)
    pair.set_level(ASK, 100_000, 1)  # the quantity it has
    assert pair.word(layout.B_ORPHANS) == 5 == pair.model.orphans
    before[pair.base + layout.B_ORPHANS] = 5
    assert (pair.words == before).all()


def test_a_book_never_reset_takes_nothing() -> None:
    words, rows = np.zeros(layout.book_words(64), np.int64), np.zeros((SIDES, 3), layout.level_dtype)
    rows["price"], rows["qty"] = 5, 5
    assert COMPILED.apply_rows(words, 0, BID, rows, 3) == 0
    COMPILED.set_level(words, 0, ASK, 5, 5)
    COMPILED.set_level(words, 0, BID, 5, 0)
    assert COMPILED.best_price(words, 0, ASK) == layout.NO_PRICE
    assert COMPILED.write_top(words, 0, ASK, np.zeros(10, np.int64), 0, 5, 5) == 0


@pytest.mark.parametrize("others", [3, 70], ids=["with room", "perhaps without"])
def test_the_worst_price_there_is_counts_as_a_change(others: int) -> None:
    pair = BookPair(64)
    pair.apply(ASK, [(2**63 - 1, 1)] + [(price, 0) for price in range(others)])
    pair.check()


def test_of_a_book_that_was_never_shown_every_change_counts() -> None:
    pair = BookPair(256)
    fill(pair, ASK, 100)
    far = pair.model.prices(ASK)[-1] * (2 * ASK - 1)
    assert pair.side_word(ASK, layout.S_CUTOFF) < far
    pair.apply(ASK, [(far, 77)])  # told by the model: no
    pair.words[pair.shown_at(ASK)] = layout.KEY_NONE
    pair.rows[ASK, 0] = (far, 78)
    assert COMPILED.apply_rows(pair.words, pair.base, ASK, pair.rows, 1) == 1


def test_row_counts_are_cut_to_the_array() -> None:
    pair = BookPair(64)
    rows = np.zeros((SIDES, 3), layout.level_dtype)
    rows[ASK] = [(3, 1), (2, 1), (1, 1)]
    assert COMPILED.apply_rows(pair.words, pair.base, ASK, rows, 1_000_000) == 1
    assert COMPILED.apply_rows(pair.words, pair.base, ASK, rows, -5) == 0
    assert pair.word(layout.B_ORPHANS) == 0
    assert pair.top(ASK, 3) == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize(
    ("at", "value", "violation"),
    [
        (layout.B_GROUPS, 5, book_check.BOOK_WRONG_SIZE),
        (layout.B_LEVELS, -1, book_check.BOOK_WRONG_SIZE),
        (layout.S_NEAR, 10**12, book_check.BOOK_WRONG_SIZE),
        (layout.S_NEAR, -1, book_check.BOOK_WRONG_SIZE),
        (layout.S_NEAR, 3, book_check.BOOK_WRONG_SLOT),
        (layout.S_NEAR_LIVE, 1, book_check.BOOK_WRONG_COUNT),
        (layout.S_GROUPS, 0, book_check.BOOK_WRONG_SIZE),
        (layout.S_GROUPS, layout.book_groups(128) + 1, book_check.BOOK_WRONG_SIZE),
        (layout.S_LEVELS, 1, book_check.BOOK_WRONG_COUNT),
        (layout.S_LIMIT, 1, book_check.BOOK_BEYOND_LIMIT),
        (layout.S_CUTOFF, 100_985, book_check.BOOK_NEAR_SHORT),
        (layout.S_CUTOFF, 1, book_check.BOOK_UNSORTED),
        ("near key", 5, book_check.BOOK_WRONG_SLOT),
        ("near key", FAR, book_check.BOOK_UNSORTED),
        ("near qty", -1, book_check.BOOK_BAD_QTY),
        ("near qty", 0, book_check.BOOK_WRONG_COUNT),
        ("unused key", 5, book_check.BOOK_WRONG_SLOT),
        ("unused qty", 5, book_check.BOOK_WRONG_SLOT),
        ("tags", 5, book_check.BOOK_WRONG_SLOT),
        ("order", 0x0101010101010101, book_check.BOOK_WRONG_ORDER),
        ("order", -1, book_check.BOOK_WRONG_ORDER),
        ("key", 5, book_check.BOOK_LOST_LEVEL),
        ("qty", -1, book_check.BOOK_BAD_QTY),
        ("qty", 0, book_check.BOOK_DEAD_LEVEL),
        ("onward", 1, book_check.BOOK_WRONG_CHAIN),
    ],
)
def test_check_names_each_violation(at: int | str, value: int, violation: int) -> None:
    pair = BookPair(128)
    fill(pair, ASK, 100)
    pair.apply(ASK, [(100_000 + 10 * level, 0) for level in range(30)])
    pair.check()
    near = layout.BOOK_HEADER_WORDS + layout.NEAR_WORDS
    order = pair.words[pair.base + near + layout.NEAR_ORDER :][:8].view(np.uint8)
    held = near + int(order[0])
    table = layout.BOOK_TABLES + layout.book_groups(128) * layout.GROUP_WORDS
    far = table + int(np.argmax(pair.table(ASK)[:, : layout.GROUP_WORDS].ravel() == 100_990))
    assert pair.word(far) == 100_990
    places = {
        "near key": held, "near qty": held + layout.NEAR_QTY, "unused key": near + int(order[-1]),
        "unused qty": near + layout.NEAR_QTY + int(order[-1]),
        "tags": near + layout.NEAR_TAG,
        "order": near + layout.NEAR_ORDER, "key": far, "qty": far + layout.GROUP_QTY,
        "onward": table + layout.GROUP_ONWARD,
    }  # fmt: skip
    in_side = layout.B_SIDE + layout.B_SIDE_WORDS
    if isinstance(at, int):
        places[str(at)] = at if at in (layout.B_GROUPS, layout.B_LEVELS) else in_side + at
    pair.words[pair.base + places[str(at)]] = value + (pair.word(held) if value == FAR else 0)
    assert COMPILED.check_book(pair.words, pair.base, 128) == violation
    assert PLAIN.check_book(pair.words, pair.base, 128) == violation
