"""The engine's own records across 2^63 and 2^32, and no kernel that steps a seq with arithmetic that may not wrap."""

import ast

import numpy as np
import pytest

from ringbook.engine import jit, layout, workspace
from ringbook.engine.kernels import apply, cursor, emit, ring
from ringbook.engine.workspace import W_NEXT_SEQ

from .bus_tools import blank_bus
from .model.ring import wrap
from .source_tree import KERNELS

SLOTS = 16


@pytest.mark.parametrize("first_seq", [1, -3, (1 << 32) - 3, (1 << 63) - 1, (1 << 63) - 4])
def test_the_engine_publishes_across_the_edge(first_seq: int) -> None:
    """Trades, then a change of health, which stamps its book with a seq that is still to come."""
    jit.warm(rooms=("emit", "apply", "cursor"))
    words, geo, ctl = blank_bus(SLOTS, 2, first_seq, 5)
    work = workspace.create(geo, 16, 1024, 4096).work
    work[W_NEXT_SEQ] = first_seq
    frame = np.zeros(1, layout.frame_dtype)
    frame["kind"], frame["symbol_id"] = layout.KIND_TRADE, 1
    for trade in range(8):
        frame["trade_id"] = trade
        emit.emit_trade(words, work, frame)
    assert work[W_NEXT_SEQ] == wrap(first_seq + 8)
    apply.set_health(words, work, frame, 1, layout.SYNCING, layout.CAUSE_SUBSCRIBED)
    assert work[W_NEXT_SEQ] == wrap(first_seq + 10)
    ring.publish_head(words, geo, work[W_NEXT_SEQ], ctl)
    assert ring.newest(words, geo) == wrap(first_seq + 9)
    base = emit.book_of(work, 1)
    assert words[base + layout.B_AS_OF] == wrap(first_seq + 9)
    place, out = np.zeros(cursor.CURSOR_WORDS, np.int64), np.zeros(geo[layout.GEO_SLOT_WORDS], np.int64)
    place[[cursor.CUR_SEQ, cursor.CUR_BOARD, cursor.CUR_KIND]] = first_seq, cursor.BOARD_DONE, cursor.ANY
    seen = np.zeros(2, np.int64)
    for step in range(10):
        assert cursor.advance(words, geo, place, seen, seen, out) == layout.READ_OK
        assert out[layout.R_SEQ] == wrap(first_seq + step)
        assert step >= 8 or out[layout.R_PAYLOAD + 2] == step
    assert cursor.advance(words, geo, place, seen, seen, out) == layout.READ_EARLY


SEQ_NAMES = {
    "seq",
    "next_seq",
    "first_seq",
    "last_seq",
    "oldest_seq",
    "resume",
    "as_of_seq",
}
SEQ_WORDS = {"W_NEXT_SEQ", "CUR_SEQ", "H_HEAD", "R_SEQ", "B_AS_OF"}


def plain_steps(source: str) -> list[str]:
    """Additions, subtractions and order comparisons of a seq that numba would take for signed and never wrapping."""
    found = []
    for node in ast.walk(ast.parse(source)):
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            sides = [node.left, node.right]
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
            sides = [node.target]
        elif isinstance(node, ast.Compare) and not all(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [node.left, *node.comparators]
        if any(is_seq(side) for side in sides):
            found.append(ast.unparse(node))
    return found


def is_seq(node: ast.expr) -> bool:
    """Whether an expression is a seq by its name, or by the word it was loaded from."""
    if isinstance(node, ast.Subscript):
        return any(isinstance(part, ast.Name) and part.id in SEQ_WORDS for part in ast.walk(node.slice))
    return isinstance(node, ast.Name) and node.id in SEQ_NAMES


def test_no_kernel_steps_a_seq_with_plain_arithmetic() -> None:
    found = {path.name: plain_steps(path.read_text()) for path in KERNELS}
    assert not {name: steps for name, steps in found.items() if steps}


@pytest.mark.parametrize(
    "line",
    [
        "work[W_NEXT_SEQ] = seq + 1",
        "as_of = work[W_NEXT_SEQ] - 1",
        "cursor[CUR_SEQ] += 1",
        "late = seq < head",
        "work[workspace.W_NEXT_SEQ + 1] = seq - 1",
    ],
)
def test_plain_arithmetic_would_be_seen(line: str) -> None:
    assert plain_steps(line)
