"""The ledger through a bus file: `bus.gaps()` and `ringbook gaps`, of a living, a closed and a succeeded bus."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.layout import DOWN, GAP, LIVE
from ringbook.engine.pipeline import Pipeline
from ringbook.io import bus
from ringbook.io.errors import RingbookError
from ringbook.io.ledger import parse_since
from ringbook.io.reader import join

from .command import run

SMALL = {"venue": "test", "symbol_capacity": 4, "slot_count": 64, "top_n": 1, "book_levels": 64}
NS = 1_000_000_000
BEGIN_NS = 1_790_000_000 * NS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty bus folder that the commands use."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("RINGBOOK_DIR", str(tmp_path))
    return tmp_path


class Writer:
    """A bus with two symbols and the pipeline that tells their health."""

    def __init__(self, home: Path) -> None:
        self.bus = bus.create("desk", directory=home, **SMALL)
        self.pipeline = Pipeline(
            self.bus.words, self.bus.ctl, self.bus.geo, "binance", next_seq=self.bus.next_seq
        )
        self.pipeline.space.states["has_diffs"] = 1
        for symbol_id, name in enumerate((b"BTCUSDT", b"ETHUSDT")):
            self.bus.add_symbol(name, "test", 2, 3, 1, 1)
            self.pipeline.open_book(symbol_id)
            self.pipeline.adopt_outage(symbol_id)

    def tell(self, symbol_id: int, health: int, cause: int, after_s: float) -> None:
        self.pipeline.stamp(BEGIN_NS + int(after_s * NS), 1)
        self.bus.beat(BEGIN_NS + int(after_s * NS))
        self.pipeline.tell_health(symbol_id, health, cause)


def story(writer: Writer) -> None:
    """BTCUSDT has a gap of 2.5 s and is lost after 10 s; ETHUSDT stays."""
    writer.tell(0, LIVE, layout.CAUSE_SNAPSHOT, 0)
    writer.tell(1, LIVE, layout.CAUSE_SNAPSHOT, 0)
    writer.tell(0, GAP, layout.CAUSE_SEQUENCE_GAP, 1)
    writer.tell(0, LIVE, layout.CAUSE_SNAPSHOT, 3.5)
    writer.tell(0, DOWN, layout.CAUSE_CONNECTION_LOST, 10)


def test_gaps_of_a_bus_and_after_its_writer_was_killed(home, capsys):
    writer = Writer(home)
    story(writer)
    with join("desk", home) as reader:
        rows = reader.gaps()
        assert rows["number"].tolist() == [1, 2]
        assert rows["blind_ns"][0] == 2.5 * NS
        assert rows["blind_ns"][1] > 0  # so far
        assert len(reader.gaps("ETHUSDT")) == 0
        assert reader.gaps(since_ns=BEGIN_NS + 5 * NS)["number"].tolist() == [2]
    code, text, _ = run(capsys, "gaps", "desk")
    assert (code, "sequence gap" in text, "connection lost" in text, "2.5 s" in text) == (0, True, True, True)
    facts = json.loads(run(capsys, "gaps", "desk", "--json", "--symbol", "BTCUSDT")[1])
    assert [(gap["symbol"], gap["is_open"]) for gap in facts["gaps"]] == [
        ("BTCUSDT", False),
        ("BTCUSDT", True),
    ]
    assert facts["summary"]["BTCUSDT"]["outages"] == 2
    code, _, error = run(capsys, "gaps", "desk", "--symbol", "BTCUSD")
    assert (code, "BTCUSDT" in error) == (1, True)
    # As if killed: the lock goes, the state stays RUN.
    writer.bus.header["start_ticks"] = 1
    os.close(writer.bus._lock_fd)
    writer.bus._lock_fd = None
    code, text, _ = run(capsys, "gaps", "desk")
    assert (code, "the writer is dead" in text) == (0, True)
    second = Writer(home)
    with join("desk", home) as reader:
        rows = reader.gaps()
        assert rows["number"].tolist() == [1, 2, 3]
        assert rows["cause"][2] == layout.CAUSE_WRITER_DIED
        assert (rows["symbol"][2], rows["begin_ns"][2]) == (b"ETHUSDT", BEGIN_NS + 10 * NS)
        assert rows["generation"].tolist() == [1, 1, 1]
        second.tell(0, LIVE, layout.CAUSE_SNAPSHOT, 20)
        second.tell(1, LIVE, layout.CAUSE_SNAPSHOT, 21)
        rows = reader.gaps()
        assert (rows["blind_ns"] / NS).tolist() == [2.5, 10, 11]
        assert not np.any(rows["end_ns"] == 0)
        status = reader.statuses(1)[0]
        assert (status["symbol_id"], status["blind_ns"]) == (1, 11 * NS)
    second.bus.close()


def test_a_bus_without_an_outage(home, capsys):
    writer = Writer(home)
    writer.tell(0, LIVE, layout.CAUSE_SNAPSHOT, 0)
    assert run(capsys, "gaps", "desk")[1].startswith("no outage")
    assert json.loads(run(capsys, "gaps", "desk", "--json")[1])["gaps"] == []
    writer.bus.close()


def test_since_takes_spans_and_times():
    now_ns = BEGIN_NS
    assert parse_since("90s", now_ns) == now_ns - 90 * NS
    assert parse_since("2d", now_ns) == now_ns - 172_800 * NS
    assert parse_since("2026-01-31T12:00", now_ns) == 1_769_860_800 * NS
    assert parse_since("2026-01-31T13:00+01:00", now_ns) == 1_769_860_800 * NS
    with pytest.raises(RingbookError, match="expected 90s, 15m, 2h, 3d or a time"):
        parse_since("yesterday", now_ns)
