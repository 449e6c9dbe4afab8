"""Which diffs are worth a record: those that change what the last one showed."""

import pytest

from .model import sync as model
from .test_apply import Rig


@pytest.mark.parametrize(
    ("before", "price", "is_shown"),
    [
        ([], 16, True),  # the fifth level
        ([], 15, False),
        ([], 17, True),
        ([(20, 0)], 15, True),  # the fifth now
        ([(20, 0)], 14, False),
        ([(21, 1)], 16, False),  # the sixth now
        ([(21, 1)], 17, True),
        ([(p, 0) for p in range(20, 14, -1)], 3, True),  # four are left: the side is shown to its end
    ],
)
def test_a_change_is_published_as_far_as_the_last_record_went(before, price, is_shown) -> None:
    for side, sign in ((0, 1), (1, -1)):
        rig = Rig("spot")
        rig.pipe.start_sync(0)
        own, other = [(100 + sign * p, 1) for p in range(20, 10, -1)], [(100 + sign * 50, 1)]
        assert rig.snapshot(10, (own, other) if side == 0 else (other, own)) == 0
        rows: list[list] = [[], []]
        rows[side] = [(100 + sign * p, qty) for p, qty in before]
        rig.diff(model.Event(11, 11), (rows[0], rows[1]))
        rows[side], seq = [(100 + sign * price, 7)], rig.pipe.next_seq
        rig.diff(model.Event(12, 12), (rows[0], rows[1]))
        assert rig.pipe.next_seq - seq == int(is_shown)


def test_unchanged_top_publishes_nothing_unless_asked() -> None:
    for publish_all in (False, True):
        rig = Rig("spot", publish_all=publish_all)
        rig.pipe.start_sync(0)
        rig.snapshot(10, ([(p, 1) for p in range(20, 10, -1)], [(30, 1)]))
        before = rig.pipe.next_seq
        rig.diff(model.Event(11, 11), ([(11, 7)], []))  # tenth level, below the top 5
        assert rig.pipe.next_seq - before == int(publish_all)
        assert rig.book()[0][11] == 7
