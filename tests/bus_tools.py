"""A bus in plain memory and records whose every word follows from their seq, for the bus tests."""

import time

import numpy as np

from ringbook.engine import layout
from ringbook.engine.kernels import board, llvm, ring
from ringbook.io.generation import write_generation
from ringbook.io.succession import Predecessor

from .model.ring import wrap

BODY_SEQ, BODY_WORD = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


def blank_bus(slots: int = 4, symbols: int = 2, first_seq: int = 1, top_n: int = 1) -> tuple:
    """words, geo, ctl of a new bus whose first seq is `first_seq`."""
    geo = layout.geometry(slots, top_n, symbols, 64)
    words = np.zeros(geo[layout.GEO_WORDS], np.int64)
    write_generation(words, geo, "test", Predecessor(0, wrap(first_seq - 1), None))
    return words, geo, np.zeros(layout.CTL_WORDS, np.int64)


def body_word(seq: int, word: int) -> int:
    """What a test record holds in `word`: different in every record and word; its tags are a TRADE's."""
    if word == layout.R_TAGS:
        return layout.KIND_TRADE | (seq & 1) << 32
    return wrap(seq * BODY_SEQ + word * BODY_WORD)


def body(seq: int, width: int) -> list[int]:
    """All words of a test record, its seq first."""
    return [seq, *(body_word(seq, word) for word in range(1, width))]


def publish_raw(words: np.ndarray, geo: np.ndarray, ctl: np.ndarray, seq: int) -> int:
    """Publish the test record of `seq`; returns its slot."""
    slot = ring.claim(words, geo, seq)
    words[slot + 1 : slot + geo[layout.GEO_SLOT_WORDS]] = body(seq, int(geo[layout.GEO_SLOT_WORDS]))[1:]
    ring.commit(words, slot, seq)
    ring.publish_head(words, geo, wrap(seq + 1), ctl)
    return slot


def publish_book(bus, symbol_id: int = 0, bid: int = 100, kind: int = layout.KIND_BOOK, **fields) -> int:
    """Publish one BOOK (or other) record on a writer's bus, ring and board, and beat; returns its seq."""
    words, geo, seq = bus.words, bus.geo, bus.next_seq
    slot, now_ns = ring.claim(words, geo, seq), time.time_ns()
    width, top_n = int(geo[layout.GEO_SLOT_WORDS]), int(geo[layout.GEO_TOP_N])
    words[slot + 1 : slot + width] = 0
    row = words[slot : slot + width].view(layout.record_dtype(top_n))[0]
    row["kind"], row["health"], row["symbol_id"], row["side"] = kind, layout.LIVE, symbol_id, layout.NO_SIDE
    row["recv_ns"] = row["publish_ns"] = now_ns
    row["last_update_id"], row["horizon"], row["count"], row["depth"] = seq * 10, layout.HORIZON_OPEN, 1, 1
    row["price"][:, 0], row["qty"][:, 0] = (bid, bid + 1), 7
    for name, value in fields.items():
        row[name] = value
    ring.commit(words, slot, seq)
    if kind == layout.KIND_BOOK:
        board.board_write(words, geo, symbol_id, slot)
    bus.beat(now_ns)
    ring.publish_head(words, geo, seq + 1, bus.ctl)
    return seq


def llvm_ir(dispatcher) -> str:
    """LLVM IR of the only compiled form of a kernel, as numba emitted it."""
    signature = dispatcher.nopython_signatures[0]
    assert llvm.load_relaxed  # the room whose intrinsics are looked for
    return dispatcher.inspect_llvm(signature.args)
