"""Deliberate mistakes in the book's kernels, each of which a fixed walk must notice."""

from types import SimpleNamespace

import pytest

from .book_bench import COMPILED, BookPair, plain, warm
from .book_walks import WALKS

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
    ("sieve_levels", "first, low, high)", "first, low, high - 1)"),
    ("sieve_levels", "first, low, high)", "first, low + 1, high)"),
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
    ("apply_rows", "if words[u64(near + slot)] == key:", "if True:"),
    ("apply_rows", "is_shown |= change_level", "is_shown = change_level"),
    ("apply_rows", "wanted) & i64(key <= shown)", "wanted)"),
    ("apply_rows", "words[head + S_LEVELS] = levels\n        words", "words"),
    ("apply_rows", "words[head + S_NEAR_LIVE] += live\n        is_shown", "is_shown"),
    ("apply_rows", "words[head + S_NEAR_LIVE] += live\n                    add", "add"),
    ("apply_rows", "if wanted > 0:", "if True:"),
    ("apply_rows", "levels + 1, orphans - 1", "levels, orphans - 1"),
    ("apply_rows", "levels + 1, orphans - 1", "levels + 1, orphans"),
    ("apply_rows", "is_shown | i64(key <= shown)", "is_shown"),
    ("apply_rows", "is_shown | i64(key <= shown)", "1"),
    ("apply_rows", "live += held_mask - live_mask", "live -= live_mask"),
    ("apply_rows", "levels += held_mask - live_mask\n                orphans", "levels -= live_mask; orphans"),
    ("apply_rows", "levels += held_mask - live_mask\n                live", "levels -= live_mask; live"),
    ("apply_rows", "levels += held_mask - live_mask\n                orphans += held_mask | live_mask",
     "levels += held_mask - live_mask"),
    ("apply_rows", "live += held_mask - live_mask\n                orphans += held_mask | live_mask",
     "live += held_mask - live_mask"),
    ("apply_rows", "orphans -= 1  # it counts its own", "pass"),
    ("apply_rows", "& BOTH_PLACES", "& -1"),
    ("apply_rows", "change_level(words, base, side, key, wanted) & i64(key <= shown)", "0"),
    ("apply_rows", "levels, cutoff, live = words[head + S_LEVELS], words[head + S_CUTOFF], i64(0)\n        orphans",
     "_, cutoff, live = 0, words[head + S_CUTOFF], i64(0)\n        orphans"),
    ("apply_rows", "levels, cutoff, live = words[head + S_LEVELS], words[head + S_CUTOFF], i64(0)\n        orphans",
     "levels, _, live = words[head + S_LEVELS], words[head + S_CUTOFF], i64(0)\n        orphans"),
    ("apply_rows", "S_CUTOFF], i64(0)\n        orphans", "S_CUTOFF], live\n        orphans"),
    ("slot_of", "words[u64(near + slot)] != key", "False"),
    ("slot_of", "found &= found - 1", "found = 0"),
    ("set_slot", "put_tag(words, near + NEAR_TAG, slot, key)", "pass"),
    ("set_slot", "words[u64(near + NEAR_QTY + slot)] = key, qty", "words[u64(near + NEAR_QTY + slot)] = key, 1"),
    ("apply_rows", "if key <= shown else 0", "if key < shown else 0"),
    ("apply_rows", "if key <= shown else 0", ""),
    ("apply_rows", "is_shown |= (held ^ wanted)", "is_shown = (held ^ wanted)"),
    ("apply_rows", "cutoff, live = words[head + S_CUTOFF], i64(0)", "live = i64(0)"),
]  # fmt: skip


def survives(kernels: SimpleNamespace) -> bool:
    try:
        for walk, levels in WALKS:
            walk(BookPair(levels, kernels))
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
