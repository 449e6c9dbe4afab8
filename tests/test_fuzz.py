"""The fuzzing: its corpus as tests, a short hunt of each kind, and proof that both can fail."""

import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .fuzz import blind, corpus, drive, guarded, guided
from .fuzz.seeds import SEEDS, dictionary
from .fuzz.targets import TARGETS
from .fuzz.twins import Bytes, Checked, load_u64

CORPUS_BYTES = 300_000
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None
with_atheris = pytest.mark.skipif(not HAS_ATHERIS, reason="atheris is not installed; install ringbook[fuzz]")
SOAK_SECONDS = 60 * float(os.environ.get("RINGBOOK_SOAK_MINUTES", "1"))


# ---------------------------------------------------------------- the corpus
@pytest.mark.parametrize("name", TARGETS)
def test_twins_machine_code_and_oracle_agree_on_the_corpus(name: str) -> None:
    target = TARGETS[name](None)
    kept = corpus.read(name)
    for data in (*SEEDS[name], *kept.values()):
        target.judge(data)
    assert len(kept) >= 5


def test_the_corpus_is_small_and_named_by_content() -> None:
    kept = {name: corpus.read(name) for name in TARGETS}
    assert sum(len(data) for found in kept.values() for data in found.values()) < CORPUS_BYTES
    assert {path.name for path in corpus.FOLDER.iterdir()} == set(TARGETS)
    for name, found in kept.items():
        assert all(len(data) <= corpus.MAX_INPUT_BYTES for data in found.values()), name


# One mistake of each kind a twin can have: another answer, a byte beyond the padding, an index below 0.
MUTANTS = [
    ("frames", ("next_frame", "if length > max_bytes:", "if length >= max_bytes:")),
    ("frames", ("next_frame", "if have < 2:", "if have < 1:")),
    ("frames", ("next_frame", "header += size", "header += 2")),
    ("decode", ("push_digits", "digit != 0 and code == 0", "digit > 9")),
    ("decode", ("find_quote", "while at < end:", "while at >= 0:")),
    ("decode", ("key_code", "if buf[at] < KEY_CODES else i64(KEY_OTHER)", "")),
    ("decode", ("read_list", "if row == rows.shape[1]:", "if row == 2:")),
    ("decode", ("skip_closers", "if depth == 0 else", "if depth <= 1 else")),
    ("snapshot", ("scan_snapshot", "symbol_id < 0 or ", "")),
    ("snapshot", ("scan_snapshot", "mask & HAS_ID == 0", "mask & HAS_ID != 0")),
]


@pytest.mark.parametrize(("name", "mutant"), MUTANTS, ids=lambda one: one if isinstance(one, str) else one[0])
def test_the_corpus_catches_mutants(name: str, mutant: tuple[str, str, str]) -> None:
    target = TARGETS[name](mutant)
    found = [data for data in (*SEEDS[name], *corpus.read(name).values()) if corpus.failure_of(target, data)]
    assert found


def test_checked_buffers_refuse_what_lies_outside() -> None:
    for at in (-1, 8):
        with pytest.raises(IndexError):
            Bytes(b"12345678")[at]
    assert load_u64(Bytes(b"\1\0\0\0\0\0\0\0"), 0) == 1
    for at in (-1, 1):
        with pytest.raises(IndexError):
            load_u64(Bytes(b"12345678"), at)
    table = np.zeros((2, 3), np.int64).view(Checked)
    for key in ((0, -1), (-1, 0), (0, 3), (np.int64(-1), 0)):
        with pytest.raises(IndexError):
            table[key]
        with pytest.raises(IndexError):
            table[key] = 1


def test_findings_are_minimised() -> None:
    target = TARGETS["frames"](("next_frame", "if have < 2:", "if have < 1:"))
    data = SEEDS["frames"][0] + b"\x81"
    failure = corpus.failure_of(target, data)
    assert failure and failure[0] == "IndexError"
    small = corpus.minimised(target, data, failure)
    assert len(small) <= 3 and corpus.failure_of(target, small) == failure


# ---------------------------------------------------------------- the guided search
@pytest.mark.proof
@with_atheris
def test_a_guided_search_reaches_further_than_its_seeds_and_finds_nothing() -> None:
    seen = guided.run("decode", 5)
    assert seen.executions > len(SEEDS["decode"])
    assert seen.findings == []


@pytest.mark.proof
@with_atheris
def test_a_guided_search_finds_a_mutant() -> None:
    mutant = ("next_frame", "if length > max_bytes:", "if length > max_bytes + 1:")
    seen = guided.run("frames", 5, mutate=mutant)
    assert seen.findings
    target = TARGETS["frames"](mutant)
    assert all(corpus.failure_of(target, bytes.fromhex(data)) for data in seen.findings)
    assert not any(corpus.failure_of(TARGETS["frames"](None), bytes.fromhex(data)) for data in seen.findings)


def test_the_dictionary_is_one_word_a_line() -> None:
    assert all(line[0] == line[-1] == '"' for line in dictionary().splitlines())


# ---------------------------------------------------------------- the blind hunt
@pytest.mark.parametrize("offset", [-1, guarded.PAGE])
def test_both_ends_of_guarded_memory_kill(offset: int) -> None:
    code = (
        "import ctypes; from tests.fuzz.guarded import PAGE, guarded_bytes; a = guarded_bytes(PAGE); a[:] = 1; "
        f"ctypes.string_at(a.ctypes.data + {offset}, 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False, timeout=120
    )
    assert done.returncode == -signal.SIGSEGV


def test_copies_lie_against_their_guards() -> None:
    source = np.arange(7, dtype=np.int64)
    last, first = guarded.at_end(source), guarded.at_start(source)
    assert (last == source).all() and (first == source).all()
    assert (last.ctypes.data + last.nbytes) % guarded.PAGE == first.ctypes.data % guarded.PAGE == 0
    assert ctypes.string_at(last.ctypes.data, 8) == bytes(8)


def test_a_blind_hunt_finds_nothing_and_meets_every_answer() -> None:
    seen = blind.run(3)
    assert not seen.crashed, seen
    assert seen.codes["next_frame"].keys() == {"more", "bad", "too_big"}
    for scanner in ("scan", "scan_snapshot"):
        assert {"decoded", "malformed", "off grid", "overflow", "needs slow path"} <= seen.codes[
            scanner
        ].keys()
    assert seen.counters["books"] and seen.counters["handed_back"] and seen.counters["snapshots"]


@pytest.mark.proof
@pytest.mark.parametrize(
    ("mode", "mutant"), [(drive.FRAMES, "frame header unchecked"), (drive.SCAN, "string end unchecked")]
)
def test_machine_code_that_reads_too_far_dies_and_dies_again(mode: int, mutant: str) -> None:
    seen = blind.run(20, mode=mode, mutant=mutant)
    assert seen.exit_code == -signal.SIGSEGV and seen.at is not None
    again = blind.run(20, seen.seed, seen.at, mode, mutant)
    assert (again.exit_code, again.at) == (-signal.SIGSEGV, seen.at)
    assert blind.input_of(seen.seed, seen.at, mode)[0] == drive.MODE_NAMES[mode]
    assert f'"at": {seen.at}' in blind.report(seen)


def test_machine_code_that_answers_beyond_its_data_is_seen() -> None:
    seen = blind.run(20, mode=drive.FRAMES, mutant="frame end unchecked")
    assert seen.exit_code == 0 and seen.at is not None and seen.crashed


# ---------------------------------------------------------------- long runs
@pytest.mark.soak
@pytest.mark.proof
@with_atheris
@pytest.mark.parametrize("name", TARGETS)
def test_guided_for_long(name: str) -> None:
    seen = guided.run(name, int(SOAK_SECONDS), seed=os.getpid())
    assert seen.findings == []


@pytest.mark.soak
def test_blind_for_long() -> None:
    seen = blind.run(SOAK_SECONDS, seed=os.getpid())
    assert not seen.crashed, blind.report(seen)
