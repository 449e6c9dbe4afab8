"""The project's own sources as data, for the tests that guard house rules."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGINE = sorted((ROOT / "engine").rglob("*.py"))
KERNELS = [path for path in ENGINE if path.parent.name == "kernels"]
ANALYSIS = [path for path in ENGINE if path.parent.name == "analysis"]
IO = sorted((ROOT / "io").rglob("*.py"))
DOOR = sorted((ROOT / "src" / "ringbook").glob("*.py"))
PACKAGE = [*ENGINE, *IO, *DOOR]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
SOURCES = [*PACKAGE, *TESTS, *BENCHMARKS]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """A file as STYLE.md writes it: relative to the project."""
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    """kernels, analysis, engine, io or door."""
    if path in KERNELS or path in ANALYSIS:
        return path.parent.name
    return "engine" if path in ENGINE else "io" if path in IO else "door"


def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(), str(path))


def functions_of(path: Path) -> Iterator[Function]:
    """Every function of a file, nested ones and methods too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield node


def body_lines(function: Function) -> int:
    """Lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def parameters_of(function: Function) -> list[str]:
    """Names of all parameters."""
    arguments = function.args
    return [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def kernels_of(path: Path) -> Iterator[Function]:
    """Functions decorated with @kernel(...)."""
    for function in functions_of(path):
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).split(".")[-1] == "kernel":
                yield function


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name); the project's own names begin with `ringbook.`, whichever way they are written."""
    folders = path.relative_to(ROOT).parts[:-1]
    package = list(folders) if folders[0] in ("tests", "benchmarks") else ["ringbook", *folders]
    if folders[0] == "src":
        package = ["ringbook"]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from ((node.lineno, ".".join([*module, alias.name])) for alias in node.names)


def listed_violations() -> dict[str, set[str]]:
    """STYLE.md's list of known violations as {rule: {place}}."""
    text = (ROOT / "STYLE.md").read_text().split("## Current violations", 1)[1]
    listed: dict[str, set[str]] = defaultdict(set)
    for rule, place in re.findall(r"^- `([\w-]+)` `([^`]+)`", text, re.M):
        listed[rule].add(place)
    return listed


def judge(rule: str, found: Iterable[tuple[Path, int, str]]) -> None:
    """Fail on violations in files that STYLE.md does not list, and on listed files that are mended.

    found  (file, line, sentence for the reader)
    """
    found = list(found)
    listed = listed_violations()[rule]
    new = [f"{name_of(path)}:{line}: {text}" for path, line, text in found if name_of(path) not in listed]
    mended = sorted(listed - {name_of(path) for path, _, _ in found})
    assert not new, f"{len(new)} violations of `{rule}`:\n  " + "\n  ".join(new)
    assert not mended, f"mended, so take them out of STYLE.md's list for `{rule}`: {mended}"
