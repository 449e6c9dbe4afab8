"""The end of an interpreter while handlers run in its background: no hang, no crash, no silence about errors."""

import signal
import subprocess
import sys
import time

import pytest

from ringbook.io import bus

from .bus_tools import publish_book
from .test_running import WAIT_S, writer

__all__ = ["writer"]  # a fixture

SCRIPT = """
import sys, time, numba, numpy as np
from ringbook.io.reader import join
@numba.njit
def count(record, state):
    state[0] += 1
    return 0
@numba.njit
def stuck(record, state):
    while state[0] >= 0:
        state[0] += 1
    return 0
@numba.njit
def angry(record, state):
    if state[0] == 0:
        raise ValueError("told on stderr")
    return 0
bus = join("a", sys.argv[1])
runs = [bus.run({handler}, np.zeros(1, np.int64), mode=mode, start="oldest") for mode in {modes}]
print("ready", flush=True)
{then}
"""


def interpreter(writer: bus.WriterBus, handler: str, modes: tuple[str, ...], then: str) -> subprocess.Popen:
    """A process that runs a handler in the background and then does something."""
    for _ in range(3):
        publish_book(writer)
    code = SCRIPT.format(handler=handler, modes=modes, then=then)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code, str(writer.directory)], text=True, **pipes
    )


@pytest.mark.parametrize(
    ("handler", "modes", "then", "code"),
    [
        ("count", ("spin", "hybrid", "spin"), "", 0),
        ("count", ("hybrid",), "del bus, runs", 0),
        ("count", ("spin",), "sys.exit(7)", 7),
        ("count", ("spin", "hybrid"), "raise ValueError('mine')", 1),
        ("stuck", ("hybrid",), "", 0),
    ],
)
def test_leaving_while_it_runs(
    writer: bus.WriterBus, handler: str, modes: tuple, then: str, code: int
) -> None:
    """No hang, no crash; also with a handler that never returns."""
    with interpreter(writer, handler, modes, then) as child:
        _, told = child.communicate(timeout=WAIT_S)
    assert child.returncode == code, told
    assert "Fatal" not in told and ("mine" in told or told == "")


def test_an_error_is_seen_on_stderr_without_asking(writer: bus.WriterBus) -> None:
    with interpreter(writer, "angry", ("hybrid",), "time.sleep(1)") as child:
        _, told = child.communicate(timeout=WAIT_S)
    assert child.returncode == 0 and told.count("handler angry ended: ValueError: told on stderr") == 1


def test_an_interrupt_of_the_main_thread_leaves_it_running(writer: bus.WriterBus) -> None:
    then = (
        "try:\n    runs[0].wait()\nexcept KeyboardInterrupt:\n"
        "    time.sleep(0.1); print('running', runs[0].is_running, flush=True)\n"
        "runs[0].stop(); print('stopped', flush=True)"
    )
    with interpreter(writer, "count", ("hybrid",), then) as child:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=WAIT_S)
    assert told == "running True\nstopped\n" and child.returncode == 0
