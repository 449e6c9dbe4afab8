"""The plainest audit: two dicts a side, brought to one id by the venue's own procedure, compared key by key."""

from .sync import Event, Spot

Sides = tuple[dict[int, int], dict[int, int]]
Rows = tuple[list[tuple[int, int]], list[tuple[int, int]]]


def apply(sides: Sides, rows: Rows) -> None:
    """Absolute quantities; 0 deletes."""
    for side, levels in zip(sides, rows, strict=True):
        for price, qty in levels:
            if qty:
                side[price] = qty
            else:
                side.pop(price, None)


def bounds(levels: Rows, limit: int) -> list[int | None]:
    """The worst price known on each side of a snapshot; None for a side known to its end."""
    found: list[int | None] = []
    for side, rows in enumerate(levels):
        is_cut = bool(rows) and (limit == 0 or len(rows) >= limit)
        prices = [price for price, _ in rows]
        found.append((max(prices) if side else min(prices)) if is_cut else None)
    return found


def knows(side: int, price: int, bound: int | None) -> bool:
    """Whether a price lies within what is known."""
    return bound is None or (price <= bound if side else price >= bound)


def audited(
    sync: Spot, held: Sides, held_bounds: list[int | None], book_id: int, kept_from: int,
    kept: list[tuple[Event, Rows]], snapshot: tuple[int, Rows], limit: int,
) -> tuple[str, int, list[tuple[int, int, int, int]]]:  # fmt: skip
    """What an audit says, the levels it compares, and the differences: side, price, held, true.

    sync  of the venue, without a book
    kept  the diffs that the book took since kept_from
    """
    snapshot_id, levels = snapshot
    if snapshot_id < kept_from:
        return "old", 0, []
    if book_id < snapshot_id:
        return "early", 0, []
    sync.kept = [event for event, _ in kept]
    if sync.snapshot(snapshot_id) != "live" or sync.book != book_id:
        return "lost", 0, []
    true: Sides = (dict(levels[0]), dict(levels[1]))
    rows_of = dict(kept)
    for event in sync.applied:
        apply(true, rows_of[event])
    compared, different = 0, []
    true_bounds = bounds(levels, limit)
    for side in (0, 1):
        for price in sorted(held[side].keys() | true[side].keys(), reverse=side == 0):
            if knows(side, price, held_bounds[side]) and knows(side, price, true_bounds[side]):
                compared += 1
                pair = held[side].get(price, 0), true[side].get(price, 0)
                if pair[0] != pair[1]:
                    different.append((side, price, *pair))
    return ("different" if different else "same"), compared, different
