"""The loop of the blind hunt, all of it machine code: make an input, lay it against a guard, call a kernel."""

import numpy as np

from ringbook.engine import layout
from ringbook.engine.kernels import frames, llvm, session
from ringbook.engine.workspace import PHASE_BUFFERING, ST_PHASE, ST_WANTS, STATE_WORDS, W_CURSOR

from .machine import machine
from .twins import PADDING_BYTES
from .wounds import draw, make_input, seed_state

MODES = FRAMES, SCAN, SNAPSHOT, INGEST, INGEST_MESSAGE, INGEST_SNAPSHOT = tuple(range(6))
MODE_NAMES = ("next_frame", "scan", "scan_snapshot", "ingest", "ingest_message", "ingest_snapshot")
# Streams for what splits frames, messages for what reads one, bodies for snapshots.
STREAMS, MESSAGES, BODIES = range(3)
CODES, CODE_ZERO = 24, 12  # a tally's columns, and that of code 0
ITERATION, WRONG = 0, 1  # words of the progress kept outside of the process
MAX_BYTES = 300


@machine
def lay(state, data, length, memory, padding, pads):
    """Copy an input to one end of guarded memory with `padding` bytes behind it; returns where it begins."""
    begin = memory.size - length - padding if draw(state, 2) else 0
    for i in range(length):
        memory[begin + i] = data[i]
    pad = pads[draw(state, len(pads))]
    for i in range(padding):
        memory[begin + length + i] = pad[i]
    return begin


@machine
def read_frames(next_frame, memory, begin, length):
    """Split all frames of a stream; returns the status that ended it, -9 for an offset beyond the data."""
    at, end = begin, begin + length
    while True:
        status, start, size, _ = next_frame(memory, at, end, MAX_BYTES)
        if status == frames.FRAME_MORE or status >= frames.FRAME_BAD:
            return status
        if start <= at or size < 0 or start + size > end:
            return -9
        at = start + size


@machine
def scan_one(mode, kernels, memory, begin, length, tables, frame, rows):
    """Run a scanner; returns its code, -9 when it says it stopped outside of what it may read."""
    routes, instruments = tables
    end = begin + length
    if mode == SCAN:
        code = kernels[SCAN](memory, begin, end, routes, instruments, frame, rows)
    else:
        symbol_id = length % (instruments.size + 2) - 1
        code = kernels[SNAPSHOT](memory, begin, end, symbol_id, instruments, frame, rows)
    where = frame[0].error_at
    is_right = where == -1 if code == layout.DECODED else begin <= where <= end + PADDING_BYTES
    counts = frame[0].rows
    if code == layout.DECODED:
        is_right = is_right and 0 <= counts[0] <= rows.shape[1] and 0 <= counts[1] <= rows.shape[1]
    return code if is_right else -9


@machine
def take(mode, kernels, memory, begin, length, bus, now_ns):
    """Take bytes through to the bus; returns the kernel's answer, -9 when its cursor left the data."""
    words, ctl, work, _ = bus
    end = begin + length
    if mode == INGEST_SNAPSHOT:
        return kernels[INGEST_SNAPSHOT](words, ctl, memory, work, begin, end, length & 1)
    if mode == INGEST_MESSAGE:
        return kernels[INGEST_MESSAGE](words, ctl, memory, work, begin, end, now_ns, now_ns)
    at = begin
    for _ in range(length + 1):
        result = kernels[INGEST](words, ctl, memory, work, at, end, now_ns, now_ns)
        if work[W_CURSOR] < at or work[W_CURSOR] > end:
            return -9
        at = work[W_CURSOR]
        if result == session.DRAINED:
            break
    return result


@machine
def ask_for_snapshots(work, states):
    """Put both symbols back to where a snapshot is waited for, whatever diffs they keep."""
    for symbol_id in range(2):
        work[states + symbol_id * STATE_WORDS + ST_PHASE] = PHASE_BUFFERING
        work[states + symbol_id * STATE_WORDS + ST_WANTS] = 1


@machine
def drive(kernels, seed, first, count, asked, inputs, memory, pads, tables, outs, bus, progress, tally):
    """Hunt for `count` iterations from `first` on.

    kernels   pointers.production(), or with mutants among them
    asked     mode, or -1 for all in turn
    inputs    (texts, bounds) of streams, of messages and of bodies
    memory    uint8[:] between guards
    outs      (frame, rows) ending at a guard, (frame, rows) beginning at one
    bus       (words, ctl, work, symbol states as they were at first)
    progress  int64[:] that outlives the process: the iteration under way, one more than the first wrong one
    tally     int64[modes, CODES], counted up
    """
    state, data = np.zeros(1, np.uint64), np.zeros(2048, np.uint8)
    for iteration in range(first, first + count):
        llvm.store_relaxed(progress, ITERATION, iteration)
        seed_state(state, seed, iteration)
        mode = draw(state, len(MODES)) if asked < 0 else asked
        texts, bounds = inputs[STREAMS]
        if mode in (SCAN, INGEST_MESSAGE):
            texts, bounds = inputs[MESSAGES]
        elif mode in (SNAPSHOT, INGEST_SNAPSHOT):
            texts, bounds = inputs[BODIES]
        length = make_input(state, data, texts, bounds)
        begin = lay(state, data, length, memory, 0 if mode == FRAMES else PADDING_BYTES, pads)
        if mode == FRAMES:
            code = read_frames(kernels[FRAMES], memory, begin, length)
        elif mode <= SNAPSHOT:
            frame, rows = outs[draw(state, 2)]
            code = scan_one(mode, kernels, memory, begin, length, tables, frame, rows)
        else:
            if draw(state, 4):
                bus[2][bus[3][0] : bus[3][0] + bus[3].size - 1] = bus[3][1:]
            if mode == INGEST_SNAPSHOT and draw(state, 2):
                ask_for_snapshots(bus[2], bus[3][0])
            code = take(mode, kernels, memory, begin, length, bus, iteration)
        tally[mode, min(max(code + CODE_ZERO, 0), CODES - 1)] += 1
        if code == -9 and progress[WRONG] == 0:
            progress[WRONG] = iteration + 1
