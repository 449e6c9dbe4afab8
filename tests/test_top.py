"""`ringbook top`: its numbers against what was written, its order, its pictures, and the command."""

import json
from pathlib import Path

import pytest

from ringbook.engine import layout
from ringbook.engine.kernels import book_area
from ringbook.engine.layout import DOWN, GAP, LIVE, STALE, SYNCING
from ringbook.io import bus, show, top
from ringbook.io.cli import build_parser
from ringbook.io.reader import join
from ringbook.io.top import Top, as_table, as_text

from .bus_tools import publish_book
from .command import run
from .test_gaps import NS, Writer, home  # noqa: F401 (a fixture)


def test_numbers_are_those_of_the_bus(home: Path) -> None:  # noqa: F811
    writer = Writer(home)
    writer.tell(0, LIVE, layout.CAUSE_SNAPSHOT, 0)
    writer.tell(1, LIVE, layout.CAUSE_SNAPSHOT, 0)
    writer.tell(1, GAP, layout.CAUSE_SEQUENCE_GAP, 1)
    writer.tell(1, LIVE, layout.CAUSE_SNAPSHOT, 3)
    for name, value in {
        "frames": 70,
        "weight_used": 250,
        "weight_limit": 4800,
        "audits_old": 2,
        "audits_gap": 1,
    }.items():
        writer.pipeline.count(name, value)
    publish_book(writer.bus, 0, bid=6160150)
    with join("desk", home) as reader:
        looking = Top(reader)
        first = looking.look()
        assert first["messages_s"] is first["symbols"][0]["updates_s"] is None
        assert (first["weight_used"], first["weight_limit"], first["audits_void"]) == (250, 4800, 3)
        assert first["outages"] == 1
        assert (first["generation"], first["verdict"]) == (1, "running")
        worst, best = first["symbols"]
        assert (worst["symbol"], worst["outages"], worst["blind_ns"]) == ("ETHUSDT", 1, 2 * NS)
        assert worst["last_cause"] == "sequence gap"
        assert (best["symbol"], best["health"], best["spread"], best["outages"]) == (
            "BTCUSDT",
            "LIVE",
            0.01,
            0,
        )
    writer.bus.close()


def test_rates_are_differences_over_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    clock = [5 * NS]
    monkeypatch.setattr(top.time, "monotonic_ns", lambda: clock[0])
    writer = Writer(home)
    base = writer.pipeline.book_base(1)
    with join("desk", home) as reader:
        looking = Top(reader)
        looking.look()
        for _ in range(10):
            book_area.book_begin(writer.bus.words, base)
            book_area.book_end(writer.bus.words, base, 0, 1, 1, 1, LIVE)
        writer.pipeline.count("frames", 30)
        writer.bus.add_symbol(b"NEWUSDT", "test", 2, 3, 1, 1)
        clock[0] += 2 * NS
        facts = looking.look()
        rates = {one["symbol"]: one["updates_s"] for one in facts["symbols"]}
        assert rates == {"BTCUSDT": 0.0, "ETHUSDT": 5.0, "NEWUSDT": 0.0}
        assert facts["messages_s"] == 15.0
        clock[0] += NS
        assert looking.look()["messages_s"] == 0.0
        writer.bus.close()
        second = Writer(home)
        clock[0] += NS
        assert looking.look()["messages_s"] is None  # another generation counts anew
        second.bus.close()


def test_a_closed_engine_is_shown_as_such(home: Path) -> None:  # noqa: F811
    writer = Writer(home)
    writer.tell(0, LIVE, layout.CAUSE_SNAPSHOT, 0)
    publish_book(writer.bus, 0)
    writer.bus.close()
    with join("desk", home) as reader:
        facts = Top(reader).look()
    assert facts["verdict"] == "closed"
    assert {one["health"] for one in facts["symbols"]} == {"DOWN"}


@pytest.fixture
def crowd(home: Path):  # noqa: F811
    """A bus with 500 symbols, some of them unwell."""
    with bus.create(
        "crowd", directory=home, venue="test", symbol_capacity=500, slot_count=1024, top_n=1, book_levels=64
    ) as made:
        for symbol_id in range(500):
            made.add_symbol(b"S%03dUSDT" % symbol_id, "test", 2, 3, 1, 1)
            health = {3: DOWN, 400: GAP, 401: STALE, 7: SYNCING}.get(symbol_id, LIVE)
            publish_book(made, symbol_id, health=health)
        yield made


def test_the_worst_of_five_hundred_come_first_and_the_rest_is_summed_up(crowd, home: Path) -> None:  # noqa: F811
    with join("crowd", home) as reader:
        looking = Top(reader)
        looking.look()
        facts = looking.look()
    names = [one["symbol"] for one in facts["symbols"]]
    assert names[:5] == ["S003USDT", "S400USDT", "S401USDT", "S007USDT", "S000USDT"]
    assert len(names) == 500
    text = as_text(facts, 10)
    assert "and 490 more: 490 LIVE; 0 updates/s" in text
    assert "1 DOWN, 1 GAP, 1 STALE, 1 SYNCING, 496 LIVE" in text
    assert text.count("USDT") == 10
    assert "more:" not in as_text(facts, 500)


def test_a_table_for_the_terminal(crowd, home: Path) -> None:  # noqa: F811
    pytest.importorskip("rich", reason="install ringbook[tui]")
    with join("crowd", home) as reader:
        facts = Top(reader).look()
    console = show.need_rich().console.Console(width=140, color_system=None)
    with console.capture() as captured:
        console.print(as_table(facts, 4))
    text = captured.get()
    assert all(
        word in text for word in ("crowd: running", "S003USDT", "S007USDT", "and 496 more", "updates/s")
    )
    assert "S000USDT" not in text


def test_the_command(crowd, capsys: pytest.CaptureFixture) -> None:
    fast = ("top", "crowd", "--interval", "0.01")
    code, text, _ = run(capsys, *fast, "--once", "--rows", "3")
    assert (code, "and 497 more" in text, "S003USDT" in text) == (0, True, True)
    code, text, _ = run(capsys, *fast, "--json", "--count", "2")
    looks = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [len(look["symbols"]) for look in looks] == [500, 500]
    assert looks[0]["symbols"][0]["updates_s"] == 0.0
    assert run(capsys, "top", "nosuch", "--once")[0] == 1


def test_the_live_picture_ends_after_its_count(crowd, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("rich", reason="install ringbook[tui]")
    assert run(capsys, "top", "crowd", "--interval", "0.01", "--count", "2")[0] == 0


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "soon", "1e9"])
def test_an_interval_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["top", "--interval", wrong])
