"""The guard of counts and ratios sees what it should; sizes are played whole; pictures say what they show."""

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from numba.core.runtime import _nrt_python

from benchmarks import assembly, guard, pauses, plots, scale
from benchmarks.peers.ours import generated
from ringbook.engine import jit
from ringbook.engine.pipeline import ingest_room

ASSEMBLY = """\t.type\t_ZN8ringbook4workB1,@function
_ZN8ringbook4workB1:
\tmovq\t%rdi, %rax
.LBB0_1:
\taddq\t$1, %rax
\tretq
.Lfunc_end0:
\t.type\t_ZN7cpython8ringbook4workB1,@function
_ZN7cpython8ringbook4workB1:
\tretq
.Lfunc_end1:
\t.type\tcfunc._ZN8ringbook4workB1,@function
\tretq
.Lfunc_end2:
\t.type\thelper,@function
\tnop
\tretq
.Lfunc_end3:
"""


@pytest.fixture(scope="module")
def _warm() -> Iterator[None]:
    ingest_room("binance")
    jit.warm()
    _nrt_python.memsys_enable_stats()
    yield
    _nrt_python.memsys_disable_stats()


def test_instructions_are_counted_without_the_wrappers():
    assert assembly.instructions(ASSEMBLY) == 5


def test_a_count_that_moved_is_a_fault_and_one_that_hardly_moved_is_not():
    kept, sources = (
        {"a": ["old", 100], "b": ["same", 100], "c": ["old", 100]},
        {"a": "new", "b": "same", "c": "new"},
    )
    lines, faults = guard.judge_counts(kept, sources, {"a": 106, "c": 95})
    assert len(lines) == 3 and "sources unchanged" in lines[1]
    assert (
        len(faults) == 1
        and "a: 106 instructions, 100 committed (+6.0%)" in faults[0]
        and "--accept" in faults[0]
    )
    assert "none committed" in guard.judge_counts({}, {"a": "new"}, {"a": 1})[1][0]


def asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> frozenset:
    """The files that a kernel's digest is made of."""
    seen, sources = [], jit.sources
    monkeypatch.setattr(assembly.jit, "sources", lambda path: seen.append(sources(path)) or seen[-1])
    assembly.sources(name)
    return seen[0]


def test_a_change_of_the_sources_is_noticed(tmp_path, monkeypatch):
    room = tmp_path / "ring.py"
    room.write_text("x = 1\n")
    assert {"accept.py", "book_apply.py", "layout.py"} <= {
        file.name for file in asked_for("accept.accept", monkeypatch)
    }
    monkeypatch.setattr(assembly.jit, "sources", lambda path: {room})
    before = assembly.sources("ring.commit")
    room.write_text("x = 2\n")
    assert assembly.sources("ring.commit") != before


def test_every_guarded_kernel_exists_and_has_a_committed_count():
    kept = json.loads(guard.KEPT.read_text())
    names = {name for group in assembly.HOT for name in group}
    assert kept["instructions"] and all(set(counts) == names for counts in kept["instructions"].values())
    for name in names:
        room, kernel = name.split(".")
        text = (jit.ENGINE_DIR / "kernels" / f"{room}.py").read_text()
        assert re.search(rf"^def {kernel}\(", text, re.M), name


def test_a_ratio_below_half_is_a_fault(monkeypatch):
    monkeypatch.setattr(guard, "ratios", lambda: {"decode": 4.9, "fused": 5.1})
    faults = guard.check_ratios({"ratios": {"decode": 10.0, "fused": 10.0}}, False)
    assert len(faults) == 1 and faults[0].startswith("decode: 4.90x")


@pytest.mark.usefixtures("_warm")
@pytest.mark.parametrize("zipf", [True, False])
def test_many_symbols_are_played_whole(zipf):
    made = scale.market(5, 30, 400, zipf)
    assert len(set(made.chosen.tolist())) == 5
    taken = list(scale.stretches(made))
    assert len(taken) == scale.STRETCHES and min(taken) > 0
    made.chosen[-1] = (made.chosen[-1] + 1) % 5  # the check bites: one message fewer for one symbol
    with pytest.raises(AssertionError):
        list(scale.stretches(made))


def test_cases_are_compared_within_a_turn():
    turns = np.array([[10.0, 20.0], [100.0, 200.0], [10.0, 30.0]])  # the machine was slow in the second
    assert scale.to_one(turns, 1, 0) == 2.0


def test_zipf_prefers_few_symbols():
    for zipf, least, most in ((True, 0.1, 0.3), (False, 0.0, 0.02)):
        share = np.bincount(scale.choices(200, 20_000, zipf)).max() / 20_000
        assert least < share < most


@pytest.mark.usefixtures("_warm")
def test_the_engines_rule_keeps_collections_off_the_path():
    seen = pauses.play(pauses.OURS, 0.5)
    assert seen["on_path"] == 0 and seen["reads"] == seen["count"] > 0


def test_pictures_are_drawn_of_what_was_kept_and_name_their_units(tmp_path):
    pytest.importorskip("matplotlib", reason="install ringbook[notebook]")
    kept = {
        "symbols": [[1, True, 3000, 80], [1, False, 3000, 80], [100, True, 3500, 90], [100, False, 4000, 99]]
    }
    kept["levels"] = [[50, 3000.0, 80.0], [1000, 3100.0, 90.0]]
    (tmp_path / "scale.json").write_text(json.dumps(kept))
    for name in ("symbols", "levels"):
        assert plots.draw(name, tmp_path, tmp_path) == f"{name}: docs/bench/{name}.svg"
        assert "µs a message of 20 levels" in (tmp_path / f"{name}.svg").read_text()
    assert "left out" in plots.draw("latency-spinning", tmp_path, tmp_path)
    curve = {
        "rate": 10_000.0,
        "way": "TCP, spinning",
        "receiver": "bare",
        "quantiles": [[1, 5.0], [50, 9.0], [100, 80.0]],
    }
    (tmp_path / "latency.json").write_text(json.dumps({"curves": [curve]}))
    plots.draw("latency-spinning", tmp_path, tmp_path)
    assert "99.9 %" in (tmp_path / "latency-spinning.svg").read_text()


def test_generated_messages_are_what_a_venue_could_send():
    made = [json.loads(text) for text in generated(3)[1:]]
    assert [one["data"]["u"] for one in made] == [2, 3, 4] and all(one["data"]["E"] > 10**12 for one in made)
