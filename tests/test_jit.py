"""The compile policy: nothing compiles at import, warm-up closes kernels, the cache stays in its place."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import jit
from ringbook.engine.kernels import histogram, ring

SETUP = """
import json, logging, sys
logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
from ringbook.engine import jit
from ringbook.engine.kernels import histogram
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run SETUP and `code` in a process of its own, numba's own settings cleared."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "RINGBOOK"))}
    command = [sys.executable, "-c", SETUP + code]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, timeout=120)


def last_json(done: subprocess.CompletedProcess):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_import_compiles_nothing(tmp_path):
    code = "print(json.dumps([len(d.signatures) for d, _ in jit.registry.values()]))"
    counts = last_json(run(code, RINGBOOK_CACHE_DIR=str(tmp_path)))
    assert counts
    assert not any(counts)
    assert not list(tmp_path.rglob("*.nbi"))


def test_the_door_does_not_import_numba():
    code = "import sys, ringbook; print('numba' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


WARM = """
seen = []
jit.warm(lambda done, total, name, seconds, hit: seen.append((done, total, name, hit)), rooms=("histogram",))
print(json.dumps(seen))
"""


def test_second_start_loads_from_the_cache_and_progress_says_so(tmp_path):
    first = last_json(run(WARM, RINGBOOK_CACHE_DIR=str(tmp_path)))
    second = last_json(run(WARM, RINGBOOK_CACHE_DIR=str(tmp_path)))
    names = [name for name in jit.registry if name.startswith("histogram.")]
    assert [row[2] for row in first] == names
    assert [row[0] for row in first] == list(range(1, len(names) + 1))
    assert not first[0][3]
    assert all(hit for *_, hit in second)
    assert {folder.name for folder in tmp_path.iterdir()} == {
        jit.folder_of(Path(histogram.__file__).resolve())
    }


def test_after_warm_a_wrong_type_raises_instead_of_compiling():
    jit.warm(rooms=("ring",))
    geo = np.zeros(16, np.int64)
    known = list(ring.slot_of.signatures)
    with pytest.raises(TypeError, match="No matching definition"):
        ring.slot_of(geo.astype(np.float32), 1)
    assert ring.slot_of.signatures == known


def test_one_signature_takes_writable_and_read_only_input():
    jit.warm(rooms=("ring",))
    geo = np.zeros(16, np.int64)
    writable = ring.slot_of(geo, 3)
    geo.flags.writeable = False
    assert ring.slot_of(geo, 3) == writable


def test_warm_again_costs_nothing_and_changes_nothing():
    jit.warm(rooms=("ring",))
    before = {name: len(d.signatures) for name, (d, _) in jit.registry.items()}
    jit.warm(rooms=("ring",))
    assert before == {name: len(d.signatures) for name, (d, _) in jit.registry.items()}


def test_warm_explains_a_disabled_compiler():
    done = run("jit.warm()", NUMBA_DISABLE_JIT="1")
    assert done.returncode != 0
    assert "NUMBA_DISABLE_JIT is set" in done.stderr


def test_two_kernels_of_one_name_are_refused(tmp_path):
    source = (
        "from ringbook.engine.jit import i64, kernel\n@kernel(i64(i64))\ndef slot_of(geo):\n    return geo\n"
    )
    twin = tmp_path / "ring.py"
    twin.write_text(source)
    with pytest.raises(ValueError, match=r"ring\.slot_of was defined twice"):
        exec(compile(source, str(twin), "exec"), {})


# ---------------------------------------------------------------- folders that cannot be written
WHERE = (
    WARM
    + """
cache_path = jit.registry["histogram.record"][0].stats.cache_path
print(json.dumps([seen, str(jit.usable_root()), cache_path]))
"""
)


@pytest.fixture
def blocked(tmp_path) -> dict[str, str]:
    """An environment whose cache folder cannot be made, even by root; its temporary folder is tmp_path."""
    (tmp_path / "file").write_text("a file where a folder was asked for")
    return {"RINGBOOK_CACHE_DIR": str(tmp_path / "file" / "cache"), "TMPDIR": str(tmp_path)}


def test_unwritable_cache_falls_back_to_a_private_temporary_folder(blocked, tmp_path):
    own = tmp_path / f"ringbook-cache-{os.geteuid()}"
    first, second = run(WHERE, **blocked), run(WHERE, **blocked)
    _, root, cache_path = last_json(first)
    assert Path(root) == own
    assert Path(cache_path).is_relative_to(own)
    assert own.stat().st_mode & 0o777 == 0o700
    assert all(hit for *_, hit in last_json(second)[0])
    assert first.stderr.count("WARNING") == 1
    assert "set RINGBOOK_CACHE_DIR to a writable folder" in first.stderr


def test_a_temporary_folder_open_to_others_is_refused_and_kernels_live_in_memory(blocked, tmp_path):
    own = tmp_path / f"ringbook-cache-{os.geteuid()}"
    own.mkdir(mode=0o755)
    done = run(WHERE, **blocked)
    seen, root, cache_path = last_json(done)
    assert len(seen) == 2
    assert not any(hit for *_, hit in seen)
    assert (root, cache_path) == ("None", None)
    assert not list(own.iterdir())
    assert "mode 755, expected ours with mode 700" in done.stderr
    assert "compiling in memory at every start" in done.stderr


def test_a_link_in_the_temporary_folder_is_refused(blocked, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"ringbook-cache-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    assert last_json(run(WHERE, **blocked))[1] == "None"
    assert not list((tmp_path / "elsewhere").iterdir())


BROKEN = """
import errno
from numba.core import caching

def full(self, name, data):
    raise OSError(errno.ENOSPC, "No space left on device")

caching.IndexDataCacheFile._save_data = full
"""


def test_a_full_disk_costs_the_cache_but_not_the_kernels(tmp_path):
    use = WARM + "assert histogram.bucket_of(7) == 7\n"
    done = run(BROKEN + use, RINGBOOK_CACHE_DIR=str(tmp_path))
    assert len(last_json(done)) == 2
    assert "the kernel cache failed" in done.stderr
    assert "No space left on device" in done.stderr
    assert done.stderr.count("WARNING") == 1


def test_a_damaged_cache_file_costs_the_cache_but_not_the_kernels(tmp_path):
    run(WARM, RINGBOOK_CACHE_DIR=str(tmp_path))
    for file in tmp_path.rglob("*.nbc"):
        file.write_bytes(file.read_bytes()[:-100])
    done = run(WARM, RINGBOOK_CACHE_DIR=str(tmp_path))
    assert not any(hit for *_, hit in last_json(done))
    assert "the kernel cache failed" in done.stderr


# ---------------------------------------------------------------- other people's settings
USER = """
from numba import njit
from numba.core import config
import user
print(json.dumps([user.twice.stats.cache_path, config.CACHE_DIR, user.twice(4)]))
"""


@pytest.mark.parametrize("own_setting", [False, True])
def test_a_users_own_cache_stays_where_it_was(tmp_path, own_setting):
    (tmp_path / "user.py").write_text(
        "from numba import njit\n\n\n@njit(cache=True)\ndef twice(x):\n    return 2 * x\n"
    )
    environment = {"RINGBOOK_CACHE_DIR": str(tmp_path / "ours"), "PYTHONPATH": str(tmp_path)}
    if own_setting:
        environment["NUMBA_CACHE_DIR"] = str(tmp_path / "theirs")
    cache_path, setting, value = last_json(run(USER, **environment))
    assert value == 8
    assert setting == environment.get("NUMBA_CACHE_DIR", "")
    home = tmp_path / "theirs" if own_setting else tmp_path / "__pycache__"
    assert Path(cache_path).is_relative_to(home)


def test_our_kernels_ignore_the_users_cache_setting(tmp_path):
    environment = {"RINGBOOK_CACHE_DIR": str(tmp_path / "ours"), "NUMBA_CACHE_DIR": str(tmp_path / "theirs")}
    _, _, cache_path = last_json(run(WHERE, **environment))
    assert Path(cache_path).is_relative_to(tmp_path / "ours")
    assert not (tmp_path / "theirs").exists()


def test_cache_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("RINGBOOK_CACHE_DIR", str(tmp_path))
    assert jit.cache_root() == tmp_path
    monkeypatch.delenv("RINGBOOK_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jit.cache_root() == tmp_path / "ringbook"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jit.cache_root() == tmp_path / ".cache" / "ringbook"


# ---------------------------------------------------------------- digest and prune
def test_digest_covers_imports_of_imports():
    names = {file.name for file in jit.sources(Path(ring.__file__).resolve())}
    assert {"ring.py", "llvm.py", "layout.py", "jit.py", "__init__.py"} <= names
    assert "board.py" not in names


def test_digest_follows_every_way_to_import(tmp_path):
    file = tmp_path / "outside.py"
    file.write_text(
        "import ringbook.engine.kernels.board\nfrom ringbook.engine.kernels import histogram\n"
        "from ringbook.engine import layout\nimport os\nfrom pathlib import Path\n"
    )
    names = {found.name for found in jit.sources(file)}
    assert {"outside.py", "board.py", "histogram.py", "layout.py", "llvm.py"} <= names
    assert "ring.py" not in names


def test_digest_changes_with_settings_that_change_code():
    code = "from pathlib import Path; print(json.dumps(jit.digest(Path(histogram.__file__).resolve())))"
    digests = {
        last_json(run(code, **extra)) for extra in ({}, {"NUMBA_OPT": "1"}, {"NUMBA_BOUNDSCHECK": "1"})
    }
    assert len(digests) == 3


def test_prune_removes_only_old_folders_that_nobody_uses(monkeypatch, tmp_path):
    monkeypatch.setattr(jit, "usable_root", lambda: tmp_path)
    live = jit.folder_of(Path(ring.__file__).resolve())
    long_ago = time.time() - 40 * 86400
    for name, is_old in (
        (live, True),
        ("ring-" + "0" * 16, True),
        ("book-" + "1" * 16, False),
        ("mine", True),
    ):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_text("x")
        if is_old:
            os.utime(tmp_path / name, (long_ago, long_ago))
    assert jit.prune() == 1
    assert {folder.name for folder in tmp_path.iterdir()} == {live, "book-" + "1" * 16, "mine"}
    jit.warm(rooms=("ring",))
    assert (tmp_path / live).stat().st_mtime > long_ago + 86400


def test_prune_without_a_cache_does_nothing(monkeypatch):
    monkeypatch.setattr(jit, "usable_root", lambda: None)
    assert jit.prune() == 0


def test_versions_name_what_compiled():
    assert all(word in jit.versions() for word in ("python 3.", "numba ", "llvmlite ", "numpy "))
