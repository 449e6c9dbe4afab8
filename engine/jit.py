"""The compile policy: one decorator, one registry, one cache that can never be stale.

`@kernel(signature)` only registers; importing ringbook compiles nothing. `warm()` compiles every
registered kernel one by one, then closes it, so that a wrong type on the hot path raises instead of
compiling there.

Numba's on-disk cache looks at one source file only; a constant changed in another file would leave old
machine code in use. So each kernel gets a cache folder named by a digest of its own file and of every
engine file it imports, directly or not, with the versions of Python, numba, llvmlite and numpy.
Numba itself adds the CPU's name and features to its index.
"""

import ast
import functools
import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core import config as numba_config

from . import layout

POLICY = {"nogil": True, "error_model": "numpy", "boundscheck": False}  # nogil: a spin must not hold the GIL
ENGINE_DIR = Path(__file__).resolve().parent

i64, u8, void = numba.int64, numba.uint8, numba.void
# Inputs are declared read-only in this one place: such a signature accepts writable arrays too.
words_in = numba.types.Array(i64, 1, "C", readonly=True, aligned=True)
bytes_in = numba.types.Array(u8, 1, "C", readonly=True, aligned=True)
words_out = i64[::1]
bytes_out = u8[::1]
Frame = numba.from_dtype(layout.frame_dtype)[::1]
Rows = numba.from_dtype(layout.level_dtype)[:, ::1]
Instruments = numba.from_dtype(layout.instrument_dtype)[::1]
Routes = numba.from_dtype(layout.route_dtype)[::1]

registry: dict[str, tuple] = {}  # qualified name → (dispatcher, signature), in definition order


def cache_root() -> Path:
    """Where compiled kernels live: RINGBOOK_CACHE_DIR, else the user's cache folder."""
    chosen = os.environ.get("RINGBOOK_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "ringbook"


def _imported_files(path: Path) -> Iterator[Path]:
    """Engine files that `path` imports by relative import."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        names = [base] if node.module else []
        names += [base / alias.name for alias in node.names]
        for name in names:
            file = name.with_suffix(".py")
            if file.is_file() and file.is_relative_to(ENGINE_DIR):
                yield file


@functools.cache
def _sources(path: Path) -> frozenset[Path]:
    found, queue = {path}, [path]
    while queue:
        new = set(_imported_files(queue.pop())) - found
        found |= new
        queue += new
    return frozenset(found)


@functools.cache
def digest(path: Path) -> str:
    """Digest of everything the machine code of the kernels in `path` depends on, bar the CPU."""
    versions = (platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__)
    total = hashlib.sha256(repr((versions, sorted(POLICY.items()))).encode())
    for file in sorted(_sources(path) | {Path(__file__).resolve()}):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]


@contextmanager
def _cache_folder(path: Path) -> Iterator[None]:
    """Point numba's cache at our folder while one kernel is decorated; the user's own setting stays."""
    before = numba_config.CACHE_DIR
    numba_config.CACHE_DIR = str(cache_root() / f"{path.stem}-{digest(path)}")
    try:
        yield
    finally:
        numba_config.CACHE_DIR = before


def kernel(signature, **departures) -> Callable:
    """Register a nopython kernel with its explicit signature; a departure from POLICY says why beside it."""

    def decorate(function):
        path = Path(function.__code__.co_filename).resolve()
        options = {**POLICY, "cache": True, **departures}
        with _cache_folder(path):
            dispatcher = numba.njit(**options)(function)
        registry[f"{path.stem}.{function.__name__}"] = (dispatcher, signature)
        return dispatcher

    return decorate


def warm(progress: Callable[[int, int, str, float, bool], None] | None = None, rooms: tuple = ()) -> float:
    """Compile, or load from the cache, every registered kernel, and close it to further types.

    progress  called as progress(done, total, name, seconds, from_cache) after each kernel
    rooms     only kernels of these files (stems), in definition order; all when empty
    Returns   seconds spent. Safe to call again: a closed kernel costs nothing.
    """
    started = time.perf_counter()
    chosen = [item for item in registry.items() if not rooms or item[0].split(".")[0] in rooms]
    for done, (name, (dispatcher, signature)) in enumerate(chosen, 1):
        begun = time.perf_counter()
        if dispatcher._can_compile:
            dispatcher.compile(signature)
            dispatcher.disable_compile()
        if progress:
            hit = sum(dispatcher.stats.cache_hits.values()) > 0
            progress(done, len(chosen), name, time.perf_counter() - begun, hit)
    return time.perf_counter() - started


def prune(keep_days: float = 30.0) -> int:
    """Delete cache folders of sources that are not in use and were not touched for `keep_days`."""
    live = {f"{Path(d.py_func.__code__.co_filename).stem}-" for d, _ in registry.values()}
    current = {
        f"{path.stem}-{digest(path)}"
        for path in {Path(d.py_func.__code__.co_filename).resolve() for d, _ in registry.values()}
    }
    limit, removed = time.time() - keep_days * 86400, 0
    for folder in cache_root().glob("*-" + "[0-9a-f]" * 16):
        ours = any(folder.name.startswith(stem) for stem in live)
        if ours and folder.name not in current and folder.stat().st_mtime < limit:
            for file in folder.rglob("*"):
                if file.is_file():
                    file.unlink(missing_ok=True)
            removed += 1
    return removed


def versions() -> str:
    """One line naming what the kernels were compiled with."""
    return (
        f"python {sys.version.split()[0]}, numba {numba.__version__}, "
        f"llvmlite {llvmlite.__version__}, numpy {np.__version__}"
    )
