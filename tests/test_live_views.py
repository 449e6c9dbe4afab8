"""Live views as widgets, without a browser: built, shown, hidden, told of errors; and their reads of a real bus."""

import threading

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io.bus import create
from ringbook.io.errors import BookBusy, RingbookError
from ringbook.io.live import door
from ringbook.io.live.drain import Drain
from ringbook.io.live.looks import flow_look, heat_look, ladder_look, panel_look, price_look, reason
from ringbook.io.reader import join

from .bus_tools import publish_book
from .live_models import Quiet, book

WAIT_S = 60.0


@pytest.fixture
def writer():
    """A writer's bus with two symbols."""
    with create("live", venue="test", symbol_capacity=4, slot_count=64, top_n=3, book_levels=64) as bus:
        for symbol in (b"AAA", b"BBB"):
            bus.add_symbol(symbol, "test", 2, 3, 1, 1)
        yield bus
        bus.delete()


# ---------------------------------------------------------------- reading the bus
def test_a_drain_takes_each_record_of_its_symbol_once(writer):
    with join("live") as bus:
        publish_book(writer, 0, 100)
        drain = Drain(bus, "AAA")
        taken = []
        for n in range(20):
            publish_book(writer, n % 2, 100 + n)
            if n % 3 == 0:
                rows, lost = drain.read()
                assert lost == 0
                taken += rows["price"][:, 0, 0].tolist()
        assert taken == [100, *range(100, 119, 2)]
        assert len(drain.read()[0]) == 0


def test_a_drain_counts_what_was_overwritten_exactly(writer):
    with join("live") as bus:
        publish_book(writer, 0, 100)
        drain = Drain(bus, "AAA")
        assert drain.read()[0]["seq"].tolist() == [1]
        for n in range(100):
            publish_book(writer, 0, 200 + n)
        rows, lost = drain.read()
        assert lost == 100 - 64 and rows["seq"].tolist() == list(range(38, 102))
        assert drain.lost == lost


def test_a_drain_takes_no_more_than_it_has_room_for_and_says_so(writer):
    with join("live") as bus:
        drain = Drain(bus, "AAA", capacity=4)
        for n in range(10):
            publish_book(writer, 0, 100 + n)
        rows, lost = drain.read()
        assert (
            rows["seq"].tolist() == [7, 8, 9, 10] and lost == 0
        )  # before the first look nothing was promised
        for n in range(10):
            publish_book(writer, 0, 100 + n)
        rows, lost = drain.read()
        assert rows["seq"].tolist() == [17, 18, 19, 20] and lost == 6


def test_a_drain_goes_on_with_the_next_writer_and_knows_new_rows(writer):
    with join("live") as bus:
        drain = Drain(bus, "CCC")
        assert drain.news().digits == (0, 0)
        publish_book(writer, 0, 100)
        row = writer.add_symbol(b"CCC", "test", 4, 1, 1, 1)
        publish_book(writer, row, 500)
        news = drain.news()
        assert news.digits == (4, 1) and news.tops.price.tolist() == [[500, 501]]
        writer.close()
        with create(
            "live", venue="test", symbol_capacity=4, slot_count=64, top_n=3, book_levels=64
        ) as second:
            second.add_symbol(b"CCC", "test", 4, 1, 1, 1)
            publish_book(second, 0, 700)
            news = drain.news()
            assert news.tops.price.tolist() == [[700, 701]] and news.lost == 0
            second.delete()


def test_looks_read_a_real_bus(writer):
    with join("live") as bus:
        publish_book(writer, 0, 100)
        publish_book(writer, 0, 0, kind=layout.KIND_TRADE, trade_price=101, trade_qty=9, side=layout.BID)
        assert ladder_look(bus, "AAA", 3)()["bids"] == [["1.00", "0.007", 1.0, 0]]
        assert price_look(bus, "AAA", 600, 10**8)()["mid"][-1] == pytest.approx(1.005)
        assert flow_look(bus, "AAA", 120, 10**9)()["buy"].sum() == pytest.approx(0.009)
        frame = panel_look(bus)()
        assert frame["health"] == "INIT" and frame["verdict"] == "running"  # BBB has no book yet
        assert frame["symbols"] == [["BBB", "INIT"], ["AAA", "LIVE"]]


def test_reasons_are_told(writer):
    with join("live") as bus:
        assert reason(bus, bus.book("BBB")) == "no snapshot yet"
        publish_book(
            writer, 0, 1, kind=layout.KIND_STATUS, health=layout.GAP, cause=layout.CAUSE_SEQUENCE_GAP
        )
        publish_book(writer, 0, 100, health=layout.GAP)
        assert reason(bus, bus.book("AAA")) == "sequence gap"
        publish_book(writer, 0, 100)
        assert reason(bus, bus.book("AAA")) == ""
        writer.close()
        assert "the writer is closed" in reason(bus, bus.book("AAA"))


# ---------------------------------------------------------------- the door
@pytest.mark.parametrize(
    "call",
    [
        lambda bus: door.ladder(bus, "A", levels=0),
        lambda bus: door.ladder(bus, "A", rate_hz=0),
        lambda bus: door.ladder(bus, "A", rate_hz=21),
        lambda bus: door.ladder(bus, "A", rate_hz=float("nan")),
        lambda bus: door.depth(bus, "A", width=-1.0),
        lambda bus: door.price(bus, "A", step_s=0.001),
        lambda bus: door.flow(bus, "A", seconds=10**9),
        lambda bus: door.heatmap(bus, "A", rows=7),
        lambda bus: door.heatmap(bus, "A", step_s=0.1, rate_hz=4),
        lambda bus: door.heatmap(bus, "A", cell=float("nan")),
    ],
)
def test_wrong_settings_are_refused_with_what_was_expected(call):
    pytest.importorskip("anywidget", reason="install ringbook[notebook]")
    with pytest.raises(RingbookError, match=r"(was|are) .*expected"):
        call(Quiet(book([[1, 1]], [[2, 1]])))


def test_without_anywidget_the_remedy_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ringbook.io.live.view", None)
    with pytest.raises(RingbookError, match=r"pip install 'ringbook\[notebook\]'"):
        door.ladder(Quiet(book([[1, 1]], [[2, 1]])), "A")


# ---------------------------------------------------------------- widgets
class Heard:
    """A view's messages, in place of a page."""

    def __init__(self, view) -> None:
        self.view, self.messages, self.changed = view, [], threading.Condition()
        view.send = self.take

    def take(self, content, buffers=None) -> None:
        with self.changed:
            self.messages.append((content, buffers))
            self.changed.notify_all()
        if content.get("frame"):
            self.say(drawn=content["frame"])

    def say(self, **word) -> None:
        self.view._handle_custom_msg({"view": "page", **word}, [])

    def wait_for(self, test) -> dict:
        with self.changed:
            assert self.changed.wait_for(lambda: any(test(one) for one, _ in self.messages), WAIT_S)
            return next(one for one, _ in reversed(self.messages) if test(one))


@pytest.fixture
def ladder():
    """A ladder of a bus that stands still, and what it sends."""
    pytest.importorskip("anywidget", reason="install ringbook[notebook]")
    bus = Quiet(book([[100, 5]], [[101, 5]]))
    view = door.ladder(bus, "BTCUSDT", rate_hz=20)
    yield view, Heard(view), bus
    view.close()


def test_a_view_looks_only_while_it_is_shown(ladder):
    view, heard, bus = ladder
    assert view.state == "hidden" and view.frames == 0 and bus.looks == 1  # the door's own check
    heard.say(shown=True)
    found = heard.wait_for(lambda one: one.get("frame", 0) >= 3)
    assert found["bids"] == [["1.00", "0.0050"[:5], 1.0, 0]] and found["health"] == "LIVE"
    heard.say(shown=False)
    assert view._pulse.join(WAIT_S) and view.state == "hidden"
    frames, looks = view.frames, bus.looks
    heard.say(drawn=frames)
    assert (view.frames, bus.looks) == (frames, looks) and view._pulse._thread is None
    heard.say(shown=True)
    heard.wait_for(lambda one: one.get("frame", 0) > frames)


def test_pause_resume_and_stop(ladder):
    view, heard, _ = ladder
    heard.say(shown=True)
    heard.wait_for(lambda one: one.get("frame") == 1)
    view.paused = True
    assert view._pulse.join(WAIT_S) and view.paused and view.state == "paused"
    heard.wait_for(lambda one: one.get("state") == "paused")
    heard.messages.clear()
    heard.say(shown=True)  # another page, or the same one again
    heard.wait_for(lambda one: one.get("state") == "paused")
    frames = view.frames
    view.paused = False
    heard.wait_for(lambda one: one.get("frame", 0) > frames)
    view.stop()
    assert view.state == "stopped" and view._pulse._thread is None
    heard.wait_for(lambda one: one.get("state") == "stopped")


def test_an_error_is_shown_in_the_view_and_leaves_again(ladder):
    view, heard, bus = ladder
    good, bus.books = bus.books, []
    heard.say(shown=True)
    found = heard.wait_for(lambda one: "error" in one)
    assert "IndexError" in found["error"] and isinstance(view.error, IndexError)
    bus.books = good
    heard.wait_for(lambda one: one.get("health") == "LIVE")
    assert view.error is None


def test_a_busy_book_is_not_an_error(ladder):
    view, heard, bus = ladder

    def busy(symbol: str, full: bool = False) -> None:
        raise BookBusy("again")

    bus.book = busy
    heard.say(shown=True)
    found = heard.wait_for(lambda one: one.get("busy"))
    assert "error" not in found and view.error is None


def test_arrays_travel_as_named_bytes():
    pytest.importorskip("anywidget", reason="install ringbook[notebook]")
    from ringbook.io.live.view import packed

    frame = {"a": np.arange(3.0), "b": np.arange(4, dtype=np.uint8), "c": np.ones(2, np.float32), "d": 7}
    content, buffers = packed(frame | {"e": np.arange(6)[::2]})
    assert content == {"arrays": [["a", "f8"], ["b", "u1"], ["c", "f4"], ["e", "f8"]], "d": 7}
    assert [len(one) for one in buffers] == [24, 4, 8, 24]
    assert np.frombuffer(buffers[3], "<f8").tolist() == [0, 2, 4]


def test_the_front_end_comes_with_the_package_and_asks_nobody_else():
    pytest.importorskip("anywidget", reason="install ringbook[notebook]")
    from ringbook.io.live.view import web

    for text in (web("js"), web("css")):
        assert "://" not in text and "import " not in text
    assert "innerHTML" not in web("js") and "eval(" not in web("js")


def test_a_dashboard_holds_every_view_and_stops_them(writer):
    pytest.importorskip("anywidget", reason="install ringbook[notebook]")
    publish_book(writer, 0, 100)
    with join("live") as bus:
        board = door.dashboard(bus, "AAA", rate_hz=1)
        assert [view.kind for view in board.views] == ["ladder", "depth", "price", "flow", "heat", "panel"]
        board.stop()
        assert {view.state for view in board.views} == {"stopped"}


def test_the_door_is_reached_as_ringbook_live():
    import ringbook

    assert ringbook.live.ladder is door.ladder


def test_heat_look_keeps_the_health_of_its_book():
    from ringbook.io.live.heat import HeatMap

    frame = heat_look(Quiet(book([[100, 5]], [[101, 5]])), "A", HeatMap(4, 8, 10**9), True)()
    assert frame["health"] == "LIVE" and frame["why"] == ""
