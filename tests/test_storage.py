"""What holds a bus: file systems that are too small, locked memory, huge pages; measured, never assumed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io import bus, directory, storage
from ringbook.io.attach import attach
from ringbook.io.errors import BusRefused, NoSpace
from ringbook.io.reader import join

from .bus_tools import publish_book

SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 16, "top_n": 5, "book_levels": 64}
PAGE = 4096
RING_BYTES = int(layout.geometry(16, 5, 2, 64)[layout.GEO_WORDS]) * 8


@pytest.fixture
def mounted() -> Iterator[Callable[[str, str], Path]]:
    """mounted(type, options): a new file system on a directory of our own; skips where that is forbidden."""
    made: list[str] = []

    def mount(kind: str, options: str) -> Path:
        place = tempfile.mkdtemp(prefix="ringbook-mount-")
        done = subprocess.run(
            ["mount", "-t", kind, "-o", options, "ringbook-test", place], capture_output=True, text=True
        )
        if done.returncode:
            os.rmdir(place)
            pytest.skip("mounting a file system is not permitted here")
        made.append(place)
        return Path(place)

    yield mount
    for place in made:
        subprocess.run(["umount", "--lazy", place], check=True)
        os.rmdir(place)


def test_a_file_system_that_is_too_small(mounted: Callable) -> None:
    """Refused with the bytes free and needed and a remedy, before a page is touched; nothing is left."""
    home = mounted("tmpfs", "size=2m,mode=0700")
    with pytest.raises(NoSpace) as caught:
        bus.create("a", directory=home, venue="test", symbol_capacity=8, slot_count=16_384)
    needed = int(layout.geometry(16_384, 20, 8, layout.BOOK_LEVELS_DEFAULT)[layout.GEO_WORDS]) * 8
    # The lock file holds a pid, one page of the two megabytes.
    assert f"has 2.1 MB free ({(2 << 20) - PAGE} bytes), the bus needs" in str(caught.value)
    assert f"({needed} bytes)" in str(caught.value)
    assert "ringbook rm --all-dead" in str(caught.value)
    assert "--shm-size" in str(caught.value)
    assert list(home.iterdir()) == []
    assert os.statvfs(home).f_bfree * PAGE == 2 << 20


@pytest.mark.parametrize("huge_pages", [False, True])
def test_one_page_decides(mounted: Callable, huge_pages: bool) -> None:
    """Ring, control page and lock: exactly that is enough and works to the last byte; a page less is not."""
    enough = RING_BYTES + 2 * PAGE
    home = mounted("tmpfs", f"size={enough - PAGE},mode=0700")
    with pytest.raises(NoSpace, match=r"free.*the bus needs .*--shm-size"):
        bus.create("a", directory=home, huge_pages=huge_pages, **SMALL)
    assert list(home.iterdir()) == []
    home = mounted("tmpfs", f"size={enough},mode=0700")
    with bus.create("a", directory=home, huge_pages=huge_pages, **SMALL) as made:
        assert os.statvfs(home).f_bfree == 0
        made.words[-1] = 7
        made.add_symbol(b"A", "test", 2, 3, 1, 1)
        for _ in range(40):
            publish_book(made)
        assert len(join("a", home).records(16)) == 16
        assert attach("a", home).words[-1] == 7
        with pytest.raises(NoSpace):
            bus.create("b", directory=home, **SMALL)
        assert sorted(path.name for path in home.iterdir()) == ["a.ctl", "a.lock", "a.ring"]


def test_no_inode_left(mounted: Callable) -> None:
    home = mounted("tmpfs", "size=2m,nr_inodes=1,mode=0700")
    with pytest.raises(BusRefused, match=r"a\.lock cannot be made or opened: No space left"):
        bus.create("a", directory=home, **SMALL)


LOCKING = """
import os, resource, sys
from ringbook.engine import jit
from ringbook.io import bus
from ringbook.engine.kernels import lifecycle, ring
jit.warm(rooms=("ring", "lifecycle"))
limit, home = int(sys.argv[2]), sys.argv[1]
if limit:
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
if os.getuid() == 0 and limit:
    os.chown(home, 65534, 65534)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with bus.create("a", directory=home, venue="t", symbol_capacity=1, slot_count=16, lock_memory=True) as made:
    print(made.storage, flush=True)
    print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmLck")][0])
"""


def locked(limit: int) -> tuple[str, int, str]:
    """storage, kB locked, and what was logged by a writer that may lock `limit` bytes; 0: as we may."""
    with tempfile.TemporaryDirectory(prefix="ringbook-lock-", dir="/dev/shm") as home:
        command = [sys.executable, "-c", LOCKING, home, str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    text, kilobytes = done.stdout.strip().splitlines()
    return text, int(kilobytes), done.stderr


def test_locked_memory() -> None:
    """The kernel's own count of locked memory decides, not our word."""
    text, kilobytes, logged = locked(0)
    if "not locked" in text:
        pytest.skip("this user may not lock memory")
    assert text.endswith(", locked in memory")
    assert (
        kilobytes * 1024
        >= int(layout.geometry(16, 20, 1, layout.BOOK_LEVELS_DEFAULT)[layout.GEO_WORDS]) * 8 + PAGE
    )
    assert logged == ""


def test_memory_that_may_not_be_locked() -> None:
    """The bus is made all the same; the reason and the remedy are told twice: in the result and in the log."""
    text, kilobytes, logged = locked(16 * PAGE)
    assert kilobytes == 0
    for told in (text, logged):
        assert "not locked (Cannot allocate memory: " in told
        assert "this process may lock 0.1 MB); raise `ulimit -l`" in told
    assert "the bus works" in logged


@pytest.mark.parametrize("policy", ["advise", "always"])
def test_huge_pages_are_counted_not_claimed(
    mounted: Callable, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    home = mounted("tmpfs", f"size=64m,huge={policy},mode=0700")
    with bus.create("a", directory=home, venue="t", symbol_capacity=4, huge_pages=True) as made:
        size = made.words.nbytes
        huge = sum(
            int(line.split()[1]) * 1024
            for line in smaps_of(made.words)
            if line.startswith(storage.HUGE_FIELDS)
        )
        assert f"{huge / 1e6:.1f} MB of it in huge pages" in made.storage
        assert ("huge pages were asked for" in caplog.text) == (huge < size // 2)
        if not huge:
            pytest.skip("the kernel had no huge page to give")
        assert huge % (2 << 20) == 0


def smaps_of(words: np.ndarray) -> list[str]:
    """The kernel's account of the mapping that holds an array."""
    text = Path("/proc/self/smaps").read_text().splitlines()
    first = next(n for n, line in enumerate(text) if line.startswith(f"{words.ctypes.data:x}-"))
    return text[first + 1 : first + 30]


@pytest.mark.parametrize(("policy", "word"), [("always [never] deny", "'never'"), (None, "unknown")])
def test_refused_huge_pages_say_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, policy, word
) -> None:
    tmp_path.chmod(0o700)
    setting = tmp_path / "shmem_enabled"
    if policy:
        setting.write_text(policy)
    monkeypatch.setattr(storage, "SHMEM_ENABLED", setting)
    monkeypatch.setattr(storage, "huge_bytes", lambda mapping: 0)
    monkeypatch.setattr(directory, "mount_of", lambda where: ("tmpfs", "rw,huge=never,mode=700"))
    with bus.create("a", directory=tmp_path, huge_pages=True, **SMALL) as made:
        assert "0.0 MB of it in huge pages" in made.storage
        publish_book(made)
    assert f"is on tmpfs with huge=never, {setting} is {word}; use a folder" in caplog.text
    monkeypatch.setattr(directory, "mount_of", lambda where: ("tmpfs", "rw,mode=700"))
    assert "with no huge= option" in storage.huge_policy(tmp_path)


def test_sizes_are_whole_pages_on_hugetlbfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "file_system", lambda where: "hugetlbfs")
    monkeypatch.setattr(directory.os, "statvfs", lambda where: os.statvfs_result((2 << 20,) * 10))
    assert directory.whole_pages(tmp_path, 1) == 2 << 20
    assert directory.whole_pages(tmp_path, 2 << 20) == 2 << 20
    assert directory.whole_pages(tmp_path, (2 << 20) + 4096) == 4 << 20
    monkeypatch.setattr(directory, "file_system", lambda where: "tmpfs")
    assert directory.whole_pages(tmp_path, 4096) == 4096


def test_a_bus_on_hugetlbfs(mounted: Callable) -> None:
    """Rounded sizes are accepted there; a truncated one is not."""
    counts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    if int(counts.get("HugePages_Free", "0")) < 6:
        pytest.skip("fewer than 6 free huge pages are reserved on this machine")
    home = mounted("hugetlbfs", "mode=0700,pagesize=2M")
    for generation in (1, 2):
        with bus.create("a", directory=home, **{**SMALL, "slot_count": 8192}) as made:
            made.add_symbol(b"A", "test", 2, 3, 1, 1)
            publish_book(made)
            assert (made.generation, made.next_seq) == (generation, generation + 1)
            with join("a", home) as reader:
                assert (reader.book("A").health, len(reader.records(5))) == ("LIVE", 1)
                assert reader.link.ctl is not None
            assert [info.verdict for info in bus.ls(home)] == ["running"]
    os.truncate(home / "a.ring", 2 << 20)
    with pytest.raises(BusRefused, match="truncated"):
        attach("a", home)
    bus.rm("a", home)
    assert list(home.iterdir()) == []


def test_plain_storage_says_only_size_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(directory, "file_system", lambda where: "tmpfs")
    with bus.create("a", directory=tmp_path, **SMALL) as made:
        assert made.storage == f"{RING_BYTES / 1e6:.1f} MB on tmpfs"


def test_the_configuration_reaches_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ringbook.io.assembly import open_bus
    from ringbook.io.config import load
    from ringbook.io.venues.base import get_venue

    tmp_path.chmod(0o700)
    monkeypatch.setattr(storage, "lock", lambda mappings: "")
    chosen = {"venue": "binance-spot", "symbols": ["A"], "directory": str(tmp_path), "slots": 16}
    told = {}
    for lock_memory, huge_pages in ((False, True), (True, False)):
        config = load(None, chosen | {"lock_memory": lock_memory, "huge_pages": huge_pages})
        with open_bus(config, get_venue("binance-spot")) as made:
            told[lock_memory, huge_pages] = made.storage
    assert "in huge pages" in told[False, True] and "locked" not in told[False, True]
    assert told[True, False].endswith("locked in memory") and "huge" not in told[True, False]
