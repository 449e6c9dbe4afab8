"""The table of a full book by itself: keys that crowd into few groups, a table that is full, and one that grows."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.layout import ASK, BID

from .book_bench import COMPILED, BookPair, plain, warm

PLAIN = plain()


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm()


GROUPS = 11
CROWD = [key for key in range(-400, 400) if PLAIN.group_of(key, GROUPS) in (3, 10)]


@pytest.mark.parametrize("kernels", [COMPILED, PLAIN], ids=["compiled", "plain"])
@given(st.lists(st.tuples(st.sampled_from(CROWD[:40]), st.booleans()), max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_table_finds_every_key_wherever_it_had_to_go(kernels, steps: list[tuple[int, bool]]) -> None:
    """Keys that all belong to two groups, the last one among them: searches go on, and round the end."""
    words, held = np.zeros(GROUPS * layout.GROUP_WORDS, np.int64), set()
    groups = words.reshape(GROUPS, -1)
    groups[:, : layout.GROUP_LEVELS] = layout.KEY_FREE
    for key, comes in steps:
        at = kernels.find_place(words, 0, GROUPS, key)
        assert (at >= 0) == (key in held)
        if comes and at < 0:
            at = kernels.take_place(words, 0, GROUPS, key)
            assert words[at] == key
            held.add(key)
        elif not comes and at >= 0:
            kernels.free_place(words, 0, GROUPS, at)
            held.discard(key)
    keys = groups[:, : layout.GROUP_LEVELS]
    assert sorted(keys[keys != layout.KEY_FREE]) == sorted(held)
    if not held:
        assert not groups[:, layout.GROUP_ONWARD].any()


def test_a_table_without_a_free_place_says_so_and_stays_as_it_was() -> None:
    words = np.zeros(2 * layout.GROUP_WORDS, np.int64)
    words.reshape(2, -1)[:, : layout.GROUP_LEVELS] = layout.KEY_FREE
    for key in range(2 * layout.GROUP_LEVELS):
        assert COMPILED.take_place(words, 0, 2, key) >= 0
    before = words.copy()
    assert COMPILED.take_place(words, 0, 2, 99) == -1
    assert (words == before).all()


@pytest.mark.parametrize("kernels", [COMPILED, PLAIN], ids=["compiled", "plain"])
@given(st.sets(st.integers(-400, 400), max_size=GROUPS * layout.GROUP_LEVELS), st.integers(1, 30))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_table_that_grows_keeps_every_level(kernels, keys: set[int], more: int) -> None:
    """Up to the last place, so that keys land in groups that are still to come; to any larger size."""
    wanted = GROUPS + more
    words = np.full((wanted + 1) * layout.GROUP_WORDS, -77, np.int64)
    kernels.clear_groups(words, 0, 0, GROUPS)
    for key in keys:
        words[kernels.take_place(words, 0, GROUPS, key) + layout.GROUP_QTY] = key + 1000
    kernels.spread_keys(words, 0, GROUPS, wanted)
    found = {key: kernels.find_place(words, 0, wanted, key) for key in keys}
    assert all(words[at] == key and words[at + layout.GROUP_QTY] == key + 1000 for key, at in found.items())
    assert (words[wanted * layout.GROUP_WORDS :] == -77).all()
    for key in keys:
        kernels.free_place(words, 0, wanted, kernels.find_place(words, 0, wanted, key))
    empty = words[: wanted * layout.GROUP_WORDS].copy()
    kernels.clear_groups(words, 0, 0, wanted)
    assert (empty == words[: wanted * layout.GROUP_WORDS]).all()


def test_a_book_begins_small_and_grows_with_its_levels() -> None:
    pair, sizes = BookPair(10_240), []
    for count in (100, 140, 800, 9000):
        pair.apply(ASK, [(level, 1 + level % 9) for level in range(count)])
        pair.check()
        sizes.append(pair.side_word(ASK, layout.S_GROUPS))
        assert count <= sizes[-1] * layout.GROUP_LEVELS_GROWN or sizes[-1] == layout.book_groups(10_240)
    assert sizes == [32, 64, 256, layout.book_groups(10_240)]
    assert pair.side_word(BID, layout.S_GROUPS) == layout.GROUPS_FIRST
    pair.reset()
    pair.apply(ASK, [(5, 5)])
    pair.check()
    assert pair.side_word(ASK, layout.S_GROUPS) == layout.GROUPS_FIRST
