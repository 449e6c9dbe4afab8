"""Our side's loops: the engine's own ring and wait kernels, called as an engine and a reader call them."""

from ringbook.engine.jit import i64, kernel, void, words_in, words_out
from ringbook.engine.kernels import llvm
from ringbook.engine.kernels.cursor import CUR_MISSED, CUR_SEQ, CUR_SLEEPS, CURSOR_WORDS
from ringbook.engine.kernels.idle import NEVER_SLEEP, wait_for_next
from ringbook.engine.kernels.ring import claim, commit, newest_after_lap, publish_head, read_record
from ringbook.engine.kernels.wait import spin_until
from ringbook.engine.layout import GEO_SLOT_WORDS, READ_EARLY, READ_OK

ROWS = 61
FIRST, COUNT, STEP_NS, BATCH, SLEEP_NS, SPIN_TICKS = range(6)  # the numbers of a job
ACCEPTED, LOST, WRONG, ELAPSED, MISSED, SLEEPS = range(6)  # of a result
CURSOR = 8  # word of a result where our reader's cursor lies
RESULT_WORDS = CURSOR + CURSOR_WORDS  # then one latency per accepted record
BEFORE_NS = 1_000_000  # from the start to the first send


# Inlined by force: as a call it would push twenty words of array headers per record.
@kernel(void(words_out, words_in, i64, i64, words_in, i64), forceinline=True)
def publish(words, geo, seq, due_ns, rows, row):
    """Publish one record: claim, stamp, sum, payload, commit.

    words   int64[:], the ring's file
    geo     int64[GEO_LENGTH]
    seq     one past the last committed
    due_ns  intended send time, CLOCK_MONOTONIC
    rows    int64[ROWS * width], the payloads
    row     offset of this record's
    """
    slot = claim(words, geo, seq)
    width = geo[GEO_SLOT_WORDS]
    llvm.store_relaxed(words, slot + 1, due_ns)
    llvm.store_relaxed(words, slot + 2, llvm.load_relaxed(rows, row + 2) ^ due_ns ^ seq)
    for word in range(3, llvm.LINE_WORDS):
        llvm.store_relaxed(words, slot + word, llvm.load_relaxed(rows, row + word))
    for word in range(llvm.LINE_WORDS, width, llvm.LINE_WORDS):
        llvm.move_line(words, slot + word, rows, row + word)
    commit(words, slot, seq)


@kernel(i64(words_in))
def sum_of(record):
    """Return the xor of a record's words, 0 when it is whole.

    record  int64[width]
    """
    total = i64(0)
    for word in range(len(record)):
        total ^= record[word]
    return total


@kernel(void(words_out, words_out, words_in, words_in, words_in, words_out))
def write_all(words, ctl, geo, rows, job, result):
    """Publish the job's records, each at its own time or as fast as it goes.

    words   int64[:], the ring's file
    ctl     int64[CTL_WORDS]
    geo     int64[GEO_LENGTH]
    rows    int64[ROWS * width]
    job     int64[6]
    result  int64[RESULT_WORDS + COUNT]
    """
    width, step_ns, batch = geo[GEO_SLOT_WORDS], job[STEP_NS], job[BATCH]
    begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
    due_ns, row, left, end = begun + BEFORE_NS, i64(0), batch, job[FIRST] + job[COUNT]
    for seq in range(job[FIRST], end):
        if step_ns:
            while llvm.clock_ns(llvm.CLOCK_MONOTONIC) < due_ns:
                pass
        publish(words, geo, seq, due_ns, rows, row)
        due_ns += step_ns
        row = row + width if row + width < ROWS * width else i64(0)
        left -= 1
        if left == 0 or seq == end - 1:
            publish_head(words, geo, seq + 1, ctl)
            left = batch
    result[ELAPSED] = llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun
    result[ACCEPTED] = job[COUNT]


@kernel(void(words_in, words_out, words_in, words_out, words_in, words_out))
def read_all(words, ctl, geo, out, job, result):
    """Read the job's records, sum each, and note each one's latency when the writer is paced.

    words   int64[:], the ring's file
    ctl     int64[CTL_WORDS]
    geo     int64[GEO_LENGTH]
    out     int64[width], private
    job     int64[6]
    result  int64[RESULT_WORDS + COUNT]
    """
    seq, end, begun = job[FIRST], job[FIRST] + job[COUNT], i64(0)
    cursor = result[CURSOR:RESULT_WORDS]
    sleep_ns = job[SLEEP_NS] if job[SLEEP_NS] else NEVER_SLEEP
    while seq < end:
        code = read_record(words, geo, seq, out)
        if code == READ_OK:
            if job[STEP_NS]:
                result[RESULT_WORDS + result[ACCEPTED]] = llvm.clock_ns(llvm.CLOCK_MONOTONIC) - out[1]
            elif begun == 0:
                begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
            result[WRONG] += sum_of(out) != 0
            result[ACCEPTED] += 1
            seq += 1
        elif code == READ_EARLY:
            cursor[CUR_SEQ] = seq
            wait_for_next(words, ctl, geo, cursor, job[SPIN_TICKS], sleep_ns)
        else:
            newest = newest_after_lap(words, geo, seq)
            result[LOST] += newest - seq
            seq = newest
    result[MISSED], result[SLEEPS] = cursor[CUR_MISSED], cursor[CUR_SLEEPS]
    result[ELAPSED] = llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun


@kernel(void(words_out, words_in, words_in, words_out, words_in, words_in, i64, words_out))
def ping_pong(mine, theirs, geo, out, rows, job, starts, result):
    """Send a record and await the other side's, in turn; notes half of each round trip.

    mine    int64[:], the ring this process writes
    theirs  int64[:], the ring it reads
    geo     int64[GEO_LENGTH]
    out     int64[width], private
    rows    int64[ROWS * width]
    job     int64[6]
    starts  1: sends first
    result  int64[RESULT_WORDS + COUNT]
    """
    for seq in range(job[FIRST], job[FIRST] + job[COUNT]):
        begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
        if starts:
            publish(mine, geo, seq, begun, rows, 0)
        while read_record(theirs, geo, seq, out) != READ_OK:
            spin_until(theirs, geo, seq, job[SPIN_TICKS])
        if not starts:
            publish(mine, geo, seq, begun, rows, 0)
        took = (llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun) // 2
        result[RESULT_WORDS + result[ACCEPTED]] = took
        result[ACCEPTED] += 1
        result[WRONG] += sum_of(out) != 0


@kernel(void(i64, words_out))
def idle(duration_ns, result):
    """Do nothing but read the clock, and note when the machine did not let us.

    duration_ns  how long
    result       int64[3]: clock reads, longest pause in ns, ns lost in pauses beyond a microsecond
    """
    begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
    before = begun
    while before - begun < duration_ns:
        now = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
        pause = now - before
        result[0] += 1
        if pause > result[1]:
            result[1] = pause
        if pause > 1000:
            result[2] += pause
        before = now
