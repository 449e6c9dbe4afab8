"""The workspace's parts as structured arrays inside jitted code: no copy, opened once per call."""

from .. import layout
from ..jit import Frame, Instruments, Routes, Rows, kernel, words_out
from ..layout import ROWS_CAPACITY, SIDES, WORD_BYTES
from ..workspace import LEVEL_WORDS, W_FRAME, W_INSTRUMENTS, W_ROUTE_COUNT, W_ROUTES, W_ROWS

frame_dtype, level_dtype = layout.frame_dtype, layout.level_dtype
instrument_dtype, route_dtype = layout.instrument_dtype, layout.route_dtype
FRAME_WORDS = frame_dtype.itemsize // WORD_BYTES
INSTRUMENT_WORDS = instrument_dtype.itemsize // WORD_BYTES
ROUTE_WORDS = route_dtype.itemsize // WORD_BYTES
ROWS_WORDS = SIDES * ROWS_CAPACITY * LEVEL_WORDS


@kernel(Frame(words_out))
def frame_of(work):
    """Return the decoded header, frame_dtype[1].

    work  int64[:], workspace
    """
    return work[work[W_FRAME] : work[W_FRAME] + FRAME_WORDS].view(frame_dtype)


@kernel(Rows(words_out))
def rows_of(work):
    """Return the decoded levels, level_dtype[2, ROWS_CAPACITY].

    work  int64[:], workspace
    """
    return work[work[W_ROWS] : work[W_ROWS] + ROWS_WORDS].view(level_dtype).reshape(SIDES, ROWS_CAPACITY)


@kernel(Routes(words_out))
def routes_of(work):
    """Return the route table, route_dtype[2^k].

    work  int64[:], workspace
    """
    return work[work[W_ROUTES] : work[W_ROUTES] + work[W_ROUTE_COUNT] * ROUTE_WORDS].view(route_dtype)


@kernel(Instruments(words_out))
def instruments_of(work):
    """Return the instruments, instrument_dtype[symbols].

    work  int64[:], workspace
    """
    words = work[layout.GEO_SYMBOLS] * INSTRUMENT_WORDS
    return work[work[W_INSTRUMENTS] : work[W_INSTRUMENTS] + words].view(instrument_dtype)
