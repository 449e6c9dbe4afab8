"""What the book truly was at each update id: checkpoints and the changes between them, bounded.

A change carries the update id it has made; several changes may share one id (a played frame). The history
holds at least `capacity` changes (about the last 131,072 by default) and forgets the oldest first.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from .ladder import Ladder, price_of

SEGMENT_CHANGES = 4_096
CAPACITY_CHANGES = 131_072


Tops = tuple[list[tuple[int, int]], list[tuple[int, int]]]  # bids and asks, best first


class UnknownBook(LookupError):
    """The book at that id is not known: `forgotten`, `ahead` or `between`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Segment:
    """A full book at `base_id` and the changes after it, in order."""

    def __init__(self, base: Ladder, base_id: int) -> None:
        self.base = base
        self.base_id = base_id
        self.ids = array("q")
        self.rows = array("q")  # side, key, quantity per change


class History:
    """Changes of one symbol since a first full book.

    every_id  the book is known at each id between two changes too (the simulated market); otherwise only
              at the ids that changes carry (frames of a recording)
    """

    def __init__(
        self, book: Ladder, update_id: int, every_id: bool = True, capacity: int = CAPACITY_CHANGES
    ) -> None:
        self.now = book.copy()
        self.last_id = update_id
        self.every_id = every_id
        self.capacity = capacity
        self.held = 0
        self.segments: deque[Segment] = deque([Segment(book.copy(), update_id)])

    @property
    def first_id(self) -> int:
        """The oldest id whose book is still known."""
        return self.segments[0].base_id

    def append(self, update_id: int, side: int, price: int, lots: int) -> None:
        """Note that `update_id` made the level hold `lots`."""
        segment = self.segments[-1]
        if len(segment.ids) >= SEGMENT_CHANGES and update_id != self.last_id:
            segment = self._open_segment()
        key = price_of(side, price)
        segment.ids.append(update_id)
        segment.rows.extend((side, key, lots))
        self.held += 1
        self.now.set(side, key, lots)
        self.last_id = update_id

    def pass_to(self, update_id: int) -> None:
        """Note that the book did not change up to and including `update_id`."""
        self.last_id = max(self.last_id, update_id)

    def book_at(self, update_id: int) -> Ladder:
        """The full book right after `update_id`; UnknownBook where the history does not reach."""
        segment = self._segment_of(update_id)
        book = segment.base.copy()
        roll(book, segment, 0, bisect_right(segment.ids, update_id))
        return book

    def before(self, updates: int) -> tuple[Ladder, int]:
        """The latest book known that is at least `updates` ids old, or the oldest one; and its id."""
        if not updates:
            return self.now, self.last_id
        wanted = max(self.first_id, self.last_id - updates)
        if not self.every_id:
            at = bisect_right(self.segments, wanted, key=lambda segment: segment.base_id) - 1
            ids = self.segments[at].ids
            found = bisect_right(ids, wanted)
            wanted = ids[found - 1] if found else self.segments[at].base_id
        return self.book_at(wanted), wanted

    def tops_at(self, wanted: Sequence[tuple[int, int]]) -> list[Tops | UnknownBook]:
        """For each (update id, levels): the top of both sides, or the UnknownBook that says why not."""
        answers: list = [None] * len(wanted)
        segment, book, done = None, Ladder(), 0
        for place in sorted(range(len(wanted)), key=lambda i: wanted[i][0]):
            update_id, count = wanted[place]
            try:
                home = self._segment_of(update_id)
            except UnknownBook as reason:
                answers[place] = reason
                continue
            if home is not segment:
                segment, book, done = home, home.base.copy(), 0
            upto = bisect_right(segment.ids, update_id)
            roll(book, segment, done, upto)
            done = upto
            answers[place] = (book.top(0, count), book.top(1, count))
        return answers

    def _open_segment(self) -> Segment:
        segment = Segment(self.now.copy(), self.last_id)
        self.segments.append(segment)
        while self.held - len(self.segments[0].ids) >= self.capacity:
            self.held -= len(self.segments.popleft().ids)
        return segment

    def _segment_of(self, update_id: int) -> Segment:
        if update_id < self.first_id:
            raise UnknownBook("forgotten", f"id {update_id} is older than the history (from {self.first_id})")
        if update_id > self.last_id:
            raise UnknownBook("ahead", f"id {update_id} has not happened yet, the newest is {self.last_id}")
        at = bisect_right(self.segments, update_id, key=lambda segment: segment.base_id) - 1
        segment = self.segments[at]
        if not self.every_id and update_id != segment.base_id:
            found = bisect_right(segment.ids, update_id)
            if not found or segment.ids[found - 1] != update_id:
                raise UnknownBook("between", f"id {update_id} lies inside a frame; ask for a last id")
        return segment


def roll(book: Ladder, segment: Segment, start: int, stop: int) -> None:
    """Apply the changes [start, stop) of a segment to a book that stands at `start`."""
    rows = segment.rows
    for at in range(3 * start, 3 * stop, 3):
        book.set(rows[at], rows[at + 1], rows[at + 2])
