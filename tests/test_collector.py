"""When Python's cyclic collector has its turn while the engine runs, and when it has not."""

import gc
from collections.abc import Iterator

import pytest

from ringbook.io import collector
from ringbook.io.collector import OVERDUE, PROMOTED, YOUNG, Collector


class Loop(list):
    """Something that only the collector can free; how many there are is counted."""

    alive = 0

    def __init__(self) -> None:
        self.append(self)
        Loop.alive += 1

    def __del__(self) -> None:
        Loop.alive -= 1


@pytest.fixture
def turns() -> Iterator[Collector]:
    made = Collector()
    made.begin()
    yield made
    made.end()
    gc.collect()


def leak(count: int) -> None:
    for _ in range(count):
        Loop()


def test_nothing_is_collected_by_itself_while_it_runs(turns):
    seen: list[str] = []

    def note(phase: str, info: dict) -> None:
        seen.append(phase)

    gc.callbacks.append(note)
    leak(OVERDUE // 2)
    gc.callbacks.remove(note)
    assert not seen and not gc.isenabled() and gc.get_freeze_count() > 1000


def test_a_quiet_tick_frees_what_is_worth_it(turns):
    assert turns.turn(5) == -1
    before = Loop.alive
    leak(YOUNG + 100)
    assert turns.turn(6) == -1, "frames came: the tick was busy"
    assert Loop.alive > before
    assert turns.turn(6) == 0
    assert Loop.alive <= before
    assert turns.turn(6) == -1, "nothing left that is worth a turn"


def test_what_is_overdue_is_freed_in_a_busy_tick_too(turns):
    before = Loop.alive
    leak(OVERDUE + 100)
    assert turns.turn(1) >= 0
    assert Loop.alive <= before


def test_older_generations_have_their_turn_in_time(turns, monkeypatch):
    monkeypatch.setattr(collector, "YOUNG", 1)
    turns.turn(0)
    generations = [turns.turn(0) for _ in range((PROMOTED + 1) ** 2 + 1) if leak(10) is None]
    assert {0, 1, 2} == set(generations)


def test_the_end_gives_everything_back():
    made = Collector()
    made.begin()
    made.end()
    assert gc.isenabled() and gc.get_freeze_count() == 0
