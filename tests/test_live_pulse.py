"""When live views look: while somebody watches and keeps up, and not at all otherwise."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from ringbook.io.live.pulse import MAX_WATCHERS, WINDOW, Pulse

WAIT_S = 60.0  # until something happens that must happen; never slept through


class Beats:
    """A pulse whose beats are counted, and can be waited for."""

    def __init__(self, rate_hz: float = 1_000.0, keeps_up: bool = True) -> None:
        self.count, self.errors, self.keeps_up = 0, [], keeps_up
        self.changed = threading.Condition()
        self.fault: Exception | None = None
        self.pulse = Pulse(self.beat, self.errors.append, rate_hz)

    def beat(self, number: int) -> None:
        with self.changed:
            self.count += 1
            self.changed.notify_all()
        if self.keeps_up:
            self.pulse.hear({"view": "a", "drawn": number})
        if self.fault:
            raise self.fault

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.count >= count, WAIT_S)


def show(beats: Beats, shown: bool = True, view: str = "a") -> None:
    beats.pulse.hear({"view": view, "shown": shown})


def test_nobody_watching_means_no_thread_and_no_look():
    beats = Beats()
    assert beats.pulse.state == "hidden"
    beats.pulse.look()
    assert beats.pulse._thread is None and beats.count == 0


def test_it_runs_while_shown_ends_when_hidden_and_comes_back():
    beats = Beats()
    show(beats)
    beats.wait_for(5)
    show(beats, False)
    assert beats.pulse.join(WAIT_S) and beats.pulse.state == "hidden"
    count = beats.count
    beats.pulse.look()
    assert beats.pulse._thread is None and beats.count == count
    show(beats)
    beats.wait_for(count + 5)
    beats.pulse.set(is_stopped=True)
    assert beats.pulse.join(WAIT_S)
    show(beats)
    assert beats.pulse.state == "stopped" and beats.pulse._thread is None


def test_a_page_that_is_gone_stops_it_after_a_few_frames():
    beats = Beats(keeps_up=False)
    show(beats)
    beats.wait_for(WINDOW)
    assert beats.pulse.join(WAIT_S)
    assert beats.count == WINDOW and beats.pulse.state == "waiting"
    beats.pulse.hear({"view": "a", "drawn": 3})  # it was only slow
    beats.wait_for(WINDOW + 3)
    assert beats.pulse.join(WAIT_S)
    assert beats.count == WINDOW + 3


def test_a_busy_kernel_hears_nothing_and_the_pulse_goes_on():
    beats = Beats(keeps_up=False)
    show(beats)
    beats.pulse.set(is_deaf=True)
    beats.wait_for(3 * WINDOW)
    beats.pulse.set(is_deaf=False)
    assert beats.pulse.join(WAIT_S) and beats.pulse.state == "waiting"


def test_paused_and_resumed():
    beats = Beats()
    show(beats)
    beats.wait_for(2)
    beats.pulse.set(is_paused=True)
    assert beats.pulse.join(WAIT_S) and beats.pulse.state == "paused"
    count = beats.count
    show(beats)
    assert beats.pulse._thread is None
    beats.pulse.set(is_paused=False)
    beats.wait_for(count + 2)
    beats.pulse.set(is_stopped=True)
    assert beats.pulse.join(WAIT_S)


def test_an_error_is_told_and_does_not_end_it():
    beats = Beats()
    beats.fault = ValueError("no such book")
    show(beats)
    beats.wait_for(3)
    beats.pulse.set(is_stopped=True)
    assert beats.pulse.join(WAIT_S)
    assert beats.fault in beats.errors and len(beats.errors) >= 2


def test_an_error_nobody_can_be_told_of_ends_the_thread_but_not_the_view(monkeypatch):
    ended, hooked = [], threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda told: (ended.append(told.exc_value), hooked.set()))
    beats = Beats()
    beats.fault = ValueError("closed")

    def unheard(error: Exception) -> None:
        raise error

    beats.pulse.failed = unheard
    show(beats)
    assert hooked.wait(WAIT_S) and ended == [beats.fault]
    assert beats.pulse._thread is None
    beats.fault = None
    show(beats)
    beats.wait_for(3)
    beats.pulse.set(is_stopped=True)
    assert beats.pulse.join(WAIT_S)


WORDS = st.one_of(
    st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
    st.dictionaries(
        st.sampled_from(["view", "shown", "drawn", "x"]),
        st.one_of(st.text(max_size=2), st.booleans(), st.integers(), st.none()),
    ),
)  # fmt: skip


@given(st.lists(WORDS, max_size=60))
def test_whatever_a_front_end_says_the_memory_is_bounded(words):
    pulse = Pulse(lambda number: None, lambda error: None, 20.0)
    pulse.set(is_paused=True)
    for word in words:
        pulse.hear(word)
    for number in range(40):
        pulse.hear({"view": str(number), "shown": True})
        pulse.hear({"view": str(number), "drawn": 10**9})
    assert len(pulse._drawn) == MAX_WATCHERS
    assert max(pulse._drawn.values()) <= pulse.sent


def test_two_pages_of_one_view_are_told_apart():
    beats = Beats()
    show(beats, view="a")
    show(beats, view="b")
    show(beats, False, "b")
    assert beats.pulse.state == "running"
    show(beats, False, "a")
    assert beats.pulse.state == "hidden" and beats.pulse.join(WAIT_S)
