"""What is asked for ahead: the addresses are those of the symbol, and wrong ones change nothing."""

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.layout import WORD_BYTES

from .hostile import Rig

DIFF = (
    b'{"stream":"%s@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"%s","U":%d,"u":%d,'
    b'"b":[["99.00","%d.00"]],"a":[["101.00","3.00"]]}}'
)


def play(rig: Rig) -> np.ndarray:
    """Diffs of two symbols in turn; the words of the bus after them."""
    for number in range(40):
        symbol, book_id = (
            (b"BTCUSDT", b"ETHUSDT")[number % 2],
            int(rig.pipe.space.states["book_id"][number % 2]),
        )
        rig.feed.message(DIFF % (symbol.lower(), symbol, book_id + 1, book_id + 1, number), 8, 8)
    assert rig.pipe.counters[layout.C["gaps"]] == 0
    assert rig.pipe.counters[layout.C["levels"]] == 80
    return rig.bus.words.copy()


def test_addresses_are_those_of_the_symbol() -> None:
    rig = Rig()
    words, geo = rig.bus.words, rig.bus.geo
    for symbol_id in (0, 1):
        row = rig.pipe.space.instruments[symbol_id]
        book, entry = ((int(row[name]) - words.ctypes.data) // WORD_BYTES for name in ("book_at", "board_at"))
        assert book == rig.pipe.book_base(symbol_id)
        assert words[book + layout.B_LEVELS] == geo[layout.GEO_BOOK_LEVELS]
        assert entry == geo[layout.GEO_BOARD] + symbol_id * geo[layout.GEO_BOARD_STRIDE]
        state = (int(row["state_at"]) - rig.pipe.work.ctypes.data) // WORD_BYTES
        assert np.shares_memory(rig.pipe.work[state:][:1], rig.pipe.space.states[symbol_id : symbol_id + 1])
        assert rig.pipe.work[state] == rig.pipe.space.states[symbol_id]["phase"]


@pytest.mark.parametrize("address", [0, 1, -1, 2**62, -(2**63)])
def test_wrong_addresses_change_nothing(address: int) -> None:
    expected, rig = play(Rig()), Rig()
    for name in ("state_at", "book_at", "board_at"):
        rig.pipe.space.instruments[name] = address
    assert (play(rig) == expected).all()
