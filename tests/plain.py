"""Kernels as plain Python: each `.py_func` over plain twins of the intrinsics, if asked with a mistake."""

import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np


def move_words(target, to, source, start, count) -> None:
    """Plain twin of llvm.move_words, with the bounds that the intrinsic trusts its caller for."""
    assert count >= 0
    assert 0 <= to <= to + count <= len(target)
    assert 0 <= start <= start + count <= len(source)
    target[to : to + count] = source[start : start + count].copy()


def lanes(words, at, found) -> int:
    """The lanes of a line as bits."""
    assert 0 <= at <= at + 8 <= len(words)
    return sum(1 << lane for lane in range(8) if found(words[at + lane]))


def lanes_equal(words, at, key) -> int:
    """Plain twin of llvm.lanes_equal."""
    return lanes(words, at, lambda word: word == key)


def lanes_within(words, at, low, high) -> int:
    """Plain twin of llvm.lanes_within."""
    assert low <= high
    return lanes(words, at, lambda word: low <= word <= high)


def tags_of(words, at) -> np.ndarray:
    """The 64 tags from a word on."""
    assert 0 < at <= at + 16 <= len(words)
    return words[at : at + 16].view(np.uint16)


def tags_equal(words, at, key) -> int:
    """Plain twin of llvm.tags_equal."""
    return sum(1 << slot for slot in range(64) if tags_of(words, at)[slot] == int(key) % 65536)


def tag_of(words, at, index) -> int:
    """Plain twin of llvm.tag_of."""
    return int(tags_of(words, at)[range(64)[index]])


def put_tag(words, at, index, value) -> None:
    """Plain twin of llvm.put_tag."""
    tags_of(words, at)[range(64)[index]] = int(value) % 65536


def count_below(words, at, key) -> int:
    """Plain twin of llvm.count_below."""
    assert 0 <= at <= at + 64 <= len(words)
    return sum(int(word) < key for word in words[at : at + 64])


def line_of(words, at) -> np.ndarray:
    """The 64 bytes from a word on."""
    assert 0 < at <= at + 8 <= len(words)
    return words[at : at + 8].view(np.uint8)


def byte_of(words, at, index) -> int:
    """Plain twin of llvm.byte_of."""
    return int(line_of(words, at)[range(64)[index]])


def put_byte(words, at, index, value) -> None:
    """Plain twin of llvm.put_byte."""
    line_of(words, at)[range(64)[index]] = value


def rotate_bytes(words, at, first, last) -> None:
    """Plain twin of llvm.rotate_bytes."""
    line, moved = line_of(words, at), byte_of(words, at, last)
    assert 0 <= first <= last
    line[first + 1 : last + 1] = line[first:last].copy()
    line[first] = moved


def count_trailing_zeros(value) -> int:
    """Plain twin of llvm.count_trailing_zeros."""
    return (int(value) & -int(value)).bit_length() - 1 if value else 64


def group_of(key, groups) -> int:
    """Plain twin of book_table.group_of, whose products overflow on purpose."""
    spread = (int(key) * 0x9E3779B97F4A7C15) % (1 << 64)
    return (spread >> 32) * int(groups) >> 32


TWINS = (
    move_words, lanes_equal, lanes_within, tags_equal, tag_of, put_tag, count_below, byte_of, put_byte,
    rotate_bytes, count_trailing_zeros, group_of,
)  # fmt: skip
TWIN_NAMES = {twin.__name__ for twin in TWINS}


def mutated_source(function: Callable, old: str, new: str) -> str:
    """A kernel's Python source without its decorator, with one place changed."""
    source = textwrap.dedent(inspect.getsource(function))
    source = source[source.index("def ") :]
    assert source.count(old) == 1, f"{old!r} is not once in {function.__name__}"
    return source.replace(old, new)


def plain_room(*modules: ModuleType, mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    """Rebuild the kernels of `modules` as Python functions that call each other.

    mutate  (kernel, old text, new text): a mistake put into one of them, to see it caught
    """
    space: dict = {}
    for module in modules:
        space |= {name: value for name, value in vars(module).items() if not name.startswith("__")}
    space |= {twin.__name__: twin for twin in TWINS}
    for name, value in list(space.items()):
        if hasattr(value, "py_func") and value.__name__ not in TWIN_NAMES:
            change = mutate[1:] if mutate and mutate[0] == name else (f"def {name}(", f"def {name}(")
            source = mutated_source(value.py_func, *change)
            exec(compile(source, f"<plain {name}>", "exec"), space)
    return SimpleNamespace(**space)
