"""The readers' commands against a living and a dead bus: ls, rm, health, tail, watch."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringbook.engine import layout
from ringbook.io import bus
from ringbook.io.cli import main

from .bus_tools import publish_book
from .command import run

COMMAND = (sys.executable, "-m", "ringbook")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty bus folder that the commands use."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("RINGBOOK_DIR", str(tmp_path))
    return tmp_path


class Ticking:
    """A bus whose writer publishes a BOOK, a TRADE and a STATUS every 5 ms until it is closed."""

    def __init__(self, folder: Path) -> None:
        self.bus = bus.create("live", directory=folder, venue="test", symbol_capacity=4, slot_count=64)
        for name in (b"BTCUSDT", b"ETHUSDT"):
            self.bus.add_symbol(name, "test", 2, 3, 1, 1)
            publish_book(self.bus, self.bus.symbol_count - 1, bid=6160150)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self) -> None:
        while not self.over.wait(0.005):
            publish_book(self.bus, 0, bid=6160150)
            publish_book(
                self.bus, 1, kind=layout.KIND_TRADE, side=layout.ASK,
                trade_price=325100, trade_qty=1250, trade_id=77, trade_first_id=77, trade_last_id=78,
            )  # fmt: skip
            publish_book(
                self.bus, 0, kind=layout.KIND_STATUS, old_health=layout.GAP, cause=layout.CAUSE_SNAPSHOT
            )

    def stop(self) -> None:
        self.over.set()
        self.thread.join(5.0)
        self.bus.close()


@pytest.fixture
def live(home: Path) -> Iterator[Ticking]:
    """A living bus "live" with two symbols."""
    writer = Ticking(home)
    yield writer
    writer.stop()


@pytest.fixture
def dead(home: Path) -> str:
    """The name of a bus whose writer was killed."""
    role = [sys.executable, "-m", "tests.bus_child", "publish", str(home), "dead", "3", "hang"]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(role, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        writer.kill()
    return "dead"


# ---------------------------------------------------------------- ls, rm, health
def test_ls_of_nothing(home, capsys):
    code, text, _ = run(capsys, "ls")
    assert (code, "no bus here" in text, "ringbook demo" in text) == (0, True, True)
    assert run(capsys, "ls", "--json")[:2] == (0, "[]\n")


def test_ls_and_rm_tell_the_living_from_the_dead(live, dead, home, capsys):
    found = {entry["name"]: entry for entry in json.loads(run(capsys, "ls", "--json")[1])}
    assert {name: entry["verdict"] for name, entry in found.items()} == {"live": "running", "dead": "dead"}
    assert (found["live"]["pid"], found["live"]["symbols"]) == (os.getpid(), 2)
    lines = run(capsys, "ls")[1].splitlines()
    assert lines[0].split()[:3] == ["name", "verdict", "pid"]
    assert [line.split()[:2] for line in lines[1:]] == [["dead", "dead"], ["live", "running"]]

    code, _, told = run(capsys, "rm", "live")
    assert code == 1
    assert f"'live' is running, owned by pid {os.getpid()}" in told and "stop that process first" in told
    code, text, _ = run(capsys, "rm", "--all-dead")
    assert (code, text) == (0, "removed dead\n")
    assert sorted(path.name for path in home.iterdir()) == ["live.ctl", "live.lock", "live.ring"]
    assert run(capsys, "rm", "dead")[0] == 1
    code, _, told = run(capsys, "rm")
    assert (code, "name a bus, or give --all-dead" in told) == (1, True)
    live.stop()
    assert run(capsys, "rm", "live")[:2] == (0, "removed live\n")


def test_health_of_the_living(live, capsys):
    code, text, _ = run(capsys, "health", "live")
    assert (code, text) == (0, "running: BTCUSDT LIVE, ETHUSDT LIVE\n")
    facts = json.loads(run(capsys, "health", "--json")[1])
    assert (facts["bus"], facts["symbols"]) == ("live", {"BTCUSDT": "LIVE", "ETHUSDT": "LIVE"})
    live.bus.add_symbol(b"NEWUSDT", "test", 2, 3, 1, 1)
    code, text, _ = run(capsys, "health")
    assert (code, "NEWUSDT INIT" in text) == (1, True)
    assert run(capsys, "health", "--alive")[0] == 0


def test_health_of_the_dead_and_the_closed(live, dead, capsys):
    code, text, _ = run(capsys, "health", "dead", "--alive")
    assert (code, text) == (1, "dead: BTCUSDT DOWN\n")
    live.stop()
    assert run(capsys, "health", "live")[:2] == (1, "closed: BTCUSDT DOWN, ETHUSDT DOWN\n")


# ---------------------------------------------------------------- tail and watch
def test_tail_json(live, capsys):
    code, text, _ = run(capsys, "tail", "live", "-n", 3, "--json")
    records = [json.loads(line) for line in text.splitlines()]
    assert (code, len(records)) == (0, 3)
    assert sorted(record["kind"] for record in records) == ["BOOK", "STATUS", "TRADE"]
    by_kind = {record["kind"]: record for record in records}
    assert by_kind["BOOK"]["bids"] == [["61601.5", "0.007"]]
    assert by_kind["BOOK"]["horizon"] == [None, None]
    trade = by_kind["TRADE"]
    assert [trade[k] for k in ("symbol", "side", "price", "qty", "last_trade_id")] == [
        "ETHUSDT", "sell", "3251", "1.25", 78,
    ]  # fmt: skip
    assert [by_kind["STATUS"][k] for k in ("was", "health", "cause")] == ["GAP", "LIVE", "snapshot"]


def test_tail_for_people(live, capsys):
    code, text, _ = run(capsys, "tail", "-n", 3)
    lines = {line.split()[2]: line for line in text.splitlines()}
    assert (code, set(lines)) == (0, {"BOOK", "TRADE", "STATUS"})
    assert "0.007 x 61601.5  |  0.007 x 61601.51" in lines["BOOK"]
    assert "sell 1.25 @ 3251  #77" in lines["TRADE"]
    assert "was GAP: snapshot" in lines["STATUS"]


def test_tail_chooses(live, capsys):
    arguments = ("--symbol", "ETHUSDT", "--kind", "trade", "-n", 2, "--json")
    shown = [json.loads(line) for line in run(capsys, "tail", *arguments)[1].splitlines()]
    assert [(record["symbol"], record["kind"]) for record in shown] == [("ETHUSDT", "TRADE")] * 2
    code, _, told = run(capsys, "tail", "--symbol", "BTCUSD")
    assert (code, "BTCUSDT" in told) == (1, True)


def test_watch_draws_for_a_while(live, capsys):
    begun = time.monotonic()
    code, text, _ = run(capsys, "watch", "live", "ETHUSDT", "--levels", 2, "--seconds", 0.3)
    assert code == 0
    assert time.monotonic() - begun >= 0.3
    assert "ETHUSDT" in text and "61601.50" in text and "BTCUSDT" not in text
    code, _, told = run(capsys, "watch", "live", "NONE", "--seconds", 0.3)
    assert (code, "symbol was 'NONE'" in told) == (1, True)


@pytest.mark.parametrize("command", ["tail", "watch", "health"])
def test_an_unknown_bus_lists_those_there_are(live, command, capsys):
    code, _, told = run(capsys, command, "nobody")
    assert code == 1
    assert "bus 'nobody' was not found" in told and "live" in told


@pytest.mark.parametrize("command", ["tail", "watch", "health"])
def test_no_bus_at_all(home, command, capsys):
    code, _, told = run(capsys, command)
    assert (code, told.startswith("ringbook: ")) == (1, True)


def test_two_buses_and_no_name(live, dead, capsys):
    code, _, told = run(capsys, "tail")
    assert code == 1
    assert "dead" in told and "live" in told


# ---------------------------------------------------------------- ends
@pytest.mark.parametrize("arguments", [["ls"], ["tail", "live"]])
def test_a_reader_of_the_output_may_leave(live, home, arguments):
    """As under `| head`: no trace, no error."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_ends_in_130(live, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ringbook.io.reader.Bus.follow", interrupted)
    assert main(["tail", "live"]) == 130
