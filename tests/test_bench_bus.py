"""The bus benchmark in small: every contestant's answers, never its times."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bus import c_ring, peers, plan, report, ring_loops, shape
from benchmarks.bus.duel import OURS, Arena, C, Case, WrongAnswer, judge
from ringbook.engine import jit

MS = 1_000_000
WIDTHS = (shape.SMALL_WORDS, 24, shape.FULL_WORDS)


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """The processes of our side, for all tests here."""
    jit.warm(rooms=("ring", "wait", "cursor", "ring_loops"))
    made = Arena()
    yield made
    made.close()


def need(*sides: str) -> None:
    """Skip where a contestant cannot be measured."""
    if C in sides and c_ring.program() is None:
        pytest.skip("no C compiler")
    for side in sides:
        if side in peers.KINDS and peers.missing(side):
            pytest.skip(peers.missing(side))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("writer", "reader"), [(OURS, OURS), (C, C), (OURS, C), (C, OURS)])
def test_each_reads_what_the_other_wrote(arena: Arena, writer: str, reader: str, width: int) -> None:
    """Same protocol, same file: paced and as fast as it goes, across 2^32 and with laps."""
    need(writer, reader)
    paced = arena.play(Case(width, 20_000, 300, first=(1 << 32) - 100, slots=64), writer, reader)
    assert paced.accepted + paced.lost == 300
    assert len(paced.latencies) == paced.accepted > 0
    assert (paced.latencies > 0).all()
    flood = arena.play(Case(width, 0, 50_000, batch=8, slots=16), writer, reader)
    assert flood.accepted + flood.lost == 50_000
    assert flood.accepted > 0


@pytest.mark.parametrize("side", [OURS, C])
def test_readers_that_sleep(arena: Arena, side: str) -> None:
    need(side)
    case = Case(shape.SMALL_WORDS, 1_000, 50, readers=3, sleep_ns=10 * MS)
    found = arena.play(case, side, side)
    assert found.accepted + found.lost == 150
    assert found.sleeps > 0


@pytest.mark.parametrize("side", [OURS, C])
def test_ping_pong_comes_back(arena: Arena, side: str) -> None:
    need(side)
    found = arena.play(Case(shape.FULL_WORDS, 0, 100), side, side, ("ping", "pong"))
    assert (found.accepted, len(found.latencies)) == (100, 100)


def test_a_bare_futex_counts_every_turn(arena: Arena) -> None:
    need(C)
    found = arena.play(Case(shape.SMALL_WORDS, 1_000, 50, sleep_ns=10 * MS), C, C, ("wake", "sleep"))
    assert (found.accepted, found.lost) == (50, 0)


@pytest.mark.parametrize("width", [shape.SMALL_WORDS, shape.FULL_WORDS])
@pytest.mark.parametrize("kind", peers.KINDS)
def test_peers_deliver_all(kind: str, width: int, tmp_path: Path) -> None:
    need(kind)
    found = peers.play(kind, Case(width, 2_000, 100), tmp_path)
    assert (found.accepted, found.lost, len(found.latencies)) == (100, 0, 100)
    assert found.latencies.min() > 0
    assert peers.play(kind, Case(width, 0, 2_000), tmp_path).accepted == 2_000


@pytest.mark.parametrize("kind", plan.BLOCKING)
def test_peers_with_several_readers(kind: str, tmp_path: Path) -> None:
    need(kind)
    assert peers.play(kind, Case(shape.SMALL_WORDS, 1_000, 50, readers=3), tmp_path).accepted == 150


def test_peers_are_checked() -> None:
    """A message with one bit wrong, or one twice, is seen."""
    errand = peers.Errand("Pipe", 8, 3, 0, "")
    sent: list[bytes] = []
    peers.send_all(errand, lambda message: sent.append(bytes(message)))
    assert peers.receive_all(errand, iter(sent).__next__).wrong == 0
    damaged = [sent[0], sent[1][:-1] + bytes([sent[1][-1] ^ 1]), sent[2]]
    assert peers.receive_all(errand, iter(damaged).__next__).wrong == 1
    assert peers.receive_all(errand, iter([sent[0], sent[0], sent[2]]).__next__).wrong == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_a_torn_record_has_a_wrong_sum(width: int) -> None:
    """Two laps of a slot carry different payloads, so every mixture of them shows."""
    rows, records = shape.rows_of(width), np.zeros((2, width), np.int64)
    for record, seq in zip(records, (5, 5 + shape.SLOTS), strict=True):
        record[:] = rows[seq % ring_loops.ROWS]
        record[0], record[1] = seq, 1_000_003 * seq
        record[2] ^= record[1] ^ seq
        assert ring_loops.sum_of(record) == 0
    for cut in range(1, width):
        torn = np.concatenate((records[0, :cut], records[1, cut:]))
        assert ring_loops.sum_of(torn) != 0


def test_wrong_and_missing_records_fail_the_run() -> None:
    case = Case(8, 1_000, 10)
    reader, writer = np.zeros((2, ring_loops.RESULT_WORDS + 10), np.int64)
    reader[ring_loops.ACCEPTED] = 10
    assert judge(case, [reader, writer], ("write", "read")).accepted == 10
    reader[ring_loops.ACCEPTED] = 9
    with pytest.raises(WrongAnswer, match="9 accepted and 0 lost of 10"):
        judge(case, [reader, writer], ("write", "read"))
    reader[[ring_loops.LOST, ring_loops.WRONG]] = 1
    with pytest.raises(WrongAnswer, match="wrong sum"):
        judge(case, [reader, writer], ("write", "read"))


def test_a_small_run_makes_every_table() -> None:
    """One case of each section, a few records each."""
    entries = list(plan.entries(plan.contestants()[0], quick=True))
    first = {entry.section: entry for entry in reversed(entries)}
    assert set(first) == {*report.TITLES, plan.FLOOD}
    few = list(first.values())
    for entry in few:
        entry.case = replace(entry.case, count=20)
    plan.run_all(few, 1)
    assert report.tables(few).count("| ringbook |") == len(few)


def test_aims_are_judged_by_the_worst() -> None:
    def entry(section: str, who: str, rate: float, latency_ns: int, writer_ns: int = 1) -> plan.Entry:
        outcome = plan.Outcome(np.full(10, latency_ns), 0, 10, writer_ns, 0, 0)
        return plan.Entry(section, Case(shape.SMALL_WORDS, rate, 10), who, [outcome])

    entries = [entry(plan.SPIN, OURS, 1, 110), entry(plan.SPIN, C, 1, 100)]
    assert "| 64 B one way, p50 against C | ≤ 1.15 | 1.1 | yes |" in report.aims(entries)
    entries += [entry(plan.SPIN, OURS, 2, 120), entry(plan.SPIN, C, 2, 100)]
    assert "| 64 B one way, p50 against C | ≤ 1.15 | 1.2 | no |" in report.aims(entries)
    entries += [entry(plan.FLOOD, OURS, 0, 1, writer_ns=2_000)]
    assert "| 64 B, million records/s with a reader | ≥ 10 | 5 | no |" in report.aims(entries)
    assert "| full record, million records/s with a reader | ≥ 5 |  | not measured |" in report.aims(entries)
