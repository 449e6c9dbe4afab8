"""ls and rm: owners, ages, sizes; what lives is kept, whatever it looks like, and what is dead goes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ringbook.engine import layout
from ringbook.io import bus
from ringbook.io.show import user_of

from .bus_tools import publish_book
from .command import run

SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 16, "top_n": 5, "book_levels": 64}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of our own that the commands use."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("RINGBOOK_DIR", str(tmp_path))
    return tmp_path


def overwrite(path: Path, field: str, value: int) -> None:
    """Change one int64 of a header."""
    with open(path, "r+b") as file:
        file.seek(layout.header_dtype.fields[field][1])  # type: ignore[index]
        file.write(value.to_bytes(8, "little"))


def test_owners_ages_and_sizes(home: Path, capsys) -> None:
    with bus.create("mine", directory=home, **SMALL) as made:
        made.add_symbol(b"A", "test", 2, 3, 1, 1)
        publish_book(made)
        overwrite(made.path, "created_ns", time.time_ns() - 3 * 3600 * 10**9)
        (home / "junk.ring").write_bytes(b"junk" * 2048)
        size = made.path.stat().st_size
        lines = run(capsys, "ls")[1].splitlines()
        found = {entry["name"]: entry for entry in json.loads(run(capsys, "ls", "--json")[1])}
    assert lines[0].split() == [
        "name", "verdict", "pid", "user", "venue", "generation", "age", "heartbeat", "size", "symbols", "next",
        "seq", "command",
    ]  # fmt: skip
    assert lines[1].split()[:4] == ["junk", "refused", user_of(os.getuid()), "0.0"]
    assert "magic was" in lines[1]
    shown = lines[2].split()
    assert shown[:8] == ["mine", "running", str(os.getpid()), user_of(os.getuid()), "test", "1", "3", "h"]
    assert shown[10:15] == ["ago", f"{size / 1e6:.1f}", "MB", "1", "2"]
    mine = found["mine"]
    assert (mine["pid"], mine["uid"], mine["size_bytes"], mine["symbols"]) == (
        os.getpid(),
        os.getuid(),
        size,
        1,
    )
    assert mine["age_ns"] > 3600 * 10**9 > mine["heartbeat_age_ns"] >= 0
    assert "pytest" in mine["command"] or "python" in mine["command"]
    assert (found["junk"]["verdict"], found["junk"]["size_bytes"]) == ("refused", 8192)


def test_a_user_without_a_name() -> None:
    assert user_of(4_000_000) == "4000000"
    assert user_of(-1) == "?"


def test_a_stopped_owner_keeps_its_bus(home: Path, capsys) -> None:
    """SIGSTOP: stalled, refused by rm by name, passed over by --all-dead."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bus_child", "publish", str(home), "a", "3", "beat"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        assert child.stdout.readline().strip() == "ready"
        os.kill(child.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 20
        while bus.ls(home)[0].verdict != "stalled" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run(capsys, "ls")[1].splitlines()[1].split()[:3] == ["a", "stalled", str(child.pid)]
        assert "bus_child publish" in bus.ls(home)[0].command
        code, _, told = run(capsys, "rm", "a")
        assert (code, f"stalled, owned by pid {child.pid}" in told) == (1, True)
        code, _, told = run(capsys, "rm", "--all-dead")
        assert (code, "nothing to remove" in told) == (1, True)
        assert len(list(home.iterdir())) == 3
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert run(capsys, "rm", "--all-dead")[:2] == (0, "removed a\n")
    assert list(home.iterdir()) == []


def test_a_pid_that_was_given_to_another_process(home: Path) -> None:
    """Our own pid, alive, but begun at another time than the header's owner: dead, shown so, and removed."""
    made = bus.create("a", directory=home, **SMALL)
    os.close(made._lock_fd)  # type: ignore[arg-type]
    overwrite(home / "a.ring", "start_ticks", int(made.header["start_ticks"]) + 1)
    assert (bus.ls(home)[0].verdict, bus.ls(home)[0].command) == ("dead", "")
    bus.rm("a", home)
    assert list(home.iterdir()) == []


def test_a_reused_pid_under_a_held_lock_is_dead_but_kept(home: Path) -> None:
    """The lock belongs to whoever is just starting: not ours to remove."""
    with bus.create("a", directory=home, **SMALL) as made:
        overwrite(home / "a.ring", "start_ticks", int(made.header["start_ticks"]) + 1)
        assert bus.ls(home)[0].verdict == "dead"
        with pytest.raises(bus.BusInUse, match=f"being started by pid {os.getpid()}"):
            bus.rm("a", home)
        assert len(list(home.iterdir())) == 3


def test_a_writer_whose_lock_file_somebody_removed_is_kept(home: Path) -> None:
    with bus.create("a", directory=home, **SMALL) as made:
        made.beat(time.time_ns())
        (home / "a.lock").unlink()
        with pytest.raises(bus.BusInUse, match="has lost its lock file, but its owner runs"):
            bus.rm("a", home)
        assert sorted(path.name for path in home.iterdir()) == ["a.ctl", "a.ring"]
    bus.rm("a", home)
    assert list(home.iterdir()) == []
