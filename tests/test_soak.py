"""Long runs, only with `make soak`, for RINGBOOK_SOAK_MINUTES: the whole chain, healthy and in a hostile world.

The hostile one has a short form in `make test`; see tests/hostile_soak.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MINUTES = float(os.environ.get("RINGBOOK_SOAK_MINUTES", "1"))
START_S = 600.0  # of all processes of all scenes, on a busy machine


@pytest.mark.soak
@pytest.mark.parametrize("venue", ["binance-spot", "binance-usdm"])
def test_the_demo_stays_right(venue: str) -> None:
    seconds = 60 * MINUTES
    command = [
        sys.executable,
        "-m",
        "ringbook",
        "demo",
        "--venue",
        venue,
        "--json",
        "--seconds",
        str(seconds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 180, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["good"]
    assert facts["books_wrong"] == 0
    assert facts["books_compared"] >= 10 * seconds


def hostile(directory: Path, minutes: float, *arguments: str) -> dict:
    """Run the hostile soak; everything it found."""
    command = [sys.executable, "-m", "tests.hostile_soak", "--directory", str(directory), *arguments]
    done = subprocess.run(
        [*command, "--minutes", str(minutes)], capture_output=True, text=True, timeout=60 * minutes + START_S,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    total = json.loads(done.stdout)
    assert done.returncode == 0, f"{total['wrong']}\n{done.stderr}"
    assert total["wrong_books"] == 0
    assert total["wrong"] == []
    assert total["signals"]["killed"] >= total["scenes"]
    return total


@pytest.mark.alone
@pytest.mark.parametrize("scene", ["0", "3"])
def test_a_hostile_quarter_of_a_minute(scene: str, bus_directory: Path, record_property: Callable) -> None:
    """Many kinds of fault, a kill -9 on the way, and every book right in the end.

    How many faults strike in so short a time hangs on the machine; few are asked for, lest none is taken for right.
    """
    total = hostile(bus_directory, 0.25, "--scenes", scene)
    record_property("hostile", json.dumps(total))
    assert total["compared"] >= 20
    assert total["faults_total"] >= 12
    assert len(total["faults"]) >= 6


@pytest.mark.soak
def test_hostile_for_long(bus_directory: Path, capsys: pytest.CaptureFixture) -> None:
    total = hostile(bus_directory, MINUTES)
    with capsys.disabled():
        print(f"\nhostile {json.dumps(total)}", flush=True)
    assert total["compared"] >= 60 * MINUTES
    if MINUTES >= 4:
        assert total["missing"] == []
        assert total["restart_s"]["count"] >= 1
    if MINUTES >= 15:  # then each scene leaves its last engine alive long enough to tell
        assert all(one["slope_mb_per_min"] != -1.0 for one in total["memory"])
