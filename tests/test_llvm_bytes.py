"""Slots and order of the near part: the compiled intrinsics against lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine.jit import i64, kernel, void, words_in, words_out
from ringbook.engine.kernels import llvm

from . import plain

AT, LENGTH = 3, 64
words_held = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=16, max_size=16)
places = st.integers(0, LENGTH - 1)


@kernel(i64(words_in, i64, i64))
def take_byte(words, at, index):
    return llvm.byte_of(words, at, index)


@kernel(void(words_out, i64, i64, i64))
def set_byte(words, at, index, value):
    llvm.put_byte(words, at, index, value)


@kernel(void(words_out, i64, i64, i64))
def rotate(words, at, first, last):
    llvm.rotate_bytes(words, at, first, last)


@kernel(i64(words_in, i64, i64))
def count(words, at, key):
    return llvm.count_below(words, at, key)


@kernel(i64(words_in, i64, i64))
def take_tag(words, at, index):
    return llvm.tag_of(words, at, index)


@kernel(void(words_out, i64, i64, i64))
def set_tag(words, at, index, value):
    llvm.put_tag(words, at, index, value)


@kernel(i64(words_in, i64, i64))
def equal_lanes(words, at, key):
    return llvm.lanes_equal(words, at, key)


@kernel(i64(words_in, i64, i64, i64))
def lanes_inside(words, at, low, high):
    return llvm.lanes_within(words, at, low, high)


@kernel(i64(words_in, i64, i64))
def find(words, at, key):
    return llvm.tags_equal(words, at, key)


@given(words_held, places, st.integers(0, 255))
def test_bytes_are_read_and_written_alone(held: list[int], index: int, value: int) -> None:
    words = np.array(held)
    expected = words.copy()
    line = expected.view(np.uint8)[8 * AT :]
    assert take_byte(words, AT, index) == line[index] == plain.byte_of(words, AT, index)
    line[index] = value
    set_byte(words, AT, index, value)
    assert (words == expected).all()


@given(words_held, places, places)
def test_a_byte_goes_before_others_and_nothing_else_moves(held: list[int], one: int, other: int) -> None:
    first, last = sorted((one, other))
    words, twin, before = np.array(held), np.array(held), np.array(held)
    order = list(words.view(np.uint8)[8 * AT :][:LENGTH])
    order.insert(first, order.pop(last))
    rotate(words, AT, first, last)
    plain.rotate_bytes(twin, AT, first, last)
    assert list(words.view(np.uint8)[8 * AT :][:LENGTH]) == order
    assert (words == twin).all()
    outside = np.r_[:AT, AT + 8 : len(words)]
    assert (words[outside] == before[outside]).all()


@pytest.mark.parametrize("extreme", [-(2**63), -1, 0, 1, 2**63 - 1])
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=70, max_size=70), st.data())
def test_keys_below_another_are_counted(extreme: int, held: list[int], data: st.DataObject) -> None:
    words = np.array([*held[:-1], extreme])
    for key in (extreme, data.draw(st.sampled_from(held))):
        expected = sum(word < key for word in words[AT : AT + LENGTH].tolist())
        assert count(words, AT, key) == expected == plain.count_below(words, AT, key)


@given(words_held, st.data())
def test_lanes_that_equal_a_key_or_lie_in_a_range(held: list[int], data: st.DataObject) -> None:
    words, line = np.array(held), held[AT : AT + 8]
    edges = st.sampled_from([*held, -(2**63), 0, 2**63 - 1])
    low, high = sorted((data.draw(edges), data.draw(edges)))
    equal = sum(1 << lane for lane, word in enumerate(line) if word == low)
    inside = sum(1 << lane for lane, word in enumerate(line) if low <= word <= high)
    assert equal_lanes(words, AT, low) == equal == plain.lanes_equal(words, AT, low)
    assert lanes_inside(words, AT, low, high) == inside == plain.lanes_within(words, AT, low, high)


@given(st.lists(st.sampled_from((-(2**63), -1, 0, 7, 2**63 - 1)), min_size=64, max_size=64))
def test_tags_are_written_alone_and_found(keys: list[int]) -> None:
    words, twin = np.full(AT + 16 + 2, -7), np.full(AT + 16 + 2, -7)
    for slot, key in enumerate(keys):
        set_tag(words, AT, slot, key)
        plain.put_tag(twin, AT, slot, key)
    assert (words == twin).all()
    assert [take_tag(words, AT, slot) for slot in range(LENGTH)] == [key % 65536 for key in keys]
    for key in {*keys, 5, 7 + 65536}:
        expected = sum(1 << slot for slot in range(LENGTH) if (keys[slot] - key) % 65536 == 0)
        assert find(words, AT, key) % (1 << 64) == expected == plain.tags_equal(words, AT, key)
