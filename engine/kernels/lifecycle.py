"""Single words that Python publishes or awaits: symbol count, states, heartbeat."""

from ..jit import i64, kernel, void, words_in, words_out
from . import llvm


@kernel(void(words_out, i64, i64))
def put_word(words, at, value):
    """Store a word after everything this thread stored before it, such as the rows a count covers.

    words  int64[:], this process the only writer of the word
    at     index, in range
    value  any int64
    """
    llvm.store_release(words, at, value)  # PAIR rows-before-word


@kernel(i64(words_in, i64))
def get_word(words, at):
    """Load a word before anything this thread loads after it.

    words  int64[:]
    at     index, in range
    """
    return llvm.load_acquire(words, at)  # PAIR rows-before-word
