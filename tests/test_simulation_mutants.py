"""The simulation with one thing broken at a time: every mutant must be found, and by the right complaint."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringbook.engine.watchdog import StuckBooks, Watchdog

from .ready import load_kernels
from .simulation.play import play
from .simulation.schedule import story_of
from .source_tree import ROOT

Edits = tuple[tuple[str, str, str], ...]  # file in engine/kernels, old, new


@dataclass
class Mutant:
    """A change of kernels, and words of the complaint it must cause."""

    name: str
    edits: Edits
    complaint: str

    def apply(self, package: Path) -> None:
        """Change the files in a copy of the package."""
        for room, old, new in self.edits:
            path = package / "engine" / "kernels" / f"{room}.py"
            text = path.read_text()
            assert text.count(old) == 1, f"{old!r} is not once in {room}.py"
            path.write_text(text.replace(old, new))


NO_CHECK = Mutant(
    "every diff is taken",
    (("sync", "    if last_id < first_id:\n",
      "    if last_id > -2:\n        return i64(SYNC_ACCEPT)\n    if last_id < first_id:\n"),),
    "and wrong",
)  # fmt: skip
OTHERS = (
    Mutant("a gap is not told",
           (("apply", "set_health(words, work, frame, symbol_id, layout.GAP, cause)", "pass"),), "LIVE"),
    Mutant("a snapshot that is too old is taken",
           (("snapshot", "        return i64(SNAPSHOT_TOO_OLD)", "        pass"),
            ("snapshot", "        if verdict == SYNC_GAP:\n            return at\n        if verdict == SYNC_ACCEPT:",
             "        if verdict != SYNC_DROP:")),
           "and wrong"),
    Mutant("a snapshot goes on top of the old book",
           (("snapshot", "    book_reset(words, base, levels, floor)\n", ""),), "and wrong"),
)  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Machine code of the mutants: theirs alone, the kernels they share compiled once."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("owner", "method", "seed", "complaint"), [
    pytest.param(Watchdog, "poll", 10_362, "has missed all since", id="a watchdog that never fires"),
    pytest.param(StuckBooks, "poll", 10_004, "has missed all since", id="jumped ids are not looked for"),
])  # fmt: skip
def test_the_simulation_finds_in_python(
    owner: Any, method: str, seed: int, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_kernels()
    monkeypatch.setattr(owner, method, lambda *facts: [])
    assert complaint in play(story_of(seed)).failure
    monkeypatch.undo()
    assert not play(story_of(seed)).failure  # and with it all holds


def run_copy(
    folder: Path, cache: Path, mutant: Mutant | None, seeds: str
) -> subprocess.CompletedProcess[str]:
    """The simulation over a copy of the package, with the mutant if there is one."""
    package = folder / "site" / "ringbook"
    shutil.copytree(ROOT / "src" / "ringbook", package, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant:
        mutant.apply(package)
    environment = os.environ | {
        "PYTHONPATH": str(package.parent), "RINGBOOK_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.simulation", "--seeds", seeds, "--jobs", "1", "--first"]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False
    )


def found_by(mutant: Mutant, folder: Path, cache: Path, seeds: str) -> None:
    done = run_copy(folder, cache, mutant, seeds)
    assert done.returncode == 1, done.stderr
    assert mutant.complaint in done.stdout.splitlines()[0]


@pytest.mark.proof
def test_without_the_sequence_check_the_simulation_fails(tmp_path: Path, cache: Path) -> None:
    found_by(NO_CHECK, tmp_path, cache, "20:120")


@pytest.mark.soak
@pytest.mark.parametrize("mutant", OTHERS, ids=lambda mutant: mutant.name)
def test_the_simulation_finds(mutant: Mutant, tmp_path: Path, cache: Path) -> None:
    found_by(mutant, tmp_path, cache, "0:400")


@pytest.mark.soak
def test_the_same_copy_without_a_mutant_holds(tmp_path: Path, cache: Path) -> None:
    """The control: copying alone breaks nothing."""
    done = run_copy(tmp_path, cache, None, "20:30")
    assert done.returncode == 0, done.stdout + done.stderr
