"""Deliberate mistakes in the book's kernels, each of which a fixed walk must notice."""

from types import SimpleNamespace

import pytest

from ringbook.engine import layout
from ringbook.engine.layout import ASK, SIDES

from .book_bench import COMPILED, BookPair, burst, fill, plain, warm

MUTANTS = [
    ("find_block", "return min(low + ", "return min("),
    ("find_block", "low += half *", "low -= half *"),
    ("rank_at", "position = count_block(words, first, key)", "position = 0"),
    ("set_at", "if words[at] != key:", "if words[at] < key:"),
    ("set_at", "if position == length and length > 0:", "if position == length and length > 30:"),
    ("set_at", "remove_word(words, first, position, KEY_NONE)", "remove_word(words, first, position, 0)"),
    ("set_at", "remove_word(words, first + BLOCK_LEVELS, position, 0)", "pass"),
    ("edit_at", "grows & (length == BLOCK_LEVELS)", "grows & (length > BLOCK_LEVELS)"),
    ("edit_at", "position == length - 1", "position == length"),
    ("write_top", "words[lengths] + words[lengths + 1] >= n", "words[lengths] > 0"),
    ("write_top", "i < held else next_key", "i <= held else next_key"),
    ("edit_at", "<= MERGE_LEVELS", "< MERGE_LEVELS"),
    ("edit_at", "orphan * 2 * BLOCK_LEVELS", "0"),
    ("edit_at", "i64(held != qty)", "1"),
    ("edit_at", "(max(min(qty, 1), 0) - 1)", "0"),
    ("edit_at", "key, step, KEY_NONE)", "key, step, 0)"),
    ("edit_at", "words[base + B_ORPHANS] += orphan", "pass"),
    ("apply_rows", "min(best, key if", "max(best, key if"),
    ("apply_rows", "blocks = words[used]", "pass"),
    ("apply_rows", "next_block = find_block(words, directory, blocks, next_key)\n        else", "pass\n        else"),
    ("apply_rows", "rank = min(rank, rank_at", "rank = max(rank, rank_at"),
    ("put_level", "if position == length:", "if position > length:"),
    ("split_block", "fill_words(words, left + cut, moved, KEY_NONE)", "pass"),
    ("shrink_block", "if length == 0:", "if length < 0:"),
    ("merge_blocks", "words[directory + block] = words[directory + block + 1]", "pass"),
    ("evict_block", "words[directory + last - 1]", "words[directory + last - 2]"),
    ("squeeze_level", "S_LEVELS] -= 1", "S_LEVELS] -= 0"),
    ("append_level", "key > words[head + S_LIMIT]", "key < words[head + S_LIMIT]"),
    ("rank_of", "(before < block)", "(before <= block)"),
    ("write_top", "min(n - done", "min(n"),
]  # fmt: skip


def exercise(pair: BookPair) -> None:
    """A fixed walk through every path of the book, checked as it goes."""
    for seed in range(12):
        for side in range(SIDES):
            pair.apply(side, list(burst(seed, 0.3 * (seed % 3), 300, 120)))
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
    fill(pair, ASK, 2 * layout.BLOCK_LEVELS)
    prices = pair.model.prices(ASK)
    for pair_of in zip(prices[: layout.BLOCK_LEVELS], prices[layout.BLOCK_LEVELS :], strict=True):
        for price in pair_of:  # both blocks shrink alike, from their best level on, until they are one
            pair.apply(ASK, [(price, 0)])
            pair.check()
    fill(pair, ASK, 300, 20)
    pair.set_level(ASK, max(pair.model.levels[ASK]) - 1, 5)
    pair.check()


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


def exercise_deep(pair: BookPair) -> None:
    """A side with more blocks than one search step counts."""
    fill(pair, ASK, 75 * layout.BLOCK_LEVELS)
    pair.set_level(ASK, 100_000 + 10 * 70 * layout.BLOCK_LEVELS, 0)
    pair.check()


def survives(kernels: SimpleNamespace) -> bool:
    try:
        exercise(BookPair(4, kernels))
        exercise_deep(BookPair(80, kernels))
    except (AssertionError, IndexError):
        return False
    return True


def test_the_walk_itself_passes() -> None:
    warm()
    assert survives(plain())
    assert survives(COMPILED)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[0]}: {mutant[2]}")
def test_mutants_are_caught(mutant: tuple[str, str, str]) -> None:
    assert not survives(plain(mutant))
