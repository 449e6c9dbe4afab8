"""The bus with one thing weakened at a time: each mutant is killed by a check, and which one is said here.

A strongly ordered machine cannot show every mutant. What it can show dies in processes (torture, drill); a missing
fence dies in the instructions of aarch64 or x86, and in the models of weak memory and of the sleep protocol.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numba
import pytest

from ringbook.engine import jit, layout
from ringbook.engine.kernels import ring, wait

from . import codegen
from .bus_tools import blank_bus
from .codegen import ARM, ARM_CPUS, X86, X86_CPUS
from .model import wake
from .plain import mutated_source
from .source_tree import ROOT
from .test_codegen import arm_fault, x86_fault
from .test_ring import is_safe

ROOMS = {"ring": ring, "wait": wait}


@dataclass
class Mutant:
    """One weakening of a file, and the checks that must fail on it."""

    name: str
    room: str  # file in engine/kernels
    kernel: str  # "" when a constant is changed
    old: str
    new: str
    checks: tuple[str, ...]
    mistake: str = ""  # its name in the model of the sleep protocol

    def apply(self, package: Path) -> None:
        """Change the file in a copy of the package."""
        path = package / "engine" / "kernels" / f"{self.room}.py"
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.old!r} is not once in {self.room}.py"
        path.write_text(text.replace(self.old, self.new))


MARK = "llvm.store_relaxed(words, slot + R_SEQ, llvm.wrapping_sub(seq, 1))"
CHECK = "return READ_OK if llvm.load_relaxed(words, slot + R_SEQ) == seq else READ_LAPPED"
LAPPED = "return READ_EARLY if ahead < 0 else READ_LAPPED"
CLEAR = "    llvm.store_relaxed(ctl, CTL_WAITERS, 0)\n"
BUMP = "    llvm.store_release(ctl, CTL_WAKE, word)  # PAIR clear-before-bump\n"
READ_WORD = """    llvm.store_relaxed(ctl, CTL_WOKEN_FOR, next_seq)
    word = llvm.wrapping_add(llvm.load_relaxed(ctl, CTL_WAKE), 1)
"""
MUTANTS = (
    Mutant("no W1", "ring", "claim", MARK, "pass", ("torture", "races")),
    Mutant("W1 without W2", "ring", "claim", "llvm.fence_release()", "pass", ("lint", "races")),
    Mutant("W4 before the payload", "ring", "claim", MARK, MARK.replace("llvm.wrapping_sub(seq, 1)", "seq"),
           ("torture", "races")),
    Mutant("W4 relaxed", "ring", "commit", "store_release", "store_relaxed", ("lint", "races")),
    Mutant("R1 relaxed", "ring", "read_record", "found = llvm.load_acquire", "found = llvm.load_relaxed",
           ("lint", "races")),
    Mutant("R3 without the first line", "ring", "read_record", "range(0, geo", "range(llvm.LINE_WORDS, geo",
           ("races",)),
    Mutant("no R4", "ring", "read_record", "llvm.fence_acquire()", "pass", ("lint", "races")),
    Mutant("no R5", "ring", "read_record", CHECK, "return READ_OK", ("torture", "races")),
    Mutant("R2 takes any other seq for early", "ring", "read_record", LAPPED, "return READ_EARLY",
           ("races", "long torture")),
    Mutant("R2 takes any other seq for lapped", "ring", "read_record", LAPPED, "return READ_LAPPED",
           ("races", "long torture")),
    Mutant("slots wrap one too early", "ring", "slot_of", "seq & geo[GEO_SLOT_MASK]",
           "seq % geo[GEO_SLOT_MASK]", ("races", "long torture")),
    Mutant("no fence at W6", "ring", "publish_head", "llvm.fence_seq_cst()", "pass", ("lint", "model"),
           "no writer fence"),
    Mutant("acquire fence at W6", "ring", "publish_head", "llvm.fence_seq_cst()", "llvm.fence_acquire()",
           ("lint",)),
    Mutant("word not bumped", "ring", "publish_head", BUMP.strip(), "pass", ("lint", "model", "flag"),
           "word not bumped"),
    Mutant("bump before clear", "ring", "publish_head", CLEAR + READ_WORD + BUMP, READ_WORD + BUMP + CLEAR,
           ("lint", "model"), "bump before clear"),
    Mutant("flag not cleared", "ring", "publish_head", CLEAR, "", ("flag",)),
    Mutant("flag before word", "wait", "sleep_until", "word = llvm.load_acquire(ctl, CTL_WAKE)",
           "llvm.store_seq_cst(ctl, CTL_WAITERS, 1)\n    word = llvm.load_acquire(ctl, CTL_WAKE)",
           ("lint", "model"), "flag before word"),
    Mutant("no fence before the second look", "wait", "sleep_until", "llvm.fence_seq_cst()", "pass",
           ("lint", "model"), "no reader fence"),
    Mutant("one sleeper woken, not all", "ring", "", "EVERYBODY = (1 << 31) - 1", "EVERYBODY = 1", ("drill",)),
    Mutant("private futex", "llvm", "", "FUTEX_WAIT, FUTEX_WAKE = 0, 1", "FUTEX_WAIT, FUTEX_WAKE = 128, 129",
           ("drill",)),
)  # fmt: skip


def dies_in_lint(mutant: Mutant) -> None:
    """Its instructions are refused, on aarch64 for all processors or on x86 for all."""
    room, name = ROOMS[mutant.room], f"{mutant.room}.{mutant.kernel}"
    dispatcher, signature = jit.registry[name]
    space = dict(vars(room))
    exec(mutated_source(dispatcher.py_func, mutant.old, mutant.new), space)
    fresh = numba.njit(**jit.POLICY)(space[mutant.kernel])
    fresh.compile(signature)
    text = fresh.inspect_llvm(fresh.nopython_signatures[0].args)
    on_arm = [arm_fault(name, codegen.emit(text, ARM, cpu)) for cpu in ARM_CPUS]
    on_x86 = [x86_fault(name, codegen.emit(text, X86, cpu)) for cpu in X86_CPUS]
    assert all(on_arm) or all(on_x86)


def dies_in_races(mutant: Mutant) -> None:
    """Readers of the plain twins, against all orders a weak machine may show, accept what they must not."""
    assert not is_safe((mutant.kernel, mutant.old, mutant.new))


def dies_in_model(mutant: Mutant) -> None:
    """The sleep protocol, as the model has it by hand, with that mistake leaves somebody asleep for ever."""
    assert any(wake.explore(publishes, 1, mutant.mistake)[1] for publishes in (1, 2, 3))


def dies_by_the_flag(mutant: Mutant) -> None:
    """After a publish with the flag up, the control page is not what sleepers rely on."""
    space = dict(vars(ring))
    exec(mutated_source(ring.publish_head.py_func, mutant.old, mutant.new), space)
    words, geo, ctl = blank_bus()
    ctl[layout.CTL_WAITERS], ctl[layout.CTL_WAKE] = 1, 7
    numba.njit(**jit.POLICY)(space["publish_head"])(words, geo, 2, ctl)
    assert (ctl[layout.CTL_WAITERS], ctl[layout.CTL_WAKE]) != (0, 8)


IN_PROCESS: dict[str, Callable[[Mutant], None]] = {
    "lint": dies_in_lint,
    "races": dies_in_races,
    "model": dies_in_model,
    "flag": dies_by_the_flag,
}


def cases(*checks: str) -> list:
    """(mutant, check) for each that is killed by one of these."""
    found = [(mutant, check) for mutant in MUTANTS for check in mutant.checks if check in checks]
    return [pytest.param(*case, id=f"{case[0].name}: {case[1]}") for case in found]


def test_every_mutant_has_a_check() -> None:
    known = {*IN_PROCESS, "torture", "drill", "long torture"}
    assert all(mutant.checks and known >= set(mutant.checks) for mutant in MUTANTS)


@pytest.mark.parametrize(("mutant", "check"), cases(*IN_PROCESS))
def test_mutant_dies(mutant: Mutant, check: str) -> None:
    IN_PROCESS[check](mutant)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Machine code of the mutants: theirs alone, the kernels they share compiled once."""
    return tmp_path_factory.mktemp("cache")


def run_copy(folder: Path, cache: Path, mutant: Mutant | None, directory: Path, *arguments: str) -> dict:
    """The harness over a copy of the package, with the mutant if there is one; returns what was wrong."""
    package = folder / "site" / "ringbook"
    shutil.copytree(ROOT / "src" / "ringbook", package, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant:
        mutant.apply(package)
    environment = os.environ | {
        "PYTHONPATH": str(package.parent), "RINGBOOK_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.torture", "--directory", str(directory), *arguments]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.stdout, done.stderr
    from .torture.conductor import faults

    found = faults(json.loads(done.stdout))
    assert bool(found) == (done.returncode == 1), done.stderr
    return found


TORTURE = ("--seconds", "400", "--records", "2000000", "--limit", "400")
DRILL = ("--drill", "--patience", "4")


@pytest.mark.proof
@pytest.mark.parametrize(("mutant", "check"), cases("torture"))
def test_mutant_dies_under_torture(
    mutant: Mutant, check: str, tmp_path: Path, cache: Path, bus_directory: Path
) -> None:
    assert "wrong" in run_copy(tmp_path, cache, mutant, bus_directory, *TORTURE)


@pytest.mark.proof
@pytest.mark.parametrize(("mutant", "check"), cases("drill"))
def test_mutant_leaves_sleepers(
    mutant: Mutant, check: str, tmp_path: Path, cache: Path, bus_directory: Path
) -> None:
    assert run_copy(tmp_path, cache, mutant, bus_directory, *DRILL).keys() == {"not_woken"}


@pytest.mark.proof
def test_the_same_copy_without_a_mutant_lives(tmp_path: Path, cache: Path, bus_directory: Path) -> None:
    """The control: copying alone kills nothing."""
    assert run_copy(tmp_path, cache, None, bus_directory, "--drill") == {}


@pytest.mark.soak
@pytest.mark.parametrize(("mutant", "check"), cases("long torture"))
def test_mutant_dies_under_long_torture(
    mutant: Mutant, check: str, tmp_path: Path, cache: Path, bus_directory: Path
) -> None:
    assert run_copy(tmp_path, cache, mutant, bus_directory, *TORTURE)
