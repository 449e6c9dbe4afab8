"""The compile policy: one decorator, one registry, one cache that can never be stale.

`@kernel(signature)` only registers; importing ringbook compiles nothing. `warm()` compiles every
registered kernel one by one, then closes it, so that a wrong type on the hot path raises instead of
compiling there.

Numba's on-disk cache looks at one source file only; a constant changed in another file would leave old
machine code in use. So each kernel gets a cache folder named by a digest of its own file and of every
engine file it imports, directly or not, with the versions of Python, numba, llvmlite and numpy.
Numba itself adds the CPU's name and features to its index. See decisions/0006-jit-cache.md.

This is the one engine file that touches the world: it reads sources and finds the cache folder.
"""

import ast
import functools
import hashlib
import logging
import os
import pickle
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core import config as numba_config

from . import layout

log = logging.getLogger(__name__)

# nogil: a spin must not hold the GIL. _nrt: kernels own no memory, so no array is ever counted in them.
POLICY = {"nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False}
# Departure of the kernels that every field or every frame goes through: an array travels as seven words by the stack,
# and a small kernel, or one that takes four arrays, spends longer on that than on its work. LLVM would not inline them.
INLINE = {"forceinline": True}
# Settings of numba that change machine code but not numba's own cache key.
CODE_SETTINGS = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX")
ENGINE_DIR = Path(__file__).resolve().parent
PACKAGE = __name__.split(".")[0]

i64, u64, u8, void = numba.int64, numba.uint64, numba.uint8, numba.void
Pair, Triple = numba.types.UniTuple(i64, 2), numba.types.UniTuple(i64, 3)
# Inputs are declared read-only in this one place: such a signature accepts writable arrays too.
words_in = numba.types.Array(i64, 1, "C", readonly=True, aligned=True)
bytes_in = numba.types.Array(u8, 1, "C", readonly=True, aligned=True)
words_out = i64[::1]
bytes_out = u8[::1]
Frame = numba.from_dtype(layout.frame_dtype)[::1]
Rows = numba.from_dtype(layout.level_dtype)[:, ::1]
Instruments = numba.from_dtype(layout.instrument_dtype)[::1]
Routes = numba.from_dtype(layout.route_dtype)[::1]

registry: dict[str, tuple] = {}  # "file stem.function" → (dispatcher, signature), in definition order


# ---------------------------------------------------------------- what machine code depends on
def _imported_files(path: Path) -> Iterator[Path]:
    """Engine files that `path` imports, as `from ..kernels import x` or by the package's full name."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".") if node.module else []
            if node.level:
                base = path.parents[node.level - 1].joinpath(*parts)
            elif parts[0] == PACKAGE:
                base = ENGINE_DIR.parent.joinpath(*parts[1:])
            else:
                continue
            names = [base, *(base / alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            dotted = [alias.name.split(".") for alias in node.names]
            names = [ENGINE_DIR.parent.joinpath(*parts[1:]) for parts in dotted if parts[0] == PACKAGE]
        else:
            continue
        for name in names:
            for file in (name.with_suffix(".py"), name / "__init__.py"):
                if file.is_file() and file.is_relative_to(ENGINE_DIR):
                    yield file


@functools.cache
def sources(path: Path) -> frozenset[Path]:
    """`path` and every engine file it imports, directly or not."""
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
    settings = [(name, getattr(numba_config, name, None)) for name in CODE_SETTINGS]
    total = hashlib.sha256(repr((versions, settings, sorted(POLICY.items()))).encode())
    for file in sorted(sources(path) | {Path(__file__).resolve()}):
        body = file.read_bytes()
        total.update(f"{file.name} {len(body)}\n".encode() + body)
    return total.hexdigest()[:16]


# ---------------------------------------------------------------- where machine code is kept
def cache_root() -> Path:
    """Where compiled kernels should live: RINGBOOK_CACHE_DIR, else the user's cache folder."""
    chosen = os.environ.get("RINGBOOK_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base).absolute() / "ringbook"


def _why_unusable(folder: Path, private: bool) -> str:
    """Make `folder` if need be; '' when files can be kept there, else the reason why not.

    private  refuse a folder that another user could have prepared: a cache entry is code
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if private and (found.st_uid != os.geteuid() or mode & 0o077 or not stat.S_ISDIR(found.st_mode)):
            return f"{folder} belongs to uid {found.st_uid} with mode {mode:o}, expected ours with mode 700"
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return ""


@functools.cache
def usable_root() -> Path | None:
    """The cache folder in use: cache_root(), else one of our own in the temporary folder, else None.

    Numba would fall back to __pycache__ beside the sources, where entries can be stale; we never let it.
    """
    wanted, own = cache_root(), Path(tempfile.gettempdir()) / f"ringbook-cache-{os.geteuid()}"
    refusal = _why_unusable(wanted, private=False)
    if not refusal:
        return wanted
    remedy = "set RINGBOOK_CACHE_DIR to a writable folder"
    second_refusal = _why_unusable(own, private=True)
    if not second_refusal:
        log.warning("cannot keep compiled kernels (%s); keeping them in %s instead; %s", refusal, own, remedy)
        return own
    log.warning(
        "cannot keep compiled kernels (%s; %s); compiling in memory at every start; %s",
        refusal, second_refusal, remedy,
    )  # fmt: skip
    return None


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    """Point numba's cache at our folder while one kernel is decorated; the user's own setting stays."""
    before = numba_config.CACHE_DIR
    numba_config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba_config.CACHE_DIR = before


def folder_of(path: Path) -> str:
    """Name of the cache folder of the kernels in `path`."""
    return f"{path.stem}-{digest(path)}"


# ---------------------------------------------------------------- register, compile, close
def kernel(signature, **departures) -> Callable:
    """Register a nopython kernel with its explicit signature; a departure from POLICY says why beside it."""

    def decorate(function):
        path = Path(function.__code__.co_filename).resolve()
        name = f"{path.stem}.{function.__name__}"
        twin = registry.get(name)
        if twin and Path(twin[0].py_func.__code__.co_filename).resolve() != path:
            raise ValueError(f"kernel {name} was defined twice, now in {path}; rename one of the files")
        options, root = {**POLICY, **departures}, usable_root()
        with _cache_folder(root / folder_of(path)) if root else nullcontext():
            dispatcher = numba.njit(cache=root is not None, **options)(function)
        registry[name] = (dispatcher, signature)
        return dispatcher

    return decorate


def _compile(dispatcher, signature) -> None:
    """Compile or load one kernel; when the cache fails (full disk, damaged file), the cache is given up."""
    try:
        dispatcher.compile(signature)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        log.warning(
            "the kernel cache failed (%s); compiling in memory; free space or delete %s", error, usable_root()
        )
        for other, _ in registry.values():
            other._cache.disable()
        dispatcher.compile(signature)


Progress = Callable[[int, int, str, float, bool], None]


def specialise(function: Callable) -> Callable:
    """Compile a closure over a user's own function, which may allocate; never cached, for it has no file."""
    return numba.njit(**{**POLICY, "_nrt": True})(function)


def warm(progress: Progress | None = None, rooms: tuple = ()) -> float:
    """Compile, or load from the cache, every registered kernel, and close it to further types.

    progress  called as progress(done, total, name, seconds, from_cache) after each kernel
    rooms     only kernels of these files (stems), in definition order; all when empty
    Returns   seconds spent. Safe to call again: a closed kernel costs nothing.
    """
    started = time.perf_counter()
    if numba_config.DISABLE_JIT:
        raise RuntimeError("NUMBA_DISABLE_JIT is set, but atomics exist only compiled; unset it")
    chosen = [item for item in registry.items() if not rooms or item[0].split(".")[0] in rooms]
    for done, (name, (dispatcher, signature)) in enumerate(chosen, 1):
        begun = time.perf_counter()
        if dispatcher._can_compile:
            _compile(dispatcher, signature)
            dispatcher.disable_compile()
        if progress:
            progress(done, len(chosen), name, time.perf_counter() - begun, from_cache(dispatcher))
    _touch(chosen)
    return time.perf_counter() - started


def from_cache(dispatcher) -> bool:
    """Whether a compiled kernel was loaded from the cache."""
    return sum(dispatcher.stats.cache_hits.values()) > 0


def _files(kernels) -> set[Path]:
    return {Path(dispatcher.py_func.__code__.co_filename).resolve() for _, (dispatcher, _) in kernels}


def _touch(kernels) -> None:
    """Mark the cache folders of `kernels` as used today, for prune()."""
    root = usable_root()
    for path in _files(kernels) if root else ():
        folder = root / folder_of(path)  # type: ignore[operator]
        if folder.is_dir():
            os.utime(folder)


def prune(keep_days: float = 30.0) -> int:
    """Delete cache folders of sources that are not in use and were not used for `keep_days`.

    Returns  folders deleted; folders that are not ours by name are left alone.
    """
    root = usable_root()
    if root is None:
        return 0
    current = {folder_of(path) for path in _files(registry.items())}
    limit, removed = time.time() - keep_days * 86400, 0
    for folder in root.glob("?*-" + "[0-9a-f]" * 16):
        if folder.name not in current and not folder.is_symlink() and folder.stat().st_mtime < limit:
            shutil.rmtree(folder, ignore_errors=True)
            removed += not folder.exists()
    return removed


def versions() -> str:
    """One line naming what the kernels were compiled with."""
    return (
        f"python {sys.version.split()[0]}, numba {numba.__version__}, "
        f"llvmlite {llvmlite.__version__}, numpy {np.__version__}"
    )
