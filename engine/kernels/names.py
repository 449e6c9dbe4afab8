"""Names in the bytes of a message: which route a name is, and whether a symbol is the expected one."""

import numpy as np

from ..jit import INLINE, Instruments, Routes, bytes_in, i64, kernel, u64
from ..layout import ROUTE_NAME_BYTES, SYMBOL_BYTES, WORD_BYTES, route_dtype
from ..routes import HASH_FIRST, HASH_FOLD, HASH_LAST
from .llvm import LONG_BYTES, bytes_unlike, load_u64
from .text import QUOTE

FIRST_FACTOR, LAST_FACTOR = np.uint64(HASH_FIRST), np.uint64(HASH_LAST)
FOLD = np.uint64(HASH_FOLD)
ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
NAME_AT = route_dtype.fields["name"][1]  # type: ignore[index]


@kernel(u64(bytes_in, i64, i64), **INLINE)
def load_some(buf, at, count):
    """Load up to eight bytes.

    buf, at  first byte, with padding behind it
    count    bytes that belong to the name; more than eight count as eight, fewer than one as none
    Returns  those bytes, the first in the lowest, zeros above
    """
    if count >= WORD_BYTES:
        return load_u64(buf, at)
    return load_u64(buf, at) & (ALL_BITS >> u64(64 - 8 * count)) if count > 0 else u64(0)


@kernel(u64(bytes_in, i64, i64), **INLINE)
def hash_bytes(buf, at, length):
    """Hash a name as routes.hash_name does.

    buf, at  first byte of the name
    length   bytes, at least 1
    Returns  64-bit hash
    """
    last_at = at + max(i64(0), length - WORD_BYTES)
    mixed = load_some(buf, at, length) * FIRST_FACTOR ^ load_some(buf, last_at, length) * LAST_FACTOR
    mixed ^= u64(length)
    return mixed ^ (mixed >> FOLD)


@kernel(i64(bytes_in, i64, i64, Routes), **INLINE)
def find_route(buf, at, length, routes):
    """Look a name up; the length and every byte are compared.

    buf, at  first byte of the name
    length   bytes of the name, any number
    routes   route_dtype[2^k], from routes.build
    Returns  slot of the route, or -1
    """
    if length < 1 or length > ROUTE_NAME_BYTES or routes.size == 0:
        return i64(-1)
    mask = i64(routes.size - 1)
    slot = i64(hash_bytes(buf, at, length) & u64(mask))
    for _ in range(routes.size):
        if routes[slot].used == 0:
            break
        unlike = bytes_unlike(buf, at, routes, slot, i64(NAME_AT)) << u64(64 - min(length, i64(LONG_BYTES)))
        if routes[slot].length == length and unlike == 0:
            done = i64(LONG_BYTES)
            while done < length:
                if load_some(buf, at + done, length - done) != u64(routes[slot].name[done >> 3]):
                    break
                done += WORD_BYTES
            if done >= length:
                return slot
        slot = (slot + 1) & mask
    return i64(-1)


@kernel(i64(bytes_in, i64, i64, Instruments, i64), **INLINE)
def skip_symbol(buf, at, end, instruments, symbol_id):
    """Step over a string that is an instrument's symbol, printed without escapes.

    buf, at, end  as in text.py; at is the offset of the opening quote
    instruments   instrument_dtype[symbols]
    symbol_id     row of it
    Returns       offset behind the closing quote, or -1 when the string is another
    """
    length = instruments[symbol_id].symbol_length
    after = at + length + 2
    if length < 0 or length > SYMBOL_BYTES or after > end or buf[after - 1] != QUOTE:
        return i64(-1)
    done = i64(0)
    while done < length:
        if load_some(buf, at + 1 + done, length - done) != u64(instruments[symbol_id].symbol[done >> 3]):
            return i64(-1)
        done += WORD_BYTES
    return after
