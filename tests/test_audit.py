"""The audit's comparison against two dicts, and its timetable, with clocks and answers given in."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import audit as timetable
from ringbook.engine import layout, workspace
from ringbook.engine.audit import COMPARED, FAILED, LATE, NOBODY, PATIENCE_NS, Auditor
from ringbook.engine.backoff import NS_PER_S
from ringbook.engine.kernels import audit, book_apply
from ringbook.engine.snapshots import FIRST_SYNC, SnapshotScheduler

from .model import audit as model
from .model.sync import Event, Futures, Spot
from .test_apply import Rig

NAMES = {
    audit.AUDIT_SAME: "same", audit.AUDIT_EARLY: "early", audit.AUDIT_DIFFERENT: "different",
    audit.AUDIT_OUT_OF_LINE: "lost", audit.AUDIT_OLD: "old", audit.AUDIT_NO_ROOM: "full",
}  # fmt: skip
BIDS, ASKS = st.integers(1, 40), st.integers(50, 90)
QTYS = st.integers(0, 3)


def rows_of(most: int) -> st.SearchStrategy:
    return st.tuples(*(st.lists(st.tuples(prices, QTYS), max_size=most) for prices in (BIDS, ASKS)))


def best(sides: model.Sides, limit: int) -> model.Rows:
    """The best levels of both sides, all of them without a limit."""
    bids, asks = sorted(sides[0].items(), reverse=True), sorted(sides[1].items())
    return (bids[:limit], asks[:limit]) if limit else (bids, asks)


class Venue:
    """A stream of diffs with the true book after each one."""

    def __init__(self, rule: str, start: model.Rows, diffs: list[tuple[int, int, model.Rows]]) -> None:
        self.rule, self.events, sides = rule, [], ({}, {})
        model.apply(sides, start)
        self.states = [(100, best(sides, 0))]
        last = 100
        for jump, span, rows in diffs:
            first = last + 1 + (jump if rule == "futures" else 0)
            self.events.append((Event(first, first + span, last if rule == "futures" else -1), rows))
            model.apply(sides, rows)
            last = first + span
            self.states.append((last, best(sides, 0)))

    def snapshot(self, at: int, inside: int, limit: int) -> tuple[int, model.Rows]:
        """The book behind diff `at`; with `inside`, within the next diff, of which it has some rows already."""
        snapshot_id, levels = self.states[at]
        sides = (dict(levels[0]), dict(levels[1]))
        if inside and at < len(self.events):
            event, rows = self.events[at]
            if snapshot_id + inside < event.first:
                return snapshot_id + inside, best(
                    sides, limit
                )  # an id of another symbol: it continues nothing
            snapshot_id = min(event.last - 1, event.first + inside - 1)
            if snapshot_id >= event.first:
                model.apply(sides, (rows[0][:inside], []))
            else:
                snapshot_id = self.states[at][0]
        return snapshot_id, best(sides, limit)


def ask(rig: Rig, snapshot: tuple[int, model.Rows], limit: int) -> str:
    """The verdict of the kernels on a REST body."""
    text = [[[str(p), str(q)] for p, q in side] for side in snapshot[1]]
    body = f'{{"lastUpdateId":{snapshot[0]},"bids":{text[0]},"asks":{text[1]}}}'.replace("'", '"')
    buf = np.zeros(len(body) + 64, np.uint8)
    buf[: len(body)] = np.frombuffer(body.encode(), np.uint8)
    return NAMES[rig.pipe.audit(buf, len(body), rig.symbol_id, limit)]


def horizons(rig: Rig) -> list[int | None]:
    found = [int(rig.bus.words[rig.base + layout.B_HORIZON + side]) for side in (0, 1)]
    return [None if at == layout.HORIZON_OPEN[side] else at for side, at in enumerate(found)]


DIFFS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), rows_of(4)), max_size=8)
SPOIL = st.none() | st.tuples(st.integers(0, 1), st.integers(1, 90), QTYS)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["spot", "futures"]), rows_of(12), DIFFS, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8),
    st.integers(0, 3), st.sampled_from([0, 3, 5, 100]), st.sampled_from([4, 100]), SPOIL,
)  # fmt: skip
def test_against_two_dicts(rule, start, diffs, begin, asked, seen, inside, limit, first_limit, spoil) -> None:
    """Any snapshot of any moment, any part of the stream kept, both cut anywhere, a level of the book spoilt."""
    venue, rig = Venue(rule, start, diffs), Rig(rule, slots=1024)
    begin, asked, seen = (min(at, len(diffs)) for at in (begin, asked, seen))
    begin, seen = min(begin, seen), max(begin, seen)
    rig.pipe.start_sync(rig.symbol_id)
    rig.snapshot(100, best(tuple(map(dict, venue.states[0][1])), first_limit), first_limit)  # type: ignore[arg-type]
    for event, rows in venue.events[:begin]:
        rig.diff(event, rows)
    rig.pipe.begin_audit(rig.symbol_id)
    for event, rows in venue.events[begin:seen]:
        rig.diff(event, rows)
    assert rig.state["health"] == layout.LIVE
    if spoil and (spoil[1] <= 40) == (spoil[0] == 0):
        book_apply.set_level(rig.bus.words, rig.base, *spoil)
    held, snapshot = rig.book(), venue.snapshot(asked, inside, limit)
    sync = Futures() if rule == "futures" else Spot()
    code, compared, different = model.audited(
        sync, held, horizons(rig), venue.states[seen][0], venue.states[begin][0],
        venue.events[begin:seen], snapshot, limit,
    )  # fmt: skip
    before, stamps = rig.bus.words.copy(), (rig.pipe.work[workspace.W_RECV_NS], rig.now)
    assert ask(rig, snapshot, limit) == code
    assert np.array_equal(rig.bus.words, before)  # the audit changes nothing that readers see
    assert rig.pipe.work[workspace.W_RECV_NS] == stamps[0]
    if code in ("same", "different"):
        found = rig.pipe.work[workspace.W_AUDIT_LEVELS :][:6].tolist()
        assert found[:2] == [compared, len(different)]
        assert not different or tuple(found[2:]) == different[0]
    if spoil is None and first_limit == 100:
        assert code != "different"


def quiet_rig(**options: int) -> Rig:
    rig = Rig("spot", slots=1024, **options)
    rig.pipe.start_sync(rig.symbol_id)
    rig.snapshot(100, ([(10, 1)], [(60, 1)]), 100)
    rig.pipe.begin_audit(rig.symbol_id)
    return rig


def test_a_gap_in_between_makes_it_void_even_when_the_book_is_live_again() -> None:
    rig = quiet_rig()
    rig.diff(Event(105, 105), ([(10, 2)], []))
    rig.snapshot(104, ([(10, 2)], [(60, 1)]), 100)
    assert rig.state["health"] == layout.LIVE
    assert ask(rig, (105, ([(10, 9)], [(60, 1)])), 100) == "lost"


def test_diffs_beyond_the_room_make_it_void() -> None:
    rig = quiet_rig(pending_words=64)
    for number in range(101, 120):
        rig.diff(Event(number, number), ([(10, number)], []))
    assert ask(rig, (110, ([(10, 110)], [(60, 1)])), 100) == "full"
    assert rig.state["health"] == layout.LIVE


def test_only_the_audited_symbol_is_kept_and_nothing_afterwards() -> None:
    rig = quiet_rig()
    kept = rig.pipe.work[workspace.W_STATES] + 2 * workspace.STATE_WORDS + workspace.ST_COUNT
    rig.diff(Event(101, 101), ([(10, 2)], []))
    assert rig.pipe.work[kept] == 1
    rig.pipe.begin_audit(1)
    rig.diff(Event(102, 102), ([(10, 3)], []))
    rig.pipe.end_audit()
    rig.diff(Event(103, 103), ([(10, 4)], []))
    assert rig.pipe.work[kept] == 0
    assert not rig.pipe.is_auditing(rig.symbol_id)


# ---------------------------------------------------------------- the timetable
def test_symbols_take_turns_and_the_period_is_kept() -> None:
    machine, turns = Auditor(60 * NS_PER_S, random.Random(1)), []
    for now_s in range(601):
        if machine.is_due(now_s * NS_PER_S):
            live = [2, 5, 7] if now_s < 300 else [2, 7]
            turns.append((now_s, machine.begin(now_s * NS_PER_S, live)))
            machine.end(now_s * NS_PER_S, COMPARED)
    assert turns == [
        (60, 2),
        (120, 5),
        (180, 7),
        (240, 2),
        (300, 7),
        (360, 2),
        (420, 7),
        (480, 2),
        (540, 7),
        (600, 2),
    ]


def test_never_with_a_period_of_zero_and_not_without_a_live_book() -> None:
    assert not any(Auditor(0, random.Random(1)).is_due(now * NS_PER_S) for now in range(10_000))
    machine = Auditor(NS_PER_S, random.Random(1))
    assert machine.begin(5, []) == NOBODY
    assert machine.symbol_id == NOBODY


def test_patience_ends_and_failures_wait_longer_and_longer() -> None:
    machine = Auditor(NS_PER_S, random.Random(1))
    machine.is_due(0)
    machine.begin(NS_PER_S, [3])
    assert not machine.is_late(NS_PER_S + PATIENCE_NS - 1)
    assert machine.is_late(NS_PER_S + PATIENCE_NS)
    machine.end(NS_PER_S, LATE)
    assert machine.due_ns == 2 * NS_PER_S
    waits = []
    for _ in range(20):
        machine.begin(0, [3])
        machine.end(0, FAILED)
        assert machine.due_ns is not None
        waits.append(machine.due_ns)
    assert min(waits) >= NS_PER_S
    assert min(waits[-5:]) >= timetable.CAP_RETRY_NS // 2
    assert max(waits) <= timetable.CAP_RETRY_NS
    machine.begin(0, [3])
    machine.end(0, FAILED, retry_after_ns=3600 * NS_PER_S)
    assert machine.due_ns == 3600 * NS_PER_S


def test_only_spare_weight_is_used() -> None:
    """Half of the budget stays for books; a wanted snapshot and a ban come first."""
    scheduler, asked = SnapshotScheduler(250, 6000, random.Random(1)), 0
    while scheduler.has_spare(0):
        scheduler.spend_spare(0)
        asked += 1
    assert 250 * asked <= scheduler.budget.amount // 2 < 250 * (asked + 1)
    for symbol_id in range(8):
        scheduler.want(symbol_id, 0, FIRST_SYNC)
    assert len(scheduler.tick(0)) == 8
    later_ns = 61 * NS_PER_S
    assert scheduler.has_spare(later_ns)
    scheduler.want(99, later_ns)
    assert not scheduler.has_spare(later_ns)
    scheduler.cancel(99)
    scheduler.refused(later_ns, 429)
    assert not scheduler.has_spare(later_ns)
    assert scheduler.has_spare(later_ns + 2 * NS_PER_S)


def test_a_budget_of_one_snapshot_is_never_spare() -> None:
    assert not SnapshotScheduler(250, 300, random.Random(1)).has_spare(0)
