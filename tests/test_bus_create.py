"""Making a bus: names, directories, space, the symbol table, and the second writer."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io import bus, directory, storage
from ringbook.io.errors import (
    BusFull,
    BusInUse,
    BusNameError,
    BusNotFound,
    BusRefused,
    DirectoryRefused,
    NoSpace,
    RingbookError,
)
from ringbook.io.memory_bus import MemoryBus

SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 4, "top_n": 5, "book_levels": 64}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of our own."""
    tmp_path.chmod(0o700)
    return tmp_path


def test_create_writes_a_sound_file(home: Path) -> None:
    with bus.create("a", directory=home, **SMALL) as made:
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert made.path.stat().st_size == made.geo[layout.GEO_WORDS] * 8
        assert made.path.stat().st_blocks * 512 >= made.path.stat().st_size
        assert (made.generation, made.next_seq, made.header["first_seq"]) == (1, 1, 1)
        assert sorted(path.name for path in home.iterdir()) == ["a.ctl", "a.lock", "a.ring"]


def test_symbol_rows(home: Path) -> None:
    """The table grows to its capacity, keeps its rows, and says clearly when it is full."""
    with bus.create("a", directory=home, **SMALL) as made:
        assert made.add_symbol("币安人生USDT".encode(), "test", 2, 3, 10, 1) == 0
        assert made.add_symbol(b"B" * 64, "test", 2, 3, 10, 1) == 1
        with pytest.raises(BusFull, match=r"had 0 of 2 rows free.*larger symbol_capacity"):
            made.add_symbol(b"C", "test", 2, 3, 10, 1)
        made.retire_symbol(0, 1)
        assert made.symbol_rows["state"].tolist() == [layout.SYMBOL_RETIRED, layout.SYMBOL_ACTIVE]
        assert made.symbol_rows["successor"].tolist() == [1, 0]


@pytest.mark.parametrize("symbol", [b"", b"x" * 65])
def test_symbols_that_do_not_fit(home: Path, symbol: bytes) -> None:
    with (
        bus.create("a", directory=home, **SMALL) as made,
        pytest.raises(BusRefused, match=r"expected 1\.\.64"),
    ):
        made.add_symbol(symbol, "test", 2, 3, 10, 1)


def test_memory_bus_has_the_same_table() -> None:
    """Replays and real buses offer the same calls."""
    for name in (
        "words",
        "ctl",
        "geo",
        "next_seq",
        "add_symbol",
        "retire_symbol",
        "symbol_count",
        "symbol_rows",
    ):
        assert hasattr(MemoryBus(4, 1, 1, 64), name)
        assert name in dir(bus.WriterBus) or name in bus.WriterBus.__init__.__code__.co_names


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "-a", "a" * 65, "a b", "ä", "a\n"])
def test_names_that_cannot_be(home: Path, name: str) -> None:
    with pytest.raises(BusNameError, match="expected 1 to 64"):
        bus.create(name, directory=home, **SMALL)


def test_second_writer_is_told_who_owns_it(home: Path) -> None:
    with bus.create("a", directory=home, **SMALL) as made:
        made.add_symbol(b"A", "test", 2, 3, 10, 1)
        with pytest.raises(
            BusInUse, match=rf"owned by pid {os.getpid()} \(.*heartbeat .* ago.*choose another"
        ):
            bus.create("a", directory=home, **SMALL)
        assert made.symbol_count == 1
        with pytest.raises(BusInUse, match="stop that process"):
            bus.rm("a", home)


def test_closed_bus_is_taken_over_and_removed(home: Path) -> None:
    bus.create("a", directory=home, **SMALL).close()
    assert [info.verdict for info in bus.ls(home)] == ["closed"]
    with bus.create("a", directory=home, **SMALL) as second:
        assert second.generation == 2
        assert [info.verdict for info in bus.ls(home)] == ["running"]
    bus.rm("a", home)
    assert list(home.iterdir()) == []
    with pytest.raises(BusNotFound, match="there is no bus in"):
        bus.rm("a", home)


def test_delete_leaves_nothing(home: Path) -> None:
    made = bus.create("a", directory=home, **SMALL)
    made.delete()
    made.delete()
    assert list(home.iterdir()) == []


def test_leftovers_of_a_crash_are_cleared_and_strangers_files_kept(home: Path) -> None:
    """Half-made files of our name go; another bus whose name only looks like one stays."""
    (home / "a.ring.tmp.12345").write_bytes(b"half")
    (home / "a.ring.tmp.5.ring").write_bytes(b"a bus of another name")
    bus.create("a", directory=home, **SMALL).close()
    names = {path.name for path in home.iterdir()}
    assert "a.ring.tmp.12345" not in names
    assert "a.ring.tmp.5.ring" in names


def test_a_file_that_is_no_bus_is_not_replaced(home: Path) -> None:
    (home / "a.ring").write_bytes(b"somebody's notes" * 1000)
    with pytest.raises(BusRefused, match=r"magic was .* expected .*remove it or choose another name"):
        bus.create("a", directory=home, **SMALL)
    assert (home / "a.ring").read_bytes().startswith(b"somebody's notes")


def test_full_memory_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.os, "posix_fallocate", no_space)
    with pytest.raises(
        NoSpace, match=r"MB free \(\d+ bytes\), the bus needs .* MB .*; .*ringbook rm.*--shm-size"
    ):
        bus.create("a", directory=home, **SMALL)
    monkeypatch.undo()
    assert list(home.iterdir()) == []
    bus.create("a", directory=home, **SMALL).close()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no /dev/shm")
def test_a_bus_larger_than_memory_is_refused_before_anything_breaks(tmp_path: Path) -> None:
    """posix_fallocate answers for the whole file; nothing is left behind."""
    home = Path(f"/dev/shm/ringbook-test-{os.getpid()}")
    home.mkdir(mode=0o700)
    try:
        free = os.statvfs(home)
        if free.f_bavail * free.f_frsize > 100e9:
            pytest.skip("more memory here than a bus can ask for")
        with pytest.raises(NoSpace):
            bus.create("a", directory=home, venue="t", symbol_capacity=65536, book_levels=65536, slot_count=4)
        assert list(home.iterdir()) == []
    finally:
        for path in home.iterdir():
            path.unlink()
        home.rmdir()


def test_directories_that_cannot_be_trusted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loose, file, link = home / "loose", home / "file", home / "link"
    loose.mkdir()
    loose.chmod(0o777)
    file.write_text("")
    link.symlink_to(home)
    for path, message in ((loose, "mode 0777.*chmod"), (file, "not a directory"), (link, "symbolic link")):
        with pytest.raises(DirectoryRefused, match=message):
            bus.create("a", directory=path, **SMALL)
    with pytest.raises(DirectoryRefused, match="does not exist"):
        bus.create("a", directory=home / "no" / "where", **SMALL)
    monkeypatch.setattr(directory.os, "access", lambda *_: False)
    with pytest.raises(DirectoryRefused, match="not writable"):
        bus.create("a", directory=home, **SMALL)


def test_default_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGBOOK_DIR", raising=False)
    assert directory.default_directory() == Path(f"/dev/shm/ringbook-{os.getuid()}")
    monkeypatch.setenv("RINGBOOK_DIR", str(home / "own"))
    bus.create("a", **SMALL).close()
    assert stat.S_IMODE((home / "own").stat().st_mode) == 0o700
    assert [info.name for info in bus.ls()] == ["a"]


def test_disk_paths_are_allowed_with_a_warning(home: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setattr(directory, "file_system", lambda path: "ext4")
    bus.create("a", directory=home, **SMALL).close()
    assert "ext4, not in memory" in caplog.text


def test_group_readable(home: Path) -> None:
    with bus.create("a", directory=home, group_readable=True, **SMALL) as made:
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o640
        assert stat.S_IMODE((home / "a.ctl").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"slot_count": 3}, "power of two"), ({"top_n": 51}, "1..50"), ({"symbol_capacity": 0}, "1..65536")],
)
def test_parameters_out_of_range(home: Path, wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bus.create("a", directory=home, **{**SMALL, **wrong})
    assert list(home.iterdir()) == []


def test_beat_and_counters(home: Path) -> None:
    with bus.create("a", directory=home, **SMALL) as made:
        made.beat(123)
        made.counters[layout.C["frames"]] += 2
        assert made.header["heartbeat_ns"] == 123
        assert np.count_nonzero(made.counters) == 1


def test_errors_are_of_one_family() -> None:
    assert issubclass(BusFull, RingbookError)
    assert (BusFull.exit_code, BusNameError.exit_code) == (1, 2)
