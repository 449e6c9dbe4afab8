"""Kernels as plain Python: each `.py_func` over plain twins of the intrinsics, if asked with a mistake."""

import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

from ringbook.engine.layout import BLOCK_LEVELS


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


def prefetch(words, index) -> None:
    """Plain twin of llvm.prefetch: a hint needs none."""


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
    space |= {twin.__name__: twin for twin in (move_words, insert_word, remove_word, prefetch)}
    for name, value in list(space.items()):
        if hasattr(value, "py_func"):
            change = mutate[1:] if mutate and mutate[0] == name else (f"def {name}(", f"def {name}(")
            source = mutated_source(value.py_func, *change)
            exec(compile(source, f"<plain {name}>", "exec"), space)
    return SimpleNamespace(**space)
