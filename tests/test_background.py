"""`ringbook.demo()`: started, found again, stopped, interrupted, killed; nothing left and nobody in the way."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

import ringbook
from ringbook.io import bus
from ringbook.io.background import Demo
from ringbook.io.errors import BusInUse, BusNameError, RingbookError

from .test_demo import WAIT_S, descendants, environment, home, is_gone, wait_until

__all__ = ["home"]  # a fixture
ONE = ("BTCUSDT",)


def in_a_thread(function, *arguments, **options):
    """Call in a thread that is gone afterwards."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments, **options)))
    thread.start()
    thread.join()
    return found[0]


def test_a_demo_outlives_the_thread_and_the_loop_that_started_it(home: Path) -> None:
    async def cell() -> Demo:
        return in_a_thread(ringbook.demo, symbols="BTCUSDT", directory=home)

    others = set(descendants(os.getpid()))  # of earlier tests in this process
    made = asyncio.run(cell())
    children = set(descendants(os.getpid())) - others
    with made:
        assert made.is_running and made.symbols == ONE
        assert made.bus.book("BTCUSDT", strict=True).health == "LIVE"
        assert "<Demo demo binance-spot BTCUSDT: running" in repr(made)
        assert ringbook.demo(symbols=ONE, directory=home) is made
        with pytest.raises(BusInUse, match=r"runs already with .*stop it first"):
            ringbook.demo(symbols=ONE, seed=2, directory=home)
        made.gap()
        assert wait_until(lambda: made.bus.counters()["gaps"] >= 1, 20.0)
        assert wait_until(lambda: made.bus.book("BTCUSDT").health == "LIVE", 20.0)
    assert not made.is_running and repr(made).endswith("stopped>")
    assert all(map(is_gone, children)) and len(children) >= 2
    assert list(home.iterdir()) == []
    made.stop()
    with pytest.raises(RingbookError, match="has ended"):
        made.gap()


SCRIPT = """
import sys, time
import ringbook
made = ringbook.demo(symbols="BTCUSDT")
for turn in range(1200):
    try:
        print("up", flush=True)
        time.sleep(0.1)
    except KeyboardInterrupt:
        print("interrupted", made.is_running, flush=True)
        if "exit" in sys.argv:
            sys.exit(0)
"""


def notebook(folder: Path, *arguments: str) -> subprocess.Popen:
    """A process with a demo, in a group of its own as a kernel is."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(folder),
        start_new_session=True,
    )


def until_line(process: subprocess.Popen, wanted: str) -> str:
    """Read its output up to a line that holds `wanted`."""
    assert process.stdout
    for line in process.stdout:
        if wanted in line:
            return line
    raise AssertionError(f"ended without saying {wanted!r}")


def test_an_interrupt_spares_the_children_a_kill_takes_them_and_the_next_demo_works(home: Path) -> None:
    with notebook(home) as kernel:
        until_line(kernel, "up")
        children = descendants(kernel.pid)
        os.killpg(kernel.pid, signal.SIGINT)
        assert until_line(kernel, "interrupted") == "interrupted True\n"
        assert len(children) == 2 and not any(map(is_gone, children))
        kernel.kill()
        kernel.wait(10)
        with ringbook.demo(
            symbols=ONE, directory=home
        ) as again:  # at once: the old engine may still be there
            assert again.bus.health()["verdict"] == "running"
            assert all(map(is_gone, children))
    assert list(home.iterdir()) == []


def test_leaving_the_interpreter_stops_it(home: Path) -> None:
    with notebook(home, "exit") as kernel:
        until_line(kernel, "up")
        children = descendants(kernel.pid)
        kernel.send_signal(signal.SIGINT)
        assert kernel.wait(WAIT_S) == 0
    assert len(children) == 2 and all(map(is_gone, children))
    assert list(home.iterdir()) == []


def test_an_interrupted_start_leaves_nothing(home: Path) -> None:
    with notebook(home) as kernel:
        children: set[psutil.Process] = set()
        assert wait_until(lambda: children.update(descendants(kernel.pid)) or children, WAIT_S)
        kernel.send_signal(signal.SIGINT)
        assert kernel.wait(WAIT_S) != 0
    assert wait_until(lambda: all(map(is_gone, children)), 5.0)
    assert list(home.iterdir()) == []


def test_what_cannot_be_started_is_explained(home: Path) -> None:
    others = set(descendants(os.getpid()))
    with pytest.raises(RingbookError, match="expected one of binance-spot, binance-usdm"):
        ringbook.demo(venue="nowhere", directory=home)
    with pytest.raises(BusNameError):
        ringbook.demo("../x", directory=home)
    with pytest.raises(RingbookError, match=r"demo 'demo': the exchange ended with code \d+(.|\n)*NOSUCH"):
        ringbook.demo(symbols="NOSUCH", directory=home)
    assert set(descendants(os.getpid())) <= others


def test_a_name_with_a_living_owner_is_refused(home: Path) -> None:
    with bus.create("taken", directory=home, venue="test", symbol_capacity=1) as writer:
        writer.beat(1)
        with pytest.raises(
            BusInUse, match=r"(?s)is stalled already, owned by pid \d+.*ringbook.demo\('taken2'\)"
        ):
            ringbook.demo("taken", directory=home)


# ---------------------------------------------------------------- what a notebook shows of an error
def test_an_error_in_ipython_is_two_lines_not_a_page(home: Path) -> None:
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    code = "import ringbook\nringbook.join('nobody')"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code],
        capture_output=True,
        text=True,
        env={**environment(home), "IPYTHONDIR": str(home)},
        timeout=120,
    )
    told = done.stdout + done.stderr
    assert (
        shell
        and "line 2: ringbook.join('nobody')\nBusNotFound: bus 'nobody' was not found; there is no bus in"
        in told
    )
    assert "ringbook.demo('nobody') starts one" in told and "Traceback" not in told


def test_the_short_form_names_the_callers_line_the_cause_and_the_notes() -> None:
    try:
        try:
            raise ValueError("deep")
        except ValueError as deep:
            raise RingbookError("was 1, expected 2") from deep
    except RingbookError as error:
        error.add_note("while trying")
        shown = error._render_traceback_()
    assert shown[0].endswith('raise RingbookError("was 1, expected 2") from deep')
    assert shown[1:] == ["RingbookError: was 1, expected 2", "caused by ValueError: deep", "while trying"]


def test_importing_needs_none_of_the_extras(home: Path) -> None:
    code = (
        "import sys\nfor name in ('IPython', 'pandas', 'polars', 'pyarrow', 'rich'): sys.modules[name] = None\n"
        "import ringbook\nfor name in ringbook.__all__: getattr(ringbook, name)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment(home))
