"""Compiling and starting the C program."""

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from ringbook.engine import layout

from . import ring_loops, shape

SOURCE = Path(__file__).with_name("ring.c")
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-mprefer-vector-width=512", "-Wall", "-Wextra", "-Werror")


@functools.cache
def program() -> Path | None:
    """The compiled program, or None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = tempfile.mkdtemp(prefix="ringbook-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = Path(folder) / "ring"
    values = {name: getattr(layout, name) for name in ("H_HEAD", "CTL_WAKE", "CTL_WAITERS")}
    values |= {name: getattr(shape, name) for name in ("RING_AT", "CTL_READY")}
    values |= {name: getattr(ring_loops, name) for name in ("ROWS", "RESULT_WORDS", "BEFORE_NS")}
    defines = [f"-D{name}={value}" for name, value in values.items()]
    subprocess.run([compiler, *FLAGS, *defines, str(SOURCE), "-o", str(target)], check=True)
    return target


def version() -> str:
    """First line of the compiler's own version."""
    return subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout.partition(
        "\n"
    )[0]


def start(job: shape.Job) -> subprocess.Popen:
    """One process of a run."""
    return subprocess.Popen([str(program()), *job.arguments()])
