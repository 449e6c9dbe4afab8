"""Wounds at machine speed: an input of the corpus, changed a little, as a function of seed and iteration alone."""

import numpy as np

from .machine import machine

WOUNDS = 10
MAX_WOUNDS = 3
GOLDEN, MIX_A, MIX_B = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
HOSTILE = np.frombuffer(b'"\\{}[],:.-+0919eEu \n\xff\x80\0!tfn', np.uint8)
FIRST_BYTES = np.frombuffer(b"\x81\x82\x01\x00\x80\x88\x89\x8a\x83\xc1\x7e\x7f", np.uint8)
LENGTHS = np.frombuffer(b"\x00\x01\x7d\x7e\x7f\x80\xfe\xff", np.uint8)


@machine
def draw(state, below):
    """Take the next number 0..below-1 from a generator (SplitMix64) kept in uint64[1]."""
    state[0] += GOLDEN
    mixed = state[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * MIX_A
    mixed = (mixed ^ (mixed >> np.uint64(27))) * MIX_B
    mixed ^= mixed >> np.uint64(31)
    return np.int64(((mixed >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32))


@machine
def seed_state(state, seed, iteration):
    """Begin the generator of one iteration: any of them can be repeated alone."""
    state[0] = np.uint64(seed) * MIX_B ^ np.uint64(iteration) * MIX_A
    draw(state, 2)


@machine
def make_room(data, length, at, count):
    """Open a hole of `count` bytes, keeping what was there; returns the new length, the old one without room."""
    if length + count > data.size:
        return length
    for i in range(length - 1, at - 1, -1):
        data[i + count] = data[i]
    return length + count


@machine
def cut_out(data, length, at, count):
    """Remove up to `count` bytes; returns the new length."""
    count = min(count, length - at)
    for i in range(at, length - count):
        data[i] = data[i + count]
    return length - count


@machine
def splice(state, data, length, at, texts, bounds):
    """Put a piece of another input at `at`; returns the new length."""
    other = draw(state, bounds.size - 1)
    first, size = bounds[other], bounds[other + 1] - bounds[other]
    if size == 0:
        return length
    begin = draw(state, size)
    count = min(1 + draw(state, 40), size - begin)
    longer = make_room(data, length, at, count)
    if longer > length:
        for i in range(count):
            data[at + i] = texts[first + begin + i]
    return longer


@machine
def wound(state, data, length, texts, bounds):
    """Change an input in one place; returns its new length."""
    how = draw(state, WOUNDS)
    if how == 0:
        return draw(state, length + 1)  # cut off
    if length == 0:
        return splice(state, data, length, 0, texts, bounds)
    at = draw(state, length)
    if how == 1:
        data[at] ^= np.uint8(1 << draw(state, 8))
    elif how == 2:
        data[at] = np.uint8(draw(state, 256))
    elif how == 3:
        data[at] = HOSTILE[draw(state, HOSTILE.size)]
    elif how == 4:
        return cut_out(data, length, at, 1 + draw(state, 12))
    elif how == 5:  # a range doubled
        count = min(1 + draw(state, 30), length - at)
        longer = make_room(data, length, at, count)
        if longer > length:
            for i in range(count):
                data[at + i] = data[at + count + i]
        return longer
    elif how == 6:  # a run of digits
        count = 1 + draw(state, 24)
        longer = make_room(data, length, at, count)
        if longer > length:
            for i in range(count):
                data[at + i] = np.uint8(48 + draw(state, 10))
        return longer
    elif how == 7:  # the header of a frame
        data[0] = FIRST_BYTES[draw(state, FIRST_BYTES.size)]
    elif how == 8 and length > 1:
        data[1 + draw(state, min(length - 1, 9))] = LENGTHS[draw(state, LENGTHS.size)]
    else:
        return splice(state, data, length, at, texts, bounds)
    return length


@machine
def make_input(state, data, texts, bounds):
    """Copy a random input into `data` and wound it up to MAX_WOUNDS times, sometimes not; returns its length.

    state   uint64[1], begun with seed_state
    data    uint8[:]
    texts   uint8[:], all inputs one behind the other
    bounds  int64[inputs + 1], where each begins
    """
    chosen = draw(state, bounds.size - 1)
    first = bounds[chosen]
    length = min(bounds[chosen + 1] - first, data.size)
    for i in range(length):
        data[i] = texts[first + i]
    for _ in range(draw(state, MAX_WOUNDS + 1)):
        length = wound(state, data, length, texts, bounds)
    return length
