"""Several connections bring the same stream: which copy came first, and which is only a copy.

Called only while W_HOLD_NS > 0; one connection alone never comes here.
"""

from .. import layout
from ..jit import Frame, i64, kernel, void, words_out
from ..workspace import (
    LEGS_WORDS,
    LG_IMAGE,
    LG_LAST,
    LG_TRADE_ID,
    LG_TRADES,
    LG_WIN_ID,
    LG_WIN_NS,
    LG_WIN_SLOT,
    LG_WINS,
    TRADE_WORDS,
    W_LEG,
    W_LEGS,
    W_MONO_NS,
    WINS,
)
from .emit import count
from .histogram import record

C_WINS = layout.C["a_wins"]  # then b_wins
HIST_AFTER = layout.HISTOGRAM_NAMES.index("a_after_b")  # then b_after_a
TRADES_KEPT = 64 * TRADE_WORDS


@kernel(i64(words_out, i64))
def legs_of(work, symbol_id):
    """Return the word offset of what is known of a symbol's legs.

    work       int64[:], workspace
    symbol_id  row of the symbol table, in range
    """
    return work[W_LEGS] + symbol_id * LEGS_WORDS


@kernel(void(words_out, i64, i64))
def note_diff(work, symbol_id, last_id):
    """Note how far the connection being read has come.

    work       int64[:], workspace
    symbol_id  row of the symbol table
    last_id    the diff's u
    """
    work[legs_of(work, symbol_id) + LG_LAST + work[W_LEG]] = last_id


@kernel(void(words_out, words_out, i64, i64))
def note_win(words, work, symbol_id, last_id):
    """Note that this leg brought a diff first, and when.

    words      int64[:], the bus
    work       int64[:], workspace
    symbol_id  row of the symbol table
    last_id    the diff's u
    """
    legs, slot = legs_of(work, symbol_id), work[W_LEG]
    place = legs + work[legs + LG_WINS] % WINS
    work[place + LG_WIN_ID], work[place + LG_WIN_NS] = last_id, work[W_MONO_NS]
    work[place + LG_WIN_SLOT] = slot
    work[legs + LG_WINS] += 1
    count(words, work, C_WINS + (slot & 1), 1)


@kernel(void(words_out, words_out, i64, i64))
def note_copy(words, work, symbol_id, last_id):
    """Measure how much later this leg brought a diff than the other; nothing if that is long ago.

    words      int64[:], the bus
    work       int64[:], workspace
    symbol_id  row of the symbol table
    last_id    the diff's u
    """
    legs, leg = legs_of(work, symbol_id), work[W_LEG] & 1
    for place in range(legs, legs + WINS):
        if work[place + LG_WIN_ID] == last_id and work[place + LG_WIN_SLOT] & 1 != leg:
            histogram = work[layout.GEO_HISTOGRAMS] + (HIST_AFTER + leg) * layout.HIST_WORDS
            record(words, histogram, work[W_MONO_NS] - work[place + LG_WIN_NS])
            work[place + LG_WIN_ID] = 0
            return


@kernel(i64(words_out, Frame))
def is_known_image(work, frame):
    """Tell whether a ticker or partial depth is older than, or the same as, one that came before.

    work     int64[:], workspace
    frame    frame_dtype[1] of KIND_TICKER or KIND_DEPTH
    Returns  1 for a copy, 0 for news, which is noted.
    """
    image = frame[0]
    at = legs_of(work, image.symbol_id) + LG_IMAGE + (1 if image.kind == layout.KIND_DEPTH else 0)
    if image.last_id <= work[at]:
        return i64(1)
    work[at] = image.last_id
    return i64(0)


@kernel(i64(words_out, Frame))
def is_known_trade(work, frame):
    """Tell whether a trade came before; ids farther back than TRADES_KEPT count as known.

    A leg may bring a trade that the other one lost, after newer ones: that is news too.

    work     int64[:], workspace
    frame    frame_dtype[1] of KIND_TRADE
    Returns  1 for a copy, 0 for news, which is noted.
    """
    trade = frame[0]
    kind = trade.flags & layout.FLAG_AGGREGATED  # they count apart from single trades
    legs, trade_id = legs_of(work, trade.symbol_id), trade.trade_id
    newest, bits = work[legs + LG_TRADE_ID + kind], legs + LG_TRADES + kind * TRADE_WORDS
    word, bit = bits + (trade_id >> 6) % TRADE_WORDS, i64(1) << (trade_id & 63)
    if trade_id > newest:
        for skipped in range(max(newest + 1, trade_id - TRADES_KEPT + 1), trade_id):
            work[bits + (skipped >> 6) % TRADE_WORDS] &= ~(i64(1) << (skipped & 63))
        work[legs + LG_TRADE_ID + kind] = trade_id
    elif trade_id <= newest - TRADES_KEPT or work[word] & bit != 0:
        return i64(1)
    work[word] |= bit
    return i64(0)
