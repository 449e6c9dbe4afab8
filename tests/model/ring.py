"""The plainest ring, board, cursor and histogram: lists and dicts."""

from ringbook.engine.layout import HIST_SUB_BITS, READ_EARLY, READ_EMPTY, READ_LAPPED, READ_OK


def wrap(seq: int) -> int:
    """A seq as int64 arithmetic leaves it."""
    return (seq + (1 << 63)) % (1 << 64) - (1 << 63)


class RingModel:
    """Records are kept in a list for ever; what a ring of `slots` still holds is worked out on demand."""

    def __init__(self, slots: int, first_seq: int) -> None:
        self.slots, self.first_seq = slots, first_seq
        self.bodies: list[list[int]] = []
        self.claimed = False  # the record after the last is being written
        self.board: dict[int, tuple[int, list[int]]] = {}

    def publish(self, body: list[int]) -> None:
        self.bodies.append(body)
        self.claimed = False

    def age(self, seq: int) -> int:
        """How far `seq` lies behind the next record: 0 is the next itself, 1 the newest."""
        return wrap(self.first_seq + len(self.bodies) - seq)

    def read(self, seq: int) -> tuple[int, list[int] | None]:
        age = self.age(seq)
        if age <= 0:
            return READ_EARLY, None
        if age > self.slots or (age == self.slots and self.claimed):
            return READ_LAPPED, None
        return READ_OK, self.bodies[len(self.bodies) - age]

    def read_board(self, symbol_id: int) -> tuple[int, list[int] | None]:
        if symbol_id not in self.board:
            return READ_EMPTY, None
        return READ_OK, self.board[symbol_id][1]


def bucket(value_ns: int) -> int:
    """Bucket of a value, found by counting up through all the buckets before it."""
    before, low, width = 0, 0, 1
    while True:
        count = 2 << HIST_SUB_BITS if width == 1 else 1 << HIST_SUB_BITS
        if value_ns < low + count * width:
            return before + (value_ns - low) // width
        before, low, width = before + count, low + count * width, width * 2
