"""Instructions of hot kernels, compiled for one fixed processor: the same count on every x86-64 machine.

    python -m benchmarks.assembly NAME ...      prints JSON, name → instructions

The process is told the processor through numba's own settings, so that inlining and vectorising do not follow
the host. Counted is all of a kernel's module: what was inlined, and what it calls; not numba's wrappers.
"""

import hashlib
import importlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import llvmlite
import numba

from ringbook.engine import jit, kernels

PROCESSOR = "skylake"
# In two groups of about the same time, compiled side by side.
HOT = (
    ("binance.scan",),
    ("frames.next_frame", "accept.accept", "book_apply.apply_rows", "book.write_top", "ring.commit", "ring.read_record",
     "ring.publish_head", "board.board_write", "board.board_read"),
)  # fmt: skip


def compiler() -> str:
    """What a count depends on besides the sources."""
    minor = platform.python_version().rpartition(".")[0]
    return f"python {minor}, numba {numba.__version__}, llvmlite {llvmlite.__version__}"


def sources(name: str) -> str:
    """Digest of the engine files that a kernel is made of."""
    path = (
        Path(kernels.__file__).resolve().with_name(f"{name.partition('.')[0]}.py")
    )  # jit knows real paths only
    total = hashlib.sha256()
    for file in sorted(jit.sources(path)):
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def instructions(assembly: str) -> int:
    """Instructions of a module's functions, without numba's entries for Python and C."""
    parts = re.findall(r"^\t\.type\t\"?(\S+?)\"?,[@%]function\n(.*?)^\.Lfunc_end", assembly, re.M | re.S)
    bodies = [body for name, body in parts if not re.match(r"_ZN7cpython|cfunc\.", name)]
    return sum(len(re.findall(r"^\t[a-z]", body, re.M)) for body in bodies)


def count(name: str) -> int:
    """Compile one registered kernel afresh and count."""
    importlib.import_module(f"{kernels.__name__}.{name.partition('.')[0]}")
    dispatcher, signature = jit.registry[name]
    fresh = numba.njit(**jit.POLICY)(dispatcher.py_func)  # what comes from the cache has no assembly
    fresh.compile(signature)
    return instructions(fresh.inspect_asm(fresh.nopython_signatures[0].args))


def counts(names: list[str]) -> dict[str, int]:
    """Counts of these kernels, made by two processes of their own."""
    environment = os.environ | {"NUMBA_CPU_NAME": PROCESSOR, "NUMBA_CPU_FEATURES": ""}
    running, found = [], {}
    for group in HOT:
        if chosen := [name for name in group if name in names]:
            words = [sys.executable, "-m", "benchmarks.assembly", *chosen]
            running.append(subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True))
    for process in running:
        found |= json.loads(process.communicate()[0])
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: count(name) for name in sys.argv[1:]}))
