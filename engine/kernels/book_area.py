"""Full books in shared memory: the seqlock around a change, and how another process copies a book.

A book is too large for two cells, so readers retry: the version word is odd while the writer changes it.
A symbol that updates flat out could keep a reader retrying for ever; such a reader raises a request in the
control page, and the writer copies that book to the scratch book between two reads of the socket.

Copies are packed, see book_copy.py.
"""

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    B_AS_OF,
    B_EVENT,
    B_HEALTH,
    B_LAST_ID,
    B_RECV,
    B_VERSION,
    CTL_BOOK_REQUEST,
    GEO_BOOK_LEVELS,
    GEO_BOOK_STRIDE,
    GEO_BOOKS,
    GEO_SCRATCH,
    GEO_SYMBOLS,
    LINE_BYTES,
    READ_BUSY,
    READ_EMPTY,
    READ_OK,
    WORD_BYTES,
)
from .book_copy import copy_packed, pack_book
from .llvm import (
    cpu_relax,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)

SCRATCH_VERSION, SCRATCH_SYMBOL = 0, 1  # words of the line before the scratch book
SCRATCH_BOOK = LINE_BYTES // WORD_BYTES


@kernel(void(words_out, i64))
def book_begin(words, base):
    """Open a change of a full book: its version is odd until book_end.

    words  int64[:], this process the only writer
    base   first word of the book
    """
    store_relaxed(words, base + B_VERSION, load_relaxed(words, base + B_VERSION) | 1)
    fence_release()  # PAIR book-odd-before-change


@kernel(void(words_out, i64, i64, i64, i64, i64, i64))
def book_end(words, base, as_of_seq, last_id, recv_ns, event_ns, health):
    """Close a change of a full book: write what it stands for, then make the version even.

    words      int64[:], this process the only writer
    base       first word of the book, opened by book_begin
    as_of_seq  seq of the newest record this book includes
    last_id    the venue's id of the newest update applied
    recv_ns    CLOCK_REALTIME at the socket read, ns
    event_ns   the venue's time, ns; 0 where it sends none
    health     INIT .. DOWN
    """
    words[base + B_AS_OF], words[base + B_LAST_ID], words[base + B_HEALTH] = as_of_seq, last_id, health
    words[base + B_RECV], words[base + B_EVENT] = recv_ns, event_ns
    version = load_relaxed(words, base + B_VERSION)
    store_release(words, base + B_VERSION, (version | 1) + 1)  # PAIR book-change-before-even


@kernel(i64(words_in, i64, i64, words_out))
def copy_book(words, base, levels, out):
    """Try once to copy a full book that its writer may be changing.

    words    int64[:], the bus
    base     first word of the book
    levels   levels a side of the book, from the reader's own geometry
    out      int64[book_words(levels)] or longer: a packed copy at word 0; rubbish unless READ_OK
    Returns  READ_OK or READ_BUSY.
    """
    version = load_acquire(words, base + B_VERSION)  # PAIR book-change-before-even
    if version & 1:
        return READ_BUSY
    pack_book(words, base, levels, out, 0)
    out[B_VERSION] = version
    fence_acquire()  # PAIR book-odd-before-change
    return READ_OK if load_relaxed(words, base + B_VERSION) == version else READ_BUSY


@kernel(i64(words_in, i64, i64, words_out, i64))
def copy_book_retry(words, base, levels, out, attempts):
    """Copy a full book, trying a bounded number of times; after READ_BUSY ask for a scratch copy.

    words     int64[:], the bus
    base      first word of the book
    levels    levels a side of the book, from the reader's own geometry
    out       int64[book_words(levels)] or longer
    attempts  copies tried at most
    Returns   READ_OK or READ_BUSY.
    """
    for _ in range(attempts):
        if copy_book(words, base, levels, out) == READ_OK:
            return READ_OK
        cpu_relax()
    return READ_BUSY


@kernel(i64(words_out, words_in, words_out))
def serve_book_request(words, geo, ctl):
    """Copy the book a reader asked for to the scratch book; called by the writer between socket reads.

    words    int64[:], the bus, this process the only writer, no book change open
    geo      int64[GEO_LENGTH] or longer, from layout.geometry
    ctl      int64[CTL_WORDS], writable by readers and therefore never trusted
    Returns  1 when a book was copied, else 0.
    """
    symbol_id = load_relaxed(ctl, CTL_BOOK_REQUEST) - 1
    if symbol_id == -1:
        return 0
    # Cleared before the copy: a request raised meanwhile stays for the next call. Readers know that they
    # are served by the scratch version, not by this word.
    store_relaxed(ctl, CTL_BOOK_REQUEST, i64(0))
    if symbol_id < 0 or symbol_id >= geo[GEO_SYMBOLS]:
        return 0
    scratch = geo[GEO_SCRATCH]
    version = load_relaxed(words, scratch + SCRATCH_VERSION) | 1
    store_relaxed(words, scratch + SCRATCH_VERSION, version)
    fence_release()  # PAIR scratch-odd-before-copy
    base = geo[GEO_BOOKS] + symbol_id * geo[GEO_BOOK_STRIDE]
    words[scratch + SCRATCH_SYMBOL] = symbol_id
    pack_book(words, base, geo[GEO_BOOK_LEVELS], words, scratch + SCRATCH_BOOK)
    words[scratch + SCRATCH_BOOK + B_VERSION] = load_relaxed(words, base + B_VERSION)
    store_release(words, scratch + SCRATCH_VERSION, version + 1)  # PAIR scratch-copy-before-even
    return 1


@kernel(i64(words_in, words_in))
def scratch_version(words, geo):
    """Return the scratch book's version; read it before raising a request, pass it to read_scratch.

    words  int64[:], the bus
    geo    int64[GEO_LENGTH]
    """
    return load_relaxed(words, geo[GEO_SCRATCH] + SCRATCH_VERSION)


@kernel(i64(words_in, words_in, i64, i64, words_out))
def read_scratch(words, geo, symbol_id, after, out):
    """Try once to copy the scratch book.

    words      int64[:], the bus
    geo        int64[GEO_LENGTH]
    symbol_id  the symbol asked for
    after      scratch_version read before the request was raised; only a later copy is taken
    out        int64[book_words(levels)] or longer: a packed copy at word 0; rubbish unless READ_OK
    Returns    READ_OK, READ_BUSY while the writer copies, READ_EMPTY while nothing newer is there or it
               is another symbol's (then raise the request again).
    """
    scratch = geo[GEO_SCRATCH]
    version = load_acquire(words, scratch + SCRATCH_VERSION)  # PAIR scratch-copy-before-even
    if version & 1:
        return READ_BUSY
    if version <= after or load_relaxed(words, scratch + SCRATCH_SYMBOL) != symbol_id:
        return READ_EMPTY
    copy_packed(words, scratch + SCRATCH_BOOK, geo[GEO_BOOK_LEVELS], out, 0)
    out[B_VERSION] = load_relaxed(words, scratch + SCRATCH_BOOK + B_VERSION)
    fence_acquire()  # PAIR scratch-odd-before-copy
    return READ_OK if load_relaxed(words, scratch + SCRATCH_VERSION) == version else READ_BUSY
