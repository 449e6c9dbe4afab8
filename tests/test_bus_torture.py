"""Writers and readers in processes of their own, stopped and killed; see tests/torture."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout

from .bus_tools import blank_bus, body
from .torture import bursts, conductor

SEEN = 100_000  # overruns, and rejections after the copy
SEEN_STARVED = 200  # when the processes hardly ever had two cores at a time: races need two
TWO_CORES = 1.5  # that is, fewer of them on average than this
# What a run must have met, beside the reads; a run that met none of one kind proves nothing about it.
MET = (
    "sleeps",
    "wakes",
    "successions",
    "board_ok",
    "writers_killed",
    "readers_killed",
    "stops",
    "early",
    "lost",
)


def torture(directory: Path, *arguments: str, limit_s: float) -> dict:
    """Run it in a process of its own; returns its counts."""
    command = [sys.executable, "-m", "tests.torture", "--directory", str(directory), "--limit", str(limit_s)]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=limit_s + 600, check=False
    )
    assert done.stdout, done.stderr
    total = json.loads(done.stdout)
    assert done.returncode == 0, f"{conductor.faults(total)} of {total}\n{done.stderr}"
    return total


def judge(total: dict) -> None:
    """Nothing wrong, and enough of everything that can go wrong."""
    assert not conductor.faults(total)
    seen = SEEN if total["cores"] >= TWO_CORES else SEEN_STARVED
    assert min(total["overruns"], total["rejected"]) >= seen, total
    assert total["accepted"] >= total["reads"] / 10
    assert not [name for name in MET if not total[name]], total


@pytest.mark.alone
def test_torture(bus_directory: Path, record_property: Callable) -> None:
    """Goes on until it met enough races, for two minutes at most: a busy machine is not held to their number."""
    total = torture(bus_directory, "--seconds", "8", "--records", "300000", "--seen", str(SEEN), limit_s=120)
    record_property("torture", json.dumps(total))
    judge(total)


@pytest.mark.soak
def test_torture_for_long(bus_directory: Path, capsys: pytest.CaptureFixture) -> None:
    """For RINGBOOK_SOAK_MINUTES; from ten minutes on until a billion reads, within four times that."""
    minutes = float(os.environ.get("RINGBOOK_SOAK_MINUTES", "1"))
    reads = 1_000_000_000 if minutes >= 10 else 0
    wanted = ["--seconds", str(60 * minutes), "--records", "10000000", "--seen", str(SEEN)]
    total = torture(bus_directory, *wanted, "--reads", str(reads), limit_s=240 * minutes + 600)
    with capsys.disabled():
        print(f"\ntorture {json.dumps(total)}", flush=True)
    judge(total)
    assert total["reads"] >= reads


def test_the_check_of_a_record_sees_every_word() -> None:
    """The body is the one of bus_tools, and no word of a record can be another without being seen."""
    words, geo, ctl = blank_bus(4, 2, -3)
    assert bursts.write(words, ctl, geo, np.zeros(bursts.TALLY_WORDS, np.int64), -3, 6, 2, 0) == 3
    width = int(geo[layout.GEO_SLOT_WORDS])
    for seq in (-1, 0, 1, 2):
        at = int(geo[layout.GEO_RING]) + (seq & 3) * width
        record = words[at : at + width].copy()
        plain = body(seq, width)
        assert [*record[: layout.R_CHECKSUM], *record[layout.R_PAYLOAD :]] == [
            *plain[: layout.R_CHECKSUM],
            *plain[layout.R_PAYLOAD :],
        ]
        assert bursts.is_whole(record, seq)
        assert not bursts.is_whole(record, seq + 1)
        for word in range(width):
            record[word] += 1
            assert not bursts.is_whole(record, seq), word
            record[word] -= 1
