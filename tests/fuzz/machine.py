"""Machine code of the hunt itself, kept beside that of the kernels and named by all it depends on."""

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numba

from ringbook.engine import jit

PARTS = ("machine.py", "drive.py", "wounds.py", "twins.py")


def _digest() -> str:
    here = Path(__file__).parent
    total = hashlib.sha256(jit.digest(here / "drive.py").encode())
    for part in PARTS:
        total.update((here / part).read_bytes())
    return total.hexdigest()[:16]


def machine(function: Callable) -> Callable:
    """Compile a part of the hunt, which may allocate."""
    root = jit.usable_root()
    with jit._cache_folder(root / f"fuzz-{_digest()}") if root else nullcontext():
        return numba.njit(cache=root is not None, **{**jit.POLICY, "_nrt": True})(function)
