"""Arrays of records made by Hypothesis: plausible ones with every kind of break, and random bytes."""

import numpy as np
from hypothesis import strategies as st

from ringbook.engine import layout

MOSTLY_LIVE = st.sampled_from((layout.LIVE,) * 14 + (layout.GAP, layout.STALE))
STEPS = st.sampled_from((1,) * 14 + (0, -1, 2, 5))
FLAGS = st.sampled_from((0,) * 14 + (layout.FLAG_SNAPSHOT, layout.FLAG_FROM_BOARD, layout.FLAG_AGGREGATED))
KINDS = st.sampled_from((1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 5, 2, 1, 2, 1, 4))
RECV_STEPS = st.sampled_from((0, 1, 2, 3, 5, 0, 1, 4, 7, 2, 3, 1, 0, -1, 30))
ODD = st.integers(0, 30)  # 0: something is wrong with the levels


@st.composite
def _levels(draw, best: int, step: int, top_n: int) -> list[tuple[int, int]]:
    gaps = draw(st.lists(st.integers(1, 3), max_size=top_n, min_size=draw(st.integers(0, 1))))
    return [(best + step * sum(gaps[: n + 1]), draw(st.integers(1, 50))) for n in range(len(gaps))]


@st.composite
def record_arrays(draw, top_n: int = 3, most: int = 24) -> np.ndarray:
    """Records of two symbols, most of them of 0 and LIVE; some empty, crossed, lost or out of order."""
    size = draw(st.integers(0, most))
    out = np.zeros(size, layout.record_dtype(top_n))
    seq, recv_ns = draw(st.sampled_from((1, 7, (1 << 63) - 5))), draw(st.integers(1, 40))
    for one in out:
        seq, recv_ns = layout.wrap_seq(seq + draw(STEPS)), recv_ns + draw(RECV_STEPS)
        one["seq"], one["recv_ns"] = seq, recv_ns
        one["kind"], one["health"], one["flags"] = draw(KINDS), draw(MOSTLY_LIVE), draw(FLAGS)
        one["symbol_id"] = draw(st.sampled_from((0, 0, 0, 0, 1)))
        one["ids_missed"] = draw(st.sampled_from((0,) * 20 + (3,)))
        if one["kind"] == layout.KIND_TRADE:
            one["side"] = draw(st.sampled_from((0, 1, 0, 1, 0, 1, 0, 1, layout.NO_SIDE)))
            one["trade_price"], one["trade_qty"] = draw(st.integers(90, 110)), draw(st.integers(0, 40))
            one["txn_ns"] = draw(st.sampled_from((0, recv_ns, recv_ns - 1)))
        elif one["kind"] != layout.KIND_STATUS:
            middle = draw(st.integers(98, 102))
            for side, step in ((layout.BID, -1), (layout.ASK, 1)):
                crossed = -2 if draw(ODD) == 0 else 0
                levels = draw(_levels(middle + step * crossed, step, top_n))
                one["count"][side] = len(levels) + (1 << 31) * (len(levels) == top_n and draw(ODD) == 0)
                for rank, (price, qty) in enumerate(levels):
                    one["price"][side, rank], one["qty"][side, rank] = price, qty
    return out


@st.composite
def random_words(draw, top_n: int, most: int = 10) -> np.ndarray:
    """Records of random bytes, half of them with headers that get a kernel to look at the rest."""
    size, slot = draw(st.integers(0, most)), layout.slot_bytes(top_n)
    noise = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    out = noise.integers(0, 256, size * slot, np.uint8).view(layout.record_dtype(top_n))
    tame = noise.random(size) < 0.7
    out["symbol_id"][tame], out["health"][tame], out["ids_missed"][tame] = 0, layout.LIVE, 0
    out["kind"][tame] = noise.integers(1, 6, tame.sum())
    out["side"][tame] = noise.integers(0, 3, tame.sum())
    out["seq"][tame] = np.arange(size)[tame]
    out["recv_ns"][tame] = np.sort(noise.integers(1, 1 << draw(st.sampled_from((6, 40, 61))), tame.sum()))
    out["price"][tame] &= (1 << 62) - 1  # overlaps the trade's price and quantity
    return out
