"""What the simulation has found, each as a small test, and the stories in which it was found."""

from types import SimpleNamespace
from typing import Any

import pytest

from ringbook.engine import layout
from ringbook.engine.kernels.snapshot import SNAPSHOT_LIVE, SNAPSHOT_TOO_OLD
from ringbook.io.link import Link, Reception

from .simulation.play import play
from .simulation.schedule import story_of
from .test_frame_sources import diff, make

FOUND = (33, 941, 2_046, 10_037, 10_203)


@pytest.mark.parametrize("seed", FOUND)
def test_a_story_that_once_failed_holds(seed: int) -> None:
    assert not play(story_of(seed)).failure


def snapshot(feed: Any, last_id: int) -> int:
    body = b'{"lastUpdateId":%d,"bids":[["100.00","1"]],"asks":[["101.00","2"]]}' % last_id
    return int(feed.snapshot(0, body, 1000, 1, 1))


def test_a_diff_with_a_damaged_id_does_not_keep_every_snapshot_out() -> None:
    feed, _ = make()
    pipeline = feed.pipeline
    pipeline.start_sync(0)
    feed.message(diff(11).replace(b'"U":11', b'"U":9000000011'), 1, 1)
    feed.message(diff(12), 1, 1)
    assert snapshot(feed, 12) == SNAPSHOT_TOO_OLD
    assert pipeline.forget_misnumbered(0)
    feed.message(diff(13), 1, 1)
    assert not pipeline.forget_misnumbered(0)
    assert snapshot(feed, 12) == SNAPSHOT_LIVE
    assert pipeline.space.states[0]["book_id"] == 13


def test_ids_that_jumped_back_while_diffs_were_kept_do_not_keep_every_snapshot_out() -> None:
    feed, _ = make()
    feed.pipeline.start_sync(0)
    assert not feed.pipeline.forget_misnumbered(0)  # nothing is kept
    for number in (900, 901, 12, 13):
        feed.message(diff(number), 1, 1)
    assert snapshot(feed, 12) == SNAPSHOT_TOO_OLD
    assert feed.pipeline.forget_misnumbered(0)
    assert snapshot(feed, 13) == SNAPSHOT_LIVE


def test_a_record_told_for_a_reason_outside_the_data_names_the_id_of_its_book() -> None:
    feed, _ = make()
    bus: Any = feed.table
    feed.pipeline.tell_health(0, layout.STALE, layout.CAUSE_STALE)
    last = bus.records(feed.pipeline.next_seq - 1, feed.pipeline.next_seq)[0]
    assert last[layout.R_LAST] == feed.pipeline.space.states[0]["book_id"] == 10


def test_a_socket_that_ended_by_itself_is_released() -> None:
    closed: list[bool] = []
    machine: Any = SimpleNamespace(lost=lambda now_ns, reason: [])
    nobody: Any = None
    link = Link("x", "ws://x", machine, nobody, True, nobody, nobody, "direct", 1024)
    socket: Any = SimpleNamespace(_response=SimpleNamespace(close=lambda: closed.append(True)))
    link.ws = socket
    Reception(link, link.attempt).on_lost("gone")
    assert closed == [True] and link.ws is None
