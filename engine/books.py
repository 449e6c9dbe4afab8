"""The levels of full books as sorted arrays, for whoever is not in a hurry."""

import numpy as np

from . import layout
from .kernels.book_copy import pack_book
from .layout import BID, SIDES


def packed_sides(packed: np.ndarray, levels: int) -> list[np.ndarray]:
    """Both sides of a packed copy, best first.

    packed   int64[book_words(levels)], made by book_copy.pack_book or book_area.copy_book
    levels   levels a side of the book it was made of
    Returns  two level_dtype arrays, bids and asks: mantissas of price and quantity.
    """
    places, sides = layout.packed_places(levels), []
    for side in range(SIDES):
        count = int(packed[layout.B_SIDE + side * layout.B_SIDE_WORDS + layout.S_LEVELS])
        keys = packed[layout.BOOK_HEADER_WORDS + 2 * side * places :][: 2 * places].reshape(2, places)[
            :, :count
        ]
        order = np.argsort(keys[0])
        rows = np.empty(count, layout.level_dtype)
        rows["price"], rows["qty"] = -keys[0, order] if side == BID else keys[0, order], keys[1, order]
        sides.append(rows)
    return sides


def sides_of(words: np.ndarray, base: int, levels: int) -> list[np.ndarray]:
    """Both sides of a book that nobody changes meanwhile, as packed_sides.

    words   int64[:]
    base    first word of the book
    levels  levels a side of it
    """
    packed = np.empty(layout.book_words(levels), np.int64)
    pack_book(words, base, levels, packed, 0)
    return packed_sides(packed, levels)
