"""The workspace's parts as structured arrays inside jitted code: no copy, no reference count, opened once a call.

frame_of(work)        frame_dtype[1]                    the decoded header
rows_of(work)         level_dtype[2, ROWS_CAPACITY]     the decoded levels
routes_of(work)       route_dtype[2^k]                  names of streams and symbols
instruments_of(work)  instrument_dtype[symbols]         scales and rules
"""

from .. import layout
from ..jit import Frame, Instruments, Routes, Rows
from ..layout import ROWS_CAPACITY, SIDES, WORD_BYTES
from ..workspace import W_FRAME, W_INSTRUMENTS, W_ROUTE_COUNT, W_ROUTES, W_ROWS
from .llvm import array_viewer

INSTRUMENT_WORDS = layout.instrument_dtype.itemsize // WORD_BYTES

frame_of = array_viewer(Frame, W_FRAME)
rows_of = array_viewer(Rows, W_ROWS, count=ROWS_CAPACITY, rows=SIDES)
routes_of = array_viewer(Routes, W_ROUTES, count_word=W_ROUTE_COUNT)
instruments_of = array_viewer(Instruments, W_INSTRUMENTS, count_word=layout.GEO_SYMBOLS)
