"""Kernels as plain Python: each `.py_func` over plain twins of the intrinsics, if asked with a mistake."""

import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

from ringbook.engine.layout import BLOCK_LEVELS, DIRECTORY_STEP


def move_words(target, to, source, start, count) -> None:
    """Plain twin of llvm.move_words, with the bounds that the intrinsic trusts its caller for."""
    assert count >= 0
    assert 0 <= to <= to + count <= len(target)
    assert 0 <= start <= start + count <= len(source)
    target[to : to + count] = source[start : start + count].copy()


def insert_word(words, at, position, value) -> None:
    """Plain twin of llvm.insert_word."""
    move_words(words, at + position + 1, words, at + position, BLOCK_LEVELS - 1 - position)
    words[at + position] = value


def remove_word(words, at, position, value) -> None:
    """Plain twin of llvm.remove_word."""
    move_words(words, at + position, words, at + position + 1, BLOCK_LEVELS - 1 - position)
    words[at + BLOCK_LEVELS - 1] = value


def edit_words(words, at, position, value, step, last) -> None:
    """Plain twin of llvm.edit_words, which also reads the words around."""
    words[at - step]
    words[at + BLOCK_LEVELS - 1 - step]
    if step > 0:
        insert_word(words, at, position, value)
    elif step < 0:
        remove_word(words, at, position, last)
    elif position < BLOCK_LEVELS:
        words[at + position] = value


def count_line(words, at, key, count: int = 8) -> int:
    """Plain twin of llvm.count_line."""
    assert 0 <= at <= at + count <= len(words)
    return int((words[at : at + count] < key).sum())


def count_block(words, at, key) -> int:
    """Plain twin of llvm.count_block."""
    return count_line(words, at, key, BLOCK_LEVELS)


def count_step(words, at, key) -> int:
    """Plain twin of llvm.count_step."""
    return count_line(words, at, key, DIRECTORY_STEP)


TWINS = move_words, insert_word, remove_word, edit_words, count_line, count_block, count_step


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
        if hasattr(value, "py_func"):
            change = mutate[1:] if mutate and mutate[0] == name else (f"def {name}(", f"def {name}(")
            source = mutated_source(value.py_func, *change)
            exec(compile(source, f"<plain {name}>", "exec"), space)
    return SimpleNamespace(**space)
