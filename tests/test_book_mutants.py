"""Deliberate mistakes in the book's kernels, each of which a fixed walk must notice."""

from types import SimpleNamespace

import pytest

from ringbook.engine import layout
from ringbook.engine.layout import ASK, SIDES

from .book_bench import COMPILED, BookPair, burst, fill, plain, warm
from .plain import group_of

MUTANTS = [
    ("find_place", "if words[first + GROUP_ONWARD] == 0:", "if True:"),
    ("find_place", "group + 1 if group + 1 < groups else 0", "group + 1"),
    ("find_free", "group + 1 if group + 1 < groups else 0", "group + 1"),
    ("count_onward", "while group != last:", "while group < last:"),
    ("take_place", "count_onward(words, table, groups, at, 1)", "pass"),
    ("free_place", "count_onward(words, table, groups, at, -1)", "pass"),
    ("spread_keys", "words[first + GROUP_ONWARD] = 0", "pass"),
    ("spread_keys", "words[to + GROUP_QTY] = key, qty", "words[to + GROUP_QTY] = key, 1"),
    ("spread_keys", "count_onward(words, table, wanted, at, 1)", "pass"),
    ("spread_keys", "clear_groups(words, table, groups, wanted)", "pass"),
    ("grow_table", "words[head + S_GROUPS] = wanted", "pass"),
    ("grow_table", "min(2 * wanted, most)", "2 * wanted"),
    ("free_place", "words[at], words[at + GROUP_QTY] = KEY_FREE, 0", "words[at] = KEY_FREE"),
    ("worst_place", "words[at] > words[worst]", "words[at] < words[worst]"),
    ("find_qty", "key <= words[head + S_CUTOFF]", "key < words[head + S_CUTOFF]"),
    ("find_qty", "near + NEAR_QTY + slot if slot < NEAR_LEVELS else i64(-1)", "near + NEAR_QTY + slot"),
    ("clear_near", "words[near + slot], words[near + NEAR_QTY + slot] = KEY_FREE, 0", "pass"),
    ("add_far", "words[at + GROUP_QTY] = qty", "words[at + GROUP_QTY] = 1"),
    ("tidy_near", "qtys + slot)] > 0", "qtys + slot)] > 1"),
    ("tidy_near", "add_far(words, base, side, words[near + slot], words[qtys + slot])", "pass"),
    ("tidy_near", "words[near + slot], words[qtys + slot] = KEY_FREE, 0", "words[near + slot] = KEY_FREE"),
    ("tidy_near", "put_byte(words, near + NEAR_ORDER, entry, words[live + entry])", "pass"),
    ("tidy_near", "put_byte(words, near + NEAR_ORDER, lives + entry, slot)", "pass"),
    ("tidy_near", "        words[near + slot] = KEY_FREE\n", "        pass\n"),
    ("tidy_near", "range(kept, lives)", "range(kept + 1, lives)"),
    ("tidy_near", "live + kept - 1", "live + kept - 2"),
    ("tidy_near", "min(lives, kept)", "lives"),
    ("add_near", "if key > words[head + S_CUTOFF]:", "if False:"),
    ("add_near", "count_below(words, near, key) - (NEAR_LEVELS - last), last", "last, last"),
    ("add_near", "- (NEAR_LEVELS - last)", ""),
    ("add_near", "add_far(words, base, side, key, qty)", "pass"),
    ("add_near", "words[head + S_NEAR_LIVE] += 1", "pass"),
    ("sieve_levels", "found &= found - 1", "found = 0"),
    ("sieve_levels", "high + 1)", "high)"),
    ("enter_sieved", "if rank < taken:", "if rank < taken - 1:"),
    ("enter_sieved", "held + rank", "held + taken - 1 - rank"),
    ("enter_sieved", "words[entry] = KEY_NONE", "pass"),
    ("enter_sieved", "free_place(words, table, groups, at)", "pass"),
    ("enter_sieved", "words[at + GROUP_QTY])", "1)"),
    ("fill_near", "high if taken == count else", "high if taken != count else"),
    ("fill_near", "low + 1, high", "low + 2, high"),
    ("fill_near", "span >>= 1", "break"),
    ("write_top", "done += i64(qty > 0)", "done += 1"),
    ("best_price", "== 0:\n        entry += 1", "== -1:\n        entry += 1"),
    ("move_limit", "S_LIMIT] = key - 1", "S_LIMIT] = key"),
    ("make_room", "key > words[worst]", "key < words[worst]"),
    ("make_room", "tidy_near(words, base, side, near_kept(words, base))", "pass"),
    ("make_room", "free_place(words, table, words[head + S_GROUPS], worst)", "pass"),
    ("reset_level", "elif qty == 0:", "elif False:"),
    ("reset_level", "i64((held | qty) == 0)", "0"),
    ("change_level", "S_LEVELS] >= words[base + B_LEVELS]", "S_LEVELS] > words[base + B_LEVELS]"),
    ("change_level", "key > words[head + S_LIMIT]", "False"),
    ("change_level", "if key <= words[head + S_CUTOFF]:", "if key < words[head + S_CUTOFF]:"),
    ("settle_side", "< min(words[base + B_FLOOR], words[head + S_LEVELS])", "< 0"),
    ("settle_side", "if words[head + S_NEAR_LIVE] == words[head + S_LEVELS]:", "if False:"),
    ("apply_rows", "levels + count > words[base + B_LEVELS]", "levels > words[base + B_LEVELS]"),
    ("apply_carefully", "wanted) &", "wanted) |"),
    ("apply_carefully", "is_shown |=", "is_shown ="),
    ("apply_carefully", "key <= shown", "key < shown"),
    ("apply_carefully", "settle_side(words, base, side)", "pass"),
    ("apply_rows", "-i64(words[u64(first + GROUP_ONWARD)] == 0)", "-1"),
    ("apply_rows", "((key ^ KEY_FREE) & live_mask)", "(key ^ KEY_FREE)"),
    ("apply_rows", "if key > cutoff:", "if key >= cutoff:"),
    ("apply_rows", "words[u64(near + slot)] != key", "False"),
    ("apply_rows", "is_shown |= change_level", "is_shown = change_level"),
    ("apply_rows", "wanted) & i64(key <= shown)", "wanted)"),
    ("apply_rows", "words[head + S_LEVELS] = levels\n            words", "words"),
    ("apply_rows", "words[head + S_NEAR_LIVE] += live\n            is_shown", "is_shown"),
    ("apply_rows", "words[head + S_NEAR_LIVE] += live\n                add", "add"),
    ("apply_rows", "if wanted > 0:", "if True:"),
    ("apply_rows", "levels + 1, orphans - 1", "levels, orphans - 1"),
    ("apply_rows", "levels + 1, orphans - 1", "levels + 1, orphans"),
    ("apply_rows", "is_shown | i64(key <= shown)", "is_shown"),
    ("apply_rows", "is_shown | i64(key <= shown)", "1"),
    ("apply_rows", "live += held_mask - live_mask", "live -= live_mask"),
    ("apply_rows", "levels += held_mask - live_mask\n            orphans", "levels -= live_mask\n            orphans"),
    ("apply_rows", "levels += held_mask - live_mask\n        live", "levels -= live_mask\n        live"),
    ("apply_rows", "orphans += held_mask | live_mask\n            continue", "continue"),
    ("apply_rows", "live_mask\n        orphans += held_mask | live_mask", "live_mask"),
    ("apply_rows", "orphans - 1  # it counts its own", "orphans"),
    ("apply_rows", "orphans -= 1  # as above", "pass"),
    ("apply_rows", "& BOTH_PLACES", "& -1"),
    ("apply_rows", "change_level(words, base, side, key, wanted)\n", "pass\n"),
    ("apply_rows", "levels, orphans = words[head + S_LEVELS]", "_, orphans = 0"),
    ("apply_rows", "S_CUTOFF], i64(0)\n            orphans", "S_CUTOFF], live\n            orphans"),
    ("slot_of", "words[u64(near + slot)] != key", "False"),
    ("slot_of", "found &= found - 1", "found = 0"),
    ("set_slot", "put_tag(words, near + NEAR_TAG, slot, key)", "pass"),
    ("set_slot", "words[u64(near + NEAR_QTY + slot)] = key, qty", "words[u64(near + NEAR_QTY + slot)] = key, 1"),
    ("apply_rows", "if key <= shown else 0", "if key < shown else 0"),
    ("apply_rows", "if key <= shown else 0", ""),
    ("apply_rows", "is_shown |= (held ^ wanted)", "is_shown = (held ^ wanted)"),
    ("apply_rows", "cutoff, live = words[head + S_CUTOFF], i64(0)", "live = i64(0)"),
]  # fmt: skip


def exercise(pair: BookPair) -> None:
    """A fixed walk through every path of the book, checked as it goes."""
    for seed in range(12):
        for side in range(SIDES):
            pair.apply(side, list(burst(seed, 0.3 * (seed % 3), 300, 120)))
            change_last_shown(pair, side, 77)
            pair.check()
    for seed in range(6):
        for side in range(SIDES):
            for step, (price, qty) in enumerate(burst(seed, 0.1, 900, 130)):
                if step % 2:
                    pair.set_level(side, price, qty)
                else:
                    pair.apply(side, [(price, qty)])
                if step % 40 == 0:
                    pair.check()
        for side in range(SIDES):
            for place, price in enumerate(pair.model.prices(side)):
                if seed % 3 == 0 or place % 9:
                    drop(pair, side, price, place % 2)
            pair.check()
    pair.reset()
    fill(pair, ASK, pair.levels + 40, 20)  # beyond what there is room for
    pair.set_level(ASK, max(pair.model.levels[ASK]) - 1, 5)
    pair.check()


def change_last_shown(pair: BookPair, side: int, qty: int) -> None:
    """A message of one row, for the last level that a record shows."""
    pair.apply(side, [(pair.model.top(side, pair.floor)[-1][0], qty)])


def drop(pair: BookPair, side: int, price: int, as_row: int) -> None:
    """Delete one level, twice when it is a row of a message: the second time there is nothing to delete."""
    if as_row:
        pair.apply(side, [(price, pair.model.levels[side][price])])
        pair.apply(side, [(price, 0)])
        orphans = pair.word(layout.B_ORPHANS)
        pair.apply(side, [(price, 0)])
        assert pair.word(layout.B_ORPHANS) == orphans + 1
    else:
        pair.set_level(side, price, 0)


def eat(pair: BookPair, side: int, step: int = 9) -> None:
    """Delete every level, best first, so many at a time."""
    prices = pair.model.prices(side)
    for first in range(0, len(prices), step):
        pair.apply(side, [(price, 0) for price in prices[first : first + step]])
        pair.check()
        cutoff = pair.side_word(side, layout.S_CUTOFF)
        if cutoff != layout.KEY_NONE and first % 2:  # a new level just where the near part ends
            for way in (pair.set_level, lambda side, price, qty: pair.apply(side, [(price, qty)])):
                for qty in (5, 0):
                    way(side, cutoff * (2 * side - 1), qty)
                    pair.check()


def exercise_deep(pair: BookPair) -> None:
    """A side of many levels, eaten up from the touch and rising again: the near part runs dry and over."""
    fill(pair, ASK, 300, 3)
    for step in range(16):
        held = pair.model.prices(ASK)
        pair.apply(ASK, [(level, 0) for level in held[step % 3 :: 1 + step % 2][:23]])
        pair.apply(ASK, [(level, 9) for level in held[4:12:2]])
        pair.apply(ASK, [(held[0] - 1, 0), (held[-1] + 1, 0)])
        price = pair.model.prices(ASK)[3]
        pair.apply(ASK, [(price, 0), (price + 1, 8)])  # one goes and one comes in the same message
        pair.apply(ASK, [(pair.model.prices(ASK)[pair.floor + 5] + 1, 8)])  # near, but behind what is shown
        change_last_shown(pair, ASK, 77 + step)
        pair.check()
        if step % 4 == 3:
            price, *held = pair.model.prices(ASK)
            better = [(price - 2 * ticks, 4) for ticks in range(1, 30)]
            pair.apply(ASK, better + [(held[rank] + 1, 4) for rank in (15, 25, 35, 45, 55, 62)])
            pair.check()
    for worst in (150, 100, 50, 25):  # until all that is left is near
        pair.apply(ASK, [(level, 0) for level in pair.model.prices(ASK)[worst:]])
        pair.check()
    fill(pair, ASK, 300, 3)
    eat(pair, ASK)
    far = [(1000 + 10_000 * level, 1) for level in range(90)]  # what is looked at becomes wide
    dense = [(1_000_000 + level, 2) for level in range(500)]  # and then holds more than the sieve
    for side in range(SIDES):
        pair.apply(side, [(price * (2 * side - 1), qty) for price, qty in far + dense])
        pair.check()
        eat(pair, side, 7)
    pair.reset()
    fill(pair, ASK, pair.levels + 40, 20)  # beyond what there is room for: full from here on
    eat(pair, ASK, 23)


def exercise_crowd(pair: BookPair) -> None:
    """Levels that all belong to one group, so that their searches go on, near the touch and far from it."""
    groups = layout.GROUPS_FIRST
    crowd = [price for price in range(1, 3000) if group_of(price, groups) == groups - 2][:20]
    for beyond in (0, 100):
        pair.reset()
        pair.apply(ASK, [(-level, 1) for level in range(beyond)])
        for rows in (crowd[:16], crowd[3:6] + crowd[15:18], crowd):
            pair.apply(ASK, [(price, 3) for price in rows])
            pair.check()
            pair.apply(ASK, [(price, 0) for price in rows[::2]])
            pair.check()
        for price in crowd:
            pair.set_level(ASK, price, price % 3)
            pair.apply(ASK, [(price, 7)])  # the only row, so whether it changed something is seen
            pair.check()


def exercise_count(pair: BookPair) -> None:
    """A key that is equal to the number of keys which went on from its group, and is not there."""
    groups = layout.GROUPS_FIRST
    group = group_of(2, groups)
    crowd = iter(price for price in range(3, 3000) if group_of(price, groups) == group)
    pair.apply(ASK, [(-level, 1) for level in range(1, 100)])
    while pair.table(ASK)[group, layout.GROUP_ONWARD] < 2:
        pair.apply(ASK, [(next(crowd), 3)])
    pair.apply(ASK, [(2, 0)])
    pair.check()


def exercise_tags(pair: BookPair) -> None:
    """Levels near the touch whose keys have the same tag: there, deleted, new, freed, and come back."""
    alike = [5 + tag * (1 << 8 * layout.TAG_BYTES) for tag in range(9)]
    for side in range(SIDES):
        fill(pair, side, 30)
        for rows in (alike[:5], alike[3:7], alike):
            pair.apply(side, [(price, 3) for price in rows])
            pair.check()
            for qty in (4, 4, 0, 0, 5):
                pair.apply(side, [(rows[2], qty)])
                pair.check()
            pair.apply(side, [(rows[1], 0), (6, 1), (rows[1], 0), (rows[1], 2), (6, 0), (rows[-1], 7)])
            pair.check()
        pair.apply(side, [(price, 0) for price in alike])
        pair.apply(side, [(100_000 + tick, 1) for tick in range(1, 60)])  # their slots are freed
        pair.apply(side, [(alike[1], 0), (alike[1], 2)])
        pair.check()


def exercise_full(pair: BookPair) -> None:
    """A side that is full while all of it is near, whose worst go as better ones come."""
    for price in range(200, 80, -1):
        pair.set_level(ASK, price, 2)
        if price % 7 == 0:
            pair.check()
    dropped = 81 + pair.levels
    for price in (90, 95, dropped, dropped - 1, dropped + 1):
        pair.set_level(ASK, price, 0)
    for price in range(dropped + 3, dropped - 4, -1):
        pair.set_level(ASK, price, 3)
        pair.check()


def survives(kernels: SimpleNamespace) -> bool:
    try:
        exercise(BookPair(64, kernels))
        exercise_deep(BookPair(800, kernels))  # whose tables have room for no power of two
        exercise_crowd(BookPair(256, kernels))
        exercise_count(BookPair(256, kernels))
        exercise_tags(BookPair(800, kernels))
        exercise_full(BookPair(64, kernels))
    except (AssertionError, IndexError, OverflowError, RuntimeWarning):
        return False
    return True


def test_the_walk_itself_passes() -> None:
    warm()
    assert survives(plain())
    assert survives(COMPILED)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[0]}: {mutant[2]}")
def test_mutants_are_caught(mutant: tuple[str, str, str]) -> None:
    assert not survives(plain(mutant))
