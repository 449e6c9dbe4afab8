"""The cache can never be stale: a constant changed in another file reaches the next process.

Each process imports a copy of the package with two files added: a constant, and a kernel that returns it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KERNEL = '''
from .. import probe_constants
from ..jit import i64, kernel

ANSWER = probe_constants.ANSWER


@kernel(i64(i64))
def probe(x):
    """Return the constant of another file, plus x."""
    return ANSWER + x
'''
PLAIN = KERNEL.replace("from ..jit import i64, kernel", "from numba import njit").replace(
    "@kernel(i64(i64))", "@njit(cache=True)"
)
READ = """
from ringbook.engine import jit
from ringbook.engine.kernels import probe
jit.warm(rooms=("probe",))
print(probe.probe(0), jit.from_cache(probe.probe))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package as a wheel would install it: real files, no links, no caches."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "ringbook", tmp_path / "site" / "ringbook", ignore=skip)
    return tmp_path / "site" / "ringbook"


def set_constant(package: Path, text: str) -> None:
    (package / "engine" / "probe_constants.py").write_text(text)


def read(package: Path) -> tuple[int, bool]:
    """What a new process sees: the kernel's answer, and whether it came from the cache."""
    environment = os.environ | {
        "PYTHONPATH": str(package.parent),
        "RINGBOOK_CACHE_DIR": str(package.parent.parent / "cache"),
        # Python compares whole seconds and sizes of a source with its .pyc; this test edits faster than that.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=package.parent,
    )
    assert done.returncode == 0, done.stderr
    answer, hit = done.stdout.split()
    return int(answer), hit == "True"


def test_a_constant_edited_in_another_file_reaches_the_next_process(package):
    (package / "engine" / "kernels" / "probe.py").write_text(KERNEL)
    set_constant(package, "ANSWER = 30\n")
    assert read(package) == (30, False)
    assert read(package) == (30, True)
    set_constant(package, "ANSWER = 99\n")
    assert read(package) == (99, False)
    assert read(package) == (99, True)


def test_a_constant_two_imports_away_reaches_the_next_process(package):
    (package / "engine" / "kernels" / "probe.py").write_text(KERNEL)
    set_constant(package, "from .probe_deep import ANSWER\n")
    deep = package / "engine" / "probe_deep.py"
    deep.write_text("ANSWER = 1\n")
    assert read(package) == (1, False)
    deep.write_text("ANSWER = 2\n")
    assert read(package) == (2, False)


def test_going_back_finds_the_old_machine_code_again(package):
    (package / "engine" / "kernels" / "probe.py").write_text(KERNEL)
    for text in ("ANSWER = 30\n", "ANSWER = 99\n"):
        set_constant(package, text)
        read(package)
    set_constant(package, "ANSWER = 30\n")
    assert read(package) == (30, True)


def test_without_our_folders_numba_would_serve_the_old_constant(package):
    """The control: the same kernel under plain njit(cache=True) is stale, so the tests above bite."""
    (package / "engine" / "kernels" / "probe.py").write_text(PLAIN)
    set_constant(package, "ANSWER = 30\n")
    assert read(package)[0] == 30
    set_constant(package, "ANSWER = 99\n")
    assert read(package)[0] == 30
