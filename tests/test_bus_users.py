"""Other users, for real: processes of other uids read by group, are refused, and cannot remove anything."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringbook.io import bus
from ringbook.io.errors import DirectoryRefused

from .bus_tools import publish_book

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of other users")
GROUP, MEMBER, STRANGER = 54321, 54322, 54323
SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 16, "top_n": 5, "book_levels": 64}


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of root's in shared memory that a group may enter; files made there are the group's."""
    before = os.umask(0o077)
    try:
        place = Path(tempfile.mkdtemp(prefix="ringbook-users-", dir="/dev/shm"))
        os.chown(place, 0, GROUP)
        place.chmod(0o2750)
        yield place
    finally:
        os.umask(before)
        shutil.rmtree(place)


def start(role: str, uid: int, group: int, folder: Path) -> subprocess.Popen:
    """A process of another user; see tests/user_child.py."""
    command = [sys.executable, "-m", "tests.user_child", role, str(uid), str(group), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answer(role: str, uid: int, group: int, folder: Path) -> str:
    """Everything such a process says."""
    text, _ = start(role, uid, group, folder).communicate(timeout=300)
    return text.strip()


def keep_beating(made: bus.WriterBus, over: threading.Event) -> None:
    """The heart of a writer that has nothing else to do."""
    while not over.wait(0.05):
        made.beat(time.time_ns())


@pytest.fixture
def writer(shared: Path) -> Iterator[bus.WriterBus]:
    """A group-readable bus "a" with three records, made under the umask of a careful person."""
    with bus.create("a", directory=shared, group_readable=True, **SMALL) as made:
        made.add_symbol(b"A", "test", 2, 3, 1, 1)
        for _ in range(3):
            publish_book(made)
        over = threading.Event()
        thread = threading.Thread(target=keep_beating, args=(made, over))
        thread.start()
        yield made
        over.set()
        thread.join()


def test_a_member_of_the_group_reads_and_polls(shared: Path, writer: bus.WriterBus) -> None:
    """The control page stays closed to it: it reads everything, costs nothing, and is not woken."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in shared.iterdir()}
    assert modes == {"a.ring": 0o640, "a.ctl": 0o600, "a.lock": 0o640}
    child = start("read", MEMBER, GROUP, shared)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline().split() == ["True", "running", "3", "LIVE"]
        assert child.stdout.readline().strip() == "waiting"
        publish_book(writer)
        assert child.stdout.readline().split() == ["4", "0"]
        assert child.stdout.readline().strip() == "no control page"
    assert child.wait() == 0
    assert writer.ctl.tolist().count(0) == len(writer.ctl)


def test_a_stranger_is_refused(shared: Path, writer: bus.WriterBus) -> None:
    told = answer("read", STRANGER, STRANGER, shared)
    assert told.startswith("BusRefused: ")
    assert "cannot be opened: Permission denied" in told
    assert f"expected a file of uid {STRANGER}" in told and "--group-readable" in told
    shared.chmod(0o755)
    assert "Permission denied" in answer("read", STRANGER, STRANGER, shared), "the files are closed as well"


def test_nobody_else_writes_there(shared: Path, writer: bus.WriterBus) -> None:
    """A member may look, and can neither remove the bus nor take it over; nor can it once the owner is dead."""
    told = answer("census", MEMBER, GROUP, shared).splitlines()
    assert told[0] == "[('a', 'running')]"
    assert told[1].startswith("BusRefused: ") and "ask its owner" in told[1]
    assert f"DirectoryRefused: {shared} is not writable for uid {MEMBER}" in answer(
        "take_over", MEMBER, GROUP, shared
    )
    writer.close()
    told = answer("census", MEMBER, GROUP, shared).splitlines()
    assert told[0] == "[('a', 'closed')]"
    assert told[1].startswith("BusRefused: ")
    assert len(list(shared.iterdir())) == 3


def test_a_folder_planted_by_a_stranger_gets_no_bus(shared: Path) -> None:
    """Root could write into anybody's folder; whoever owns it could swap the files under the writer."""
    os.chown(shared, STRANGER, STRANGER)
    shared.chmod(0o700)
    with pytest.raises(DirectoryRefused, match=rf"belongs to uid {STRANGER}, expected 0: .*swap its files"):
        bus.create("a", directory=shared, **SMALL)
    assert list(shared.iterdir()) == []


def test_a_bus_of_another_user_is_listed_and_kept(shared: Path) -> None:
    os.chown(shared, STRANGER, GROUP)
    child = start("hang", STRANGER, STRANGER, shared)
    assert child.stdout is not None
    try:
        assert child.stdout.readline().strip() == "ready"
        (found,) = bus.ls(shared)
        assert (found.name, found.verdict, found.pid, found.uid) == ("theirs", "running", child.pid, STRANGER)
        assert "user_child hang" in found.command
        with pytest.raises(bus.BusInUse, match=f"running, owned by pid {child.pid}"):
            bus.rm("theirs", shared)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    (found,) = bus.ls(shared)
    assert (found.verdict, found.command) == ("dead", "")
    bus.rm("theirs", shared)
    assert list(shared.iterdir()) == []
