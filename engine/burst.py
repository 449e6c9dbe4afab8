"""The reader's loop around a user's handler: jitted, without the GIL, back in Python before long."""

from collections.abc import Callable

from .jit import i64, specialise
from .kernels import llvm
from .kernels.cursor import NEW_SYMBOL, advance
from .kernels.histogram import record as count_value
from .kernels.idle import NEVER_SLEEP, wait_for_next
from .kernels.merge import MG_BUS, copy_handed, next_merged, wait_merged
from .layout import FLAG_FROM_BOARD, R_PUBLISH, R_TAGS, READ_EARLY, READ_OK

BURST_OVER, BURST_STOPPED, BURST_SYMBOL = range(3)  # budget spent, handler said stop, NEW_SYMBOL
LIMIT_BURST, LIMIT_SPIN, LIMIT_SLEEP_NS, LIMIT_MEASURE = range(4)  # words of `limits`; the first two in ticks


def make_burst(handler: Callable) -> Callable:
    """Specialise the loop to a jitted handler(record, state) -> int.

    The loop is burst(bus, place, state, limits) -> BURST_*, where
    bus     words int64[:], ctl int64[CTL_WORDS], geo int64[GEO_LENGTH]
    place   cursor, seen, wanted, out, record (the same memory as out, record_dtype[1]), histogram
    state   the user's own, handed through
    limits  int64[4], LIMIT_*
    """

    def burst(bus, place, state, limits):
        words, ctl, geo = bus
        cursor, seen, wanted, out, record, histogram = place
        begun = llvm.read_ticks()
        while True:
            code = advance(words, geo, cursor, seen, wanted, out)
            if code == READ_OK:
                from_board = (out[R_TAGS] >> 24) & FLAG_FROM_BOARD
                if limits[LIMIT_MEASURE] and not from_board:
                    count_value(histogram, 0, llvm.clock_ns(llvm.CLOCK_REALTIME) - out[R_PUBLISH])
                if i64(handler(record[0], state)) != 0:
                    return BURST_STOPPED
            elif code == NEW_SYMBOL:
                return BURST_SYMBOL
            elif code == READ_EARLY:
                if limits[LIMIT_SLEEP_NS] == NEVER_SLEEP:
                    llvm.cpu_relax()
                else:
                    wait_for_next(words, ctl, geo, cursor, limits[LIMIT_SPIN], limits[LIMIT_SLEEP_NS])
            if llvm.read_ticks() - begun >= limits[LIMIT_BURST]:
                return BURST_OVER

    return specialise(burst)


def make_merged_burst(handler: Callable) -> Callable:
    """Specialise the loop over many buses to a jitted handler(bus, record, state) -> int.

    The loop is burst(table, place, state, limits) -> BURST_*, where
    table   int64[:], see kernels/merge.py
    place   merge int64[MERGE_WORDS], out int64[slot_words], record (the same memory, record_dtype[1])
    state   the user's own, handed through
    limits  int64[4], LIMIT_*
    """

    def burst(table, place, state, limits):
        merge, out, record = place
        begun = llvm.read_ticks()
        while True:
            code = next_merged(table, merge, llvm.clock_ns(llvm.CLOCK_REALTIME))
            if code == READ_OK:
                copy_handed(table, merge, out)
                if i64(handler(merge[MG_BUS], record[0], state)) != 0:
                    return BURST_STOPPED
            elif code == NEW_SYMBOL:
                return BURST_SYMBOL
            elif code == READ_EARLY:
                if limits[LIMIT_SLEEP_NS] == NEVER_SLEEP:
                    llvm.cpu_relax()
                else:
                    wait_merged(table, merge, limits[LIMIT_SPIN], limits[LIMIT_SLEEP_NS])
            if llvm.read_ticks() - begun >= limits[LIMIT_BURST]:
                return BURST_OVER

    return specialise(burst)
