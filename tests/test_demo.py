"""The demo as a stranger runs it: judged right, nothing left behind, and no child outlives it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ringbook.io import demo
from ringbook.io.children import Child
from ringbook.io.errors import RingbookError

COMMAND = (sys.executable, "-m", "ringbook")
WAIT_S = 120.0  # a cold cache compiles every kernel first


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "RINGBOOK_DIR": str(folder)}


@pytest.fixture
def home(bus_directory: Path, request: pytest.FixtureRequest) -> Path:
    """A bus folder for one demo, in memory where there is some."""
    folder = bus_directory / f"demo-{request.node.name.replace('[', '-').replace(']', '')}"
    folder.mkdir(mode=0o700)
    return folder


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_until(happened, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not happened() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(happened())


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(("venue", "source"), [("binance-spot", "direct"), ("binance-usdm", "plain")])
def test_the_demo_is_right_and_leaves_nothing(home, venue, source):
    arguments = ("demo", "--venue", venue, "--source", source, "--seconds", "3", "--json")
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, env=environment(home)
    ) as process:
        children: set[psutil.Process] = set()
        assert wait_until(lambda: children.update(descendants(process.pid)) or len(children) >= 2, WAIT_S)
        text, _ = process.communicate(timeout=WAIT_S)
    facts = json.loads(text)
    assert (process.returncode, facts["good"], facts["books_wrong"]) == (0, True, 0)
    assert facts["gaps"] >= 1 and facts["resyncs"] >= 1
    assert facts["books_compared"] > 0
    assert set(facts["full_books"].values()) == {"equal"} and len(facts["full_books"]) == 3
    assert facts["records_read"] > 0
    assert all(map(is_gone, children))
    assert list(home.iterdir()) == []


def test_a_demo_that_compared_nothing_says_so_and_goes_on_until_it_has(monkeypatch):
    compared = iter((0, 0, 3))
    monkeypatch.setattr(demo, "COMPARE_EVERY_S", 0.0)
    judged = demo.Demo(bus=None, rest_url="", seconds=1.0)
    monkeypatch.setattr(demo.Demo, "compare", lambda self: setattr(self.verdict, "compared", next(compared)))
    demo.compare_something(judged)
    assert judged.verdict.compared == 3 and next(compared, None) is None
    monkeypatch.setattr(demo, "LIVE_S", 0.0)
    stages = dict.fromkeys(("p50", "p99", "p99.9", "max"), 0)
    counts = ("frames", "records", "levels", "gaps", "resyncs", "snapshots", "records_read", "records_lost")
    facts = dict.fromkeys((*counts, "seconds_to_live", "books_compared", "books_wrong"), 0) | {
        "reader": "hybrid", "wire_to_record_ns": stages, "record_to_reader_ns": stages, "full_books": {}, "good": False
    }  # fmt: skip
    assert "VERDICT: NONE. No LIVE book" in demo.summary_text(facts, 3.0)
    facts |= {"first_wrong": "", "full_books": {"BTCUSDT": "bids differ in 2 levels"}}  # never hidden
    assert "VERDICT: NOT EQUAL. {'BTCUSDT': 'bids differ" in demo.summary_text(facts, 3.0)


def test_a_demo_whose_reader_failed_says_why_instead_of_waiting(monkeypatch):
    monkeypatch.setattr(demo.Demo, "compare", lambda self: None)
    judged = demo.Demo(bus=None, rest_url="", seconds=1.0, failure=RingbookError("the reader's own words"))
    with pytest.raises(RingbookError, match="the reader's own words"):
        demo.compare_something(judged)


def test_a_killed_demo_takes_its_children_with_it(home):
    with subprocess.Popen(
        [*COMMAND, "demo", "--seconds", "60", "--json"], stdout=subprocess.DEVNULL, env=environment(home)
    ) as process:
        assert wait_until(lambda: list(home.glob("*.ring")) or process.poll() is not None, WAIT_S)
        children = descendants(process.pid)
        assert len(children) >= 2
        process.kill()
        process.wait(10)
        assert wait_until(lambda: all(map(is_gone, children)), 5.0)


def test_a_demo_of_an_unknown_venue_is_refused(home):
    done = subprocess.run(
        [*COMMAND, "demo", "--venue", "nowhere"],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=60,
    )
    assert done.returncode == 2
    assert "venue was 'nowhere', expected one of binance-spot, binance-usdm" in done.stderr


# ---------------------------------------------------------------- children by themselves
def test_a_child_that_ends_early_is_told():
    with (
        Child("the exchange", "exchange", "--venue", "nowhere") as child,
        pytest.raises(RingbookError, match=r"the exchange ended with code \d+ before it was ready"),
    ):
        child.ready(60.0)
    assert not child.is_running


def test_a_child_that_is_ready_is_stopped_at_the_end():
    with Child("the exchange", "exchange", "--symbols", "BTCUSDT") as child:
        assert child.ready(60.0)["rest"].startswith("http://127.0.0.1:")
        assert child.is_running
    assert not child.is_running


def test_an_orphan_notices_that_its_parent_ended_before_it_asked():
    """The pid told is not the parent's: as if the parent had ended and another had adopted the child."""
    done = subprocess.run(
        [*COMMAND, "exchange", "--symbols", "BTCUSDT", "--die-with-parent", str(os.getpid() + 1)],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
