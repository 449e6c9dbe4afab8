"""The house rules that a machine can check; STYLE.md says why each exists and lists the known violations.

Failures read `file:line: what`. What STYLE.md lists is allowed for now; once mended, it must leave that list.
"""

import ast
import re
from pathlib import Path

from .source_tree import (
    ENGINE,
    IO,
    PACKAGE,
    ROOT,
    SOURCES,
    body_lines,
    functions_of,
    judge,
    kernels_of,
    name_of,
    parameters_of,
    tree_of,
)

FILE_LINES, FUNCTION_LINES, KERNEL_PARAMETERS = 300, 60, 8


# ---------------------------------------------------------------- sizes
def test_files_are_small():
    judge(
        "file-length",
        (
            (path, count, f"{count} lines, at most {FILE_LINES}")
            for path in SOURCES
            if (count := len(path.read_text().splitlines())) > FILE_LINES
        ),
    )


def test_functions_are_small():
    judge(
        "function-length",
        (
            (path, one.lineno, f"{one.name} has {body_lines(one)} lines, at most {FUNCTION_LINES}")
            for path in SOURCES
            for one in functions_of(path)
            if body_lines(one) > FUNCTION_LINES
        ),
    )


def test_kernels_take_few_parameters():
    judge(
        "kernel-parameters",
        (
            (path, one.lineno, f"{one.name} takes {len(parameters_of(one))}, at most {KERNEL_PARAMETERS}")
            for path in PACKAGE
            for one in kernels_of(path)
            if len(parameters_of(one)) > KERNEL_PARAMETERS
        ),
    )


# ---------------------------------------------------------------- words
def test_kernel_docstrings_name_every_parameter():
    found = []
    for path in PACKAGE:
        for one in kernels_of(path):
            text = ast.get_docstring(one) or ""
            missing = [name for name in parameters_of(one) if not re.search(rf"\b{name}\b", text)]
            if not text or missing:
                found.append((path, one.lineno, f"{one.name} does not say what {missing or 'it does'} means"))
    judge("kernel-docstring", found)


def test_public_functions_have_docstrings():
    judge(
        "docstring",
        (
            (path, one.lineno, f"{one.name} has no docstring")
            for path in PACKAGE
            for one in public_definitions(path)
            if not ast.get_docstring(one)
        ),
    )


def public_definitions(path: Path):
    """Module-level functions and classes whose names do not begin with an underscore."""
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield node


def test_every_file_says_what_it_is():
    judge(
        "docstring",
        ((path, 1, "no module docstring") for path in PACKAGE if not ast.get_docstring(tree_of(path))),
    )


TERMINAL_ROOMS = ("io/cli", "io/commands", "io/show", "io/demo", "io/verdict")


def test_libraries_do_not_print():
    judge(
        "no-print",
        (
            (path, node.lineno, "prints; return the text, or log it")
            for path in (*ENGINE, *IO)
            if not name_of(path).startswith(TERMINAL_ROOMS)
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        ),
    )


BANNED_NAMES = {"px", "ts", "sz", "amt", "idx", "arr", "foo", "bar", "baz"}


def test_names_carry_their_meaning():
    """A time says its unit, a price its scale: `recv_ns`, `price_tick`, never `ts` or `px`."""
    found = []
    for path in PACKAGE:
        for node in ast.walk(tree_of(path)):
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            if name in BANNED_NAMES:
                found.append((path, node.lineno, f"{name!r} says neither what it is nor its unit"))
    judge("names", found)


UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def test_nothing_is_left_undone():
    found = []
    for path in (
        *SOURCES,
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "decisions").glob("*.md"),
    ):
        for line, text in enumerate(path.read_text().splitlines(), 1):
            if UNFINISHED.search(text):
                found.append((path, line, text.strip()))
    judge("unfinished", found)


# ---------------------------------------------------------------- the door
def test_public_names_exist_and_are_listed_once():
    import ringbook

    assert sorted(ringbook.__all__) == list(ringbook.__all__)
    for name in ringbook.__all__:
        assert getattr(ringbook, name) is not None
