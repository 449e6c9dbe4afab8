"""Fixed walks through the book's kernels beside a plain model; together they meet every path of them."""

from ringbook.engine import layout
from ringbook.engine.layout import ASK, SIDES

from .book_bench import BookPair, burst, fill
from .plain import group_of


def walk(pair: BookPair) -> None:
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


def walk_deep(pair: BookPair) -> None:
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


def walk_crowd(pair: BookPair) -> None:
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


def walk_count(pair: BookPair) -> None:
    """A key that is equal to the number of keys which went on from its group, and is not there."""
    groups = layout.GROUPS_FIRST
    group = group_of(2, groups)
    crowd = iter(price for price in range(3, 3000) if group_of(price, groups) == group)
    pair.apply(ASK, [(-level, 1) for level in range(1, 100)])
    while pair.table(ASK)[group, layout.GROUP_ONWARD] < 2:
        price = next(crowd, 0)
        assert price, "none of them went on to the next group"
        pair.apply(ASK, [(price, 3)])
    pair.apply(ASK, [(2, 0)])
    pair.check()


def walk_tags(pair: BookPair) -> None:
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


def walk_moving_cutoff(pair: BookPair) -> None:
    """A row with another's tag for which the near part is tidied, and behind it one that lies beyond since then."""
    for side in range(SIDES):
        sign = 2 * side - 1
        pair.apply(side, [(sign * 10 * level, 1) for level in range(1, layout.NEAR_LEVELS + 1)])
        alike = 10 + (1 << 8 * layout.TAG_BYTES)
        pair.apply(side, [(sign * alike, 2), (sign * 10 * layout.NEAR_LEVELS + sign, 3)])
        pair.check()


def walk_full(pair: BookPair) -> None:
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


# With the levels a side of their books; the shortest come first, for most mistakes die there.
WALKS = (
    (walk_crowd, 256),
    (walk_count, 256),
    (walk_tags, 800),
    (walk_moving_cutoff, 256),
    (walk_full, 64),
    (walk, 64),
    (walk_deep, 800),  # whose tables have room for no power of two
)
