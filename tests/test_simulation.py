"""The deterministic simulation over some seeds; `make simulate` plays thousands. See docs/simulation.md."""

import os
import subprocess
import sys

from .simulation.play import play
from .simulation.report import outcomes, summary_of
from .simulation.schedule import story_of
from .source_tree import ROOT

SEEDS = int(os.environ.get("RINGBOOK_SEEDS", "60"))
FIRST_SEED = 10_000  # not those of `make simulate`


def test_what_is_live_is_right_under_every_fault() -> None:
    total = summary_of(outcomes(range(FIRST_SEED, FIRST_SEED + SEEDS), 1))
    assert not total.complaints()
    assert total.all_ns[True] and total.share(True) >= 0.99
    assert total.counts["rollovers"] and total.counts["gaps"] and total.counts["stale_streams"]
    assert total.weight_share < 1.0


def test_a_seed_is_the_same_story_in_every_process() -> None:
    """In this one, and in one whose sets and dicts of strings are in another order."""
    seed = FIRST_SEED + 7
    digest = play(story_of(seed)).digest
    assert play(story_of(seed)).digest == digest
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == digest


def test_a_story_can_be_told() -> None:
    lines: list[str] = []
    assert not play(story_of(FIRST_SEED), lines.append).failure
    assert any("SYNCING -> LIVE (snapshot)" in line for line in lines)
